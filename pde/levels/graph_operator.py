"""A on a level without a grid: a sparse matrix on numbered unknowns, relaxed in colours."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from pde.common.arrays import Frozen, contiguous, multiplied, zeros
from pde.levels.face_graph import FaceGraph
from pde.problem.coefficients import Terms
from pde.problem.grid import Array, Axis, Grid, Side


class MatrixOperator(Frozen):
    """A as a sparse matrix on flattened unknowns, relaxed in colours.

    Args:
        matrix: in float64.
        colours: sets of rows within which none couple; what is in no set is never relaxed.
        diagonal: None is that of the matrix.
    """

    arrays = ("_matrix", "diagonal", "_colours")

    def __init__(
        self,
        grid: Grid,
        matrix: sp.csr_matrix,
        terms: Terms,
        volumes: Array,
        colours: list[Array],
        dtype: np.dtype,
        diagonal: Array | None = None,
    ) -> None:
        self.grid, self.terms, self.volumes = grid, terms, volumes
        self.exact, self.nonzeros = matrix, matrix.nnz
        self._matrix = matrix = matrix.astype(dtype, copy=False)
        centre = matrix.diagonal()
        self.diagonal = (centre if diagonal is None else diagonal).reshape(grid.shape)
        self._colours = [(rows, matrix[rows], 1 / centre[rows]) for rows in colours]

    def __call__(self, u: Array) -> Array:
        """A u for u of shape (..., *grid.shape)."""
        return multiplied(self._matrix, u, self.grid.ndim, self.grid.shape)

    def coloured_sweep(self, r: Array, omega: float, reverse: bool = False) -> Array:
        """One multicolour Gauss-Seidel sweep with relaxation omega on A d = r from d = 0."""
        members = r.reshape(-1, self.grid.size)
        flat, single = (members[0], True) if len(members) == 1 else (members.T, False)
        d = zeros(tuple(flat.shape), like=r)
        for number, (rows, block, inverse) in enumerate(reversed(self._colours) if reverse else self._colours):
            left = flat[rows] - block @ d if number > 0 else flat[rows]
            d[rows] = omega * (inverse if single else inverse[:, None]) * left
        return contiguous(d if single else d.T).reshape(r.shape)

    def matrix(self) -> sp.csr_matrix:
        """A as a sparse matrix, in float64."""
        return self.exact


class GraphOperator(MatrixOperator):
    """A as a symmetric matrix on numbered unknowns; all control volumes are `volume`.

    Attributes:
        grid: one axis of numbered unknowns.
        graph: the open faces between them.
    """

    def __init__(self, matrix: sp.csr_matrix, graph: FaceGraph, volume: float, dtype: np.dtype) -> None:
        self.graph, volumes = graph, np.full(graph.size, volume)
        super().__init__(numbered(graph.size), matrix, Terms((1.0,)), volumes, independent_sets(matrix), dtype)


def numbered(n: int) -> Grid:
    """A grid of n numbered unknowns."""
    return Grid((Axis(np.arange(n + 1.0), (Side("neumann"), Side("neumann")), cell=True),))


MOST = 62
"""Colours that fit into the bits of an integer."""


def independent_sets(matrix: sp.csr_matrix) -> list[Array]:
    """Sets of rows, all rows in order, within which none couple (Jones and Plassmann).

    A row takes the first colour that no neighbour has, when all neighbours before it in a random order have theirs.
    """
    n, size = matrix.shape[0], np.diff(matrix.indptr)
    order = np.random.default_rng(0).permutation(n)
    row = np.repeat(np.arange(n), size)
    waits = np.bincount(row[order[matrix.indices] < order[row]], minlength=n)
    colour, used, further = np.zeros(n, dtype=np.intp), np.zeros(n, dtype=np.int64), MOST
    chosen = np.flatnonzero(waits == 0)
    while len(chosen):
        number = np.round(np.log2(~used[chosen] & (used[chosen] + 1))).astype(np.intp)
        colour[chosen] = np.where(number < MOST, number, further)
        further += int((number == MOST).any())
        count = size[chosen]
        entries = np.repeat(matrix.indptr[chosen] - np.cumsum(count) + count, count) + np.arange(count.sum())
        beside = matrix.indices[entries]
        np.bitwise_or.at(used, beside, np.repeat(np.where(number < MOST, np.int64(1) << number, 0), count))
        after = beside[order[beside] > np.repeat(order[chosen], count)]
        np.subtract.at(waits, after, 1)
        chosen = np.unique(after[waits[after] == 0])
    return [rows for c in np.unique(colour) if len(rows := np.flatnonzero(colour == c))]
