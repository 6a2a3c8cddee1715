"""A solution as a picture: a curve, an image with contours, or three central slices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pde.common.arguments import choose
from pde.plot.fields import draw_field
from pde.plot.style import figure, save, style
from pde.problem.boundary import closed_points
from pde.problem.gradients import gradient
from pde.problem.grid import Array, Axis
from pde.problem.poisson import Poisson

NAMES = ("x", "y", "z")

CONTACT = {-1: "tab:red", 1: "tab:orange"}
"""The colours of contact with the lower and the upper bound."""

SLIM = 4.0
"""Boxes with a larger ratio of sides are drawn with axes of their own scale."""

MOST = 800
"""Points per axis that a picture shows; larger planes are thinned."""


def solution(
    problem: Poisson,
    u: Any,
    path: str | Path | None = None,
    title: str = "",
    g: Any = None,
    field: str | None = None,
    contact: Any = None,
) -> tuple[Figure, Any]:
    """Draw u with its boundary points: a curve in 1-D, an image with contours in 2-D, three central slices in 3-D.

    Points outside a domain stay empty.

    Args:
        u: one solution, of the problem's shape.
        path: the file to write; None writes none.
        g: its boundary data, as in `Multigrid.solve`.
        field: "arrows" or "streamlines" of -grad u over an image.
        contact: `Solution.contact` of this u; where it meets its lower bound is hatched in red, the upper in orange.

    Returns:
        The figure and its axes, one for each plane, to draw on; `figure.savefig` writes it.

    Raises:
        ValueError: naming the argument, what came and what is allowed.
    """
    whole = problem.embed(u, g)
    if whole.ndim != problem.ndim:
        raise ValueError(f"u must be one solution of shape {problem.shape}, got shape {np.shape(u)}")
    flow = None if field is None else [-part for part in gradient(problem, u, g, "points")]
    if field is not None and problem.ndim == 1:
        raise ValueError(f"field must be None in one dimension, got {field!r}")
    kind = "" if field is None else choose("field", field, ("arrows", "streamlines"))
    if contact is not None and np.shape(contact) != problem.shape:
        raise ValueError(f"contact must be that of one solution, of shape {problem.shape}, got {np.shape(contact)}")
    draw = {1: _curve, 2: _image, 3: _slices}[problem.ndim]
    picture, axes = draw(problem, _masked(problem, whole), title, flow, kind, contact)
    if path is not None:
        save(picture, path)
    return picture, axes


def _masked(problem: Poisson, whole: Array) -> Array:
    """The values where the nearest unknown is in the domain."""
    if problem.domain is None:
        return whole
    nearest = [np.abs(np.subtract.outer(closed_points(axis), axis.points)).argmin(axis=1) for axis in problem.grid.axes]
    return np.ma.masked_where(~problem.domain.inside[np.ix_(*nearest)], whole)


def _curve(problem: Poisson, whole: Array, title: str, flow: Any, kind: str, contact: Any) -> tuple[Figure, Any]:
    picture, axes = figure(7, 4.2)
    x = closed_points(problem.grid.axes[0])
    axes.plot(x, whole, marker="." if len(x) <= 64 else None)
    for value, colour in CONTACT.items() if contact is not None else ():
        met = problem.grid.axes[0].points[np.asarray(contact) == value]
        axes.plot(met, np.interp(met, x, whole), ".", color=colour)
    style(axes, "x", "u", title)
    return picture, axes


def _image(problem: Poisson, whole: Array, title: str, flow: Any, kind: str, contact: Any) -> tuple[Figure, Any]:
    picture, axes = figure(*_size(problem.grid.axes))
    image = panel(axes, problem.grid.axes, whole, limits(whole))
    if flow is not None:
        draw_field(axes, problem.grid.axes, flow, kind)
    _draw_contact(axes, problem.grid.axes, contact)
    axes.set_title(title)
    picture.colorbar(image, ax=axes, label="u")
    return picture, axes


def _slices(problem: Poisson, whole: Array, title: str, flow: Any, kind: str, contact: Any) -> tuple[Figure, Any]:
    """Draw the three central planes on one scale of colours."""
    picture = Figure(figsize=(13, 4.4), layout="constrained")
    panels = picture.subplots(1, 3)
    points = [closed_points(axis) for axis in problem.grid.axes]
    middles = [int(np.argmin(abs(x - (x[0] + x[-1]) / 2))) for x in points]
    planes = [np.take(whole, middle, axis=across) for across, middle in enumerate(middles)]
    scale = limits(np.ma.concatenate([plane.ravel() for plane in planes]))
    for across, (axes, plane) in enumerate(zip(panels, planes, strict=True)):
        kept = [a for a in range(3) if a != across]
        image = panel(axes, [problem.grid.axes[a] for a in kept], plane, scale, [NAMES[a] for a in kept])
        if flow is not None:
            middle = int(np.argmin(abs(problem.grid.axes[across].points - points[across][middles[across]])))
            draw_field(axes, [problem.grid.axes[a] for a in kept], [flow[a].take(middle, across) for a in kept], kind)
        if contact is not None:
            middle = int(np.argmin(abs(problem.grid.axes[across].points - points[across][middles[across]])))
            _draw_contact(axes, [problem.grid.axes[a] for a in kept], np.take(contact, middle, across))
        axes.set_title(f"{NAMES[across]} = {points[across][middles[across]]:.3g}")
    picture.colorbar(image, ax=panels, label="u", shrink=0.8)
    picture.suptitle(title)
    return picture, panels


def _draw_contact(axes: Any, pair: Sequence[Axis], contact: Any) -> None:
    """Hatch where u meets a bound in the plane of two axes."""
    for value, colour in CONTACT.items() if contact is not None else ():
        met = (np.asarray(contact) == value).astype(float)
        if met.any() and min(met.shape) > 1:
            x, y = (axis.points for axis in pair)
            hatched = axes.contourf(x, y, met.T, levels=[0.5, 1.5], colors="none", hatches=["///"])
            hatched.set_edgecolor(colour)
            axes.contour(x, y, met.T, levels=[0.5], colors=colour, linewidths=1.5)


def limits(values: Array) -> dict[str, Any]:
    """Colours: two-sided around zero where the values have both signs, else from the smallest to the largest."""
    low, high = (float(values.min()), float(values.max())) if np.ma.count(values) else (0.0, 1.0)
    bound = max(-low, high)
    if low < -0.05 * bound and high > 0.05 * bound:
        return {"vmin": -bound, "vmax": bound, "cmap": "RdBu_r"}
    return {"vmin": low, "vmax": high if high > low else low + 1.0, "cmap": "viridis"}


def panel(
    axes: Any, pair: Sequence[Axis], values: Array, scale: dict[str, Any], names: Sequence[str] = NAMES[:2]
) -> Any:
    """Draw one plane of values at the closed points of two axes with contour lines, and return the image."""
    shown = [_thin(n) for n in values.shape]
    thin = values[np.ix_(*shown)]
    x, y = (closed_points(axis)[part] for axis, part in zip(pair, shown, strict=True))
    shading = "nearest" if np.ma.is_masked(thin) else "gouraud"
    axes.set_facecolor("0.85")  # outside a domain
    image = axes.pcolormesh(x, y, thin.T, shading=shading, rasterized=True, **scale)
    if np.ma.count(thin) and float(np.ptp(thin)) > 1e-12 * float(np.abs(thin).max()):
        axes.contour(x, y, thin.T, levels=12, colors="k", linewidths=0.5, alpha=0.5)
    lengths = [axis.length for axis in pair]
    equal = max(lengths) <= SLIM * min(lengths)
    axes.set(xlabel=names[0], ylabel=names[1], aspect="equal" if equal else "auto")
    return image


def _thin(n: int) -> Array:
    """The numbers of the points that are shown, the first and the last among them."""
    return np.unique(np.append(np.arange(0, n, max(1, n // MOST)), n - 1))


def _size(pair: Sequence[Axis]) -> tuple[float, float]:
    """A figure as wide and high as the box asks for."""
    ratio = pair[0].length / pair[1].length
    if not 1 / SLIM <= ratio <= SLIM:
        return 6.4, 5.0
    return (6.6, 1.4 + 4.6 / ratio) if ratio > 1 else (2.2 + 4.4 * ratio, 5.0)
