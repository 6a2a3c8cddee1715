"""The field -grad u over a picture of u, as arrows or streamlines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pde.problem.grid import Array, Axis, is_constant

MOST_ARROWS = 24
"""Arrows per axis that a picture shows at most."""


def draw_field(axes: Any, pair: Sequence[Axis], field: Sequence[Array], kind: str) -> None:
    """Draw the two components of a field, of the shape of the unknowns of two axes, as "arrows" or "streamlines"."""
    x, y = (axis.points for axis in pair)
    if not any(part.any() for part in field):
        return
    if kind == "streamlines" and min(len(x), len(y)) > 1:
        (u, v), x, y = _on_equal_steps(field, x, y)
        axes.streamplot(x, y, u.T, v.T, color="k", linewidth=0.7, arrowsize=0.8, density=1.2)
        return
    shown = [np.arange(n)[(n - 1) % step // 2 :: step] for n in (len(x), len(y)) for step in [-(-n // MOST_ARROWS)]]
    u, v = (part[np.ix_(*shown)].T for part in field)
    u, v = (np.ma.masked_where((u == 0) & (v == 0), part) for part in (u, v))
    axes.quiver(x[shown[0]], y[shown[1]], u, v, color="k", pivot="mid", width=0.003)


def _on_equal_steps(field: Sequence[Array], x: Array, y: Array) -> tuple[list[Array], Array, Array]:
    """The field on equal steps along both axes, which streamlines need; masked where it is zero."""
    parts = list(field)
    for a, old in enumerate((x, y)):
        if not is_constant(np.diff(old)):
            new = np.linspace(old[0], old[-1], len(old))
            parts = [_interpolated(part, old, new, a) for part in parts]
    x, y = (np.linspace(old[0], old[-1], len(old)) for old in (x, y))
    nothing = (parts[0] == 0) & (parts[1] == 0)
    return [np.ma.masked_where(nothing, part) for part in parts], x, y


def _interpolated(values: Array, old: Array, new: Array, a: int) -> Array:
    """Values at the places `old` of an axis, linear between them, at the places `new`."""
    below = np.clip(np.searchsorted(old, new, "right") - 1, 0, len(old) - 2)
    share = np.expand_dims((new - old[below]) / (old[below + 1] - old[below]), 1 - a)
    return values.take(below, a) * (1 - share) + values.take(below + 1, a) * share
