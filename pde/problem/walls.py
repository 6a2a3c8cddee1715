"""The walls of a domain inside its box: the faces between unknowns and points outside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pde.problem.grid import Array, Axis, Grid, window

KINDS = ("dirichlet", "neumann")


@dataclass(frozen=True, eq=False)
class Wall:
    """Faces of one kind that all look in the same direction.

    Args:
        kind: "dirichlet", where data hold u beyond the face, or "neumann", where they are the flux a du/dn.
        axis, side: the direction; side 1 is up.
        cells: the flat indices of the unknowns beside the faces, increasing.
        beyond: the flat indices of the points outside.
        theta: how far the wall is on the way to these, in (0, 1]; None is 1.
        before_side: whether the way leads to a side of the box, and `beyond` repeats `cells`.
        areas: of a wall that cuts control volumes, its area in each; None: it has that of faces.
        middles: a point of such a wall in each, one array per axis; axis, side and `beyond` say nothing.
    """

    kind: str
    axis: int
    side: int
    cells: Array
    beyond: Array
    theta: Array | None = None
    before_side: bool = False
    areas: Array | None = None
    middles: tuple[Array, ...] | None = None

    def points(self, grid: Grid) -> list[Array]:
        """The coordinates where the wall is, one array per axis of the box."""
        if self.middles is not None:
            return [axis.wrapped(x) for axis, x in zip(grid.axes, self.middles, strict=True)]
        index = np.unravel_index(self.cells, grid.shape)
        points = [axis.points[i] for axis, i in zip(grid.axes, index, strict=True)]
        step = self.way(grid) if self.theta is None else self.theta * self.way(grid)
        points[self.axis] = grid.axes[self.axis].wrapped(points[self.axis] + (step if self.side else -step))
        return points

    def way(self, grid: Grid) -> Array:
        """The distance from each unknown to the point beyond, or to the side of the box."""
        axis, index = grid.axes[self.axis], np.unravel_index(self.cells, grid.shape)[self.axis]
        return np.full(len(index), axis.ends[self.side]) if self.before_side else distance(axis, index, self.side)


def distance(axis: Axis, index: Array, side: int) -> Array:
    """The distance from the unknowns with these indices to their neighbours in a direction along an axis."""
    return axis.gaps[(index + side - 1) % len(axis.gaps)]


def voxel_walls(inside: Array, held: Array | bool, grid: Grid) -> tuple[Wall, ...]:
    """The walls between `inside` and the points outside, which hold values where `held` and insulate elsewhere."""
    walls = []
    for a in range(grid.ndim):
        for side in (0, 1):
            cells, beyond = crossings(inside, grid, a, side)
            holds = np.broadcast_to(held, grid.shape).ravel()[beyond]
            walls += [
                Wall(kind, a, side, cells[which], beyond[which])
                for kind, which in zip(KINDS, (holds, ~holds), strict=True)
                if which.any()
            ]
    return tuple(walls)


def crossings(inside: Array, grid: Grid, a: int, side: int) -> tuple[Array, Array]:
    """The flat indices of the points inside whose neighbour in a direction is outside, and of these neighbours."""
    axis, stride = grid.axes[a], int(np.prod(grid.shape[a + 1 :]))
    crosses = np.zeros(grid.shape, dtype=bool)
    for pair in axis.neighbours():
        here, there = (window(a, grid.ndim, part) for part in (pair if side else pair[::-1]))
        crosses[here] = inside[here] & ~inside[there]
    cells = np.flatnonzero(crosses)
    last = cells // stride % axis.n == (axis.n - 1 if side else 0)  # around a periodic axis
    step = stride if side else -stride
    return cells, cells + np.where(last, step * (1 - axis.n), step)
