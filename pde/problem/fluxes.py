"""The fluxes of the finite volumes: across the faces between them, through sides and walls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pde.common.arrays import cast, copied, expand, like, namespace, zeros
from pde.problem.coefficients import Terms, grid_fluxes, side_weights
from pde.problem.grid import ENDS, Array, Grid, Sides, window
from pde.problem.poisson import Poisson
from pde.problem.wall_data import each_wall
from pde.problem.walls import Wall


def refuse_tensor(problem: Poisson, what: str) -> None:
    """Raise a ValueError where the coefficient is a full tensor, whose fluxes are not those across single faces."""
    if problem.terms.tensor is not None:
        raise ValueError(f"coefficient: {what} is there for a number or a diagonal tensor, got a full one")


def face_fluxes(problem: Poisson, u: Array, sides: Sides, a: int) -> Array:
    """-a du/dx times the open share of each face across an axis, one entry longer along it than u (..., *shape)."""
    grid, ndim = problem.grid, problem.ndim
    axis, k = grid.axes[a], as_like(conductances(grid, problem.terms, a), u)
    first, last = (window(a, ndim, part) for part in ENDS)
    before, after = (window(a, ndim, part) for part in (slice(None, -1), slice(1, None)))
    inner = k[window(a, ndim, slice(1, -1))] * (u[before] - u[after])
    if axis.periodic:
        around = k[first] * (u[last] - u[first])
        return _with_walls(joined(around, inner, around, a - ndim), problem, u, sides, a)
    ends = [k[first] * u[first], k[last] * u[last]]
    for side in (0, 1):
        if (a, side) in sides:
            weight = as_like(inflow_weight(grid, problem.terms, a, side), u)
            ends[side] = ends[side] - expand(weight * sides[a, side], a - ndim)
    return _with_walls(joined(-ends[0], inner, ends[1], a - ndim), problem, u, sides, a)


def _with_walls(fluxes: Array, problem: Poisson, u: Array, sides: Sides, a: int) -> Array:
    """The same with what goes through walls across this axis, and zero beyond them."""
    if problem.domain is None:
        return fluxes
    flat = copied(fluxes * as_like(open_faces(problem, a), u)).reshape(*u.shape[: u.ndim - problem.ndim], -1)
    for wall, _, outward in wall_fluxes(problem, u, sides):
        if wall.areas is None and wall.axis == a:
            for faces in wall_faces(wall, problem.grid):
                flat[..., faces] = outward if wall.side else -outward
    return flat.reshape(fluxes.shape)


def wall_fluxes(problem: Poisson, u: Array, sides: Sides) -> list[tuple[Wall, Any, Array]]:
    """(wall, k, flux per area out of the domain) of every wall: k (u - g) where it holds g, else -g, where k is 0."""
    domain, grid = problem.terms.domain, problem.grid
    if domain is None:
        return []
    batch, inside = tuple(u.shape[: u.ndim - grid.ndim]), u.reshape(*u.shape[: u.ndim - grid.ndim], -1)
    count = sum(len(wall.cells) for wall in domain.walls)
    data = sides["walls"] if "walls" in sides else zeros((*batch, count), u)
    result: list[tuple[Wall, Any, Array]] = []
    for wall, weight, g in each_wall(data, domain):
        if wall.kind == "neumann":
            result.append((wall, 0.0, -g))
        else:
            k = as_like(weight * wall_widths(wall, grid), u)
            result.append((wall, k, k * (inside[..., wall.cells] - g)))
    return result


def wall_widths(wall: Wall, grid: Grid) -> Array:
    """The widths of the control volumes beside the faces of a wall, across it."""
    width: Array = grid.axes[wall.axis].width[np.unravel_index(wall.cells, grid.shape)[wall.axis]]
    return width


def wall_areas(wall: Wall, grid: Grid) -> Array:
    """The areas of a wall, in the order of its faces."""
    if wall.areas is not None:
        return wall.areas
    index = np.unravel_index(wall.cells, grid.shape)
    areas = [axis.width[i] for a, (axis, i) in enumerate(zip(grid.axes, index, strict=True)) if a != wall.axis]
    return np.asarray(np.prod(areas, axis=0) if areas else np.ones(len(wall.cells)))


def wall_faces(wall: Wall, grid: Grid) -> list[Array]:
    """The flat indices of the faces of a wall among those across its axis: on a seam there are two for one."""
    index = list(np.unravel_index(wall.cells, grid.shape))
    n, shape = grid.shape[wall.axis], tuple(m + (a == wall.axis) for a, m in enumerate(grid.shape))
    index[wall.axis] = index[wall.axis] + wall.side
    found = [np.ravel_multi_index(index, shape)]
    if grid.axes[wall.axis].periodic:
        index[wall.axis] = np.where(index[wall.axis] % n == 0, n - index[wall.axis], index[wall.axis])
        found.append(np.ravel_multi_index(index, shape))
    return found


def open_faces(problem: Poisson, a: int) -> Array:
    """Which faces across an axis lie between two unknowns, or between one and a side, with no wall on the way."""
    ndim, shape = problem.ndim, tuple(n + (b == a) for b, n in enumerate(problem.shape))
    result = np.ones(shape, dtype=bool)
    if problem.domain is None:
        return result
    for part in (slice(None, -1), slice(1, None)):
        result[window(a, ndim, part)] &= problem.domain.inside
    for wall in problem.domain.walls:
        if wall.before_side and wall.axis == a:
            result.reshape(-1)[wall_faces(wall, problem.grid)[0]] = False
    if problem.grid.axes[a].periodic:
        first, last = (window(a, ndim, part) for part in ENDS)
        result[first] = result[last] = result[first] & result[last]
    return result


def conductances(grid: Grid, terms: Terms, a: int) -> Array:
    """a/h at the faces across an axis, with as many axes as the grid."""
    k = grid_fluxes(grid, terms, a)
    return k if k.ndim == grid.ndim else along_axis(k, a, grid.ndim)


def inflow_weight(grid: Grid, terms: Terms, a: int, side: int) -> Any:
    """The flux into the volumes beside a side for each unit of its data: a number or an array."""
    weight = float(grid.axes[a].width[-side]) * side_weights(grid, terms, a, side)
    return weight if terms.fraction is None else weight * np.take(terms.fraction, -side, a)


def outer(factors: Sequence[Array]) -> Array:
    """The products of numbers along each axis."""
    result = np.ones(())
    for factor in factors:
        result = np.multiply.outer(result, factor)
    return result


def along_axis(values: Array, a: int, ndim: int) -> Array:
    """Numbers along an axis of ndim."""
    return values.reshape([-1 if b == a else 1 for b in range(ndim)])


def joined(low: Array, inner: Array, high: Array, axis: int) -> Array:
    """Arrays one after the other along an axis."""
    result: Array = namespace(inner).concatenate((low, inner, high), axis=axis)
    return result


def as_like(x: Any, u: Array) -> Any:
    """x as u is, with its dtype."""
    return x if isinstance(x, float) else like(cast(x, u.dtype), u)
