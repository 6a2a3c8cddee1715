"""Dirichlet walls of a level set to second order: the places where the way to a neighbour meets the wall.

The flux to the wall is a (u_i - u_wall) / (theta gap) in the place of a (u_i - u_neighbour) / gap (Gibou, Fedkiw,
Cheng, Kang, J. Comput. Phys. 176, 2002, 205-227); the matrix stays symmetric.
"""

from __future__ import annotations

import numpy as np

from pde.problem.grid import ENDS, Array, Grid, window
from pde.problem.level_set import LevelSet
from pde.problem.walls import Wall, crossings, distance

LEAST = 2.0**-53
"""Shares of the way to a wall below this are rounding."""


def curved_walls(level_set: LevelSet) -> tuple[Wall, ...]:
    """The walls around the unknowns where phi < 0, which hold values at theta on the way to points outside.

    For an array the wall is where phi between the two points is zero linearly; for a callable where it changes its
    sign. Two walls between neighbours are not seen. At a side of the box the side holds, unless a callable is positive
    there: then the wall lies before it.

    >>> from pde.problem.grid import Axis
    >>> from pde.problem.level_set import read_level_set
    >>> level_set = read_level_set(lambda x: x - 2.25, Grid((Axis.uniform(3, 4.0),)))
    >>> [(wall.cells.tolist(), wall.theta.tolist()) for wall in curved_walls(level_set)]
    [([1], [0.25])]
    """
    directions = [(a, side) for a in range(level_set.grid.ndim) for side in (0, 1)]
    walls = [_before_neighbours(level_set, a, side) for a, side in directions]
    if level_set.function is not None:
        walls += [_before_side(level_set, a, side) for a, side in directions if _has_end(level_set.grid, a, side)]
    return tuple(wall for wall in walls if len(wall.cells))


def _before_neighbours(level_set: LevelSet, a: int, side: int) -> Wall:
    grid = level_set.grid
    cells, beyond = crossings(level_set.inside, grid, a, side)
    if level_set.function is None:
        phi, there = (level_set.values.ravel()[i] for i in (cells, beyond))
        theta = phi / (phi - there)
    else:
        gap = distance(grid.axes[a], np.unravel_index(cells, grid.shape)[a], side)
        theta = level_set.root(_points(grid, cells), a, (2 * side - 1) * gap)
    return Wall("dirichlet", a, side, cells, beyond, np.maximum(theta, LEAST))


def _before_side(level_set: LevelSet, a: int, side: int) -> Wall:
    grid, axis = level_set.grid, level_set.grid.axes[a]
    beside = np.zeros(grid.shape, dtype=bool)
    beside[window(a, grid.ndim, ENDS[side])] = True
    cells = np.flatnonzero(beside & level_set.inside)
    points = _points(grid, cells)
    ends = [np.full(len(cells), axis.nodes[-side]) if b == a else x for b, x in enumerate(points)]
    cut = level_set.at(ends) > 0
    cells, points = cells[cut], [x[cut] for x in points]
    theta = level_set.root(points, a, np.full(len(cells), (2 * side - 1) * axis.ends[side]))
    return Wall("dirichlet", a, side, cells, cells, np.maximum(theta, LEAST), before_side=True)


def _has_end(grid: Grid, a: int, side: int) -> bool:
    return not grid.axes[a].periodic and grid.axes[a].ends[side] > 0


def _points(grid: Grid, cells: Array) -> list[Array]:
    return [axis.points[i] for axis, i in zip(grid.axes, np.unravel_index(cells, grid.shape), strict=True)]
