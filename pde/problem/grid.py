"""Tensor-product grids: the unknowns of each axis, its two ends, and its coarsening."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from pde.common.arrays import Array

SAME_COUPLING = 2.0
"""Axes whose couplings a/h^2 are within this factor are coarsened together; a weaker axis waits."""

SHORTEST = 0.4
"""A left-over interval below this share of the coarse one beside it is merged with that."""

STRETCHED = 2.0
"""Where the spacing of an axis varies by more than this factor no order of coarsening suits all of the grid."""


ENDS = slice(0, 1), slice(-1, None)
"""The entries of an axis beside its low and its high end."""


@dataclass(frozen=True)
class Side:
    """One end of an axis: "dirichlet", "neumann", "robin" (with beta) or "periodic"."""

    kind: str = "dirichlet"
    beta: float = 0.0

    @property
    def of_u(self) -> float:
        """The coefficient of u in the condition that g is given for: 1 at a Dirichlet side, 0 at a Neumann side."""
        return 1.0 if self.kind == "dirichlet" else self.beta

    @property
    def of_flux(self) -> float:
        """The coefficient of a du/dn there."""
        return 0.0 if self.kind == "dirichlet" else 1.0


Sides = dict[Any, Array]
"""Boundary values {(axis, side): array}, side 0 low and 1 high; a missing side is zero. The walls of a domain have one
array for all of their faces, under "walls".
"""


@dataclass(frozen=True, eq=False)
class Axis:
    """One axis of a grid: n unknowns, each with a control volume.

    Args:
        nodes: increasing coordinates, the first and the last being the ends of the axis. Where the grid is
            vertex-centred they are the nodes, and all but Dirichlet ends are unknowns; where it is cell-centred they
            are the edges of the cells. The end of a periodic axis is its beginning, one period on.
        sides: the low and the high end.
        cell: whether the unknowns are the centres of cells.
        odd_last: whether the last interval has been made from more or fewer intervals than the others.
        nested: whether one unknown at most may lie between two that stay when it coarsens; see `_kept`.
    """

    nodes: Array
    sides: tuple[Side, Side] = (Side(), Side())
    cell: bool = False
    odd_last: bool = False
    nested: bool = False

    def __repr__(self) -> str:
        low, high = self.sides
        return f"Axis(n={self.n}, length={self.length:.6g}, {low}, {high}, cell={self.cell})"

    @classmethod
    @lru_cache(maxsize=16)
    def uniform(cls, n: int, length: float, sides: tuple[Side, Side] = (Side(), Side()), cell: bool = False) -> Axis:
        """n unknowns with equal spacing on [0, length]; axes that are alike are one object, with all that it keeps."""
        dirichlet = sum(side.kind == "dirichlet" for side in sides)
        periodic = sides[0].kind == "periodic"
        if not cell and not periodic and n + dirichlet < 2:
            cell = True  # one unknown between two Neumann ends: its control volume is the whole axis
        intervals = n if cell or periodic else n - 1 + dirichlet
        return cls(np.linspace(0.0, length, intervals + 1), sides, cell)

    @property
    def periodic(self) -> bool:
        return self.sides[0].kind == "periodic"

    @cached_property
    def points(self) -> Array:
        """The n coordinates of the unknowns."""
        if self.cell:
            return (self.nodes[:-1] + self.nodes[1:]) / 2
        return self.nodes[self._unknown]

    @property
    def first(self) -> int:
        """The index of the first unknown among the nodes of a vertex-centred axis."""
        return int(self.sides[0].kind == "dirichlet")

    @property
    def _unknown(self) -> slice:
        return slice(self.first, -1 if self.periodic or self.sides[1].kind == "dirichlet" else None)

    @property
    def n(self) -> int:
        return len(self.points)

    @property
    def length(self) -> float:
        return float(self.nodes[-1] - self.nodes[0])

    @cached_property
    def spacing(self) -> Array:
        """The intervals between the nodes."""
        return np.diff(self.nodes)

    @cached_property
    def width(self) -> Array:
        """The n control volumes: cells, or the halves of the intervals beside each node."""
        if self.cell:
            return self.spacing
        h = self.spacing
        before, after = (h[-1:], h[:1]) if self.periodic else (h[:1] * 0, h[:1] * 0)
        return (np.concatenate((before, h)) / 2 + np.concatenate((h, after)) / 2)[self._unknown]

    @property
    def _closed(self) -> Array:
        """The coordinates of the unknowns; on a periodic axis the first of them again, one period on."""
        return np.append(self.points, self.points[0] + self.length) if self.periodic else self.points

    @cached_property
    def gaps(self) -> Array:
        """The n - 1 distances between neighbouring unknowns; on a periodic axis n, the last leading to the first."""
        return np.diff(self._closed)

    @property
    def ends(self) -> tuple[float, float]:
        """The distances of the first and the last unknown from their ends; 0 where the end itself is unknown."""
        return float(self.points[0] - self.nodes[0]), float(self.nodes[-1] - self.points[-1])

    @cached_property
    def coupling(self) -> float:
        """1/h^2 of a typical interval."""
        return float(1 / np.median(self.spacing) ** 2)

    @property
    def unevenness(self) -> float:
        """The largest ratio of two intervals that follow each other, 1 where all are equal."""
        h = np.append(self.spacing, self.spacing[:1]) if self.periodic else self.spacing
        return 1.0 if is_constant(h) else float(np.exp(np.abs(np.diff(np.log(h))).max()))

    @property
    def left_over(self) -> float:
        """(H^2 - h^2)/8 where the last cell has another width h than the H before it, by coarsening; else 0.

        A Dirichlet end, half a cell from the last centre, has an error of that size of its own: it is 0 there too.
        """
        if not (self.cell and self.odd_last) or self.n < 2 or self.sides[1].kind == "dirichlet":
            return 0.0
        return float(self.width[-2] ** 2 - self.width[-1] ** 2) / 8

    @property
    def can_coarsen(self) -> bool:
        return self.n > 1 and 1 <= self.coarsen().n < self.n

    def coarsen(self) -> Axis:
        """Keep every second node from the low end, and the high end; an odd last interval is shorter.

        Cells are merged in pairs in the same way. Two ends that are unknowns become one cell. The result is the same
        object every time, which finds cached parts of a coarse grid again.
        """
        return self._coarser

    @cached_property
    def _coarser(self) -> Axis:
        if self._two_ends:
            return Axis(self.nodes, self.sides, cell=True)
        kept = self._kept
        return Axis(self.nodes[kept], self.sides, self.cell, self.odd_last or kept[-1] - kept[-2] != 2, self.nested)

    @property
    def _two_ends(self) -> bool:
        return not self.cell and not self.periodic and len(self.nodes) == 2 == self.n

    @cached_property
    def _kept(self) -> Array:
        """The indices of the nodes that stay.

        A left-over interval with unknowns on both sides is not left over again: it would be far shorter than its
        neighbours, and its two unknowns coupled too strongly for any point smoother. It joins the two before it, or one
        of them where `nested`.
        """
        last = len(self.nodes) - 1
        kept = np.arange(0, last + 1, 2)
        if last % 2 == 0:
            return kept
        between_unknowns = self.cell or self.sides[1].kind != "dirichlet"
        if between_unknowns and len(kept) > 2 and self.spacing[-1] < SHORTEST * self.spacing[-3:-1].sum():
            kept = np.append(kept[:-1], last - 2) if self.nested else kept[:-1]
        return np.append(kept, last)

    def at_points(self) -> Axis:
        """A vertex-centred axis through the same unknowns, of cells through their centres, that coarsens `nested`."""
        return self if self.nested and not self.cell else self._through_points

    @cached_property
    def _through_points(self) -> Axis:
        low, high = (int(side.kind == "dirichlet") for side in self.sides)
        nodes = np.concatenate((self.nodes[:low], self._closed, self.nodes[len(self.nodes) - high :]))
        return Axis(nodes, self.sides, nested=True)

    def injection(self) -> tuple[Array, Array]:
        """(indices, weights), (k, coarse n): a function at the coarse points, or the means of merged cells."""
        if self._two_ends:
            return np.array([[0], [1]]), np.full((2, 1), 0.5)
        kept = self._kept
        if not self.cell:
            indices = kept[self._unknown] - self.first
            return indices[None], np.ones((1, len(indices)))
        most = int(np.diff(kept).max())
        indices = np.minimum(kept[:-1] + np.arange(most)[:, None], kept[1:] - 1)
        inside = kept[:-1] + np.arange(most)[:, None] < kept[1:]
        return indices, np.where(inside, self.width[indices], 0.0) / self.coarsen().width

    def wrapped(self, x: Array) -> Array:
        """Coordinates beyond an end by less than the length: of a periodic axis, where its other end goes on."""
        if not self.periodic:
            return x
        low, high = self.nodes[0], self.nodes[-1]
        return np.where(x < low, x + self.length, np.where(x >= high, x - self.length, x))

    def neighbours(self) -> list[tuple[slice, slice]]:
        """(all but the last, all but the first), and around a periodic axis (last, first)."""
        pairs = [(slice(None, -1), slice(1, None))]
        return [*pairs, (slice(-1, None), slice(0, 1))] if self.periodic else pairs

    def colours(self) -> list[slice]:
        """The unknowns by parity; the first one of an odd periodic axis, beside the last, has a third colour."""
        n = self.n
        if self.periodic and n % 2 == 1 and n > 1:
            return [slice(2, n, 2), slice(1, n, 2), slice(0, 1)]
        return [slice(0, n, 2), slice(1, n, 2)]


@dataclass(frozen=True)
class Grid:
    """A box of unknowns, one `Axis` per dimension; grids are equal whose axes are the same objects."""

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

    def volumes(self) -> Array:
        """W: the volume that belongs to each unknown, an array of the grid's shape."""
        volume = np.ones(())
        for axis in self.axes:
            volume = np.multiply.outer(volume, axis.width)
        return volume

    @property
    def volumes_are_equal(self) -> bool:
        """`is_constant` of the volumes, without making them: products of widths grow with every factor."""
        least, largest, first = (
            float(np.prod([choose(axis.width) for axis in self.axes])) for choose in (np.min, np.max, lambda w: w[0])
        )
        return largest - least <= _roundings(self.size) * first

    def fits(self, dtype: np.dtype, diffusion: Sequence[float | Array] | None = None) -> bool:
        """Whether the coefficients, from a/L^2 to some a/h^2, keep a distance from the limits of `dtype`."""
        limits, a = np.finfo(dtype), diffusion or (1.0,) * self.ndim
        with np.errstate(over="ignore", under="ignore", divide="ignore"):
            largest = [np.max(a_i) * axis.spacing.min() ** -2 for a_i, axis in zip(a, self.axes, strict=True)]
            smallest = [np.min(a_i) * axis.spacing.sum() ** -2 for a_i, axis in zip(a, self.axes, strict=True)]
        return max(largest) < float(limits.max) / 100 and min(smallest) > float(limits.tiny) * 100

    def axes_to_coarsen(self, diffusion: Sequence[float] | None = None) -> tuple[bool, ...]:
        """The axes that can be halved and whose coupling is near the strongest of those (semicoarsening)."""
        couplings = [
            c if axis.can_coarsen else 0.0 for axis, c in zip(self.axes, self.couplings(diffusion), strict=True)
        ]
        return tuple(c > 0 and c * SAME_COUPLING >= max(couplings) for c in couplings)

    def couplings(self, diffusion: Sequence[float] | None = None) -> list[float]:
        """a/h^2 per axis; a is 1 where no diffusion is given."""
        return [a * axis.coupling for a, axis in zip(diffusion or (1.0,) * self.ndim, self.axes, strict=True)]

    def coarsen(self, which: tuple[bool, ...]) -> Grid:
        return Grid(tuple(axis.coarsen() if halve else axis for axis, halve in zip(self.axes, which, strict=True)))

    def is_isotropic(self, diffusion: Sequence[float] | None = None) -> bool:
        """Whether all axes with more than one unknown have nearly the same coupling, and so are coarsened together."""
        couplings = [c for axis, c in zip(self.axes, self.couplings(diffusion), strict=True) if axis.n > 1]
        return len(couplings) < 2 or max(couplings) <= SAME_COUPLING * min(couplings)

    def is_stretched(self, factor: float = STRETCHED) -> bool:
        """Whether the spacing of an axis varies by more than `factor` while another axis is there to couple with.

        The last interval does not count: coarsening may have shortened it.
        """
        varies = any(len(h := axis.spacing[:-1]) > 1 and h.max() > factor * h.min() for axis in self.axes)
        return varies and sum(axis.n > 1 for axis in self.axes) > 1

    @property
    def evenest(self) -> int:
        """The axis with more than one unknown whose spacing changes least between neighbours, the longest of them."""
        axes = [a for a, n in enumerate(self.shape) if n > 1]
        return min(axes, key=lambda a: (self.axes[a].unevenness, -self.shape[a], a))


def is_constant(values: Array) -> bool:
    """Whether values made from equal intervals are equal: the difference of two of n nodes carries n roundings."""
    return bool(np.ptp(values) <= _roundings(len(values), values.dtype) * abs(values[0]))


def _roundings(count: int, dtype: Any = float) -> float:
    """The largest relative difference that rounding makes of so many values from equal intervals."""
    return 16 * float(np.finfo(dtype).eps) * count


def along(values: Array, axis: int, ndim: int) -> Array | float:
    """`values` shaped to multiply along `axis` of ndim trailing axes; a plain float where they are all equal."""
    if len(values) and is_constant(values):
        return float(values[0])
    return values.reshape((-1,) + (1,) * (ndim - 1 - axis))


def window(axis: int, ndim: int, part: slice) -> Any:
    """Index that takes `part` of `axis`, counted among the ndim trailing axes, and everything else whole."""
    return trailing([part if a == axis else slice(None) for a in range(ndim)])


def trailing(parts: Sequence[Any]) -> Any:
    """Index that takes `parts` of the last axes, and all of the batch axes before them."""
    return (..., *parts)
