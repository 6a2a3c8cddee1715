"""Frequencies that gradient descent learns first: hats beside ReLUs, after the lectures of 2023 (L23, section 5).

A shallow network is a sum of a_i s(w_i x + b_i). With s the hat of unit height and with ReLU, on n cells of [0, 1],

    phi_i(x) = hat((x - x_{i-1}) / 2h),    r_i(x) = ReLU((x - x_{i-1}) / 2h),    i = 1, ..., n,

span the same functions: piecewise linear, zero at 0. As r_i = sum_j T_ji phi_j with T_ji = r_i(x_j), the Gram matrices
in L2(0, 1) are related by G_relu = T^T G_hat T, and T^-1 is twice a second difference. Gradient descent solves the
least squares problem in both bases. Then networks are trained, in which w and b change too. The function to learn is a
sum of three waves; the amplitude of each wave in the error tells which frequencies come first.

    python examples/frequencies.py [--n 64] [--steps 1000] [--seeds 3] [--output out]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.optimize import brentq

from mgcore.common.arguments import integer
from nets.common.paths import make_folder
from nets.models.activations import Hat

WAVES = (1, 3, 9)
"""Periods in [0, 1] of the waves sin(2 pi k x) that are learned."""

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {"hat": Hat(1.0, unit_height=True), "ReLU": torch.relu}
POINTS, RATE = 256, 0.01  # samples, and learning rate of Adam, for the trained networks

BETA = float(brentq(lambda beta: np.cos(beta) * np.cosh(beta) + 1, 1.5, 2.0))
"""beta^4 is the least eigenvalue of u'''' = lambda u, u clamped at one end of [0, 1] and free at the other.

For large n the largest eigenvalue of G_relu is n^3 / 4 beta^4, the least h / 192, and waves of k periods are near those
of n^3 / 4 (2 pi k)^4. Kinks are at the left ends of the cells: n + 1/2 cells come closer than n.
"""


def waves(x: np.ndarray) -> np.ndarray:
    """Values (3, points) of the three waves."""
    return np.sin(2 * np.pi * np.outer(WAVES, x))


def amplitudes(error: np.ndarray) -> np.ndarray:
    """The part (..., 3) of each wave in errors (..., n) at the points 1/n, 2/n, ..., 1."""
    n = error.shape[-1]
    return np.abs(error @ waves(np.arange(1, n + 1) / n).T) * 2 / n


def nodal_values(n: int) -> np.ndarray:
    """T, (n, n): column i has the values of r_i at the points x_1, ..., x_n."""
    i = np.arange(1, n + 1)
    return np.maximum(i[:, None] - i + 1, 0) / 2


def gram_hat(n: int) -> np.ndarray:
    """Integrals (n, n) of phi_i phi_j over [0, 1], h/6 (1, 4, 1); the last hat is cut in half by the end."""
    G = 4 * np.eye(n) + np.eye(n, k=1) + np.eye(n, k=-1)
    G[-1, -1] = 2
    return G / (6 * n)


def gram_relu(n: int) -> np.ndarray:
    """Integrals (n, n) of r_i r_j over [0, 1]: of y (y + d) / 4h^2 for y from 0 to the end.

    That is h (2 m^3 + 3 d m^2) / 24 with m cells from the later kink to the end, and d cells between the two kinks.
    """
    i = np.arange(1.0, n + 1)
    m, d = n + 1 - np.maximum(i[:, None], i), np.abs(i[:, None] - i)
    return (2 * m**3 + 3 * d * m**2) / (24 * n)


def by_eigenvectors(G: np.ndarray, T: np.ndarray, f: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The amplitudes (len(steps), 3) after steps a <- a - (G a - c) / lambda_max of gradient descent from a = 0.

    T has the nodal values of the basis as columns, f those of the function, so that T a = f in the end. The error is
    T (I - G / lambda_max)^steps T^-1 f.
    """
    size, Q = np.linalg.eigh(G)
    left = (1 - size / size[-1]) ** steps[:, None]
    return amplitudes((left * (Q.T @ np.linalg.solve(T, f))) @ (T @ Q).T)


def by_iteration(G: np.ndarray, T: np.ndarray, f: np.ndarray, steps: int) -> np.ndarray:
    """The amplitudes (3,) after so many steps, each of them made."""
    exact, a, rate = np.linalg.solve(T, f), np.zeros(len(f)), 1 / np.linalg.eigvalsh(G)[-1]
    for _ in range(steps):
        a -= rate * (G @ (a - exact))
    return amplitudes(f - T @ a)


def train(activation: Callable[[torch.Tensor], torch.Tensor], width: int, steps: int, seeds: int) -> Any:
    """Train a network of `width` units per seed by Adam, from a = 0, w = width / 2 and random kinks -b / w in [0, 1].

    Returns the amplitudes (steps + 1, 3) in the error, the mean of all seeds, and the values (points,) of the first.
    """
    x = torch.arange(1, POINTS + 1) / POINTS
    f = torch.from_numpy(waves(x.double().numpy()).sum(axis=0)).float()
    kinks = torch.stack([torch.rand(1, width, generator=torch.Generator().manual_seed(seed)) for seed in range(seeds)])
    w = torch.full_like(kinks, width / 2)
    parameters = a, w, b = [v.requires_grad_() for v in (torch.zeros_like(kinks), w, -w * kinks)]
    adam, errors = torch.optim.Adam(parameters, lr=RATE), []
    for _ in range(steps + 1):
        u = (a * activation(w * x[:, None] + b)).sum(dim=-1)
        errors.append((f - u).detach().numpy())
        adam.zero_grad()
        ((f - u) ** 2).mean(dim=1).sum().backward()  # one loss per seed: Adam treats every number by itself
        adam.step()
    return amplitudes(np.stack(errors)).mean(axis=1), u[0].detach().numpy()


def run(n: int = 64, steps: int = 1000, seeds: int = 3, output: str | Path = "out") -> dict[str, Any]:
    """Compare, print and draw frequencies.png; returns condition numbers, steps to 1/e, and amplitudes at the end."""
    n, steps, seeds = integer("n", n, 2 * max(WAVES) + 1), integer("steps", steps, 1), integer("seeds", seeds, 1)
    path = make_folder("output", output) / "frequencies.png"
    grids, grams = np.array([n // 4, n // 2, n]), {"hat": gram_hat, "ReLU": gram_relu}
    condition = {name: [float(np.linalg.cond(gram(size))) for size in grids] for name, gram in grams.items()}
    f, bases = waves(np.arange(1, n + 1) / n).sum(axis=0), {"hat": np.eye(n), "ReLU": nodal_values(n)}
    times = {"hat": np.arange(13), "ReLU": np.unique(np.geomspace(1, 1e8, 600).astype(int))}
    fixed = {name: by_eigenvectors(gram(n), bases[name], f, times[name]) for name, gram in grams.items()}
    reached = {name: times[name][np.argmax(rows <= np.exp(-1), axis=0)] for name, rows in fixed.items()}
    networks = {name: train(activation, n, steps, seeds) for name, activation in ACTIVATIONS.items()}
    trained = {name: errors[-1] for name, (errors, _) in networks.items()}
    periods = [f"k = {k}" for k in WAVES]
    predicted = {"48 ((n + 1/2) / beta)^4": 48 * ((grids + 0.5) / BETA) ** 4}
    print_table("condition of the Gram matrix", [f"n = {size}" for size in grids], condition | predicted)
    predicted = {"(2 pi k / beta)^4": (2 * np.pi * np.array(WAVES) / BETA) ** 4}
    print_table(f"steps until a wave is below 1/e, n = {n}", periods, reached | predicted)
    print_table(f"networks: amplitudes after {steps} steps", periods, trained)
    draw(grids, condition, {name: (times[name], fixed[name]) for name in fixed}, networks, path)
    print(f"picture in {path}")
    return {"condition": condition, "reached": reached, "trained": trained}


def print_table(title: str, columns: list[str], rows: dict[str, Any]) -> None:
    print(f"{title:42}" + "".join(f"{column:>10}" for column in columns))
    for name, row in rows.items():
        print(f"  {name:40}" + "".join(f"{value:10.3g}" for value in row))
    print()


def draw(grids: np.ndarray, condition: Any, bases: Any, networks: Any, path: Path) -> Path:
    """Draw the amplitudes over the steps, above in both bases, below of both networks; conditions, and the networks."""
    figure = Figure(figsize=(11, 6.2), layout="constrained")
    axes: Any = figure.subplots(2, 3)
    for column, name in enumerate(ACTIVATIONS):
        errors, u = networks[name]
        for ax, (x, rows) in zip(axes[:, column], (bases[name], (np.arange(len(errors)), errors)), strict=True):
            for k, row, colour in zip(WAVES, rows.T, ("#2a6f97", "#d9741a", "#3a7d44"), strict=True):
                ax.plot(x, row, color=colour, label=f"k = {k}")
            ax.set(ylim=(0, 1.15), ylabel="amplitude in the error")
        axes[0, column].set(title=f"{name} basis", xlabel="steps of gradient descent")
        axes[1, column].set(title=f"network with {name}", xlabel="steps of Adam")
        axes[0, 2].loglog(grids, condition[name], "o-", label=name)
        axes[1, 2].plot(np.arange(1, POINTS + 1) / POINTS, u, lw=1.2, label=name)
    axes[0, 1].set(xscale="log")
    axes[0, 2].set(title="condition of the Gram matrix", xlabel="n", ylim=(1, None))
    axes[0, 2].set_xticks(grids, [str(size) for size in grids], minor=False)
    axes[0, 2].minorticks_off()
    axes[1, 2].plot(x := np.linspace(0, 1, 513), waves(x).sum(axis=0), "k:", lw=0.9, label="to learn")
    axes[1, 2].set(title="networks after training", xlabel="x", ylim=(-3, 4))
    for ax in axes.flat:
        ax.legend(frameon=False, loc="upper center" if ax is axes[1, 2] else None, ncols=3 if ax is axes[1, 2] else 1)
    figure.savefig(path, dpi=90)
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=64, help="cells, and units of a network (default 64)")
    parser.add_argument("--steps", type=int, default=1000, help="steps of training (default 1000)")
    parser.add_argument("--seeds", type=int, default=3, help="networks per activation, averaged (default 3)")
    parser.add_argument("--output", default="out", help="folder for the picture (default out)")
    given = parser.parse_args()
    run(given.n, given.steps, given.seeds, given.output)
