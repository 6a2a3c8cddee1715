"""Draw the pictures of the pages: python docs/pictures.py."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

import pde
from pde import plot
from pde.analysis.fourier import Analysis

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))  # for the examples
BLUE, ORANGE, GREY = "#2a6f97", "#d9741a", "#666666"


def obstacle(path: Path, n: int = 63) -> Path:
    """A membrane pressed onto a table: a cut through it, and where it touches."""
    problem = pde.Poisson((n, n))
    x, y = problem.points()
    exact = edge(x, y)
    mg, active, u = pde.Multigrid(problem), np.zeros(problem.shape, dtype=bool), None
    history = []
    for _ in range(40):
        u = mg.update(reaction=1e6 * active).solve(-1.0, g=edge, u0=u, accel="cg").u
        history.append(u[n // 2].copy())
        if np.array_equal(u < 0, active):
            break
        active = u < 0
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.7, 1))
    for k, line in enumerate(history):
        left.plot(y[n // 2], line, color=BLUE, alpha=0.2 + 0.8 * k / len(history), lw=1)
    left.plot(y[n // 2], exact[n // 2], "--", color=ORANGE, lw=1.6, label="exact")
    left.axhline(0, color=GREY, lw=0.8)
    left.set(title="u on the line x = 1/2, solve by solve", xlabel="y", ylim=(-0.006, 0.02))
    left.legend(frameon=False)
    right.imshow(np.where(active, np.nan, u).T, origin="lower", extent=(0, 1, 0, 1), cmap="viridis")
    right.add_patch(Circle((0.5, 0.5), 0.25, fill=False, color=ORANGE, lw=1.6))
    right.set(title="contact (white), exact edge", xticks=[0, 1], yticks=[0, 1])
    figure.savefig(path, dpi=100)
    return path


def edge(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The exact solution of `obstacle`: zero inside a circle, with slope zero on it."""
    r = np.maximum(np.hypot(x - 0.5, y - 0.5), 0.25)
    return (r**2 - 0.0625) / 4 - 0.03125 * np.log(r / 0.25)


def tutorial(path: Path, n: int = 127) -> Path:
    """A smooth solution, one around an inclusion, and residuals by smoother."""
    problem = pde.Poisson((n, n))
    x, y = problem.points()
    mg, rough = pde.Multigrid(problem), np.random.default_rng(7).standard_normal(problem.shape)
    smooth = mg.solve(5 * np.pi**2 * np.sin(np.pi * x) * np.sin(2 * np.pi * y)).u
    inside = (x - 0.4) ** 2 + (y - 0.6) ** 2 < 0.04
    jump = pde.Multigrid(pde.Poisson((n, n), coefficient=np.where(inside, 1e6, 1.0)))
    figure = Figure(figsize=(11, 3.5), layout="constrained")
    first, second, third = figure.subplots(1, 3, width_ratios=(1, 1, 1.35))
    extent = (0, 1, 0, 1)
    first.imshow(smooth.T, origin="lower", extent=extent, cmap="RdBu_r")
    first.set(title="1. a first solve", xticks=[0, 1], yticks=[0, 1])
    second.imshow(jump.solve(1.0, accel="cg").u.T, origin="lower", extent=extent, cmap="viridis")
    second.contour(x, y, inside, levels=[0.5], colors="w", linewidths=1)
    second.set(title="6. a jumps by 10⁶ in the circle", xticks=[0, 1], yticks=[0, 1])
    for smoother, colour in (("jacobi", GREY), ("red-black", BLUE), ("sor", ORANGE)):
        norms = pde.Multigrid(problem, smoother=smoother).solve(rough, rtol=1e-10).residual_norms
        third.semilogy(norms, "o-", color=colour, label=smoother, ms=4)
    third.set(title="11. residual after each cycle", xlabel="cycles")
    third.grid(alpha=0.3)
    third.legend(frameon=False)
    figure.savefig(path, dpi=90)
    return path


def symbol(path: Path) -> Path:
    """The share of each Fourier mode that a red-black V-cycle leaves."""
    mg = pde.Multigrid(pde.Poisson((64, 64), boundary="periodic"), smoother="red-black", levels=64)
    theta, size = Analysis(mg).error_symbol("V")
    return plot.symbol(theta, size, path, "V(1,1), red-black")


def frequencies(path: Path) -> Path:
    """Amplitudes in the error over the steps, with hats and with ReLUs: the picture of the example of that name."""
    from examples import frequencies as example

    example.run(output=path.parent)
    return path


def separability(path: Path) -> Path:
    """Two and three separable sets, and what a penalty makes of the lines between them."""
    from examples import separability as example

    planes = [example.Sets(*example.separable_sets(k), k) for k in (2, 3)]
    return example.draw(planes, path)


PDE = (
    (("cli", "python -m pde"),),
    (("plot", "pictures"), ("autodiff", "gradients"), ("learning", "trained cycles")),
    (("solver", "Multigrid: reads f and g, iterates, reports"),),
    (("backends", "run a cycle: plain, mixed, numba, torch"),),
    (("analysis", "Fourier analysis"), ("paper", "Section 5")),
    (("levels", "coarse grids, transfers, smoothers"),),
    (("problem", "Poisson: grid, sides, coefficients, A"),),
    (("common", "arrays, arguments"),),
)
NETS = (
    (("cli", "python -m nets"),),
    (("plot", "pictures"),),
    (("deploy", "export"), ("theorems", "of the papers"), ("runs", "records, reports")),
    (("papers", "published numbers"),),
    (("inspect", "costs"), ("training", "loop, step, schedule")),
    (("models", "MgNet and others as levels"),),
    (("naming", "names of networks"), ("data", "images")),
    (("common", "arguments, files"),),
)
"""Folders from the top, (name, what it holds); each imports only from rows below it."""

