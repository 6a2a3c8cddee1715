"""Solve -Laplace u = f with a known solution, and watch the order of accuracy.

python examples/poisson.py [--n 1023] [--output out]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import pde
from pde import plot


def exact(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Zero on the boundary of the unit square, smooth, and no discrete eigenvector."""
    return x * (1 - x) * np.exp(x) * (1 + y) * np.sin(2 * np.pi * y)


def right_hand_side(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """-Laplace of `exact`."""
    s, c = np.sin(2 * np.pi * y), np.cos(2 * np.pi * y)
    a, b = x * (1 - x) * np.exp(x), (1 + y) * s
    a_xx, b_yy = -(3 * x + x**2) * np.exp(x), 4 * np.pi * c - 4 * np.pi**2 * b
    return -(a_xx * b + a * b_yy)


def errors(sizes: list[int]) -> dict[str, list[float]]:
    """Maximum errors against the exact solution: solved to 1e-10, and after one full multigrid pass."""
    solved, one_pass = [], []
    for n in sizes:
        problem = pde.Poisson((n, n))
        mg, u = pde.Multigrid(problem, nu=(1, 1)), exact(*problem.points())  # small grids are solved directly else
        solved.append(float(abs(mg.solve(right_hand_side, rtol=1e-10).u - u).max()))
        one_pass.append(float(abs(mg.full_multigrid(right_hand_side) - u).max()))
    return {"solved to 1e-10": solved, "one full multigrid pass": one_pass}


def run(n: int = 1023, output: str | Path = "out") -> dict[str, float]:
    """The whole example; returns the error on n x n points and the smallest and largest observed order."""
    output = Path(output)
    problem = pde.Poisson((n, n))
    mg = pde.Multigrid(problem)
    print(mg, end="\n\n")

    histories = {}
    for cycle in ("fmg", "V", "W", "F", "backslash"):
        solution = mg.solve(right_hand_side, rtol=1e-9, cycle=cycle, progress=cycle == "fmg")
        histories[{"fmg": "full multigrid + V", "backslash": "\\"}.get(cycle, cycle)] = solution.residual_norms
        if cycle == "fmg":
            first = solution
    error = float(abs(first.u - exact(*problem.points())).max())
    print("cycle  relative residual  factor")
    for i, r in enumerate(first.residual_norms):
        print(f"{i:5d}  {r:17.3e}  {r / first.residual_norms[i - 1]:6.3f}" if i else f"{i:5d}  {r:17.3e}")
    print(f"{first.message}\nin {first.seconds:.2f} s and {first.work_units:.0f} work units; max error {error:.2e}\n")

    sizes = [31, 63, 127, 255, 511]
    table = errors(sizes)
    orders = {k: -np.diff(np.log2(v)) / np.diff(np.log2(np.array(sizes) + 1)) for k, v in table.items()}
    print("    n  error, solved  order  error, one pass  order")
    solved, one_pass = table.values()
    for i, n_i in enumerate(sizes):
        a, b = (f"{o[i - 1]:5.3f}" if i else "     " for o in orders.values())
        print(f"{n_i:5d}  {solved[i]:13.3e}  {a}  {one_pass[i]:15.3e}  {b}")

    plot.convergence(histories, output / "convergence.png", f"−Δu = f on {n} × {n} points")
    plot.solution(problem, first.u, output / "solution.png", f"u on {n} × {n} points")
    plot.order(sizes, table, output / "order.png", "Second order, from one pass")
    observed = orders["solved to 1e-10"]
    return {"error": error, "lowest order": float(observed.min()), "highest order": float(observed.max())}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1023, help="unknowns per axis (default 1023)")
    parser.add_argument("--output", default="out", help="folder for the pictures (default out)")
    arguments = parser.parse_args()
    run(arguments.n, arguments.output)
