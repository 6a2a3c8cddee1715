"""Thousands of small right-hand sides in one call, beside a batched sine transform.

python benchmarks/batches.py [--cases 31x31:10000 ...] [--repeat 7] [--output FOLDER]

Unit square and cube, zero Dirichlet data, white noise, two threads each. scipy.fft solves A u = f exactly by dstn along
the axes of the grid; its factors are made before the clock starts. Every solve is checked.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import report
from scipy.fft import dstn

import pde

CASES = ("31x31:10000", "63x63:2500", "15x15:40000", "15x15x15:2000", "127:40000", "32x31:10000")
RTOL = 1e-8


def transform(problem: pde.Poisson) -> Callable[[np.ndarray], np.ndarray]:
    """The solution by sine transforms along the axes of the grid, for arrays (members, *shape)."""
    total: Any = 0.0
    for n in problem.shape:
        total = np.add.outer(total, (2 * (n + 1) * np.sin(np.pi * np.arange(1, n + 1) / (2 * (n + 1)))) ** 2)
    factor, axes = 1 / (total * np.prod([2 * (n + 1) for n in problem.shape])), tuple(range(1, problem.ndim + 1))

    def solve(f: np.ndarray) -> np.ndarray:
        v = dstn(f, type=1, axes=axes, workers=2)
        v *= factor
        return dstn(v, type=1, axes=axes, workers=2, overwrite_x=True)

    return solve


def timed(call: Callable[[], Any], repeat: int) -> float:
    """The median of the times of some calls, in seconds, after one that is not counted."""
    times = []
    for _ in range(repeat + 1):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return median(times[1:])


def row(case: str, repeat: int) -> list[str]:
    shape, members = tuple(map(int, case.split(":")[0].split("x"))), int(case.split(":")[1])
    problem = pde.Poisson(shape)
    mg, direct = pde.Multigrid(problem, threads=2), transform(problem)
    f = np.random.default_rng(0).standard_normal((members, *shape))
    out = np.empty_like(f)
    assert mg.solve(f, out=out, rtol=RTOL).converged
    assert np.abs(out - direct(f)).max() < 1e-5 * np.abs(out).max()
    ways = [lambda: mg.full_multigrid(f, out=out), lambda: mg.solve(f, out=out, rtol=RTOL), lambda: direct(f)]
    cells = [report.grid(shape), f"{members:,}"]
    for way in ways:
        seconds = timed(way, repeat)
        cells += [f"{1e3 * seconds:.1f}", f"{f.size / seconds / 1e6:.1f}"]
    return cells


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="*", default=CASES, help="grid:members")
    parser.add_argument("--repeat", type=int, default=7, help="timed calls (default 7)")
    parser.add_argument("--output", type=Path, default=report.RESULTS, help="folder for the table")
    given = parser.parse_args()
    header = ["grid", "members", *(f"{way}, {unit}" for way in ("FMG", "1e-8", "dstn") for unit in ("ms", "M/s"))]
    rows = [row(case, given.repeat) for case in given.cases]
    notes = __doc__.partition("\n\nUnit")[2]
    body = f"Unit{notes}\nM/s: million unknowns per second.\n\n{report.table(header, rows)}"
    report.write("batches", "Batches of small grids", body, given.output)
