"""Draw the one idea: the same descent through the grids solves a Poisson equation and reads a handwritten digit.

python examples/one_loop.py [--output docs/one_loop.png]
"""

from __future__ import annotations

import argparse
from itertools import pairwise
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
SIZES = (0.36, 0.26, 0.18)
"""Of the fields on each grid, as shares of the picture's height."""


def solve() -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Return two noisy charges f, u on the three finest grids of a descent, and the solution of -Laplace u = f."""
    problem = pde.Poisson((63, 63))
    x, y = problem.points()
    f = np.exp(-80 * ((x - 0.35) ** 2 + (y - 0.6) ** 2)) - np.exp(-80 * ((x - 0.7) ** 2 + (y - 0.35) ** 2))
    f += 0.2 * np.random.default_rng(3).standard_normal(f.shape)
    mg = pde.Multigrid(problem, smoother="jacobi", nu=(2, 0), levels=64)
    visits = mgcore.descend(mg.levels, f)[:GRIDS]
    return f, [visit.u for visit in visits], mg.solve(f).u


def classify(epochs: int) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Return a digit, the features u that a trained MgNet makes of it (one channel per grid), and its probabilities."""
    data = nets.data.digits(0)
    model = nets.train("MgNet[2,2,2]-[16]-B^l", data, seed=0, epochs=epochs).model.eval()
    image = data.normalise(data.test_images[3:4])
    with torch.no_grad():
        visits = model.visits(image)
        probabilities = torch.softmax(model(image)[0], 0).numpy()
    features = [v.u[0][int(v.u[0].var(dim=(1, 2)).argmax())].numpy() for v in visits]
    return image[0, 0].numpy(), features, probabilities


def draw(path: str | Path, epochs: int = 4) -> Path:
    """Draw two rows, one per field: the data, u on three grids, and the result."""
    figure = Figure(figsize=(12, 6.2))
    f, u, solution = solve()
    image, features, probabilities = classify(epochs)
    _row(figure, 0.72, "pde: −Δu = f", f, u, ("RdBu_r", "RdBu_r"), "P, B")
    _row(figure, 0.25, "nets: MgNet reads a digit", image, features, ("gray_r", "viridis"), "head")
    _field(figure, 0.885, 0.72, 0.36, solution, "RdBu_r", "solution u")
    _bars(figure, 0.885, 0.25, 0.36, probabilities)
    figure.text(0.5, 0.965, "one loop: mgcore.descend", ha="center", fontsize=14, family="monospace", color="#444444")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    return path


def _row(
    figure: Figure,
    middle: float,
    title: str,
    data: np.ndarray,
    u: list[np.ndarray],
    colours: tuple[str, str],
    last: str,
) -> None:
    """Draw the data and u on every grid, with the names of the operators between them."""
    centres = (0.12, 0.34, 0.535, 0.69)
    sizes = (SIZES[0], *SIZES)
    _field(figure, centres[0], middle, sizes[0], data, colours[0], "f")
    for l, (centre, size, values) in enumerate(zip(centres[1:], SIZES, u, strict=True)):
        _field(figure, centre, middle, size, values, colours[1], f"u on grid {l + 1}")
    ends = [*zip(centres, sizes, strict=True), (0.885, SIZES[0])]
    for l, ((left, a), (right, b)) in enumerate(pairwise(ends)):
        start, end = left + a * 0.26 + 0.004, right - b * 0.26 - 0.006
        style = {"arrowstyle": "-|>", "mutation_scale": 15, "color": "#d9741a", "lw": 1.6}
        figure.add_artist(FancyArrowPatch((start, middle), (end, middle), transform=figure.transFigure, **style))
        word = ("B", "R", "R", last)[l]
        figure.text((start + end) / 2, middle + 0.02, word, ha="center", color="#d9741a", fontsize=13)
    figure.text(0.027, middle + 0.225, title, fontsize=15, weight="bold")


def _axes(figure: Figure, centre: float, middle: float, size: float, title: str) -> Any:
    axes: Any = figure.add_axes((centre - size * 0.26, middle - size / 2, size * 0.52, size))
    axes.set_title(title, fontsize=11)
    return axes


def _field(
    figure: Figure, centre: float, middle: float, size: float, values: np.ndarray, colours: str, title: str
) -> None:
    axes = _axes(figure, centre, middle, size, title)
    bound = float(np.abs(values).max()) or 1.0
    signed = colours == "RdBu_r"
    limits = {"vmin": -bound, "vmax": bound} if signed else {}
    axes.imshow(values.T if signed else values, origin="lower" if signed else "upper", cmap=colours, **limits)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_color("#cccccc")


def _bars(figure: Figure, centre: float, middle: float, size: float, probabilities: np.ndarray) -> None:
    axes = _axes(figure, centre, middle, size, f"prediction: {int(probabilities.argmax())}")
    axes.bar(range(len(probabilities)), probabilities, color="#2a6f97")
    axes.set(xticks=range(len(probabilities)), yticks=[], ylim=(0, 1))
    axes.spines[["top", "right", "left"]].set_visible(False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default="docs/one_loop.png", help="(default docs/one_loop.png)")
    parser.add_argument("--epochs", type=int, default=4, help="of training before the picture is drawn (default 4)")
    arguments = parser.parse_args()
    print(draw(arguments.output, arguments.epochs))
