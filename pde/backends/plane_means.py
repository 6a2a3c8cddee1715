"""Means over a grid by sums of planes, which are the same numbers wherever the planes are."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np

from pde.problem.grid import Array, Grid, is_constant

AT_ONCE = 1 << 16
"""Numbers at most that are weighted at once, so that they stay in the cache."""


class PlaneMeans:
    """sum W v / sum W with control volumes W: each plane along axis 0 is summed by itself, then the sums are added.

    The bits do not depend on how the planes are divided.

    Args:
        grid: of two dimensions at least.
        planes: the planes that arrays have.
        join: join(sums) makes the sums (all planes, members) of those that arrays have; None: these are all.

    Example:
        >>> from pde.problem.grid import node_grid
        >>> grid = node_grid((4, 3))
        >>> PlaneMeans(grid)(np.ones((2, 4, 3)))
        array([1., 1.])
    """

    def __init__(self, grid: Grid, planes: slice = slice(None), join: Callable[[Array], Array] | None = None) -> None:
        widths = [axis.width for axis in grid.axes]
        self._area = reduce(np.multiply.outer, widths[1:]).ravel()
        self._equal = is_constant(self._area)
        self._width = widths[0][planes] * (self._area[0] if self._equal else 1.0)
        self._volume, self._join = float(np.prod([width.sum() for width in widths])), join

    def __call__(self, v: Array) -> Array:
        """The means (members,) of v (members, planes, ...)."""
        sums = np.array([self._width * self._sums(np.ascontiguousarray(each)) for each in v]).reshape(
            len(v), len(self._width)
        )
        if self._join is not None:
            sums = np.ascontiguousarray(self._join(sums.T).T)
        return np.asarray(sums.sum(axis=1) / self._volume)

    def _sums(self, v: Array) -> Array:
        """The sum of each plane, times the share of a point in its area where these differ."""
        rows = v.reshape(len(v), self._area.size)
        if self._equal:
            return np.asarray(rows.sum(axis=1))
        step = max(1, AT_ONCE // self._area.size)
        return np.concatenate([(self._area * rows[k : k + step]).sum(axis=1) for k in range(0, len(rows), step)])
