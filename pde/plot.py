"""Pictures: residual histories, solutions, observed order, symbols. Each writes a file and returns its path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pde.grid import Array
from pde.poisson import Poisson

DPI = 150


def convergence(histories: Mapping[str, Sequence[float]], path: str | Path, title: str = "") -> Path:
    """Relative residual per cycle on a logarithmic axis; the legend tells the mean factor after the first cycle."""
    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axes = figure.add_subplot()
    for (label, norms), marker in zip(histories.items(), "osD^vP*X" * 8, strict=False):
        positive = [r for r in norms if r > 0]
        later = positive[1:]
        factor = f": {(later[-1] / later[0]) ** (1 / (len(later) - 1)):.3f} per cycle" if len(later) > 1 else ""
        axes.semilogy(range(len(positive)), positive, marker=marker, ms=5, label=label + factor)
    _style(axes, "cycle", "‖f − A u‖ / ‖f‖", title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)
    return _save(figure, path)


def order(sizes: Sequence[int], errors: Mapping[str, Sequence[float]], path: str | Path, title: str = "") -> Path:
    """Maximum errors against the number of points per axis, with a line of slope -2."""
    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axes = figure.add_subplot()
    n = np.asarray(sizes, dtype=float)
    for (label, values), marker in zip(errors.items(), "osD^", strict=False):
        axes.loglog(n, values, marker=marker, ms=5, label=label)
    first = float(next(iter(errors.values()))[0])
    axes.loglog(n, first * (n[0] / n) ** 2, "k--", lw=1, label="order 2")
    axes.set_xticks(n, [str(s) for s in sizes])
    axes.minorticks_off()
    _style(axes, "unknowns per axis", "maximum error", title)
    axes.legend(frameon=False)
    return _save(figure, path)


def solution(problem: Poisson, u: Any, path: str | Path, title: str = "", g: Any = None) -> Path:
    """u with its boundary points: a curve in 1-D, an image with contours in 2-D, three central slices in 3-D."""
    whole = problem.embed(u, g)
    if whole.ndim != problem.ndim:
        raise ValueError(f"u must be one solution of shape {problem.shape}, got shape {np.shape(u)}")
    draw = {1: _curve, 2: _image, 3: _slices}[problem.ndim]
    return _save(draw(problem, whole, title), path)


def symbol(theta: Sequence[Array], size: Array, path: str | Path, title: str = "") -> Path:
    """What a cycle leaves of each Fourier mode, from `pde.fourier.Analysis.error_symbol`; the low ones are framed.

    A curve in 1-D, an image in 2-D, in 3-D the three planes in which one frequency is zero.
    """
    names = [f"θ{digit}" for digit in "₁₂₃"]
    if size.ndim == 1:
        figure = Figure(figsize=(7, 4.2), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(theta[0], size)
        axes.axvspan(-np.pi / 2, np.pi / 2, color="k", alpha=0.07)
        _style(axes, names[0], "what is left of the mode", title)
        return _save(figure, path)
    planes = [(0, 1)] if size.ndim == 2 else [(1, 2), (0, 2), (0, 1)]
    figure = Figure(figsize=(5.2 * len(planes) + 0.8, 4.8), layout="constrained")
    for (a, b), axes in zip(planes, np.ravel(figure.subplots(1, len(planes))), strict=True):
        middle = tuple(slice(None) if c in (a, b) else len(theta[c]) // 2 for c in range(size.ndim))
        image = axes.pcolormesh(
            theta[a], theta[b], size[middle].T, shading="nearest", vmin=0, vmax=size.max(), rasterized=True
        )
        axes.plot(*(np.pi / 2 * np.array(s) for s in ([-1, 1, 1, -1, -1], [-1, -1, 1, 1, -1])), "w--", lw=1)
        _style(axes, names[a], names[b], "")
        axes.grid(False)
        axes.set_aspect("equal")
    figure.colorbar(image, ax=axes, shrink=0.9, label="what is left of the mode")
    figure.suptitle(title)
    return _save(figure, path)


def _curve(problem: Poisson, whole: Array, title: str) -> Figure:
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(problem.grid.axes[0].nodes, whole)
    _style(axes, "x", "u", title)
    return figure


def _image(problem: Poisson, whole: Array, title: str) -> Figure:
    figure = Figure(figsize=(6.2, 5), layout="constrained")
    axes = figure.add_subplot()
    x, y = (axis.nodes for axis in problem.grid.axes)
    _panel(figure, axes, (x, y), whole, ("x", "y"))
    axes.set_title(title)
    return figure


def _slices(problem: Poisson, whole: Array, title: str) -> Figure:
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    nodes = [axis.nodes for axis in problem.grid.axes]
    names = ("x", "y", "z")
    for across, axes in enumerate(figure.subplots(1, 3)):
        kept = [a for a in range(3) if a != across]
        middle = whole.shape[across] // 2
        plane = np.take(whole, middle, axis=across)
        _panel(figure, axes, [nodes[a] for a in kept], plane, [names[a] for a in kept])
        axes.set_title(f"{names[across]} = {nodes[across][middle]:.3g}")
    figure.suptitle(title)
    return figure


def _panel(figure: Figure, axes: Any, nodes: Sequence[Array], values: Array, labels: Sequence[str]) -> None:
    """One plane of values as an image with contour lines; large planes are thinned to what a picture can show."""
    steps = [max(1, n // 800) for n in values.shape]
    thin = values[:: steps[0], :: steps[1]]
    x, y = nodes[0][:: steps[0]], nodes[1][:: steps[1]]
    bound = float(np.abs(thin).max()) or 1.0
    signed = thin.min() < -0.05 * bound
    limits = {"vmin": -bound, "vmax": bound, "cmap": "RdBu_r"} if signed else {"cmap": "viridis"}
    image = axes.pcolormesh(x, y, thin.T, shading="auto", rasterized=True, **limits)
    if float(np.ptp(thin)) > 0:
        axes.contour(x, y, thin.T, levels=12, colors="k", linewidths=0.5, alpha=0.6)
    axes.set_aspect("equal")
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    figure.colorbar(image, ax=axes, shrink=0.9)


def _style(axes: Any, x: str, y: str, title: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title)
    axes.grid(alpha=0.3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _save(figure: Figure, path: str | Path) -> Path:
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=DPI)
    return target
