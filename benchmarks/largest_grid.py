"""The largest grids: time and memory of full multigrid, each in a process of its own.

python benchmarks/largest_grid.py [--quick] [--output FOLDER]

f = 1, as an array; bytes per unknown are the peak of the process less what it had before f was made. The residual is
that of 7 points per axis in the middle: rounding keeps it above eps |u| / h^2, which is far above 1 in float32 there.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import report

import pde

CASES = [((16383,) * 2, "float64"), ((511,) * 3, "float64"), ((31999,) * 2, "float32")]
QUICK = [((1023,) * 2, "float64"), ((127,) * 3, "float64"), ((1023,) * 2, "float32")]
THREADS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small grids")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=report.RESULTS, help="folder (default: benchmarks/results)")
    options = parser.parse_args()
    if options.case:
        shape, dtype = json.loads(options.case)
        print(json.dumps(run(tuple(shape), dtype)))
        return
    rows = []
    for shape, dtype in QUICK if options.quick else CASES:
        command = [sys.executable, __file__, "--case", json.dumps([shape, dtype])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            why = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
            rows.append([report.grid(shape), dtype, "", why, "", ""])
            continue
        seconds, peak, residual = json.loads(done.stdout.splitlines()[-1])
        size = int(np.prod(shape))
        speed, each = f"{size / seconds / 1e6:.0f}", f"{peak / size:.1f}"
        rows.append([report.grid(shape), dtype, f"{size / 1e6:.0f}", f"{seconds:.1f}", speed, each, f"{residual:.1e}"])
    header = ["grid", "dtype", "M unknowns", "full multigrid, s", "M unknowns/s", "bytes per unknown"]
    report.write(
        "largest_grid", "The largest grids", report.table([*header, "relative residual"], rows), options.output
    )


def run(shape: tuple[int, ...], dtype: str) -> tuple[float, int, float]:
    """Seconds of the second pass, bytes at the peak of both, and the relative residual of some rows."""
    small = pde.Multigrid(pde.Poisson((63,) * len(shape)), dtype=dtype, kernels="numba", threads=THREADS)
    small.full_multigrid(np.ones((63,) * len(shape), dtype))  # what compiling takes is not the grid's
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    f, out = np.ones(shape, dtype), np.zeros(shape, dtype)
    mg = pde.Multigrid(pde.Poisson(shape), dtype=dtype, kernels="numba", threads=THREADS)
    mg.full_multigrid(f, out=out)
    began = time.perf_counter()
    mg.full_multigrid(f, out=out)
    seconds = time.perf_counter() - began
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    middle = tuple(slice(n // 2 - 4, n // 2 + 5) for n in shape)
    u, inside = out[middle].astype(float), (slice(1, -1),) * len(shape)
    laplace = sum((n + 1) ** 2 * (2 * u - np.roll(u, 1, a) - np.roll(u, -1, a))[inside] for a, n in enumerate(shape))
    return seconds, peak, float(np.sqrt(np.mean((1 - laplace) ** 2)))


if __name__ == "__main__":
    main()
