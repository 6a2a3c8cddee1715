"""Dirichlet walls of a level set to second order: the places where the way to a neighbour meets the wall.

The flux to the wall is a (u_i - u_wall) / (theta gap) in the place of a (u_i - u_neighbour) / gap (Gibou, Fedkiw,
Cheng, Kang, J. Comput. Phys. 176, 2002, 205-227); the matrix stays symmetric.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pde.problem.grid import ENDS, Array, Axis, Grid, window
from pde.problem.level_set import LevelSet
from pde.problem.operators import StencilOperator

LEAST = 2.0**-53
"""Shares of the way to a wall below this are rounding."""


@dataclass(frozen=True)
class CutFaces:
    """The ways from unknowns to neighbours that meet the wall, arrays with an entry for each.

    Args:
        grid: the box.
        cells: the flat index of the unknown.
        beyond: the flat index of its neighbour outside; -1 where the wall lies before a side of the box.
        axis, side: the direction, side 0 low and 1 high.
        theta: the share of the way at which the wall lies, in (0, 1].
        gap: the length of the way.
    """

    grid: Grid
    cells: Array
    beyond: Array
    axis: Array
    side: Array
    theta: Array
    gap: Array

    def points(self) -> tuple[Array, ...]:
        """The coordinates of the wall, one array per axis."""
        found = _coordinates(self.grid, self.cells)
        for a, x in enumerate(found):
            x += np.where(self.axis == a, (2 * self.side - 1) * self.theta * self.gap, 0.0)
        return tuple(found)

    def interpolate(self, values: Array) -> Array:
        """Grid functions (..., *shape) at the wall, linearly between the unknown and its neighbour outside."""
        flat = values.reshape(*values.shape[: values.ndim - self.grid.ndim], -1)
        beyond = np.where(self.beyond < 0, self.cells, self.beyond)
        return (1 - self.theta) * flat[..., self.cells] + self.theta * flat[..., beyond]

    def weights(self, box: StencilOperator) -> Array:
        """The coefficient of u_i - u_wall in the equation of the unknown; a is that of the unknown.

        It comes from the operator `box` without the wall. Where its faces have coefficients of their own, a is theirs.
        """
        if getattr(box.terms, "faces", None) is not None:
            return self.boxed(box) / self.theta
        a, w = np.empty(len(self.cells)), np.empty(len(self.cells))
        indices = np.unravel_index(self.cells, self.grid.shape)
        for number, (axis, diffusion) in enumerate(zip(self.grid.axes, box.terms.diffusion, strict=True)):
            here = self.axis == number
            w[here] = axis.width[indices[number][here]]
            a[here] = np.broadcast_to(diffusion, self.grid.shape)[tuple(i[here] for i in indices)]
        return a / (self.theta * self.gap * w)

    def boxed(self, box: StencilOperator) -> Array:
        """The coefficient of the same difference in `box`, or of u_i beside a side."""
        found, ndim = np.empty(len(self.cells)), self.grid.ndim
        indices = np.unravel_index(self.cells, self.grid.shape)
        for a in range(ndim):
            for side, coefficients in enumerate((box.lower[a], box.upper[a])):
                for at_end, values in ((False, coefficients), (True, box.ends[a][side])):
                    here = (self.axis == a) & (self.side == side) & ((self.beyond < 0) == at_end)
                    index = [i[here] for i in indices]
                    shape = self.grid.shape
                    if at_end:
                        index[a], shape = index[a] * 0, tuple(1 if b == a else n for b, n in enumerate(shape))
                    found[here] = np.broadcast_to(values, shape)[tuple(index)]
        return found

    def extra(self, box: StencilOperator) -> Array:
        """The diagonal that the walls add to `box`, which holds zero outside: an array of the grid's shape."""
        return self.summed(self.weights(box) - self.boxed(box))

    def summed(self, values: Array) -> Array:
        """The sums over the faces of each unknown, a grid function; with weights times u_wall the right-hand side."""
        return np.bincount(self.cells, values, self.grid.size).reshape(self.grid.shape)


def cut_faces(level_set: LevelSet) -> CutFaces:
    """The cut faces of the unknowns where phi < 0, around periodic axes too.

    For an array the wall is where phi between the two points is zero linearly; for a callable where it changes its
    sign. Two walls between neighbours are not seen. At a side of the box the side holds, unless a callable is positive
    there: then the wall lies before it.
    """
    directions = [(a, side) for a in range(level_set.grid.ndim) for side in (0, 1)]
    parts = [_towards_neighbours(level_set, a, side) for a, side in directions]
    if level_set.function is not None:
        parts += [
            _towards_sides(level_set, a, side) for a, side in directions if _has_end(level_set.grid.axes[a], side)
        ]
    return CutFaces(level_set.grid, *(np.concatenate(values) for values in zip(*parts, strict=True)))


def _towards_neighbours(level_set: LevelSet, a: int, side: int) -> tuple[Array, ...]:
    grid, inside, axis = level_set.grid, level_set.inside, level_set.grid.axes[a]
    cut = inside & ~np.roll(inside, 1 - 2 * side, a)
    if not axis.periodic:
        cut[window(a, grid.ndim, ENDS[side])] = False
    cells = np.flatnonzero(cut)
    index = list(np.unravel_index(cells, grid.shape))
    gap = axis.gaps[index[a] + side - 1]  # around a periodic axis the last
    index[a] = (index[a] + 2 * side - 1) % axis.n
    beyond = np.ravel_multi_index(index, grid.shape)
    if level_set.function is None:
        phi, there = (level_set.values.ravel()[i] for i in (cells, beyond))
        theta = phi / (phi - there)
    else:
        theta = level_set.root(_coordinates(grid, cells), a, (2 * side - 1) * gap)
    return _entries(cells, beyond, a, side, theta, gap)


def _towards_sides(level_set: LevelSet, a: int, side: int) -> tuple[Array, ...]:
    grid, axis = level_set.grid, level_set.grid.axes[a]
    beside = np.zeros(grid.shape, dtype=bool)
    beside[window(a, grid.ndim, ENDS[side])] = True
    cells = np.flatnonzero(beside & level_set.inside)
    points, way = _coordinates(grid, cells), (2 * side - 1) * axis.ends[side]
    at_side = [np.full(len(cells), axis.nodes[-side]) if b == a else x for b, x in enumerate(points)]
    cut = level_set.at(at_side) > 0
    cells, points = cells[cut], [x[cut] for x in points]
    gap = np.full(len(cells), axis.ends[side])
    theta = level_set.root(points, a, np.full(len(cells), way))
    return _entries(cells, np.full(len(cells), -1), a, side, theta, gap)


def _has_end(axis: Axis, side: int) -> bool:
    return not axis.periodic and axis.ends[side] > 0


def _entries(cells: Array, beyond: Array, a: int, side: int, theta: Array, gap: Array) -> tuple[Array, ...]:
    return cells, beyond, np.full(len(cells), a), np.full(len(cells), side), np.maximum(theta, LEAST), gap


def _coordinates(grid: Grid, cells: Array) -> list[Array]:
    return [axis.points[i] for axis, i in zip(grid.axes, np.unravel_index(cells, grid.shape), strict=True)]
