"""Tensor-product grids with Dirichlet ends, and how they coarsen for any number of points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

Array = np.ndarray

SAME_COUPLING = 2.0
"""Axes whose couplings 1/h^2 are within this factor are coarsened together; a weaker axis waits."""


@dataclass(frozen=True, eq=False)
class Axis:
    """One axis: `nodes` holds the n unknowns between the two end points, n + 2 increasing coordinates."""

    nodes: Array

    @classmethod
    def uniform(cls, n: int, length: float) -> Axis:
        return cls(np.linspace(0.0, length, n + 2))

    @property
    def n(self) -> int:
        return len(self.nodes) - 2

    @property
    def points(self) -> Array:
        """The n coordinates of the unknowns."""
        return self.nodes[1:-1]

    @cached_property
    def spacing(self) -> Array:
        """The n + 1 intervals between the nodes."""
        return np.diff(self.nodes)

    @cached_property
    def width(self) -> Array:
        """The n control volumes: half of the two intervals beside each unknown."""
        return (self.spacing[:-1] + self.spacing[1:]) / 2

    @property
    def coupling(self) -> float:
        """1/h^2 of a typical interval."""
        return float(1 / np.median(self.spacing) ** 2)

    def coarsen(self) -> Axis:
        """Keep the unknowns 2, 4, ... and the end points; for even n the last interval is the shorter one."""
        return Axis(np.concatenate((self.nodes[:1], self.nodes[2:-1:2], self.nodes[-1:])))


@dataclass(frozen=True, eq=False)
class Grid:
    """A box of unknowns, one `Axis` per dimension."""

    axes: tuple[Axis, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(axis.n for axis in self.axes)

    @property
    def ndim(self) -> int:
        return len(self.axes)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    def points(self) -> tuple[Array, ...]:
        """One read-only coordinate array of the grid's shape per axis (broadcast views: no memory)."""
        views = np.meshgrid(*(axis.points for axis in self.axes), indexing="ij", sparse=True)
        return tuple(np.broadcast_to(view, self.shape) for view in views)

    def fits(self, dtype: np.dtype) -> bool:
        """Whether the coefficients, from 1/L^2 to some 1/h^2, keep a distance from the limits of `dtype`."""
        limits = np.finfo(dtype)
        with np.errstate(over="ignore", under="ignore", divide="ignore"):
            smallest = [axis.spacing.min() ** -2 for axis in self.axes]
            largest = [axis.spacing.sum() ** -2 for axis in self.axes]
        return max(smallest) < float(limits.max) / 100 and min(largest) > float(limits.tiny) * 100

    def axes_to_coarsen(self) -> tuple[bool, ...]:
        """The axes that can be halved and whose coupling is near the strongest of those (semicoarsening)."""
        couplings = [axis.coupling if axis.n > 1 else 0.0 for axis in self.axes]
        return tuple(c > 0 and c * SAME_COUPLING >= max(couplings) for c in couplings)

    def coarsen(self, which: tuple[bool, ...]) -> Grid:
        return Grid(tuple(axis.coarsen() if halve else axis for axis, halve in zip(self.axes, which, strict=True)))

    def is_isotropic(self) -> bool:
        """Whether all axes with more than one unknown have nearly the same coupling, and so are coarsened together."""
        couplings = [axis.coupling for axis in self.axes if axis.n > 1]
        return len(couplings) < 2 or max(couplings) <= SAME_COUPLING * min(couplings)


def along(values: Array, axis: int, ndim: int) -> Array | float:
    """`values` shaped to multiply along `axis` of ndim trailing axes; a plain float where they are all equal."""
    if len(values) and np.ptp(values) <= 1e-13 * abs(values[0]):
        return float(values[0])
    return values.reshape((-1,) + (1,) * (ndim - 1 - axis))


def window(axis: int, ndim: int, part: slice) -> Any:
    """Index that takes `part` of `axis`, counted among the ndim trailing axes, and everything else whole."""
    return trailing([part if a == axis else slice(None) for a in range(ndim)])


def trailing(parts: Sequence[Any]) -> Any:
    """Index that takes `parts` of the last axes, and all of the batch axes before them."""
    return (..., *parts)
