"""Read a domain inside the box: where unknowns are, and the walls around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pde.common.arguments import described, evaluate, finite, real_array
from pde.problem.curved_walls import curved_walls
from pde.problem.grid import Array, Grid
from pde.problem.level_set import LevelSet, read_level_set
from pde.problem.open_fractions import open_fractions
from pde.problem.walls import KINDS, Wall, voxel_walls


@dataclass(frozen=True, eq=False)
class Domain:
    """A part of the box.

    Args:
        inside: a boolean array of the grid's shape, True at unknowns.
        walls: all of its faces inside the box.
        fraction: the open share of each control volume, 1 outside, where walls cut cells; else None.
        open: the open share of the faces, an array of n + 1 entries along each axis; else None.
    """

    inside: Array
    walls: tuple[Wall, ...]
    fraction: Array | None = None
    open: tuple[Array, ...] | None = None


def read_domain(domain: Any, walls: Any, grid: Grid) -> Domain | None:
    """The `domain` and `walls` of `Poisson`; None where there is no domain.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.
    """
    held = _read_walls(walls, grid)
    if domain is None:
        if not (isinstance(walls, str) and walls == "dirichlet"):
            raise ValueError(f"walls={described(walls)} are those of a domain, and domain is None")
        return None
    array = evaluate("domain", domain, grid.points()) if callable(domain) else real_array("domain", domain)
    if array.dtype.kind == "f":
        return _curved_domain(read_level_set(domain, grid), held)
    inside = _read_inside(array, grid)
    if not inside.any():
        raise ValueError(f"domain has no unknowns: all {grid.size} values are False")
    return Domain(inside, voxel_walls(inside, held, grid))


def _curved_domain(level_set: LevelSet, held: Array | bool) -> Domain:
    """The domain where a level set is negative: unknowns inside, or in all cells with an open part if it insulates."""
    if not isinstance(held, bool):
        raise ValueError(f"walls must be one of {', '.join(map(repr, KINDS))} for a level set, got an array")
    if held:
        return Domain(level_set.inside, curved_walls(level_set))
    part = open_fractions(level_set)
    inside = part.volumes > 0
    wall = Wall("neumann", 0, 0, part.cells, part.cells, areas=part.areas, middles=part.points)
    return Domain(inside, (wall,) if len(part.cells) else (), np.where(inside, part.volumes, 1.0), part.faces)


def _read_inside(array: Array, grid: Grid) -> Array:
    if array.shape != grid.shape:
        raise ValueError(f"domain must have the problem's shape {grid.shape}, got {array.shape}")
    finite("domain", array, np.dtype(float))
    if array.dtype.kind != "b":
        raise TypeError(
            "domain must hold booleans, True at unknowns, or the floats of a level set, negative there; "
            f"got dtype {array.dtype}"
        )
    return np.array(array)


def _read_walls(walls: Any, grid: Grid) -> Array | bool:
    """Where points outside hold values: everywhere, nowhere, or a boolean array."""
    if isinstance(walls, str) and walls in KINDS:
        return walls == "dirichlet"
    array = None if isinstance(walls, str) else np.asarray(walls)
    if callable(walls):
        array = evaluate("walls", walls, grid.points())
    if array is None or array.dtype != bool or array.shape != grid.shape:
        raise ValueError(
            f"walls must be 'dirichlet', 'neumann' or a boolean array of shape {grid.shape} (or a callable that gives "
            f"one), True where a point outside holds a value; got {described(walls)}"
            + (f" and dtype {array.dtype}" if array is not None and array.ndim else "")
        )
    return array
