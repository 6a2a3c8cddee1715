"""The records of levels, with the arrays that they have the addresses of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from pde.backends.numba.buffers import address
from pde.backends.numba.multicolour.records import CHILDREN, ENTRY, LEVEL, PARITY, RED_BLACK
from pde.common.caching import once_per_axis
from pde.levels.corner_transfer import CornerTransfer
from pde.levels.galerkin import collapse_weights
from pde.levels.interpolation_1d import as_weights, linear_matrix
from pde.levels.transfers import MatrixTransfer
from pde.levels.truncated import TruncatedTransfer
from pde.problem.compact import CompactOperator, offsets
from pde.problem.grid import Array, Axis, is_constant
from pde.problem.masked import MaskedOperator
from pde.problem.operators import StencilOperator

Term = tuple[tuple[int, ...], Any, int, bool]
"""Of A u: the offset of a neighbour, its coefficient, 0 or 1 for a summand of f - A u with + or -, and whether the
coefficient is that of the point before, for the opposite offset: less memory is read then."""


class Table:
    """A grid with its operator and the transfer to the next coarser grid, as kernels read them.

    Args:
        A: the operator.
        transfer: None on the coarsest grid.
        dtype: of all numbers.
        rows: factors of residuals in norms, if these are not 1.

    Attributes:
        record, entries: of one `records.LEVEL` and all its `records.ENTRY`.
        shape, coarse_shape: of the grids, with three axes.
    """

    def __init__(self, A: Any, transfer: Any, dtype: np.dtype, rows: Array | None = None) -> None:
        self.dtype = np.dtype(dtype)
        self._kept: list[Array] = []
        self.shape, self._ndim = in_planes(A.grid.shape, 1), A.grid.ndim
        self.record = np.zeros(1, LEVEL)
        L: Any = self.record[0]
        L["n"] = self.shape
        L["periodic"] = in_planes([axis.periodic and axis.n > 1 for axis in A.grid.axes], 0)
        L["colours"] = PARITY if isinstance(A, CompactOperator) else RED_BLACK
        self.entries, L["across"] = self._entries(A)
        L["entries"] = len(self.entries)
        self._put_mask(L, getattr(A, "inside", None))
        diagonal = self._broadcast(A.diagonal)
        self._put(L["diagonal"], diagonal)
        self._put(L["inverse"], np.divide(1, diagonal, out=np.zeros_like(diagonal), where=diagonal != 0))
        L["inner"] = self._address(_inner(A, self.shape))
        L["differences"] = isinstance(A, StencilOperator) and A.terms.varies
        self._put(L["centre"], self._broadcast(_without_differences(A)) if L["differences"] else diagonal)
        widths = in_planes([axis.width for axis in A.grid.axes], np.ones(1))
        L["widths"] = [self._address(width.astype(self.dtype)) for width in widths]
        self.coarse_shape = (0, 0, 0) if transfer is None else in_planes(transfer.coarse.shape, 1)
        self._put(L["rows"], np.ones((1, 1, self.shape[2]), self.dtype) if rows is None else self._broadcast(rows))
        L["flat"] = A.grid.ndim == 2
        if isinstance(transfer, TruncatedTransfer):
            self._put_lines(L, transfer)
        elif isinstance(transfer, CornerTransfer):
            self._put_corners(L, transfer, A)
        elif isinstance(transfer, MatrixTransfer):
            for name, matrix in (("P", transfer.matrix()), ("R", transfer.restriction())):
                self._put_matrix(L[name], matrix)

    def _entries(self, A: Any) -> tuple[Array, int]:
        """The coefficients off the diagonal, and how many of them lead to other rows; these come first."""
        terms = sorted(_terms(A), key=lambda term: not any(term[0][:-1]))
        entries = np.zeros(len(terms), ENTRY)
        for entry, (offset, values, sign, before) in zip(entries, terms, strict=True):
            field = self._shaped(values)
            shift, steps = in_planes(offset, 0), _steps(field)
            at = self._address(field) - (steps[shift.index(-1)] * field.itemsize if before else 0)
            for name, number in zip(ENTRY.names or (), (at, *steps, *shift, sign), strict=True):
                entry[name] = number
        return entries, sum(any(term[0][:-1]) for term in terms)

    def _put_mask(self, L: Any, inside: Array | None) -> None:
        self._put(L["mask"], np.ones((1, 1, self.shape[2]), np.uint8) if inside is None else self._bytes(inside))
        ends = np.tile(np.array([0, self.shape[2]], np.int32), (self.shape[0] * self.shape[1], 1))
        if inside is not None:
            rows = inside.reshape(-1, self.shape[2])
            ends[:, 0], ends[:, 1] = rows.argmax(axis=1), self.shape[2] - rows[:, ::-1].argmax(axis=1)
            ends[~rows.any(axis=1)] = 0
        L["extents"] = self._address(ends)

    def _put_lines(self, L: Any, transfer: TruncatedTransfer) -> None:
        """A transfer by weights along each axis, and factors before and behind."""
        ones = np.ones((1, 1, self.shape[2]), self.dtype)
        self._put(L["scale"], ones if transfer.rows.dtype == bool else self._shaped(transfer.rows))
        L["weighted"] = transfer.weights.dtype != bool
        self._put(L["weights"], self._shaped(transfer.weights) if L["weighted"] else ones)
        L["coarse_mask"] = self._address(self._bytes(transfer.inside))
        axes = zip(transfer.fine.axes, transfer.coarse.axes, transfer.which, strict=True)
        lines = in_planes([_line(*each) for each in axes], _identity(1))
        for line, (fine, coarse, *arrays) in zip(L["line"], lines, strict=True):
            parents, prolong, restrict, children, weights, kept, products, used = arrays
            reals = (self._address(values.astype(self.dtype)) for values in (prolong, restrict, weights, products))
            line["prolong"], line["restrict"], line["weights"], line["products"] = reals
            indices = (self._address(values) for values in (parents, children, kept, used))
            line["parents"], line["children"], line["kept"], line["used"] = indices
            line["fine"], line["coarse"] = fine, coarse

    def _put_corners(self, L: Any, transfer: CornerTransfer, A: Any) -> None:
        L["corners"] = self._address(np.ascontiguousarray(transfer.corners, self.dtype))
        L["coarse_volumes"] = self._address(np.ascontiguousarray(transfer.volumes, self.dtype))
        self._put(L["volumes"], self._broadcast(transfer.fine_volumes))
        self._put(L["reaction"], self._broadcast(A.terms.reaction))
        pairs = zip(transfer.lines, transfer.kept, A.grid.axes, strict=True)
        one = np.zeros((2, 1), np.int64), np.zeros(1, np.int64), None
        for a, (line, kept, axis) in enumerate(in_planes(list(pairs), one)):
            n, m = line.shape[1], len(kept)
            between = np.ones(n, np.int32)
            between[kept] = 0
            children = np.stack((kept - 1, kept, kept + 1)) if n > 1 else np.array([[-1], [0], [-1]])
            if axis is not None and axis.periodic:
                children %= n
            children[(children < 0) | (children >= n)] = -1
            aside = children[::2]
            aside[(aside >= 0) & (between[aside] == 0)] = -1
            if a == 2:
                L["behind"] = self._address((children[2] >= 0).astype(self.dtype))
                L["aside"] = self._address(between.astype(self.dtype))
                places = _places(between)
                L["places"] = self._address(places.astype(self.dtype))
                L["placed"] = self._address(np.asarray(places.any(axis=-1), dtype=np.int32))
                children = np.where(children < 0, children[1], children)
            L["between"][a] = self._address(between)
            L["line"][a]["fine"], L["line"][a]["coarse"] = n, m
            L["line"][a]["parents"] = self._address(line.astype(np.int32))
            L["line"][a]["children"] = self._address(children.astype(np.int32))

    def _put_matrix(self, part: Any, matrix: sp.csr_matrix) -> None:
        part["rows"] = matrix.shape[0]
        part["starts"] = self._address(matrix.indptr.astype(np.int32, copy=False))
        part["columns"] = self._address(matrix.indices.astype(np.int32, copy=False))
        part["values"] = self._address(matrix.data.astype(self.dtype, copy=False))

    def _bytes(self, mask: Array) -> Array:
        return np.ascontiguousarray(mask).view(np.uint8).reshape(in_planes(mask.shape, 1))

    def _shaped(self, values: Any) -> Array:
        """Numbers on the grid with its three axes, of length one where they do not change."""
        array = np.asarray(values, dtype=self.dtype)
        array = array.reshape((1,) * (self._ndim - array.ndim) + array.shape)
        return np.ascontiguousarray(array.reshape(in_planes(array.shape, 1)))

    def _broadcast(self, values: Any) -> Array:
        """Numbers on the grid, one for each point of a row."""
        field = self._shaped(values)
        return np.ascontiguousarray(np.broadcast_to(field, (*field.shape[:2], self.shape[2])))

    def _put(self, part: Any, field: Array) -> None:
        part["at"] = self._address(field)
        part["plane"], part["row"], _ = _steps(field)

    def _address(self, array: Array) -> int:
        self._kept.append(array)
        return address(array)


def in_planes(values: Sequence[Any], one: Any) -> tuple[Any, ...]:
    """Values per axis for three axes: a plane of two dimensions is a row."""
    first, *others = values
    return (first, *others) if len(others) == 2 else (first, one, *others)


def _steps(field: Array) -> tuple[int, ...]:
    """The distances of planes, rows and points; 0 along an axis of length one."""
    return tuple(stride // field.itemsize if n > 1 else 0 for stride, n in zip(field.strides, field.shape, strict=True))


def _without_differences(A: StencilOperator) -> Array:
    """The coefficients of u itself beside those of differences."""
    shape = A.grid.shape
    return A.add_ends(np.ones(shape), np.array(np.broadcast_to(A.reaction, shape), dtype=float))


def _inner(A: Any, shape: tuple[int, ...]) -> Array:
    """1 for rows of which `centre` is zero but at their ends, else 0."""
    inner = np.zeros(shape[:2], np.int32)
    if isinstance(A, StencilOperator) and isinstance(A.reaction, float) and A.reaction == 0:
        inner[1:-1] = 1
        if A.grid.ndim == 3:
            inner[:, [0, -1]] = 0
    return inner


def _terms(A: Any) -> list[Term]:
    if isinstance(A, CompactOperator):
        every = zip(offsets(A.grid.ndim), A.coefficients, strict=True)
        return [(offset, values, 1, False) for offset, values in every if any(offset)]
    box = A.box if isinstance(A, MaskedOperator) else A
    terms: list[Term] = []
    for a, axis in enumerate(box.grid.axes):
        low, high = (tuple(way if b == a else 0 for b in range(box.grid.ndim)) for way in (-1, 1))
        alike = np.shape(box.upper[a]) == box.grid.shape and not axis.periodic and is_constant(axis.width)
        terms += [(low, box.upper[a] if alike else box.lower[a], 0, alike), (high, box.upper[a], 0, False)]
    return terms


def _places(between: Array) -> Array:
    """(3, 3, 2, n): `places` of `records.LEVEL`."""
    n = len(between)
    result = np.zeros((3, 3, 2, n), bool)
    for d in (-1, 0, 1):
        there = np.roll(between, -d)
        for bit in (0, 1):
            behind = np.where(there == 0, 1 + d, 1 + bit if d > 0 else bit)
            step = np.full(n, 1 + bit) if d == 0 else np.where(between == 1, 1 + (d > 0), behind)
            known = there >= bit
            result[d + 1, step[known], bit, np.flatnonzero(known)] = True
    return result


@once_per_axis
def _line(fine: Axis, coarse: Axis, halve: bool) -> tuple[Any, ...]:
    """Numbers of points, and the tables of `records.LINE`, along one axis."""
    if not halve:
        return _identity(fine.n)
    P = linear_matrix(fine, coarse)
    parents, prolong = as_weights(P, most=2)
    children, weights = as_weights(sp.csr_matrix(P.T * 0.5), most=CHILDREN)
    indices = parents.astype(np.int32), children.astype(np.int32)
    return fine.n, coarse.n, indices[0], prolong, prolong * 0.5, indices[1], weights, *_products(fine, coarse)


def _products(fine: Axis, coarse: Axis) -> tuple[Array, Array, Array]:
    """`kept`, `products` and `used` of `records.LINE`; R is half of P^T."""
    every = [[collapse_weights(fine, coarse, k, step) for step in (-1, 0, 1)] for k in (-1, 0, 1)]
    products = np.array([[weights for _, weights in steps] for steps in every]) / 2
    used = np.any(products != 0, axis=-1)
    return every[0][0][0].astype(np.int32), products, np.asarray(used, dtype=np.int32)


def _identity(n: int) -> tuple[Any, ...]:
    index, one = np.zeros((CHILDREN, n), np.int32), np.zeros((CHILDREN, n))
    index[0], one[0] = np.arange(n), 1.0
    same = np.eye(3).reshape(3, 3, 1) * np.array([0.0, 1.0, 0.0])  # to the offset that it has
    products = np.broadcast_to(same[..., None], (3, 3, 3, n)).copy()
    kept = index[:1].repeat(3, axis=0)
    return n, n, index[:2].copy(), one[:2].copy(), one[:2].copy(), index, one, kept, products, same.astype(np.int32)
