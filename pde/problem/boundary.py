"""Boundary data g: what the user gives, as one array per side of the box."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pde.common.arguments import described, evaluate, finite, real_array
from pde.common.arrays import cast, copied, expand, is_tensor, like
from pde.problem.coefficients import Terms, side_weights
from pde.problem.grid import Array, Axis, Grid, Sides, trailing, window

BoundaryData = float | Callable[..., Any] | Mapping[tuple[int, int], Any] | None


def read_sides(g: BoundaryData, grid: Grid, dtype: np.dtype, batch: tuple[int, ...] = ()) -> Sides:
    """One array of shape (*batch, *side shape) per side with data; {} where g is None or 0.

    Args:
        g: a scalar, a callable of all coordinates, or {(axis, side): scalar, array of the side's shape (with the
            leading batch axes of f, if it differs between them), or callable}; side 0 is low, 1 is high.

    Raises:
        TypeError, ValueError: an unknown side, data where there is no side, a wrong shape, or non-finite values; the
            message names the side.
    """
    if g is None or (np.isscalar(g) and g == 0):
        return {}
    sides: Sides = {}
    allowed = [(a, s) for a, axis in enumerate(grid.axes) for s in (0, 1) if not axis.periodic]
    if not allowed and not isinstance(g, Mapping):
        raise ValueError(f"g must be None or 0 where all axes are periodic: there is no side; got {described(g)}")
    given = g if isinstance(g, Mapping) else dict.fromkeys(allowed, g)
    for key, value in given.items():
        if key not in allowed:
            raise ValueError(
                f"g: keys are (axis, side) with axis < {grid.ndim} and side 0 or 1, of an axis that is not periodic; "
                f"got {described(key)}"
            )
        axis, side = allowed[allowed.index(key)]  # True and 0.0 are equal to keys, and index nothing
        sides[axis, side] = _read_side((axis, side), value, grid, dtype, batch)
    return sides


def _read_side(key: tuple[int, int], value: Any, grid: Grid, dtype: np.dtype, batch: tuple[int, ...]) -> Array:
    axis, side = key
    shape = tuple(n for a, n in enumerate(grid.shape) if a != axis)
    if callable(value):
        values = evaluate(f"g[{key}]", value, _side_points(grid, axis, side))
    else:
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


def fold(f: Array, sides: Sides, grid: Grid, terms: Terms) -> Array:
    """f plus what the boundary data contribute to the equations beside them; f itself if there are none."""
    if not sides:
        return f
    f = copied(f)
    for (axis, side), values in sides.items():
        factor = side_weights(grid, terms, axis, side)
        if not is_tensor(factor):
            factor = like(np.asarray(factor), values)
        f[window(axis, grid.ndim, slice(-1, None) if side else slice(0, 1))] += expand(
            cast(factor * values, f.dtype), axis - grid.ndim
        )
    return f


def embed(u: Array, sides: Sides, grid: Grid, terms: Terms) -> Array:
    """u (..., *shape) with its boundary points; see `closed_points` for where they lie.

    Edges and corners of the box that are not unknown take no part in the equations and hold the mean of their
    neighbours.
    """
    known = np.ones(grid.shape, dtype=np.int8)
    for a in range(grid.ndim):
        ends = [_end_values(u, known, a, side, sides, grid, terms) for side in (0, 1)]
        parts = [*ends[:1], (u, known), *ends[1:]]
        u, known = (np.concatenate([p[i] for p in parts if p is not None], axis=a - grid.ndim) for i in (0, 1))
    _fill_corners(u, known, grid.ndim)
    for a, axis in enumerate(grid.axes):
        if axis.periodic:  # on the sides across it too
            u[window(a, grid.ndim, slice(-1, None))] = u[window(a, grid.ndim, slice(0, 1))]
    return u


def closed_points(axis: Axis) -> Array:
    """The coordinates along an axis of the points that `embed` returns: the unknowns, and the ends that are none."""
    low, high = axis.ends
    none = axis.nodes[:0]
    before = none if low == 0 or axis.periodic else axis.nodes[:1]
    after = none if high == 0 and not axis.periodic else axis.nodes[-1:]
    if axis.periodic:
        after = axis.points[:1] + axis.length
    return np.concatenate((before, axis.points, after))


def _end_values(
    u: Array, known: Array, a: int, side: int, sides: Sides, grid: Grid, terms: Terms
) -> tuple[Array, Array] | None:
    """The layer of boundary values beyond one end, and where it is known; None where the end itself is unknown."""
    axis, ndim = grid.axes[a], grid.ndim
    nearest = window(a, ndim, slice(-1, None) if side else slice(0, 1))
    if axis.periodic:
        return (u[window(a, ndim, slice(0, 1))], known[window(a, ndim, slice(0, 1))]) if side else None
    d, end = axis.ends[side], axis.sides[side]
    if d == 0:
        return None
    g = np.zeros_like(u[nearest])
    inside = tuple(slice(None) if b >= a else _inner(grid.axes[b]) for b in range(ndim))
    if (a, side) in sides:
        g[trailing(inside)] = np.expand_dims(sides[a, side], a - ndim)
    if end.kind == "dirichlet":
        value = g
    else:
        diffusion = terms.diffusion[a]
        if not isinstance(diffusion, float):  # as far as u has been closed already
            grown = [(m - n) for m, n in zip(known.shape, grid.shape, strict=True)]
            before = [_inner(grid.axes[b]).start if extra else 0 for b, extra in enumerate(grown)]
            pads = [(low, extra - low) for low, extra in zip(before, grown, strict=True)]
            diffusion = np.pad(diffusion, pads, mode="edge")[nearest]
        k = diffusion / d
        value = (g + k * u[nearest]) / (k + end.beta)
    layer = np.zeros_like(known[nearest])
    layer[inside] = 1
    return value, layer


def _inner(axis: Axis) -> slice:
    """The unknowns among the points of a closed axis."""
    closed = closed_points(axis)
    before = int(len(closed) > axis.n and closed[0] < axis.points[0])
    return slice(before, before + axis.n)


def _fill_corners(whole: Array, known: Array, ndim: int) -> None:
    """Give edges and corners the mean of their known neighbours."""
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