SOLVE, STEP = ("solver", "backends", "levels"), ("runs", "training", "models")
"""The folders on the path of a solve and of a training step."""


def layout(path: Path) -> Path:
    """The folders of pde and nets in their order, above mgcore, and two paths through them."""
    figure = Figure(figsize=(10, 6.6))
    axes: Any = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 100), ylim=(0, 66))
    axes.set_axis_off()
    for title, rows, left, path_of, colour, verb in (
        ("pde", PDE, 3, SOLVE, BLUE, "a solve"),
        ("nets", NETS, 53, STEP, "#3a7d44", "a training step"),
    ):
        axes.text(left, 62.2, title, fontsize=17, weight="bold", color=colour)
        axes.text(left + 44, 62.2, f"path of {verb}", fontsize=10, color=ORANGE, ha="right")
        centres = _rows(axes, rows, left, colour, path_of)
        stops = [centres[name] for name in path_of]
        for number, (x, y) in enumerate(stops, 1):
            axes.text(x, y, str(number), color="w", weight="bold", fontsize=9, ha="center", va="center", zorder=5)
            axes.plot(x, y, "o", color=ORANGE, ms=15, zorder=4)
        for start, end in zip(stops, [*stops[1:], (stops[-1][0], 10.2)], strict=True):
            style = {"arrowstyle": "-|>", "mutation_scale": 13, "color": ORANGE, "lw": 1.8, "shrinkA": 8, "shrinkB": 8}
            axes.add_patch(FancyArrowPatch(start, end, zorder=3, **style))
    _box(
        axes,
        3,
        2.5,
        94,
        7.5,
        GREY,
        "mgcore",
        "the cycle: descend, v_cycle, full_multigrid, solve; the moves of a level",
        True,
    )
    figure.savefig(path, dpi=100)
    return path


def _rows(axes: Any, rows: Any, left: float, colour: str, bold: tuple[str, ...]) -> dict[str, tuple[float, float]]:
    """Draw rows of boxes from the top; returns where a number fits into each box."""
    centres, height = {}, 47 / len(rows)
    for k, row in enumerate(rows):
        y, x = 61 - (k + 1) * height, left
        needed = [max(1.4 * len(name), len(holds)) + 4 for name, holds in row]
        for (name, holds), share in zip(row, needed, strict=True):
            width = 44 * share / sum(needed)
            _box(axes, x, y, width - 0.8, height - 1.2, colour, name, holds, name in bold)
            centres[name] = (x + width - 3, y + (height - 1.2) / 2)
            x += width
    stop = min(centres[name][0] for name in bold)
    centres.update({name: (stop, centres[name][1]) for name in bold})
    return centres


def _box(
    axes: Any, x: float, y: float, width: float, height: float, colour: str, name: str, holds: str, strong: bool
) -> None:
    style = {"boxstyle": "round,pad=0,rounding_size=0.8", "facecolor": colour, "alpha": 0.2 if strong else 0.08}
    axes.add_patch(FancyBboxPatch((x, y), width, height, edgecolor="none", **style))
    middle = y + height / 2
    axes.text(x + 1.2, middle + (0.95 if holds else 0), name, fontsize=11.5, weight="bold", va="center")
    if holds:
        axes.text(x + 1.2, middle - 1.25, holds, fontsize=9, color="#333333", va="center")


STEPS = {
    "CNN (7.7)": "VGG[3]-[16]",
    "ResNet (7.8)": "ResNet[1]-[16]",
    "pre-act ResNet (7.9)": "pre-act ResNet[1]-[16]",
    "MgNet (6.4)": "MgNet[1]-[16]-B^{l,i}",
}
"""Titles and networks of `steps`, equations of S19: Figure 3 there, 3.1 of N23, 1 of A19, and MgNet beside them."""

SHARED = {
    "pre-act ResNet (4.6)": ("pre-act ResNet[2]-[16]-A^l-B^{l,i}", "relu"),
    "ResNet (4.7)": ("ResNet[2]-[16]-A^l-B^{l,i}", "relu"),
    "both without σ": ("ResNet[2]-[16]-A^l-B^{l,i}", "identity"),
}
"""Titles, networks and activations of `shared_steps`, equations of N23: Figure 4.1 there, 2 of A19."""


def steps(path: Path) -> Path:
    """The step of a CNN, a ResNet, a pre-act ResNet and an MgNet, as they run, without batch norm."""
    import nets
    import nets.plot

    models = {title: nets.create_model(name, batch_norm=False) for title, name in STEPS.items()}
    nets.plot.steps(models, path)
    return path


def shared_steps(path: Path) -> Path:
    """Two steps of the ResNets with one A for all of them."""
    import nets
    import nets.plot

    models = {title: nets.create_model(name, batch_norm=False, activation=s) for title, (name, s) in SHARED.items()}
    nets.plot.steps(models, path)
    return path


if __name__ == "__main__":
    for draw in (tutorial, layout, obstacle, symbol, steps, shared_steps, frequencies, separability):
        print(draw(DOCS / f"{draw.__name__}.png"))
