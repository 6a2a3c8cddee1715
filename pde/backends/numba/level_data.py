"""The data of a level as kernels read it: a record of numbers, and the few small arrays that it points into.

Coefficients are constant along a row, with some boundary points next to its ends that have their own; or they vary:
then a/h at the faces of every point are stored, split by parity as the rows of u are, and a pass streams them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from pde.backends.numba.buffers import FIELDS
from pde.backends.numba.simd import MOST
from pde.backends.numba.variants import columns_that_differ, line_values
from pde.common.caching import once_per_axis
from pde.levels.interpolation_1d import (
    as_weights,
    cubic_ends,
    cubic_matrix,
    data_matrix,
    linear_matrix,
    restriction_matrix,
)
from pde.levels.transfers import BilinearTransfer
from pde.problem.coefficients import Terms, grid_coefficients, grid_fluxes
from pde.problem.grid import Array, Axis, Grid

STREAMED = 1 << 25
"""Bytes from which on a grid is written past the cache, which would not keep it until the next pass."""


def record(dtype: np.dtype) -> np.dtype:
    """Return the type of the record of a level. Fields that begin with `at_` are offsets in the arrays of `Tables`."""
    real, count = dtype, np.int64
    axis = [("n", count, 3), ("m", count, 3), ("periodic", count, 3), ("halved", count, 3)]
    rows = [("at_lower", count, 2), ("at_centre", count, 2), ("at_upper", count, 2), ("at_width", count, 2)]
    line = [("lower", real), ("centre", real), ("upper", real), ("width", real), ("omega", real), ("streamed", count)]
    boundary = [("boundary_points", count), ("at_boundary", count), ("at_boundary_values", count)]
    varying = [("at_widths", count), ("faces", count, 4), ("face_row", count, 4)]
    parents = [("at_parent", count, 2), ("at_prolong", count, 2), ("at_restrict", count, 2)]
    spans = [("at_first", count, 2), ("at_last", count, 2), ("span", count, 2)]
    taps = [("e", real, 2), ("o", real, 2), ("r", real, 4)]
    parts = ("", "_from", "_weight", "_count", "_most")
    ends = [(f"{name}{part}", count) for name in ("prolonged", "restricted", "cubic", "data") for part in parts]
    cubic = [("at_cubic_parent", count, 2), ("at_cubic", count, 2), ("ce", real, 4), ("co", real, 4)]
    data = [("at_data_from", count, 2), ("at_data", count, 2), ("rows_most", count, 2), ("d", real, 8)]
    sides = [("at_ends", count, 3), ("reach", count, 2), ("at_volumes", count, 2), ("volume", np.float64)]
    every: Any = axis + rows + line + boundary + varying + parents + spans + taps + ends + cubic + data + sides
    return np.dtype(every, align=True)


class Tables:
    """Records of levels, with their arrays one after the other in `reals` and `integers`.

    Grids of two dimensions are planes of one row each: axes (rows, 1, points); of one dimension (1, 1, points).

    Args:
        varying: whether coefficients may differ from point to point along a row.
    """

    def __init__(self, dtype: np.dtype, varying: bool) -> None:
        self.dtype, self.varying = dtype, varying
        self.faces: list[Array] = []
        self._reals, self._integers = Pieces(float), Pieces(np.int64)
        self._records: list[Any] = []

    def pack(self) -> tuple[Array, Array, Array]:
        """(records, reals, integers)."""
        return np.concatenate(self._records), self._reals.joined().astype(self.dtype), self._integers.joined()

    def add(self, grid: Grid, terms: Terms, omega: float, transfer: BilinearTransfer) -> None:
        """Add a level with its way to the next coarser one."""
        level = np.zeros(1, record(self.dtype))
        self._level = level[0]
        axes = _three(grid.axes)
        for a, axis in enumerate(axes):
            self._level["n"][a] = 1 if axis is None else axis.n
            self._level["periodic"][a] = axis is not None and axis.periodic and axis.n > 1
            if a < 2:
                self._level["at_width"][a] = self._across(a, np.ones(1) if axis is None else axis.width)
        self._level["volume"] = np.prod([axis.width.sum() for axis in grid.axes])
        width = grid.axes[-1].width
        self._level["at_volumes"] = self._real(width), self._real(np.concatenate((width[::2], width[1::2])))
        self._level["omega"] = omega
        self._level["streamed"] = grid.size * self.dtype.itemsize >= STREAMED
        if self.varying:
            self._fields(grid, terms)
        else:
            self._alike(grid, terms)
        for a, number in enumerate(_numbers(grid.ndim)):
            halved = number is not None and bool(transfer.which[number])
            coarse = axes[a].coarsen() if halved else axes[a]
            self._level["halved"][a] = halved
            self._level["m"][a] = 1 if coarse is None else coarse.n
            sides = transfer.diffusion[number : number + 1] if halved else ()
            self._ends(a, cubic_ends(axes[a], coarse) if halved else np.zeros((2, self._level["n"][a])))
            if a < 2:
                self._rows(a, halved_rows(axes[a], coarse, *sides) if halved else same_rows(self._level["n"][a]))
            elif halved:
                self._along(halved_line(axes[a], coarse, self.dtype, *sides))
        self._records.append(level)

    def _real(self, values: Any) -> int:
        return self._reals.add(values)

    def _integer(self, values: Any) -> int:
        return self._integers.add(values)

    def _across(self, a: int, values: Array) -> int:
        """Store one number for each plane (a = 0) or row (a = 1)."""
        return self._real(values)

    def _alike(self, grid: Grid, terms: Terms) -> None:
        """Set coefficients that are constant along a row, but for its boundary points."""
        coefficients = [None if a is None else grid_coefficients(grid, terms, a) for a in _numbers(grid.ndim)]
        for a, axis in enumerate(_three(grid.axes)[:2]):
            lower, centre, upper = np.zeros((3, 1)) if axis is None else _without_ends(coefficients[a], axis)
            self._level["at_lower"][a] = self._across(a, lower)
            self._level["at_centre"][a] = self._across(a, centre + (float(terms.reaction) if a == 0 else 0.0))
            self._level["at_upper"][a] = self._across(a, upper)
        axis = grid.axes[-1]
        values, middle = line_values(axis, coefficients[2]), axis.n // 2
        boundary = columns_that_differ(values, middle)
        if axis.periodic and axis.n % 2:
            boundary = np.union1d(boundary, (0, axis.n - 1))
        for name, value in zip(("lower", "centre", "upper", "width"), values[:, middle], strict=True):
            self._level[name] = value
        self._level["boundary_points"] = len(boundary)
        self._level["at_boundary"] = self._integer(boundary)
        self._level["at_boundary_values"] = self._real(values[:, boundary])

    def _fields(self, grid: Grid, terms: Terms) -> None:
        """Set coefficients that vary from point to point; where one does not, a row stands for all."""
        shape = [1 if axis is None else axis.n for axis in _three(grid.axes)]
        fluxes, reaction = self._faces(grid, terms)
        for a, number in enumerate(_numbers(grid.ndim)):
            flux = np.zeros(2) if number is None else fluxes[number]
            if a == 2:
                self._rows_of(a, flux.reshape(-1, shape[2] + 1))
                continue
            width = np.ones(1) if number is None else grid.axes[number].width
            lower, upper = (1 / width, 1 / width) if flux.ndim > 1 else (flux[:-1] / width, flux[1:] / width)
            self._rows_of(a, flux.reshape(-1, shape[2]) if flux.ndim > 1 else np.ones((1, shape[2])))
            self._level["at_lower"][a], self._level["at_upper"][a] = self._across(a, lower), self._across(a, upper)
            self._level["at_centre"][a] = self._across(a, np.zeros(shape[a]))
        self._rows_of(3, reaction if np.ndim(reaction) else np.full((1, shape[2]), reaction))
        width = np.concatenate((grid.axes[-1].width[::2], grid.axes[-1].width[1::2]))
        self._level["at_widths"] = self._real(np.concatenate((width, 1 / width, np.ones(MOST))))

    def _faces(self, grid: Grid, terms: Terms) -> tuple[Sequence[Array], Any]:
        """a/h at the faces across each axis, and the reaction."""
        return [grid_fluxes(grid, terms, a) for a in range(grid.ndim)], terms.reaction

    def _rows_of(self, which: int, values: Array) -> None:
        """Store rows, split by parity."""
        values, half = values.reshape(-1, values.shape[-1]), (values.shape[-1] + 1) // 2
        whole = np.ones(values.size + MOST, self.dtype)  # a loop over the last row ends at whole lanes
        rows = whole[: values.size].reshape(values.shape)
        rows[:, :half], rows[:, half:] = values[:, ::2], values[:, 1::2]
        self._level["faces"][which] = FIELDS + len(self.faces)
        self.faces.append(whole)
        self._level["face_row"][which] = rows.shape[1] if len(rows) > 1 else 0

    def _rows(self, a: int, rows: RowMaps) -> None:
        level = self._level
        level["at_parent"][a] = self._integer(rows.parent)
        level["at_prolong"][a], level["at_restrict"][a] = self._real(rows.prolong), self._real(rows.restrict)
        level["at_first"][a], level["at_last"][a] = self._integer(rows.first), self._integer(rows.last)
        level["at_cubic_parent"][a], level["at_cubic"][a] = self._integer(rows.cubic_parent), self._real(rows.cubic)
        level["at_data_from"][a], level["at_data"][a] = self._integer(rows.data_from), self._real(rows.data)
        level["rows_most"][a], level["span"][a] = len(rows.data_from), len(rows.restrict)

    def _ends(self, a: int, weights: Array) -> None:
        """Set the weights of the boundary values at both ends of an axis in a first guess."""
        self._level["at_ends"][a] = self._real(weights)
        if a == 2:
            self._level["reach"] = [
                int(np.max(np.nonzero(w)[0], initial=-1)) + 1 for w in (weights[0], weights[1, ::-1])
            ]

    def _along(self, line: LineMaps) -> None:
        for name, taps in line.taps.items():
            self._level[name] = taps
        for name in ("prolonged", "restricted", "cubic", "data"):
            points, origins, weights = line.ends[name]
            places = len(points), self._integer(points), self._integer(origins.T), self._real(weights.T), len(origins)
            for part, value in zip(("_count", "", "_from", "_weight", "_most"), places, strict=True):
                self._level[name + part] = value


class Pieces:
    """Arrays to be joined into one."""

    def __init__(self, dtype: Any) -> None:
        self._dtype, self._size = dtype, 0
        self._parts: list[Array] = []

    def add(self, values: Any) -> int:
        """Append values; return the offset of the first."""
        part, offset = np.asarray(values, self._dtype).ravel(), self._size
        self._parts.append(part)
        self._size += part.size
        return offset

    def joined(self) -> Array:
        """Join them and a zero, so that the result is not empty."""
        return np.concatenate([*self._parts, np.zeros(1, self._dtype)])


class RowMaps(NamedTuple):
    """How rows of a grid make those of the next coarser one and the other way round, by their numbers along an axis.

    Attributes:
        parent, prolong: (2, n): the coarse rows that a fine one is interpolated from, with the weights.
        first, last: (m,): the fine rows that make each coarse one; those beyond the seam of a periodic axis counted on.
        restrict: (k, m): the weights of the fine rows first, first + 1, ... in each coarse one; zero after the last.
        cubic_parent, cubic: (4, n): the same for cubic interpolation; -1 where there is no parent.
        data_from, data: (k, m): the fine rows that the data of a coarse one come from, with the weights.
    """

    parent: Array
    prolong: Array
    first: Array
    last: Array
    restrict: Array
    cubic_parent: Array
    cubic: Array
    data_from: Array
    data: Array


@once_per_axis
def halved_rows(fine: Axis, coarse: Axis, *sides: tuple[float, float]) -> RowMaps:
    """The maps along an axis that is halved; `sides` as in `linear_matrix`."""
    P, R = linear_matrix(fine, coarse, *sides), restriction_matrix(fine, coarse, *sides)
    parent, prolong = as_weights(P, 2)
    first, last = R.indices[R.indptr[:-1]].astype(int), R.indices[R.indptr[1:] - 1].astype(int)
    if fine.periodic and fine.n > 4:
        for c in map(int, np.flatnonzero(last - first > fine.n // 2)):
            first[c], last[c] = _around(R.indices[R.indptr[c] : R.indptr[c + 1]], c, fine.n)
    each = np.repeat(np.arange(coarse.n), np.diff(R.indptr))
    restrict = np.zeros((int((last - first).max()) + 1, coarse.n))
    restrict[(R.indices - first[each]) % fine.n, each] = R.data
    cubic_parent, cubic = as_weights(cubic_matrix(fine, coarse), 4)
    D = data_matrix(fine)
    most = int(np.diff(D.indptr).max(initial=1))
    data_from, data = as_weights(D, 2 if most <= 2 else max(8, most))
    return RowMaps(
        parent, prolong, first, last, restrict, np.where(cubic == 0, -1, cubic_parent), cubic, data_from, data
    )


def _around(rows: Array, c: int, n: int) -> tuple[int, int]:
    """The first and the last of the fine rows of coarse row c, on both sides of the seam."""
    rows = np.sort(rows)
    k = int(np.argmax(np.diff(rows)))  # the others are between these two
    low, high = int(rows[k + 1]), int(rows[k])
    return (low - n, high) if c == 0 else (low, high + n)


def same_rows(n: int) -> RowMaps:
    """The maps along an axis that stays as it is: each row is made from itself."""
    row = np.arange(n)
    parent, weight = np.tile(row, (4, 1)), np.repeat([[1.0], [0.0], [0.0], [0.0]], n, axis=1)
    cubic_parent = np.where(weight == 0, -1, parent)
    return RowMaps(parent[:2], weight[:2], row, row, weight[:1], cubic_parent, weight, parent[:2], weight[:2])


class Ends(NamedTuple):
    """Points of a row that the taps inside do not give, with their sources: (k, points), missing ones weighing 0."""

    points: Array
    origins: Array
    weights: Array


class LineMaps(NamedTuple):
    """The maps between a row and its coarse one.

    Attributes:
        taps: the weights inside, by their names in a record: e and o of points 2 k and 2 k + 1 in linear interpolation,
            from the coarse points k - 1 and k on; ce and co in cubic, from k - 2 and k - 1 on; r and d of coarse point
            k in restriction and in that of data, from the points 2 k - 1 and 2 k - 3 on.
        ends: the points that have others, by the name of the map.
    """

    taps: dict[str, Array]
    ends: dict[str, Ends]


@once_per_axis
def halved_line(fine: Axis, coarse: Axis, dtype: np.dtype, *sides: tuple[float, float]) -> LineMaps:
    """The maps along a row that is halved; `sides` as in `linear_matrix`."""
    n, m, k = fine.n, coarse.n, coarse.n // 2
    P, R = linear_matrix(fine, coarse, *sides), restriction_matrix(fine, coarse, *sides)
    C, D = cubic_matrix(fine, coarse), data_matrix(fine)
    i, c = np.arange(n), np.arange(m)
    even, tolerance = (i % 2 == 0)[:, None], 16 * float(np.finfo(dtype).eps) * max(n, m)
    taps: dict[str, Array] = {}
    ends: dict[str, Ends] = {}
    for name, M, (e, o), start, most in (("prolonged", P, ("e", "o"), 1, 2), ("cubic", C, ("ce", "co"), 2, 4)):
        # Row 2 k begins `start` columns before column k, and row 2 k + 1 one further on
        first = i // 2 - np.where(i % 2 == 0, start, start - 1)
        taps[e] = _row(M, 2 * k, k - start, most).astype(dtype)
        taps[o] = _row(M, 2 * k + 1, k - start + 1, most).astype(dtype)
        ends[name] = _ends(M, first, np.where(even, taps[e], taps[o]), fine.periodic, tolerance, most)
    for name, M, tap, start, count in (("restricted", R, "r", 1, 4), ("data", D, "d", 3, 8)):
        taps[tap] = _row(M, k, 2 * k - start, count).astype(dtype)
        ends[name] = _ends(M, 2 * c - start, np.tile(taps[tap], (m, 1)), fine.periodic, tolerance)
    return LineMaps(taps, ends)


def _row(M: sp.csr_matrix, row: int, first: int, count: int) -> Array:
    """`count` entries of a row from column `first` on, zero where there are none."""
    entries = np.zeros(count)
    if row < M.shape[0]:
        own = slice(M.indptr[row], M.indptr[row + 1])
        place, data = M.indices[own] - first, M.data[own]
        inside = (place >= 0) & (place < count)
        entries[place[inside]] = data[inside]
    return entries


def _ends(M: sp.csr_matrix, first: Array, taps: Array, around: bool, tolerance: float, most: int | None = None) -> Ends:
    """The rows of M that differ from `taps`, (rows, count), from their columns `first` on."""
    row, columns = np.repeat(np.arange(len(first)), np.diff(M.indptr)), M.shape[1]
    place = M.indices - first[row]
    if around:  # on a short axis several taps meet in a column
        place %= columns
        taps = np.stack([taps[:, t::columns].sum(axis=1) for t in range(min(columns, taps.shape[1]))], axis=1)
    else:
        column = first[:, None] + np.arange(taps.shape[1])
        taps = np.where((column >= 0) & (column < columns), taps, 0)
    inside = (place >= 0) & (place < taps.shape[1])
    rest = -taps.astype(float)
    rest[row[inside], place[inside]] += M.data[inside]
    wrong = np.any(abs(rest) > tolerance, axis=1)
    wrong[row[~inside & (abs(M.data) > tolerance)]] = True
    points = np.flatnonzero(wrong)
    return Ends(points, *as_weights(M, most, points))


def _three(values: Sequence[Any]) -> list[Any]:
    """(None, None, points) in one dimension, (rows, None, points) in two, (planes, rows, points) in three."""
    return [*values[:-1], *[None] * (3 - len(values)), values[-1]]


def _numbers(ndim: int) -> list[Any]:
    return _three(range(ndim))


def _without_ends(c: Any, axis: Axis) -> tuple[Array, Array, Array]:
    """The coefficients, those that lead out of the grid being zero."""
    lower, upper = c.lower.copy(), c.upper.copy()
    if not axis.periodic:
        lower[0] = upper[-1] = 0
    return lower, c.centre, upper
