"""Flow around a cylinder: velocities on a staggered grid, made free of divergence by one Poisson solve in every step.

A step carries the velocity along with itself, adds friction, and subtracts grad q with -Laplace q = -div u: q is flat
across the cylinder and the sides of the channel, u is given at the inflow, and q is zero at the outflow.

    python examples/projection.py [--n 64] [--steps 800] [--output out]
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.ndimage import laplace, map_coordinates
from tqdm import tqdm

import pde

CHANNEL = (12.0, 4.0)  # in diameters of the cylinder; the fluid comes in with velocity 1
CENTRE = (2.5, 2.1)  # off the middle, so that vortices part without a push
REYNOLDS = 150.0
STEP = 0.8  # time step over the spacing


class Flow:
    """Velocities (u, v) at the faces of 3n x n cells, with the solver that all steps share."""

    def __init__(self, n: int) -> None:
        self.h = CHANNEL[1] / n
        box = (3 * n, n), CHANNEL, [("neumann", "dirichlet"), "neumann"], "cell"
        x, y = pde.Poisson(*box).points()
        self.fluid = np.hypot(x - CENTRE[0], y - CENTRE[1]) > 0.5
        self.problem = pde.Poisson(*box, domain=self.fluid, walls="neumann")
        self.mg = pde.Multigrid(self.problem)
        within = np.pad(self.fluid, 1, mode="edge")
        self.open = [within[:-1, 1:-1] & within[1:, 1:-1], within[1:-1, :-1] & within[1:-1, 1:]]
        self.open[1][:, [0, -1]] = False
        self.velocity = [1.0 * self.open[0], 0.0 * self.open[1]]
        self.q = np.zeros(self.problem.shape)

    def divergence(self) -> np.ndarray:
        return sum(np.diff(w, axis=axis) for axis, w in enumerate(self.velocity)) / self.h

    def project(self, rtol: float = 1e-7) -> pde.Solution:
        """Subtract the gradient that makes the velocity free of divergence."""
        solution = self.mg.solve(-self.divergence(), u0=self.q, rtol=rtol)
        q, (u, v) = solution.u, self.velocity
        u[1:-1] -= self.open[0][1:-1] * np.diff(q, axis=0) / self.h
        u[-1] -= (0 - q[-1]) / (self.h / 2)
        v[:, 1:-1] -= self.open[1][:, 1:-1] * np.diff(q, axis=1) / self.h
        self.q = q
        return solution

    def advance(self) -> pde.Solution:
        """One time step."""
        moved = [self.carried(w, axis) for axis, w in enumerate(self.velocity)]
        self.velocity = [np.where(free, self.slowed(w), 0.0) for free, w in zip(self.open, moved, strict=True)]
        self.velocity[0][0] = 1.0
        return self.project()

    def carried(self, w: np.ndarray, axis: int) -> np.ndarray:
        """The velocity along an axis from where the fluid was a step before, back along the flow in two half steps."""
        here = np.indices(w.shape) + np.array([[0.0, 0.5], [0.5, 0.0]])[axis][:, None, None]
        half = here - STEP / 2 * self.velocity_at(here)
        back = here - STEP * self.velocity_at(half)
        return sampled(w, axis, back, order=3)

    def slowed(self, w: np.ndarray) -> np.ndarray:
        """Friction: as many explicit steps as are stable."""
        friction = STEP / self.h / REYNOLDS
        parts = math.ceil(5 * friction)
        for _ in range(parts):
            w = w + friction / parts * laplace(w, mode="nearest")
        return w

    def velocity_at(self, points: np.ndarray) -> np.ndarray:
        return np.stack([sampled(w, axis, points, order=1) for axis, w in enumerate(self.velocity)])

    def vorticity(self) -> np.ndarray:
        """dv/dx - du/dy at the inner corners of the cells."""
        u, v = self.velocity
        return (np.diff(v[:, 1:-1], axis=0) - np.diff(u[1:-1], axis=1)) / self.h


def sampled(w: np.ndarray, axis: int, points: np.ndarray, order: int) -> np.ndarray:
    """The velocity along an axis, interpolated to points that are measured in cells."""
    offset = np.array([[0.0, 0.5], [0.5, 0.0]])[axis][:, None, None]
    return map_coordinates(w, points - offset, order=order, mode="nearest")


def run(n: int = 64, steps: int = 800, output: str | Path = "out") -> dict[str, float]:
    """The whole example; returns the largest divergence, the iterations per step and the Strouhal number."""
    flow, probe, iterations, worst = Flow(n), [], 0, 0.0
    print(flow.mg, end="\n\n")
    flow.project()
    with tqdm(total=steps, unit="step") as bar:
        for _ in range(steps):
            solution = flow.advance()
            iterations += solution.cycles
            worst = max(worst, float(abs(flow.divergence()[flow.fluid]).max()))
            probe.append(flow.velocity[1][round(1.5 * n), n // 2])
            bar.update()
            bar.set_postfix_str(f"{solution.cycles} iterations, |div u| <= {worst:.0e}", refresh=False)
    first, last = (flow.project(rtol=1e-14) and abs(flow.divergence()[flow.fluid]).max() for _ in range(2))
    found = {"divergence": worst, "iterations": iterations / steps, "Strouhal number": strouhal(probe, STEP * flow.h)}
    print(f"{steps} steps, {found['iterations']:.1f} iterations each; the divergence is at most {worst:.1e}")
    print(f"solved to rounding it is {first:.1e}, and {last:.1e} when that is projected again")
    print(f"Strouhal number {found['Strouhal number']:.2f}; picture in {draw(flow, Path(output) / 'projection.png')}")
    return found | {"rounding": float(last)}


def strouhal(v: list[float], dt: float) -> float:
    """How often v rises through zero in a unit of time, in the second half of the steps; 0 where it does not."""
    late = np.array(v[len(v) // 2 :])
    rises = np.flatnonzero((late[:-1] < 0) & (late[1:] >= 0))
    return float((len(rises) - 1) / (np.ptp(rises) * dt)) if len(rises) > 1 else 0.0


def draw(flow: Flow, path: Path) -> Path:
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    axes = figure.subplots()
    box = (0, CHANNEL[0], 0, CHANNEL[1])
    image = axes.imshow(flow.vorticity().T, origin="lower", extent=box, cmap="RdBu_r", vmin=-4, vmax=4)
    axes.imshow(np.where(flow.fluid, np.nan, 0.5).T, origin="lower", extent=box, cmap="gray", vmin=0, vmax=1)
    axes.set(title=f"vorticity, Re = {REYNOLDS:g}", xlabel="x", ylabel="y")
    figure.colorbar(image, ax=axes, extend="both", shrink=0.8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=64, help="cells across the channel, 3n along it (default 64)")
    parser.add_argument("--steps", type=int, default=800, help="how many time steps (default 800)")
    parser.add_argument("--output", default="out", help="folder for the picture (default out)")
    arguments = parser.parse_args()
    run(arguments.n, arguments.steps, arguments.output)
