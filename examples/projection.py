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
        u, v = self.velocity
        return (np.diff(u, axis=0) + np.diff(v, axis=1)) / self.h

    def project(self, rtol: float = 1e-7) -> tuple[int, float]:
        """Subtract grad q; returns the iterations, and the share of the largest divergence that is left."""
        before = self.divergence()
        solution = self.mg.solve(-before, u0=self.q, rtol=rtol)
        self.q = solution.u
        for w, slope in zip(self.velocity, pde.gradient(self.problem, self.q), strict=True):
            w -= slope
        return solution.cycles, float(abs(self.divergence()).max() / abs(before).max())

    def advance(self) -> tuple[int, float]:
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
    """The whole example; returns iterations per step, the largest share of the divergence that was left, and so on."""
    flow, probe, iterations, worst = Flow(n), [], 0, 0.0
    print(flow.mg, end="\n\n")
    flow.project()
    with tqdm(total=steps, unit="step") as bar:
        for _ in range(steps):
            cycles, left = flow.advance()
            iterations, worst = iterations + cycles, max(worst, left)
            probe.append(flow.velocity[1][3 * n // 2, n // 2])
            bar.update()
            bar.set_postfix_str(f"{cycles} iterations, div u {left:.0e} of what it was", refresh=False)
    flow.project(rtol=1e-14)
    flow.project(rtol=1e-14)
    size = max(abs(w).max() for w in flow.velocity) / flow.h
    found = {
        "iterations": iterations / steps,
        "left": worst,
        "rounding": float(abs(flow.divergence()).max() / size),
        "Strouhal number": strouhal(probe, STEP * flow.h),
    }
    print(f"{steps} steps, {found['iterations']:.1f} iterations each; {worst:.1e} of the divergence is left at most")
    print(f"projected to rounding, and once more, div u is {found['rounding']:.1e} of u/h")
    print(f"Strouhal number {found['Strouhal number']:.2f}; picture in {draw(flow, Path(output) / 'projection.png')}")
    return found


def strouhal(v: list[float], dt: float) -> float:
    """How often v rises through zero in a unit of time, in the second half of the steps; 0 where it does not."""
    late = np.array(v[len(v) // 2 :])
    rises = np.flatnonzero((late[:-1] < 0) & (late[1:] >= 0))
    return float((len(rises) - 1) / (np.ptp(rises) * dt)) if len(rises) > 1 else 0.0


def draw(flow: Flow, path: Path) -> Path:
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    axes = figure.subplots()
    box = (0, CHANNEL[0], 0, CHANNEL[1])
    image = axes.imshow(
        flow.vorticity().T, origin="lower", extent=box, cmap="RdBu_r", vmin=-4, vmax=4, interpolation="bilinear"
    )
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
