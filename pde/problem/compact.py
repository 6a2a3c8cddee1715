"""The operator A of a level as coefficients of the 3^d nearest points, with its multicolour relaxation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp

from pde.common.arrays import Frozen, contiguous, zeros
from pde.problem.coefficients import Terms
from pde.problem.grid import ENDS, Array, Axis, Grid, trailing, window


class CompactOperator(Frozen):
    """A u at a point is the sum over the offsets k to its 3^d nearest points of coefficients[k] u there.

    Points beyond the end of a periodic axis are those of its other end, and u is zero beyond other ends.

    Args:
        coefficients: (3**ndim, *grid.shape), the offsets in the order of `offsets(ndim)`; axes along which they are
            alike may have length 1.
        terms: coefficients of the equation on this grid, for choices that depend on them; 1 and 0 if not given.
        volumes: W, in whose inner product A is self-adjoint: an array, or one number for all; None takes the grid's.
        inside: where unknowns are, a boolean array; elsewhere only the diagonal is not zero. None is everywhere.

    Attributes:
        diagonal: the entries of the diagonal, an array of the grid's shape.
        colours: blocks of unknowns that do not couple, relaxed one after the other: one per class of indices.
        nonzeros: the number of coefficients that are not zero.

    >>> from pde import Poisson
    >>> A = CompactOperator(Poisson(3, 4.0).grid, np.array([[-1.0] * 3, [2.0] * 3, [-1.0] * 3]))
    >>> A(np.array([1.0, 1.0, 1.0])).tolist()
    [1.0, 0.0, 1.0]
    """

    arrays: ClassVar[tuple[str, ...]] = ("coefficients", "diagonal", "inside")

    def __init__(
        self,
        grid: Grid,
        coefficients: Array,
        terms: Terms | None = None,
        volumes: Array | float | None = None,
        inside: Array | None = None,
    ) -> None:
        self.grid, self.terms = grid, Terms((1.0,) * grid.ndim) if terms is None else terms
        self.coefficients, self._volumes, self.inside = coefficients, volumes, inside
        alone = [axis.periodic and axis.n == 1 for axis in grid.axes]  # its own neighbour on both sides
        at_home = [all(o == 0 or own for o, own in zip(offset, alone, strict=True)) for offset in offsets(grid.ndim)]
        self.diagonal = coefficients[at_home].sum(axis=0) if any(alone) else coefficients[len(at_home) // 2]
        self.colours = [block for block in product(*map(Axis.colours, grid.axes)) if _is_filled(block, grid.shape)]
        self.nonzeros = int(np.count_nonzero(coefficients)) * grid.size // int(np.prod(coefficients.shape[1:]))

    @classmethod
    def from_matrix(
        cls, grid: Grid, matrix: sp.spmatrix, terms: Terms | None = None, volumes: Array | float | None = None
    ) -> Self:
        """The operator with the entries of a matrix on the flattened unknowns (C order).

        Raises:
            ValueError: an entry of the matrix couples points that are not nearest ones.
        """
        entries = sp.coo_matrix(matrix, copy=True)
        entries.sum_duplicates()
        number = np.zeros(len(entries.data), dtype=np.intp)
        pairs = (np.unravel_index(index, grid.shape) for index in (entries.col, entries.row))
        for axis, there, here in zip(grid.axes, *pairs, strict=True):
            step = steps_along(axis, here, there)
            if np.any(abs(step) > 1):
                raise ValueError("matrix must couple the 3^d nearest points only; it has an entry that leads further")
            number = 3 * number + step + 1
        coefficients = np.zeros((3**grid.ndim, grid.size), entries.dtype)
        coefficients[number, entries.row] = entries.data
        return cls(grid, coefficients.reshape(-1, *grid.shape), terms, volumes)

    @property
    def volumes(self) -> Array:
        """W, an array of the grid's shape."""
        return self.grid.volumes() if self._volumes is None else np.broadcast_to(self._volumes, self.grid.shape)

    def __call__(self, u: Array) -> Array:
        """A u for u of shape (..., *grid.shape)."""
        padded, inner = self._padded(u)
        inner[...] = u
        self._wrap(padded)
        return self._sum(padded, (slice(None),) * self.grid.ndim)

    def coloured_sweep(self, r: Array, omega: float, reverse: bool = False) -> Array:
        """One multicolour Gauss-Seidel sweep with relaxation omega on A d = r from d = 0."""
        padded, d = self._padded(r)
        for number, block in enumerate(reversed(self.colours) if reverse else self.colours):
            rest = r[trailing(block)]
            if number > 0:
                self._wrap(padded)
                rest = rest - self._sum(padded, block)  # d is still zero here, the diagonal adds nothing
            d[trailing(block)] = omega * rest / on_block(block, self.diagonal)
        return contiguous(d)

    def matrix(self) -> sp.csr_matrix:
        """A as a sparse matrix on the flattened unknowns (C order)."""
        rows, columns, values = [], [], []
        numbers = np.arange(self.grid.size).reshape(self.grid.shape)
        beyond = np.pad(numbers, 1, constant_values=-1)
        self._wrap(beyond)
        for k, part in zip(self.coefficients, self._shifts((slice(None),) * self.grid.ndim), strict=True):
            entries_of_k = np.broadcast_to(k, self.grid.shape)
            some = (entries_of_k != 0) & (beyond[part] >= 0)
            rows.append(numbers[some])
            columns.append(beyond[part][some])
            values.append(entries_of_k[some])
        entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
        return sp.csr_matrix(entries, shape=(self.grid.size, self.grid.size))

    def _padded(self, like: Array) -> tuple[Array, Array]:
        """Zeros with a halo of one point, and a view of them without it."""
        ndim = self.grid.ndim
        padded = zeros(tuple(like.shape[:-ndim]) + tuple(n + 2 for n in self.grid.shape), like=like)
        return padded, padded[trailing((slice(1, -1),) * ndim)]

    def _wrap(self, padded: Array) -> None:
        """Fill the halo of periodic axes."""
        for a, axis in enumerate(self.grid.axes):
            if axis.periodic:
                for halo, source in zip(ENDS, (slice(-2, -1), slice(1, 2)), strict=True):
                    padded[window(a, self.grid.ndim, halo)] = padded[window(a, self.grid.ndim, source)]

    def _sum(self, padded: Array, block: tuple[slice, ...]) -> Array:
        """A u at the points of a block."""
        total: Any = 0.0
        for k, part in zip(self.coefficients, self._shifts(block), strict=True):
            term = on_block(block, k) * padded[part]
            total = term if isinstance(total, float) else total.__iadd__(term)
        return total

    def _shifts(self, block: Sequence[slice]) -> list[Any]:
        """For each offset the index of a padded array that takes the points at that offset from those of a block."""
        ranges = [range(n)[part] for n, part in zip(self.grid.shape, block, strict=True)]
        return [
            trailing([slice(x[0] + o + 1, x[-1] + o + 2, x.step) for x, o in zip(ranges, offset, strict=True)])
            for offset in offsets(self.grid.ndim)
        ]


def offsets(ndim: int) -> list[tuple[int, ...]]:
    """The offsets from a point to its 3^ndim nearest ones, itself in the middle."""
    return list(product((-1, 0, 1), repeat=ndim))


def on_block(block: Sequence[slice], coefficient: Array) -> Array:
    """The values of a coefficient on a block; axes of length 1 broadcast."""
    return coefficient[tuple(s if n > 1 else slice(None) for s, n in zip(block, coefficient.shape, strict=True))]


def steps_along(axis: Axis, here: Array, there: Array) -> Array:
    """The steps from some points to others along an axis, by the shorter way around a periodic one."""
    steps = there - here
    return (steps + axis.n // 2) % axis.n - axis.n // 2 if axis.periodic else steps


def _is_filled(block: Sequence[slice], shape: Sequence[int]) -> bool:
    return all(range(n)[part] for part, n in zip(block, shape, strict=True))
