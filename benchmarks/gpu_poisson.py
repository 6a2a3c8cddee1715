"""Unknowns per second of one full multigrid pass on a GPU, beside what the measured copy bandwidth allows.

python benchmarks/gpu_poisson.py [--device cuda] [--kernels 'torch compiled graph'] [--shape N N] [--output FOLDER]

-Laplace u = f with zero Dirichlet data on the unit square and cube; u is a product of sines of two frequencies. The
pass must come below twice the discretisation error, or the benchmark stops. Without a GPU it says so and measures
nothing; --device cpu rehearses it on small grids.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import report
import torch

import pde

SHAPES = [(4095, 4095), (16383, 16383), (255, 255, 255), (511, 511, 511)]
REHEARSAL = [(63, 63), (15, 15, 15)]
CHOICES = ("torch", "torch compiled", "torch graph", "torch compiled graph")
DTYPES = ("float64", "mixed", "float32")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda (default), cuda:N, or cpu for a rehearsal")
    parser.add_argument("--kernels", default="torch", choices=CHOICES, help="as in pde.Multigrid")
    parser.add_argument("--shape", type=int, nargs="+", help="one grid instead of the list")
    parser.add_argument("--rounds", type=int, default=5, help="timed passes; the table has medians (default 5)")
    parser.add_argument("--output", type=Path, default=report.RESULTS, help="folder (default: benchmarks/results)")
    options = parser.parse_args()
    if options.device != "cpu" and not torch.cuda.is_available():
        print("not run: torch finds no GPU on this machine")
        return
    shapes = [tuple(options.shape)] if options.shape else REHEARSAL if options.device == "cpu" else SHAPES
    rows = [
        measure(shape, dtype, options.device, options.kernels, options.rounds) for shape in shapes for dtype in DTYPES
    ]
    header = ("grid", "precision", "M unknowns/s", "ms", "grid copies", "copy GB/s", "error over discretisation error")
    name = "cpu (a rehearsal)" if options.device == "cpu" else torch.cuda.get_device_name(options.device)
    body = f"{name}, medians of {options.rounds}.\n\n{report.table(header, rows)}"
    report.write("gpu_poisson", "Full multigrid on a GPU", body, options.output)


def measure(shape: Sequence[int], dtype: str, device: str, kernels: str, rounds: int) -> tuple[object, ...]:
    """One row of the table."""
    place = torch.device(device)
    u, f = manufactured(shape, place)
    mg = pde.Multigrid(pde.Poisson(shape), device=device, dtype=dtype, kernels=kernels)
    f = f.to(getattr(torch, mg.dtype.name))
    seconds = timed(lambda: mg.full_multigrid(f), place, rounds)
    target = torch.empty_like(f)
    copy = timed(lambda: target.copy_(f), place, rounds)
    error = (mg.full_multigrid(f).double() - u).square().mean().sqrt()
    ratio = float(error / discretisation_error(u, shape))
    if dtype != "float32" and not ratio < 2:
        raise SystemExit(f"{report.grid(shape)} {dtype}: the error is {ratio:.2f} times the discretisation error")
    size = math.prod(shape)
    bandwidth = 2 * f.element_size() * size / copy / 1e9
    print(f"{report.grid(shape)} {dtype}: {size / seconds / 1e6:.0f} M unknowns/s", flush=True)
    rate, milliseconds, copies = size / seconds / 1e6, 1e3 * seconds, seconds / copy
    return (
        report.grid(shape),
        dtype,
        f"{rate:.0f}",
        f"{milliseconds:.2f}",
        f"{copies:.1f}",
        f"{bandwidth:.0f}",
        f"{ratio:.2f}",
    )


def manufactured(shape: Sequence[int], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """(u, f) at the unknowns: u = prod sin(k pi x) with k = 1 along the first axis and 2 along the others."""
    u = torch.ones((), dtype=torch.float64, device=device)
    for axis, n in enumerate(shape):
        x = torch.arange(1, n + 1, dtype=torch.float64, device=device) / (n + 1)
        u = u[..., None] * torch.sin((1 + (axis > 0)) * torch.pi * x)
    return u, u * torch.pi**2 * (1 + 4 * (len(shape) - 1))


def discretisation_error(u: torch.Tensor, shape: Sequence[int]) -> float:
    """Root mean square of u_h - u: u is an eigenvector of the discrete operator, so that u_h is a multiple of it."""
    exact = discrete = 0.0
    for axis, n in enumerate(shape):
        k = 1 + (axis > 0)
        exact += (k * math.pi) ** 2
        discrete += (2 * (n + 1) * math.sin(k * math.pi / (2 * (n + 1)))) ** 2
    return abs(exact / discrete - 1) * float(u.square().mean().sqrt())


def timed(run: Callable[[], object], device: torch.device, rounds: int) -> float:
    """Median seconds of a call, warm."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    times = []
    for _ in range(rounds + 2):
        wait()
        began = time.perf_counter()
        run()
        wait()
        times.append(time.perf_counter() - began)
    return statistics.median(times[2:])


if __name__ == "__main__":
    main()
