"""Data at the walls of a domain: read them, their share of the equations, and u with the values held outside."""

from __future__ import annotations

from typing import Any

import numpy as np

from pde.common.arguments import evaluate, finite, real_array
from pde.common.arrays import cast, like, namespace
from pde.problem.coefficients import DomainTerms, Terms
from pde.problem.grid import Array, Grid
from pde.problem.walls import Wall


def read_walls(
    values: Any, domain: DomainTerms, grid: Grid, dtype: np.dtype, batch: tuple[int, ...], imaginary: bool = False
) -> Array:
    """`g["walls"]`, a number, a callable or an array of the grid's shape, as one array of shape (*batch, faces).

    Raises:
        TypeError, ValueError: naming what came and what is allowed.
    """
    name, count = "g['walls']", sum(len(wall.cells) for wall in domain.walls)
    if callable(values):
        found = [
            np.broadcast_to(_called(name, values, wall, grid, imaginary), len(wall.cells)) for wall in domain.walls
        ]
        return finite(name, np.concatenate([*found, np.zeros(0)]), dtype)
    array = real_array(name, values, imaginary)
    if array.ndim == 0:
        return np.full(count, finite(name, array, dtype))
    if array.shape not in (grid.shape, batch + grid.shape):
        raise ValueError(
            f"{name} must be a number, a callable or have the problem's shape {grid.shape}, got {array.shape}"
        )
    return finite(name, at_walls(array, domain, grid), dtype)


def at_walls(values: Any, domain: DomainTerms, grid: Grid) -> Any:
    """Values (..., *shape) of all points at the faces of the walls, (..., faces)."""
    flat = values.reshape(*values.shape[: values.ndim - grid.ndim], grid.size)
    parts = [_at_faces(flat, wall) for wall in domain.walls] or [flat[..., :0]]
    return namespace(values).concatenate(parts, axis=-1)


def _called(name: str, function: Any, wall: Wall, grid: Grid, imaginary: bool) -> Array:
    values = evaluate(name, function, wall.points(grid), imaginary)
    if values.shape not in ((), wall.cells.shape):
        raise ValueError(f"{name}: the callable must return a scalar or one value per point, got shape {values.shape}")
    return values


def _at_faces(values: Array, wall: Wall) -> Array:
    """Values (..., n) of all points at the faces: those of the points beyond, or on the straight line to them."""
    beyond = values[..., like(wall.beyond, values)]
    if wall.theta is None:
        return beyond
    theta = like(wall.theta, values)
    return (1 - theta) * values[..., like(wall.cells, values)] + theta * beyond


def each_wall(values: Any, domain: DomainTerms) -> list[tuple[Wall, Array, Any]]:
    """(wall, weights, data) of every wall, from the data of all faces."""
    ends = np.cumsum([len(wall.cells) for wall in domain.walls])
    parts = zip(ends - [len(wall.cells) for wall in domain.walls], ends, strict=True)
    return [(w, k, values[..., i:j]) for w, k, (i, j) in zip(domain.walls, domain.weights, parts, strict=True)]


def fold_walls(f: Array, values: Array, grid: Grid, terms: Terms) -> None:
    """Add the data of walls, (..., faces), to the equations beside them, f (..., *shape), in place."""
    assert terms.domain is not None
    flat = f.reshape(*f.shape[: f.ndim - grid.ndim], grid.size)
    for wall, weight, g in each_wall(values, terms.domain):
        flat[..., like(wall.cells, f)] += cast(like(weight, values) * g, f.dtype)


def with_held_values(u: Array, values: Any, grid: Grid, terms: Terms) -> Array:
    """u (..., *shape) with `g["walls"]` at the points outside, where they hold values; elsewhere outside it is 0."""
    domain = terms.domain
    if domain is None or values is None or not any(wall.kind == "dirichlet" for wall in domain.walls):
        return u
    name = "g['walls']"
    given = evaluate(name, values, grid.points(), True) if callable(values) else real_array(name, values, True)
    dtype = np.result_type(u, np.complex64) if given.dtype.kind == "c" else u.dtype
    return np.where(domain.inside, u, given.astype(dtype))
