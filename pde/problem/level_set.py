"""A level set on a grid: a function of the coordinates that is negative inside a curved domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pde.common.arguments import evaluate, finite, real_array
from pde.problem.grid import Array, Grid

STEPS = 53
"""Bisections of the way to a wall: they leave 1e-16 of it."""


@dataclass(frozen=True, eq=False)
class LevelSet:
    """phi at the unknowns of a grid, and everywhere where it is a callable.

    Args:
        grid: the box.
        values: phi at the unknowns, an array of the grid's shape.
        function: phi(*points), or None where only the values are known.
    """

    grid: Grid
    values: Array
    function: Any = None

    @property
    def inside(self) -> Array:
        """Whether phi < 0 at each unknown; a point on the wall is outside."""
        return self.values < 0

    def at(self, points: Sequence[Array]) -> Array:
        """phi at these points, one array per axis; beyond the end of a periodic axis its beginning follows.

        Raises:
            TypeError, ValueError: the callable fails, or its values are not finite.
        """
        wrapped = [axis.wrapped(x) for x, axis in zip(points, self.grid.axes, strict=True)]
        return _evaluated(self.function, wrapped, np.broadcast_shapes(*map(np.shape, points)))

    def root(self, points: Sequence[Array], axis: int, way: Array) -> Array:
        """The share in (0, 1] of the `way` along an axis, from points inside to others outside, where the wall is.

        The callable alone is asked; where the way meets several walls it is one of them.
        """
        low, high = np.zeros(np.shape(way)), np.ones(np.shape(way))
        for _ in range(STEPS):
            middle = (low + high) / 2
            moved = [x + middle * way if a == axis else x for a, x in enumerate(points)]
            outside = self.at(moved) >= 0
            low, high = np.where(outside, low, middle), np.where(outside, middle, high)
        return high


def read_level_set(domain: Any, grid: Grid) -> LevelSet:
    """The level set of a `domain`, a callable of the coordinates or a float array of the grid's shape.

    Raises:
        TypeError, ValueError: a wrong shape, values that are not finite, or none that is negative.

    >>> from pde.problem.grid import Axis
    >>> grid = Grid((Axis.uniform(3, 4.0),))
    >>> read_level_set(lambda x: x - 2.5, grid).inside.tolist()
    [True, True, False]
    """
    if callable(domain):
        level_set = LevelSet(grid, _evaluated(domain, grid.points(), grid.shape), domain)
    else:
        values = real_array("domain", domain)
        if values.shape != grid.shape:
            raise ValueError(f"domain must have the problem's shape {grid.shape}, got {values.shape}")
        level_set = LevelSet(grid, np.array(finite("domain", values, np.dtype(float))))
    if not level_set.inside.any():
        raise ValueError(
            "domain must be negative at one unknown at least, a level set being negative inside (a mask holds "
            f"booleans); its values go from {level_set.values.min():.3g} to {level_set.values.max():.3g}"
        )
    return level_set if callable(domain) else LevelSet(grid, _of_good_size(level_set.values))


def _of_good_size(values: Array) -> Array:
    """Values whose differences are numbers, divided by a power of two where those might not be."""
    largest = float(np.abs(values).max())
    return values if 1e-100 < largest < 1e100 else np.ldexp(values, -int(np.frexp(largest)[1]))


def _evaluated(function: Any, points: Sequence[Array], shape: tuple[int, ...]) -> Array:
    if 0 in shape:  # such as the crossings of a wall along its own axis
        return np.zeros(shape)
    values = evaluate("domain", function, points)
    try:
        values = np.broadcast_to(values, shape)
    except ValueError:
        raise ValueError(
            f"domain: the callable must return a number for each of its points, shape {shape}, got {values.shape}"
        ) from None
    return finite("domain", values, np.dtype(float))
