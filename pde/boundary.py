"""Boundary data g: what the user gives, as one array per side of the box."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pde.arguments import finite, real_array
from pde.grid import Array, Grid, trailing, window
from pde.operators import axis_coefficients
from pde.transfer import Sides

BoundaryData = float | Callable[..., Any] | Mapping[tuple[int, int], Any] | None


def read_sides(g: BoundaryData, grid: Grid, dtype: np.dtype, batch: tuple[int, ...] = ()) -> Sides:
    """One array of shape (*batch, *side shape) per side with data; {} where g is None or 0.

    Args:
        g: a scalar, a callable of all coordinates, or {(axis, side): scalar, array of the side's shape (with the
            leading batch axes of f, if it differs between them), or callable}; side 0 is low, 1 is high.

    Raises:
        TypeError, ValueError: an unknown side, a wrong shape, or non-finite values; the message names the side.
    """
    if g is None or (np.isscalar(g) and g == 0):
        return {}
    given = g if isinstance(g, Mapping) else {(a, s): g for a in range(grid.ndim) for s in (0, 1)}
    sides: Sides = {}
    for key, value in given.items():
        if key not in [(a, s) for a in range(grid.ndim) for s in (0, 1)]:
            raise ValueError(f"g: keys are (axis, side) with axis < {grid.ndim} and side 0 or 1; got {key!r}")
        sides[key] = _read_side(key, value, grid, dtype, batch)
    return sides


def _read_side(key: tuple[int, int], value: Any, grid: Grid, dtype: np.dtype, batch: tuple[int, ...]) -> Array:
    axis, side = key
    shape = tuple(n for a, n in enumerate(grid.shape) if a != axis)
    if callable(value):
        value = value(*_side_points(grid, axis, side))
    values = real_array(f"g[{key}]", value)
    if values.ndim and values.shape not in (shape, batch + shape):
        raise ValueError(f"g[{key}] must be a scalar or have the side's shape {shape}, got {values.shape}")
    values = finite(f"g[{key}]", values, dtype)
    return np.array(np.broadcast_to(values, batch + shape if values.shape == batch + shape else shape))


def _side_points(grid: Grid, axis: int, side: int) -> list[Array]:
    """The coordinates of a side's points, one array of the side's shape per axis of the box."""
    views = list(np.meshgrid(*(ax.points for a, ax in enumerate(grid.axes) if a != axis), indexing="ij"))
    views.insert(axis, np.full([n for a, n in enumerate(grid.shape) if a != axis], grid.axes[axis].nodes[-side]))
    return views


def fold(f: Array, sides: Sides, grid: Grid) -> Array:
    """f plus what the boundary values contribute to the equations beside them; f itself if there are none."""
    if not sides:
        return f
    f = f.copy()
    for (axis, side), values in sides.items():
        lower, _, upper = axis_coefficients(grid.axes[axis])
        coefficient = upper[-1] if side else lower[0]
        f[window(axis, grid.ndim, slice(-1, None) if side else slice(0, 1))] += np.expand_dims(
            (coefficient * values).astype(f.dtype), axis - grid.ndim
        )
    return f


def embed(u: Array, sides: Sides, grid: Grid) -> Array:
    """u (..., *shape) with the boundary points of every side; edges and corners hold the mean of their neighbours."""
    batch = u.shape[: u.ndim - grid.ndim]
    whole = np.zeros(batch + tuple(n + 2 for n in grid.shape), dtype=u.dtype)
    count = np.zeros(tuple(n + 2 for n in grid.shape), dtype=np.int8)
    inside = (slice(1, -1),) * grid.ndim
    whole[trailing(inside)] = u
    count[inside] = 1
    for (axis, side), values in sides.items():
        index = [*inside]
        index[axis] = slice(-1, None) if side else slice(0, 1)
        whole[trailing(index)] = np.expand_dims(values, axis - grid.ndim)
    for axis in range(grid.ndim):
        for side in (0, 1):
            index = [*inside]
            index[axis] = slice(-1, None) if side else slice(0, 1)
            count[trailing(index)] = 1
    if sides:
        _fill_corners(whole, count, grid.ndim)
    return whole


def _fill_corners(whole: Array, known: Array, ndim: int) -> None:
    """Edges and corners of the box take no part in the equations; give them the mean of their known neighbours."""
    while not known.all():
        total, number = np.zeros_like(whole), np.zeros_like(known)
        for a in range(ndim):
            first, last = window(a, ndim, slice(None, -1)), window(a, ndim, slice(1, None))
            for here, there in ((first, last), (last, first)):
                total[here] += np.where(known[there], whole[there], 0)
                number[here] += known[there] > 0
        new = (known == 0) & (number > 0)
        whole[..., new] = total[..., new] / number[new]
        known[new] = 1
