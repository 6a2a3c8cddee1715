"""Learn the map from a coefficient to the solution of Darcy's equation, and use it beside the solver.

-div(a grad u) = 1 with u = 0 on the sides, a = 12 or 3 by the sign of a random field. An MgNO, layers of linear
V-cycles run by mgcore, learns a -> u from solutions of the solver. It is asked three things: how far it is off on new
fields; whether it is a better first guess for a solve on a finer grid than full multigrid makes itself; and whether its
gradient with respect to a is that of the solver's adjoint.

    python examples/operator_learning.py [--n 32] [--samples 200] [--epochs 15] [--seed 0] [--output out]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

import nets
import pde

NETWORK = "MgNO[1,1,1,2]-[16],layers=3"
FINER = 4
"""Cells of the solves per cell of the network, along each axis."""

MODES = 16
"""Cosines along each axis that a random field has."""


def coefficients(n: int, count: int, seed: int) -> np.ndarray:
    """a, (count, n, n), at the centres of cells: the sign of a Gaussian field of covariance (-Laplace + 9)^-2.

    The same seed gives the same fields on every n.
    """
    k = np.arange(MODES)
    waves = np.random.default_rng(seed).standard_normal((count, MODES, MODES))
    waves /= np.pi**2 * (k[:, None] ** 2 + k**2) + 9
    cosines = np.cos(np.pi * np.outer((np.arange(n) + 0.5) / n, k))
    return np.where(cosines @ waves @ cosines.T >= 0, 12.0, 3.0)


def solver(a: np.ndarray) -> pde.Multigrid:
    """The multigrid solver for one coefficient (n, n)."""
    return pde.Multigrid(pde.Poisson(a.shape, centering="cell", coefficient=a))


def data(n: int, samples: int, seed: int) -> nets.data.DenseDataset:
    """Pairs (a, u) by the solver; a fifth of the fields are kept for testing."""
    a = coefficients(n, samples, seed)
    u = np.stack([solver(each).solve(1.0, accel="cg").u for each in a])
    a, u, train = a[:, None], u[:, None], samples - samples // 5
    return nets.data.DenseDataset("darcy", a[:train], u[:train], a[train:], u[train:])


def guesses(model: Any, a: np.ndarray, fine: np.ndarray) -> dict[str, dict[str, float]]:
    """Iterations and seconds of a solve for the coefficient `fine`, from different first guesses.

    They are zero, full multigrid's start, and the learned solution for a, the same field on the grid of the network,
    interpolated. The seconds are with the start.
    """
    mg, found = solver(fine), {}
    starts: dict[str, Any] = {
        "zero": lambda: np.zeros(fine.shape),
        "full multigrid": lambda: mg.full_multigrid(1.0),
        "MgNO": lambda: interpolated(predict(model, a), fine.shape),
    }
    for name, start in starts.items():
        mg.solve(1.0, u0=start(), accel="cg")  # the first calls prepare things
        began = perf_counter()
        solution = mg.solve(1.0, u0=start(), accel="cg")
        found[name] = {"iterations": solution.cycles, "seconds": perf_counter() - began}
    return found


def predict(model: Any, a: np.ndarray) -> np.ndarray:
    """The learned solution for one coefficient."""
    return nets.predict(model, a[None, None])[0, 0]


def interpolated(u: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """u at the centres of smaller cells, by bilinear interpolation."""
    coarse = torch.from_numpy(u)[None, None].double()
    return torch.nn.functional.interpolate(coarse, shape, mode="bilinear")[0, 0].numpy()


def gradients(model: Any, a: np.ndarray) -> dict[str, np.ndarray]:
    """The gradient of the mean of u with respect to a: by the solver's adjoint, and through the network."""
    found = {}
    for name in ("adjoint", "MgNO"):
        leaf = torch.tensor(a, requires_grad=True)
        if name == "adjoint":
            u = pde.solve_poisson(torch.ones_like(leaf), coefficient=leaf, centering="cell", rtol=1e-10).u
        else:
            u = learned(model, leaf)
        u.mean().backward()
        found[name] = leaf.grad.numpy()
    return found


def learned(model: Any, a: torch.Tensor) -> torch.Tensor:
    """The learned solution (n, n) with a gradient in a."""
    model.eval()
    x = model.transform.normalise(a[None, None].float())
    u: torch.Tensor = model.transform.predictions(model(x))[0, 0]
    return u


def cosine(x: np.ndarray, y: np.ndarray) -> float:
    """The cosine of the angle between two fields."""
    return float((x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum()))


def draw(a: np.ndarray, u: np.ndarray, found: np.ndarray, slopes: dict[str, np.ndarray], path: Path) -> None:
    """Draw a coefficient, its solution, the learned one and its error; and both gradients."""
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    largest = np.abs(found - u).max()
    scales: dict[str, dict[str, Any]] = {
        "learned u": {"vmin": u.min(), "vmax": u.max()},
        "error": {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest},
    }
    images = {"coefficient a": a, "solution u": u, "learned u": found, "error": found - u}
    images |= {f"gradient of mean u: {name}": slope for name, slope in slopes.items()}
    for ax, (name, image) in zip(figure.subplots(2, 3).flat, images.items(), strict=True):
        shown = ax.imshow(image.T, origin="lower", extent=(0, 1, 0, 1), **scales.get(name, {}))
        figure.colorbar(shown, ax=ax)
        ax.set(title=name, xticks=[], yticks=[])
    figure.savefig(path, dpi=150)


def run(
    n: int = 32, samples: int = 200, epochs: int = 15, seed: int = 0, output: str | Path = "out"
) -> dict[str, float]:
    """Make data, train, compare, draw operator_learning.png; returns what is printed."""
    if n < 8 or samples < 10:
        raise ValueError(f"n must be at least 8, and samples 10, for batches of 8; got {n} and {samples}")
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    pairs = data(n, samples, seed)
    result = nets.train(NETWORK, pairs, epochs=epochs, batch=8, seed=seed)
    model = result.model
    a, u = coefficients(n, samples, seed)[-1], pairs.test_targets[-1, 0].numpy()
    starts, slopes = guesses(model, a, coefficients(FINER * n, samples, seed)[-1]), gradients(model, a)
    agreement = cosine(*slopes.values())
    draw(a, u, predict(model, a), slopes, output / "operator_learning.png")
    print(f"relative L2 error on {len(pairs.test_inputs)} fields that the network has not seen: {result.error:.2%}")
    print(f"solves on {FINER * n} x {FINER * n} cells:")
    for name, start in starts.items():
        print(f"  from {name}: {start['iterations']} iterations, {1000 * start['seconds']:.1f} ms with the start")
    print(f"gradient with respect to a: cosine {agreement:.2f} between network and adjoint")
    return {
        "error": result.error,
        "agreement": agreement,
        **{name: start["iterations"] for name, start in starts.items()},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=32, help="cells per axis")
    parser.add_argument("--samples", type=int, default=200, help="fields, a fifth of them for testing")
    parser.add_argument("--epochs", type=int, default=15, help="passes over the training fields")
    parser.add_argument("--seed", type=int, default=0, help="of the fields and of the training")
    parser.add_argument("--output", default="out", help="folder for the picture")
    given = parser.parse_args()
    run(given.n, given.samples, given.epochs, given.seed, given.output)
