"""Grid copies per solve and unknowns per second of the compiled kernels, beside scipy.fft.

python benchmarks/poisson_speed.py [--quick] [--output FOLDER]

-Laplace u = f on the unit square and cube with zero Dirichlet data; u is a product of x(1-x)e^x, (1+y) sin 2 pi y,
z(1-z)e^-z. Each round times every method once; the table has medians of the rounds. Both solvers are given f, are warm,
and must come below the discretisation error of the grid, or the benchmark stops.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import report
import scipy.fft

import pde

SIZES = [
    (255, 255),
    (511, 511),
    (1023, 1023),
    (2047, 2047),
    (4095, 4095),
    (8191, 8191),
    (63,) * 3,
    (127,) * 3,
    (255,) * 3,
]
QUICK = [(255, 255), (63,) * 3]
THREADS = 2
FACTORS = [
    (lambda x: x * (1 - x) * np.exp(x), lambda x: -(x * x + 3 * x) * np.exp(x)),
    (
        lambda y: (1 + y) * np.sin(2 * np.pi * y),
        lambda y: 4 * np.pi * np.cos(2 * np.pi * y) - 4 * np.pi**2 * (1 + y) * np.sin(2 * np.pi * y),
    ),
    (lambda z: z * (1 - z) * np.exp(-z), lambda z: -(z * z - 5 * z + 4) * np.exp(-z)),
]
"""Each factor of u with its second derivative."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small grids")
    parser.add_argument("--output", type=Path, default=report.RESULTS, help="folder (default: benchmarks/results)")
    options = parser.parse_args()
    rows = []
    for shape in QUICK if options.quick else SIZES:
        print("x".join(map(str, shape)), flush=True)
        rows.append(measure(shape))
    header = ["grid", "copy, GB/s", "full multigrid: copies", "M unknowns/s", "error / discretisation error"]
    header += ["solve to 1e-9: cycles", "copies", "M unknowns/s", "scipy.fft: copies", "M unknowns/s"]
    body = report.table(header, rows) + "\n\n" + NOTES
    report.write("poisson_speed", "Compiled kernels beside scipy.fft", body, folder=options.output)


def measure(shape: tuple[int, ...]) -> list[Any]:
    """One row: medians of interleaved rounds."""
    problem = pde.Poisson(shape)
    f, exact = data(problem)
    mg = pde.Multigrid(problem, kernels="numba", threads=THREADS)
    out, other, size = np.empty_like(f), f.copy(), f.size
    values = fourier(shape)
    solution = None

    def solve() -> None:
        nonlocal solution
        solution = mg.solve(f, rtol=1e-9, out=other)

    jobs: dict[str, Callable[[], Any]] = {
        "copy": lambda: np.copyto(other, f),
        "fmg": lambda: mg.full_multigrid(f, out=out),
        "solve": solve,
        "fft": lambda: solve_by_fourier(f, values, other),
    }
    for job in jobs.values():
        job()
    solve_by_fourier(f, values, other)
    discretisation = float(np.max(np.abs(other - exact)))
    algebraic = float(np.max(np.abs(mg.full_multigrid(f) - other)))
    if algebraic > discretisation:
        raise SystemExit(f"{shape}: full multigrid leaves {algebraic:.2e}, the discretisation {discretisation:.2e}")
    rounds = max(3, min(30, int(2e8 / size)))
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            began = time.perf_counter()
            job()
            times[name].append(time.perf_counter() - began)
    copy, fmg, whole, fft = (statistics.median(times[name]) for name in jobs)
    assert solution is not None
    ended = f"{solution.cycles}" + ("" if solution.converged else f" ({solution.reason})")
    return [
        "x".join(map(str, shape)),
        f"{16 * size / copy / 1e9:.1f}",
        f"{fmg / copy:.1f}",
        f"{size / fmg / 1e6:.1f}",
        f"{algebraic / discretisation:.2f}",
        ended,
        f"{whole / copy:.1f}",
        f"{size / whole / 1e6:.1f}",
        f"{fft / copy:.1f}",
        f"{size / fft / 1e6:.1f}",
    ]


def data(problem: pde.Poisson) -> tuple[np.ndarray, np.ndarray]:
    """f and the exact solution at the unknowns."""
    axes = [axis.points for axis in problem.grid.axes]
    factors = [(g(x), second(x)) for (g, second), x in zip(FACTORS, axes, strict=False)]
    exact, f = np.ones(()), np.zeros(problem.shape)
    for g, _ in factors:
        exact = np.multiply.outer(exact, g)
    for a in range(len(factors)):
        term = np.ones(())
        for b, (g, second) in enumerate(factors):
            term = np.multiply.outer(term, second if a == b else g)
        f -= term
    return f, exact


def fourier(shape: tuple[int, ...]) -> np.ndarray:
    """The reciprocals of the eigenvalues, with the scaling of the two transforms."""
    total: Any = 0.0
    for a, n in enumerate(shape):
        values = 4 * (n + 1) ** 2 * np.sin(np.pi * np.arange(1, n + 1) / (2 * (n + 1))) ** 2
        total = total + values.reshape((-1,) + (1,) * (len(shape) - 1 - a))
    return 1 / (total * np.prod([2 * (n + 1) for n in shape]))


def solve_by_fourier(f: np.ndarray, reciprocals: np.ndarray, out: np.ndarray) -> None:
    """Two sine transforms, in place as far as scipy does it."""
    np.copyto(out, f)
    hat = scipy.fft.dstn(out, type=1, workers=THREADS, overwrite_x=True)
    hat *= reciprocals
    np.copyto(out, scipy.fft.dstn(hat, type=1, workers=THREADS, overwrite_x=True))


NOTES = f"""\
{THREADS} threads. A copy reads and writes each number once (16 bytes per unknown). scipy.fft: dstn, type 1, with
precomputed eigenvalues; its two copies between arrays are counted, as a user would make them."""


if __name__ == "__main__":
    main()
