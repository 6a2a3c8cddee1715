"""Draw the one idea: the same descent through the grids, for a Poisson equation and for a handwritten digit.

python examples/one_loop.py [--output docs/one_loop.png]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

import mgcore
import nets
import pde

GRIDS = 3
TOPS = (0.86, 0.52, 0.275)


def solver_visits() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(f, u, f - A u) on the three finest grids of a descent for two noisy charges, smoothed twice per grid."""
    problem = pde.Poisson((31, 31))
    x, y = problem.points()
    f = np.exp(-80 * ((x - 0.35) ** 2 + (y - 0.6) ** 2)) - np.exp(-80 * ((x - 0.7) ** 2 + (y - 0.35) ** 2))
    f += 0.25 * np.random.default_rng(3).standard_normal(f.shape)
    mg = pde.Multigrid(problem, smoother="jacobi", nu=(2, 0), levels=64)
    visits = mgcore.descend(mg.levels, f)[:GRIDS]
    return [(v.f, v.u, v.f - level.A(v.u)) for v, level in zip(visits, mg.levels, strict=False)]


def network_visits(epochs: int) -> tuple[np.ndarray, int, list[tuple[np.ndarray, ...]]]:
    """A digit, what an MgNet trained on the digits reads, and (f, u, f - A u) per grid, a channel of each."""
    data = nets.data.digits(0)
    model = nets.train("MgNet[2,2,2]-[16]-B^l", data, seed=0, epochs=epochs).model.eval()
    image = data.normalise(data.test_images[3:4])
    with torch.no_grad():
        visits, prediction = model.visits(image), int(model(image).argmax())
        result = []
        for l, v in enumerate(visits):
            r = v.f - model.A[l](v.u)
            channels = (t[0][int(t[0].var(dim=(1, 2)).argmax())].numpy() for t in (v.f, v.u, r))
            result.append(tuple(channels))
    return image[0, 0].numpy(), prediction, result


def draw(path: str | Path, epochs: int = 12) -> Path:
    image, read, net = network_visits(epochs)
    figure = Figure(figsize=(12, 6))
    for offset, title, visits, colours in (
        (0.04, "pde: −Δu = f", solver_visits(), "RdBu_r"),
        (0.54, f"nets: MgNet reads a {read}", net, "viridis"),
    ):
        figure.text(offset + 0.21, 0.955, title, ha="center", fontsize=16, weight="bold")
        _descent(figure, offset, visits, colours)
    digit: Any = figure.add_axes((0.935, 0.915, 0.045, 0.08))
    digit.imshow(image, cmap="gray_r")
    digit.set_axis_off()
    figure.text(0.5, 0.03, "one loop: mgcore.descend", ha="center", fontsize=14, family="monospace", color="#444444")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    return path


def _descent(figure: Figure, left: float, visits: list[tuple[np.ndarray, ...]], colours: str) -> None:
    """Rows are grids, fine to coarse; columns are f, u and the residual."""
    names = ("f", "u ← u + B(f − A u)", "r = f − A u")
    for l, fields in enumerate(visits):
        size = 0.27 * 0.7**l
        top = TOPS[l]
        for column, (name, field) in enumerate(zip(names, fields, strict=True)):
            axes: Any = figure.add_axes((left + 0.065 + 0.145 * column - size * 0.25, top - size, size * 0.5, size))
            bound = float(np.abs(field).max()) or 1.0
            limits = {"vmin": -bound, "vmax": bound} if colours == "RdBu_r" else {}
            axes.imshow(field.T if limits else field, origin="lower" if limits else "upper", cmap=colours, **limits)
            axes.set_axis_off()
            if l == 0:
                axes.set_title(name, fontsize=11)
        figure.text(
            left - 0.025, top - size / 2, f"grid {l + 1}", rotation=90, va="center", fontsize=11, color="#444444"
        )
        if l + 1 < len(visits):
            arrow = FancyArrowPatch(
                (left + 0.355, top - size - 0.005),
                (left + 0.085, TOPS[l + 1] + 0.006),
                transform=figure.transFigure,
                arrowstyle="-|>",
                mutation_scale=16,
                color="#d9741a",
                lw=1.8,
            )
            figure.add_artist(arrow)
            figure.text(left + 0.235, (top - size + TOPS[l + 1]) / 2 + 0.012, "R", color="#d9741a", fontsize=13)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default="docs/one_loop.png", help="(default docs/one_loop.png)")
    parser.add_argument("--epochs", type=int, default=12, help="of training before the picture is drawn (default 12)")
    arguments = parser.parse_args()
    print(draw(arguments.output, arguments.epochs))
