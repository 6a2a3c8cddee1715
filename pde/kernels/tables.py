"""What the kernels need to know of a level: a record of numbers, and the few small arrays that it points to.

A row is alike inside: one set of coefficients, and beside its ends some special points that have their own. Or it
varies: then there are a/h at the faces of every point, split by parity as the rows of u are, and a pass streams them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from pde.grid import Array, Axis, Grid
from pde.one_axis import cubic_matrix, data_matrix
from pde.terms import Terms, grid_coefficients, grid_fluxes

MOST_SPECIAL = 8
"""A row with more points than this where its coefficients differ from those inside is one that varies."""

STREAMED = 1 << 25
"""Bytes of a grid from which on it is written past the cache, as no cache keeps it until the next pass."""


def record(dtype: np.dtype) -> np.dtype:
    """The numbers of a level. Fields that begin with `at_` are places in the arrays of `Tables`."""
    real, count = dtype, np.int64
    axis = [("n", count, 3), ("m", count, 3), ("periodic", count, 3), ("halved", count, 3)]
    rows = [("at_lower", count, 2), ("at_centre", count, 2), ("at_upper", count, 2), ("at_width", count, 2)]
    line = [("lower", real), ("centre", real), ("upper", real), ("width", real), ("omega", real), ("streamed", count)]
    special = [("specials", count), ("at_special", count), ("at_special_values", count)]
    varying = [("at_widths", count), ("faces", count, 4), ("face_row", count, 4)]
    parents = [("at_parent", count, 2), ("at_prolong", count, 2), ("at_restrict", count, 2)]
    spans = [("at_first", count, 2), ("at_last", count, 2)]
    taps = [("e", real, 2), ("o", real, 2), ("r", real, 4)]
    parts = ("", "_from", "_weight", "_count", "_most")
    ends = [(f"{name}{part}", count) for name in ("prolonged", "restricted", "cubic", "data") for part in parts]
    cubic = [("at_cubic_parent", count, 2), ("at_cubic", count, 2), ("ce", real, 4), ("co", real, 4)]
    data = [("at_data_from", count, 2), ("at_data", count, 2), ("rows_most", count, 2), ("d", real, 8)]
    every: Any = axis + rows + line + special + varying + parents + spans + taps + ends + cubic + data
    # Numba looks at the file of a cached function alone: a type that changes with all files has it compiled anew
    return np.dtype([*every, (f"sources_{digest(Path(__file__).parent)}", np.int8)], align=True)


@cache
def digest(folder: Path) -> str:
    """A name for the state of the source files in a folder."""
    return sha256(b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))).hexdigest()[:12]


class Tables:
    """Records of levels, with their arrays one after the other in `reals` and `integers`.

    Grids of two dimensions are planes of one row each: axes (rows, 1, points).

    Args:
        varying: whether coefficients may differ from point to point along a row.
    """

    def __init__(self, dtype: np.dtype, varying: bool) -> None:
        self.dtype, self.varying = dtype, varying
        self.faces: list[Array] = []
        self._reals: list[Array] = []
        self._integers: list[Array] = []
        self._records: list[Any] = []

    def pack(self) -> tuple[Array, Array, Array]:
        """(records, reals, integers)."""
        reals = np.concatenate([*self._reals, np.zeros(1)]).astype(self.dtype)
        integers = np.concatenate([*self._integers, np.zeros(1, np.int64)])
        return np.concatenate(self._records), reals, integers

    def add(self, grid: Grid, terms: Terms, omega: float, which: Sequence[bool], P: Mapping[int, Any]) -> None:
        """Add a level with its way to the next coarser one.

        Args:
            which: the axes that are halved.
            P: linear interpolation along each of them, a sparse matrix.
        """
        level = np.zeros(1, record(self.dtype))
        self._level = level[0]
        axes = _three(grid.axes)
        for a, axis in enumerate(axes):
            self._level["n"][a] = 1 if axis is None else axis.n
            self._level["periodic"][a] = axis is not None and axis.periodic and axis.n > 1
            if a < 2:
                self._level["at_width"][a] = self._real(np.ones(1) if axis is None else axis.width)
        self._level["omega"] = omega
        self._level["streamed"] = grid.size * self.dtype.itemsize >= STREAMED
        if self.varying:
            self._fields(grid, terms)
        else:
            self._alike(grid, terms)
        for a, number in enumerate(_numbers(grid.ndim)):
            halved = number is not None and bool(which[number])
            coarse = axes[a].coarsen() if halved else axes[a]
            self._level["halved"][a] = halved
            self._level["m"][a] = 1 if coarse is None else coarse.n
            if a < 2:
                self._rows(a, axes[a], coarse, P[number] if halved else None)
            elif halved:
                self._along(axes[a], coarse, P[number])
        self._records.append(level)

    def _real(self, values: Any) -> int:
        return _append(self._reals, np.asarray(values, dtype=float))

    def _integer(self, values: Any) -> int:
        return _append(self._integers, np.asarray(values, dtype=np.int64))

    def _alike(self, grid: Grid, terms: Terms) -> None:
        """Coefficients that are alike along a row, but for its special points."""
        coefficients = [None if a is None else grid_coefficients(grid, terms, a) for a in _numbers(grid.ndim)]
        for a, axis in enumerate(_three(grid.axes)[:2]):
            lower, centre, upper = np.zeros((3, 1)) if axis is None else _without_ends(coefficients[a], axis)
            self._level["at_lower"][a] = self._real(lower)
            self._level["at_centre"][a] = self._real(centre + (float(terms.reaction) if a == 0 else 0.0))
            self._level["at_upper"][a] = self._real(upper)
        axis = grid.axes[-1]
        values, middle = _line(axis, coefficients[2]), axis.n // 2
        special = _columns_that_differ(values, middle)
        for name, value in zip(("lower", "centre", "upper", "width"), values[:, middle], strict=True):
            self._level[name] = value
        self._level["specials"] = len(special)
        self._level["at_special"] = self._integer(special)
        self._level["at_special_values"] = self._real(values[:, special])

    def _fields(self, grid: Grid, terms: Terms) -> None:
        """Coefficients from point to point; those that do not vary along an axis are one row for all of them."""
        shape = [1 if axis is None else axis.n for axis in _three(grid.axes)]
        for a, number in enumerate(_numbers(grid.ndim)):
            flux = np.zeros(2) if number is None else grid_fluxes(grid, terms, number)
            if a == 2:
                self._rows_of(a, flux.reshape(-1, shape[2] + 1))
                continue
            width = np.ones(1) if number is None else grid.axes[number].width
            lower, upper = (1 / width, 1 / width) if flux.ndim > 1 else (flux[:-1] / width, flux[1:] / width)
            self._rows_of(a, flux.reshape(-1, shape[2]) if flux.ndim > 1 else np.ones((1, shape[2])))
            self._level["at_lower"][a], self._level["at_upper"][a] = self._real(lower), self._real(upper)
            self._level["at_centre"][a] = self._real(np.zeros(shape[a]))
        self._rows_of(3, np.broadcast_to(terms.reaction, grid.shape if np.ndim(terms.reaction) else (1, shape[2])))
        width = np.concatenate((grid.axes[-1].width[::2], grid.axes[-1].width[1::2]))
        self._level["at_widths"] = self._real(np.concatenate((width, 1 / width)))

    def _rows_of(self, which: int, values: Array) -> None:
        """Rows, split by parity; one row stands for all."""
        values, half = values.reshape(-1, values.shape[-1]), (values.shape[-1] + 1) // 2
        rows = np.empty(values.shape, self.dtype)
        rows[:, :half], rows[:, half:] = values[:, ::2], values[:, 1::2]
        self.faces.append(rows)
        self._level["faces"][which] = rows.__array_interface__["data"][0]
        self._level["face_row"][which] = rows.shape[1] if len(rows) > 1 else 0

    def _rows(self, a: int, fine: Any, coarse: Any, P: Any) -> None:
        """Two parents of each row in linear interpolation, four in cubic, and the rows that make each coarse row."""
        halved, same = P is not None, sp.identity(1 if fine is None else fine.n, format="csr")
        P = P if halved else same
        parent, weight = _entries(P, 2)
        ratio = 1.0 if fine is None else fine.width / coarse.width[parent]
        self._level["at_parent"][a] = self._integer(parent)
        self._level["at_prolong"][a] = self._real(weight)
        self._level["at_restrict"][a] = self._real(weight * ratio)
        columns = sp.csr_matrix(P).T.tocsr()
        columns.eliminate_zeros()
        spans = [_span(columns.indices[columns.indptr[c] : columns.indptr[c + 1]], c, fine) for c in range(P.shape[1])]
        self._level["at_first"][a] = self._integer([span[0] for span in spans])
        self._level["at_last"][a] = self._integer([span[1] for span in spans])
        C = cubic_matrix(fine, coarse) if halved else same
        parent, weight = _entries(C, 4)
        self._level["at_cubic_parent"][a] = self._integer(np.where(weight == 0, -1, parent))
        self._level["at_cubic"][a] = self._real(weight)
        D = data_matrix(fine) if halved else same
        most = int(np.diff(sp.csr_matrix(D).indptr).max(initial=1))
        origin, weight = _entries(D, 2 if most <= 2 else max(8, most))
        self._level["at_data_from"][a], self._level["at_data"][a] = self._integer(origin), self._real(weight)
        self._level["rows_most"][a] = len(origin)

    def _along(self, fine: Axis, coarse: Axis, P: Any) -> None:
        """Transfers along a row: the taps inside, and the points that have others."""
        k, level = coarse.n // 2, self._level
        level["e"], level["o"] = _at(P, 2 * k, k - 1, 2), _at(P, 2 * k + 1, k, 2)
        self._ends("prolonged", P, {(0, -1): level["e"], (1, 0): level["o"]}, fine, 2)
        R = sp.diags(1 / coarse.width) @ P.T @ sp.diags(fine.width)
        level["r"] = _at(R, k, 2 * k - 1, 4)
        self._ends("restricted", R.T, {(t - 1, 0): level["r"][t : t + 1] for t in range(4)}, fine, None)
        C = cubic_matrix(fine, coarse)
        level["ce"], level["co"] = _at(C, 2 * k, k - 2, 4), _at(C, 2 * k + 1, k - 1, 4)
        self._ends("cubic", C, {(0, -2): level["ce"], (1, -1): level["co"]}, fine, 4)
        D = data_matrix(fine)
        level["d"] = _at(D, k, 2 * k - 3, 8)
        self._ends("data", D.T, {(t - 3, 0): level["d"][t : t + 1] for t in range(8)}, fine, None)

    def _ends(self, name: str, matrix: Any, taps: Any, fine: Axis, most: int | None) -> None:
        """The points that the taps inside do not give: rows of a prolongation, columns of a transposed restriction."""
        tolerance = 16 * float(np.finfo(self.dtype).eps) * max(matrix.shape)
        model = _banded(matrix.shape, taps, fine.periodic)
        wrong = sp.coo_matrix(abs(matrix - model) > tolerance)
        if name in ("restricted", "data"):
            wrong, matrix = wrong.T, matrix.T
        special = np.unique(wrong.row)
        index, weight = _entries(sp.csr_matrix(sp.csr_matrix(matrix)[special]), most)
        for field, value in zip(
            ("_count", "", "_from", "_weight", "_most"),
            (len(special), self._integer(special), self._integer(index.T), self._real(weight.T), len(index)),
            strict=True,
        ):
            self._level[name + field] = value


def is_alike(grid: Grid, terms: Terms) -> bool:
    """Whether the coefficients are alike along each row, but for a few special points."""
    if terms.varies or not isinstance(terms.reaction, float):
        return False
    values = _line(grid.axes[-1], grid_coefficients(grid, terms, grid.ndim - 1))
    return len(_columns_that_differ(values, grid.axes[-1].n // 2)) <= MOST_SPECIAL


def _line(axis: Axis, c: Any) -> Array:
    return np.stack((*_without_ends(c, axis), axis.width))


def _three(values: Sequence[Any]) -> list[Any]:
    """(rows, None, points) in two dimensions, (planes, rows, points) in three."""
    return [values[0], None, values[1]] if len(values) == 2 else list(values)


def _numbers(ndim: int) -> list[Any]:
    return _three(range(ndim))


def _append(parts: list[Array], values: Array) -> int:
    place = sum(part.size for part in parts)
    parts.append(values.ravel())
    return place


def _without_ends(c: Any, axis: Axis) -> tuple[Array, Array, Array]:
    """The coefficients, those that lead out of the grid being zero."""
    lower, upper = c.lower.copy(), c.upper.copy()
    if not axis.periodic:
        lower[0] = upper[-1] = 0
    return lower, c.centre, upper


def _columns_that_differ(values: Array, middle: int) -> Array:
    """Columns that differ from the middle one by more than the rounding of equal intervals."""
    reference = values[:, middle : middle + 1]
    tolerance = 16 * np.finfo(float).eps * values.shape[1] * abs(reference)
    return np.flatnonzero((abs(values - reference) > tolerance).any(axis=0))


def _span(rows: Array, c: int, fine: Any) -> tuple[int, int]:
    """The first and the last fine row of coarse row c, those beyond the seam of a periodic axis counted on."""
    first, last = int(rows.min()), int(rows.max())
    if fine is not None and fine.periodic and last - first > fine.n // 2 and fine.n > 4:
        low, high = int(rows[rows > fine.n // 2].min()), int(rows[rows <= fine.n // 2].max())
        return (low - fine.n, high) if c == 0 else (low, high + fine.n)
    return first, last


def _at(matrix: Any, row: int, column: int, count: int) -> list[float]:
    """`count` entries of a row, zero where there are none."""
    rows, columns = matrix.shape
    entries = np.zeros(columns) if row >= rows else sp.csr_matrix(matrix)[row].toarray().ravel()
    return [float(entries[j]) if 0 <= j < columns else 0.0 for j in range(column, column + count)]


def _banded(shape: tuple[int, int], taps: Any, around: bool) -> sp.csr_matrix:
    """The matrix with taps at (2 k + a, k + b), (2 k + a, k + b + 1), ... for all k."""
    n, m = shape
    k = np.arange(m) if around else np.arange(-2, m + 3)
    rows, columns, values = [], [], []
    for (a, b), row in taps.items():
        for t, tap in enumerate(row):
            i, j = 2 * k + a, k + b + t
            i, j = (i % n, j % m) if around else (i, j)
            inside = (i >= 0) & (i < n) & (j >= 0) & (j < m)
            rows.append(i[inside])
            columns.append(j[inside])
            values.append(np.full(int(inside.sum()), float(tap)))
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return sp.csr_matrix(entries, shape=shape)


def _entries(matrix: sp.csr_matrix, most: int | None) -> tuple[Array, Array]:
    """(indices, weights), (k, rows), of a matrix with at most k entries per row; missing ones weigh 0."""
    matrix = sp.csr_matrix(matrix)
    count = np.diff(matrix.indptr)
    k = most or max(1, int(count.max(initial=1)))
    index, weight = np.zeros((k, matrix.shape[0]), dtype=np.int64), np.zeros((k, matrix.shape[0]))
    some = count > 0
    index[:, some] = matrix.indices[matrix.indptr[:-1][some]]
    rows = np.repeat(np.arange(matrix.shape[0]), count)
    place = np.arange(matrix.nnz) - matrix.indptr[rows], rows
    index[place], weight[place] = matrix.indices, matrix.data
    return index, weight
