"""Elastic-plastic torsion of a bar: -Lap u = 2 theta where |grad u| < 1, and |grad u| = 1 where the material yields.

u is the stress function on the cross-section, |grad u| the stress, theta the twist. The stress function is the one of
least energy with |u| <= the distance to the boundary (Brezis and Sibony 1971): an obstacle problem. Yielding begins at
the middle of the longest sides, and as theta grows the elastic part shrinks to the ridges of the distance, u becomes a
roof of sand, and the torque 2 int u approaches that of full yielding, 1/3 for the unit square. In a round bar of radius
R, |grad u| = theta r up to r = 1/theta: its u and torque are known.

    python examples/torsion.py [--n 255] [--output out]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import pde

TWISTS = (2.5, 5.0, 10.0, 40.0)
RADIUS = 0.45  # of the round bar


def twist(problem: pde.Poisson, distance: np.ndarray, theta: float) -> pde.Solution:
    """The stress function of a bar with this twist; contact 1 is where it yields."""
    return pde.Multigrid(problem).solve(2 * theta, lower=-distance, upper=distance, rtol=1e-10, strict=True)


def torque(problem: pde.Poisson, u: np.ndarray) -> float:
    """2 int u."""
    return float(2 * np.sum(problem.control_volumes() * u))


def square(n: int) -> tuple[pde.Poisson, np.ndarray]:
    """A square bar on n x n points, and the distance to its boundary."""
    problem = pde.Poisson((n, n))
    return problem, np.min([side for z in problem.points() for side in (z, 1 - z)], axis=0)


def round_bar(n: int, theta: float) -> tuple[float, float]:
    """Largest error of u, and relative error of the torque, of a round bar."""
    r = np.hypot(*(z - 0.5 for z in pde.Poisson((n, n)).points()))
    problem = pde.Poisson((n, n), domain=r - RADIUS)
    solution = twist(problem, RADIUS - r, theta)
    core = 1 / theta  # |grad u| = theta r inside, 1 outside
    exact = np.where(r < core, RADIUS - core / 2 - theta * r**2 / 2, RADIUS - r) * (r < RADIUS)
    whole = 2 * np.pi * (RADIUS**3 / 3 - core**3 / 12)
    return float(abs(solution.u - exact).max()), torque(problem, solution.u) / whole - 1


def run(n: int = 255, output: str | Path = "out") -> dict[str, float]:
    """The whole example; returns the torques by twist, and the errors of the round bar."""
    problem, distance = square(n)
    solutions = {theta: twist(problem, distance, theta) for theta in TWISTS}
    found: dict[str, float] = {}
    for theta, solution in solutions.items():
        found[f"torque {theta:g}"] = torque(problem, solution.u)
        share = np.mean(solution.contact == 1)
        print(f"twist {theta:4g}: torque {found[f'torque {theta:g}']:.4f}, {share:.1%} yields; {solution.message}")
    sizes = np.array([31, 63, 127])
    errors = np.array([round_bar(size, 4.0) for size in sizes])
    print(f"round bar on {sizes} points, largest error: {', '.join(f'{e:.1e}' for e in errors[:, 0])}")
    found |= {"error": float(errors[-1, 0]), "torque error": float(abs(errors[-1, 1]))}
    found["order"] = float(-np.polyfit(np.log(sizes + 1), np.log(errors[:, 0]), 1)[0])
    print(f"picture in {draw(problem, solutions, Path(output) / 'torsion.png')}")
    return found


def draw(problem: pde.Poisson, solutions: dict[float, pde.Solution], path: Path) -> Path:
    """Draw the stress |grad u| and the edge of the plastic part, twist by twist."""
    figure = Figure(figsize=(13, 3.8), layout="constrained")
    panels = figure.subplots(1, len(solutions), sharey=True)
    x, y = problem.points()
    for axes, (theta, solution) in zip(panels, solutions.items(), strict=True):
        stress = np.hypot(*pde.gradient(problem, solution.u, at="points"))
        image = axes.pcolormesh(x, y, stress, vmin=0, vmax=1, cmap="viridis", shading="gouraud", rasterized=True)
        if solution.contact.any():
            axes.contourf(x, y, solution.contact, levels=[0.5, 1.5], colors="none", hatches=["///"])
            axes.contour(x, y, solution.contact, levels=[0.5], colors="tab:red", linewidths=1.5)
        axes.contour(x, y, solution.u, levels=8, colors="w", linewidths=0.4)
        share = np.mean(solution.contact == 1)
        axes.set(title=f"twist {theta:g}: {share:.0%} yields", xlabel="x", aspect="equal")
    panels[0].set_ylabel("y")
    figure.colorbar(image, ax=panels, label="stress |grad u|", shrink=0.9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=255, help="points along a side (default 255)")
    parser.add_argument("--output", default="out", help="folder for the picture (default out)")
    arguments = parser.parse_args()
    run(arguments.n, arguments.output)
