"""One full multigrid pass on a GPU, beside a device copy, torch.fft and the same pass on the CPU.

python benchmarks/gpu/poisson.py [--device cuda] [--quick] [--output FOLDER]

-Laplace u = f with zero Dirichlet data and random f. Grids of up to 1023 x 1023 and 127^3 unknowns are solved on the
CPU too: `difference` is the largest one relative to the largest |u|. The time beside is that of rfftn and irfftn of an
array of the grid's size, less than a Fourier solver needs.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from common import Table, parse, parser_of, report, timed

import pde

SHAPES = [(4095, 4095), (255, 255, 255), (1023, 1023), (127, 127, 127), (16383, 16383), (511, 511, 511)]
QUICK = [(255, 255), (47, 47, 47)]
"""Smaller ones are solved directly."""
COMPARED = 1100**2 * 2
"""Largest grid that is solved on the CPU too."""
KERNELS = ("torch", "torch compiled")
HEADER = ("grid", "kernels", "precision", "M unknowns/s", "ms", "grid copies", "x torch.fft", "difference")


def main() -> None:
    given = parse(parser_of(__doc__))
    table = Table("gpu_poisson", "Full multigrid on a GPU", HEADER, given)
    shapes = QUICK if given.quick else SHAPES
    for kernels, shape in itertools.product(KERNELS, shapes):  # compiling takes minutes, and comes last
        f = torch.from_numpy(np.random.default_rng(0).standard_normal(shape))
        exact = pde.Multigrid(pde.Poisson(shape), kernels="numpy").full_multigrid(f) if f.numel() <= COMPARED else None
        f = f.to(given.device)
        target = torch.empty_like(f)
        copy = timed(lambda f=f, target=target: target.copy_(f), given)
        fft = timed(lambda f=f: torch.fft.irfftn(torch.fft.rfftn(f), s=f.shape), given)
        for dtype in ("float64", "mixed"):
            try:
                mg = pde.Multigrid(pde.Poisson(shape), device=given.device, dtype=dtype, kernels=kernels)
                seconds = timed(lambda mg=mg, f=f: mg.full_multigrid(f), given)
            except RuntimeError as error:  # out of memory, or a mode that fails: the other rows are measured
                table.add(report.grid(shape), kernels, dtype, str(error).splitlines()[0][:60], *[""] * 4)
                continue
            u = mg.full_multigrid(f).cpu()
            difference = "" if exact is None else f"{float((u - exact).abs().max() / exact.abs().max()):.1e}"
            rate = f"{math.prod(shape) / seconds / 1e6:.0f}"
            beside = f"{seconds / copy:.1f}", f"{fft / seconds:.2f}", difference
            table.add(report.grid(shape), kernels, dtype, rate, f"{1e3 * seconds:.2f}", *beside)


if __name__ == "__main__":
    main()
