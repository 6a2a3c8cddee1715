"""Some planes of a grid along axis 0, with the coordinates that they have in the whole grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pde.problem.grid import Array, Axis, Grid, Side


@dataclass(frozen=True, eq=False)
class Slab(Axis):
    """The unknowns begin, ..., end - 1 of an axis, whose ends and length are those of all of it.

    They may go on around a periodic axis. It is not periodic itself: the neighbours of its first and of its last
    unknown are elsewhere. Where it is cut it has a Neumann side, as if nothing flowed there.
    """

    whole: Axis | None = None
    begin: int = 0
    end: int = 0

    @property
    def numbers(self) -> Array:
        """The unknowns by their numbers in the whole axis."""
        assert self.whole is not None
        return np.arange(self.begin, self.end) % self.whole.n

    @cached_property
    def points(self) -> Array:
        assert self.whole is not None
        return self.whole.points[self.numbers]

    @cached_property
    def width(self) -> Array:
        assert self.whole is not None
        return self.whole.width[self.numbers]

    @cached_property
    def gaps(self) -> Array:
        assert self.whole is not None
        return self.whole.gaps[self.numbers[:-1]]

    @property
    def n(self) -> int:
        return self.end - self.begin

    @property
    def periodic(self) -> bool:
        return False


def slab_of(grid: Grid, begin: int, end: int) -> Grid:
    """The planes begin, ..., end - 1 of a grid."""
    axis = grid.axes[0]
    low, high = axis.sides
    sides = (
        low if begin == 0 and not axis.periodic else Side("neumann"),
        high if end == axis.n and not axis.periodic else Side("neumann"),
    )
    return Grid((Slab(axis.nodes, sides, axis.cell, whole=axis, begin=begin, end=end), *grid.axes[1:]))
