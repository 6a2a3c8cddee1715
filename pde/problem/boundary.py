"""Boundary data g: one array per side of the box, their share of the equations, and u with its boundary points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pde.common.arguments import described, evaluate, finite, real_array
from pde.common.arrays import cast, copied, expand, is_tensor, like
from pde.problem.coefficients import DomainTerms, Terms, grid_resistances, side_weights
from pde.problem.grid import ENDS, Array, Axis, Grid, Sides, trailing, window
from pde.problem.tensor import kind_of
from pde.problem.wall_data import fold_walls, read_walls

BoundaryData = float | Callable[..., Any] | Mapping[Any, Any] | None


def read_sides(
    g: BoundaryData,
    grid: Grid,
    dtype: np.dtype,
    batch: tuple[int, ...] = (),
    domain: DomainTerms | None = None,
    imaginary: bool = False,
) -> Sides:
    """One array of shape (*batch, *side shape) per side with data; {} where g is None or 0.

    Args:
        g: a scalar, a callable of all coordinates, or {(axis, side): scalar, array of the side's shape (with the
            leading batch axes of f, if it differs between them), or callable}; side 0 is low, 1 is high. "walls" are
            those of the domain; their array has the grid's shape, and its values at the points outside count.
        domain: a domain with walls, whose data have shape (*batch, faces).
        imaginary: whether they may be complex; `dtype` is that of their parts then.

    Raises:
        TypeError, ValueError: an unknown side, data where there is no side, a wrong shape, or non-finite values; the
            message names the side.
    """
    if g is None or (np.isscalar(g) and g == 0):
        return {}
    sides: Sides = {}
    walls = domain is not None and bool(domain.walls)
    allowed: list[Any] = [(a, s) for a, axis in enumerate(grid.axes) for s in (0, 1) if not axis.periodic]
    if walls:
        allowed.append("walls")
    if not allowed and not isinstance(g, Mapping):
        raise ValueError(f"g must be None or 0 where all axes are periodic: there is no side; got {described(g)}")
    given = g if isinstance(g, Mapping) else dict.fromkeys(allowed, g)
    for key, value in given.items():
        if key not in allowed:
            raise ValueError(
                f"g: keys are (axis, side) with axis < {grid.ndim} and side 0 or 1, of an axis that is not periodic"
                f"{', and' if walls else '; without the walls of a domain there are no'} 'walls'; got {described(key)}"
            )
        if domain is not None and isinstance(key, str):
            sides[key] = read_walls(value, domain, grid, dtype, batch, imaginary)
            continue
        axis, side = allowed[allowed.index(key)]  # True and 0.0 are equal to keys, and index nothing
        sides[axis, side] = _read_side((axis, side), value, grid, dtype, batch, imaginary)
    return sides


def _read_side(
    key: tuple[int, int], value: Any, grid: Grid, dtype: np.dtype, batch: tuple[int, ...], imaginary: bool
) -> Array:
    axis, side = key
    shape = tuple(n for a, n in enumerate(grid.shape) if a != axis)
    if callable(value):
        values = evaluate(f"g[{key}]", value, side_points(grid, axis, side), imaginary)
    else:
        values = real_array(f"g[{key}]", value, imaginary)
    if values.ndim and values.shape not in (shape, batch + shape):
        raise ValueError(f"g[{key}] must be a scalar or have the side's shape {shape}, got {values.shape}")
    values = finite(f"g[{key}]", values, dtype)
    return np.array(np.broadcast_to(values, batch + shape if values.shape == batch + shape else shape))


def side_points(grid: Grid, axis: int, side: int) -> list[Array]:
    """The coordinates of a side's points, one array of the side's shape per axis of the box."""
    views = list(np.meshgrid(*(ax.points for a, ax in enumerate(grid.axes) if a != axis), indexing="ij"))
    views.insert(axis, np.full([n for a, n in enumerate(grid.shape) if a != axis], grid.axes[axis].nodes[-side]))
    return views


def fold(f: Array, sides: Sides, grid: Grid, terms: Terms) -> Array:
    """Add the boundary data to the equations beside them; f itself if there are none."""
    return fold_into(copied(f), sides, grid, terms) if sides else f


def fold_into(f: Array, sides: Sides, grid: Grid, terms: Terms) -> Array:
    """`fold` in the memory of f."""
    for key, values in sides.items():
        if key == "walls":
            fold_walls(f, values, grid, terms)
            continue
        axis, side = key
        if terms.tensor is not None and kind_of(grid, key) == "dirichlet":
            continue
        factor = side_weights(grid, terms, axis, side)
        if not is_tensor(factor):
            factor = like(np.asarray(factor), values)
        f[window(axis, grid.ndim, ENDS[side])] += expand(cast(factor * values, f.dtype), axis - grid.ndim)
    if terms.tensor is not None and any(kind_of(grid, key) == "dirichlet" for key in sides):
        f = f + cast(terms.tensor.from_sides(sides, f) / like(grid.volumes(), f), f.dtype)
    return f


def embed(u: Array, sides: Sides, grid: Grid, terms: Terms) -> Array:
    """u (..., *shape) with its boundary points; see `closed_points` for where they lie.

    Edges and corners of the box that are not unknown take no part in the equations and hold the mean of their
    neighbours.
    """
    closed = [closed_points(axis) for axis in grid.axes]
    first = [int(points[0] < axis.points[0]) for points, axis in zip(closed, grid.axes, strict=True)]
    inside = [slice(low, low + n) for low, n in zip(first, grid.shape, strict=True)]
    shape = tuple(map(len, closed))
    whole, known = np.zeros(u.shape[: u.ndim - grid.ndim] + shape, u.dtype), np.zeros(shape, dtype=bool)
    whole[trailing(inside)], known[tuple(inside)] = u, True
    for a, axis in enumerate(grid.axes):
        for side, distance in enumerate(axis.ends):
            if distance > 0 and not axis.periodic:
                layer = [ENDS[side] if b == a else part for b, part in enumerate(inside)]
                whole[trailing(layer)], known[tuple(layer)] = _end_values(u, a, side, sides, grid, terms), True
    _fill_corners(whole, known)
    for a, axis in enumerate(grid.axes):
        if axis.periodic:
            whole[window(a, grid.ndim, ENDS[1])] = whole[window(a, grid.ndim, ENDS[0])]
    return whole


def closed_points(axis: Axis) -> Array:
    """The coordinates along an axis of the points that `embed` returns: the unknowns, and the ends that are none."""
    low, high = axis.ends
    if axis.periodic:
        return np.append(axis.points, axis.points[0] + axis.length)
    return np.concatenate((axis.nodes[: int(low > 0)], axis.points, axis.nodes[len(axis.nodes) - int(high > 0) :]))


def _end_values(u: Array, a: int, side: int, sides: Sides, grid: Grid, terms: Terms) -> Array:
    """u at an end that is no unknown, with one entry along its axis."""
    end, nearest = grid.axes[a].sides[side], window(a, grid.ndim, ENDS[side])
    g = np.zeros_like(u[nearest])
    if (a, side) in sides:
        g[...] = np.expand_dims(sides[a, side], a - grid.ndim)
    if end.kind == "dirichlet":
        return g
    if terms.closed:
        k = 1 / grid_resistances(grid, terms, a)[window(a, grid.ndim, ENDS[side])]
        return np.divide(g + k * u[nearest], k + end.beta, out=np.zeros_like(u[nearest]), where=k + end.beta > 0)
    diffusion = terms.diffusion[a]
    k = (diffusion if isinstance(diffusion, float) else diffusion[nearest]) / grid.axes[a].ends[side]
    beta = terms.betas.get((a, side))
    return (g + k * u[nearest]) / (k + (end.beta if beta is None else np.expand_dims(beta, a)))


def _fill_corners(whole: Array, known: Array) -> None:
    """Give edges and corners the mean of their known neighbours."""
    while not known.all():
        total, number = np.zeros_like(whole), np.zeros(known.shape, dtype=np.int8)
        for a in range(known.ndim):
            first, last = window(a, known.ndim, slice(None, -1)), window(a, known.ndim, slice(1, None))
            for here, there in ((first, last), (last, first)):
                total[here] += np.where(known[there], whole[there], 0)
                number[here] += known[there]
        new = ~known & (number > 0)
        whole[..., new] = total[..., new] / number[new]
        known |= new
