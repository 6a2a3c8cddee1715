"""Obstacle problems: steps, time beside that of linear full multigrid on the same grid, and errors.

python benchmarks/obstacle.py [--problems ball bumpy torsion] [--sizes 511 1023 2047 4095] [--methods METHOD ...]
    [--repeats 3] [--output FOLDER]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import report

import pde

RADIUS, A, B = 0.697965148223374, 0.680259411891719, 0.471519893402112
TOLERANCES = (1e-4, 1e-9)


def ball(n: int) -> tuple[pde.Poisson, dict[str, Any], np.ndarray | None]:
    """A membrane over a ball in (-2, 2)^2 with an exact solution."""
    problem = pde.Poisson((n, n), extent=4.0)
    height = np.sqrt(1 - 0.9**2)

    def psi(x: Any, y: Any) -> Any:
        r = np.hypot(x - 2, y - 2)
        return np.where(r <= 0.9, np.sqrt(np.maximum(1 - r**2, 0)), height - 0.9 / height * (r - 0.9))

    def exact(x: Any, y: Any) -> Any:
        r = np.hypot(x - 2, y - 2)
        return np.where(r <= RADIUS, psi(x, y), B - A * np.log(np.maximum(r, RADIUS)))

    return problem, {"f": 0.0, "g": exact, "lower": psi(*problem.points())}, exact(*problem.points())


def bumpy(n: int) -> tuple[pde.Poisson, dict[str, Any], np.ndarray | None]:
    """A contact set of some thirty parts."""
    problem = pde.Poisson((n, n))
    x, y = problem.points()
    waves = 0.3 + 0.2 * np.sin(9 * np.pi * x) * np.sin(7 * np.pi * y) + 0.05 * np.cos(40 * x * y)
    return problem, {"f": -2.0, "lower": np.sin(np.pi * x) * np.sin(np.pi * y) * waves - 0.01}, None


def torsion(n: int) -> tuple[pde.Poisson, dict[str, Any], np.ndarray | None]:
    """Two bounds: elastic-plastic torsion of a square bar."""
    problem = pde.Poisson((n, n))
    distance = np.min([side for z in problem.points() for side in (z, 1 - z)], axis=0)
    return problem, {"f": 10.0, "lower": -distance, "upper": distance}, None


PROBLEMS = {"ball": ball, "bumpy": bumpy, "torsion": torsion}


def measure(name: str, n: int, method: str, repeats: int) -> list[list[str]]:
    """A row per tolerance: medians of solves and of full multigrid passes in turn, after one of each."""
    problem, arguments, exact = PROBLEMS[name](n)
    mg, f = pde.Multigrid(problem), np.ones(problem.shape)
    rows = []
    for rtol in TOLERANCES:
        solves, passes = [], []
        for k in range(repeats + 1):
            began = perf_counter()
            solution = mg.solve(**arguments, method=method, rtol=rtol)
            middle = perf_counter()
            for _ in range(3):
                mg.full_multigrid(f)
            if k > 0:
                solves.append(middle - began)
                passes.append((perf_counter() - middle) / 3)
        assert solution.converged, solution
        error = "-" if exact is None else f"{abs(solution.u - exact).max():.2e}"
        solve, linear = median(solves), median(passes)
        numbers = [f"{rtol:.0e}", str(solution.cycles), f"{solve:.3f}", f"{1e3 * linear:.1f}", f"{solve / linear:.0f}"]
        rows.append([name, f"{n}x{n}", method, *numbers, f"{np.mean(solution.contact != 0):.1%}", error])
    return rows


HEADER = (
    "problem",
    "unknowns",
    "method",
    "rtol",
    "steps",
    "solve, s",
    "pass, ms",
    "passes",
    "contact",
    "largest error",
)


def main(names: Sequence[str], sizes: Sequence[int], methods: Sequence[str], repeats: int, folder: Path) -> None:
    rows = [row for name in names for n in sizes for method in methods for row in measure(name, n, method, repeats)]
    notes = (
        "A solve has its nested start in it; its levels without contact are made anew where the contact set changes. "
        "A pass is `mg.full_multigrid` of the linear problem on the same grid, three after each solve; `passes` is the "
        f"time of a solve in these. Medians of {repeats}."
    )
    report.write("obstacle", "Obstacles", f"{report.table(HEADER, rows)}\n\n{notes}", folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=list(PROBLEMS), help="of these")
    parser.add_argument("--sizes", nargs="+", type=int, default=[511, 1023, 2047, 4095], help="points along a side")
    parser.add_argument("--methods", nargs="+", default=["active set", "truncated newton"], help="of these")
    parser.add_argument("--repeats", type=int, default=3, help="runs that a median is of (default 3)")
    parser.add_argument("--output", type=Path, default=report.RESULTS, help="folder for the table")
    arguments = parser.parse_args()
    main(arguments.problems, arguments.sizes, arguments.methods, arguments.repeats, arguments.output)
