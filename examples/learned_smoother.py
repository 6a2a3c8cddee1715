"""Train the smoother and the prolongation of a multigrid cycle for diffusion along a slanted direction.

-div(K grad u) = f, K = 1 along a direction and `ratio` across it. The cycle is mgcore's own V-cycle; its 3 x 3
smoothers and the one free number of its prolongation are parameters, which start at damped Jacobi and bilinear
interpolation. The trained cycle solves problems of any size, and the solution is the discrete one: only the way there
is learned.

    python examples/learned_smoother.py [--degrees 30] [--ratio 0.1] [--steps 120] [--seed 0] [--output out]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

import pde
from pde.learning import TrainableMultigrid

SIZES = (31, 63, 127)
"""Grids that the factor is measured on; the last is larger than those of the training."""


def diffusion(degrees: float, ratio: float) -> np.ndarray:
    """K, (2, 2): 1 along the direction that lies so many degrees from axis 0, `ratio` across it."""
    if not ratio > 0:
        raise ValueError(f"ratio must be positive, got {ratio}")
    along = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    return ratio * np.eye(2) + (1 - ratio) * np.outer(along, along)


def factors(cycle: TrainableMultigrid) -> list[float]:
    """The error reduction per cycle on each of the grids."""
    return [cycle.measure_factor((n, n)) for n in SIZES]


def histories(problem: pde.Poisson, solvers: dict[str, pde.Multigrid]) -> dict[str, list[float]]:
    """Residuals of V-cycles for random data, relative to the data."""
    f = np.random.default_rng(1).standard_normal(problem.shape)
    return {name: mg.solve(f, cycle="V", rtol=1e-8, max_cycles=40).residual_norms for name, mg in solvers.items()}


def draw(residuals: dict[str, list[float]], kernels: torch.Tensor, path: Path) -> None:
    """Draw the residuals, and the smoother of each level."""
    figure = Figure(figsize=(5 + 2.2 * len(kernels), 3.6), layout="constrained")
    axes = figure.subplots(1, 1 + len(kernels), width_ratios=[2, *(1 for _ in kernels)])
    for name, norms in residuals.items():
        axes[0].semilogy(np.array(norms) / norms[0], marker=".", label=name)
    axes[0].set(xlabel="V-cycle", ylabel="residual, relative", title="convergence")
    axes[0].legend()
    for level, (ax, kernel) in enumerate(zip(axes[1:], kernels, strict=True)):
        ax.imshow(kernel.numpy().T, origin="lower", cmap="RdBu", vmin=-1, vmax=1)
        for (i, j), value in np.ndenumerate(kernel.numpy()):
            ax.text(i, j, f"{value:.2f}", ha="center", va="center", color="white" if abs(value) > 0.7 else "black")
        ax.set(title=f"smoother, level {level + 1}", xticks=[], yticks=[])
    figure.savefig(path, dpi=150)


def run(
    degrees: float = 30.0, ratio: float = 0.1, steps: int = 120, seed: int = 0, output: str | Path = "out"
) -> dict[str, list[float]]:
    """Train, print the factors before and after, solve, draw learned_smoother.png; returns the factors."""
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # the grids are too small to share out
    problem = pde.Poisson((63, 63), coefficient=diffusion(degrees, ratio))
    cycle = TrainableMultigrid(problem, transfer="symmetric")
    before, untrained = factors(cycle), cycle.to_multigrid()
    cycle.fit(steps=steps, seed=seed, progress=True)
    after, trained = factors(cycle), cycle.to_multigrid()
    print("error that a V(1,1)-cycle leaves")
    for n, old, new in zip(SIZES, before, after, strict=True):
        print(f"  {n:3} x {n:<3}  {old:.3f} before training, {new:.3f} after")
    residuals = histories(
        problem, {"Jacobi": untrained, "trained": trained, "four colours, SOR": pde.Multigrid(problem)}
    )
    for name, norms in residuals.items():
        print(f"  {len(norms) - 1} cycles to 1e-8: {name}")
    draw(residuals, cycle.before.detach()[:, 0], output / "learned_smoother.png")
    return {"before": before, "after": after}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--degrees", type=float, default=30.0, help="of the strong direction, from axis 0")
    parser.add_argument("--ratio", type=float, default=0.1, help="diffusion across it, relative to along it")
    parser.add_argument("--steps", type=int, default=120, help="steps of training")
    parser.add_argument("--seed", type=int, default=0, help="of the random vectors of the training")
    parser.add_argument("--output", default="out", help="folder for the picture")
    given = parser.parse_args()
    try:
        run(given.degrees, given.ratio, given.steps, given.seed, given.output)
    except (ValueError, OSError) as error:
        parser.error(str(error))
