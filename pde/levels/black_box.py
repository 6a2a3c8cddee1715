"""Operator-dependent transfers for coefficients that jump: prolongation by the local equations (Dendy's black box).

A point between two coarse ones along one axis gets the value at which its equation, summed up across the other axes
and without its reaction, has no residual; one between four or eight coarse points follows from those. Restriction is
the adjoint in the inner product of control volumes, coarse operators are Galerkin, so that the coarse problem knows the
jumps.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, groupby

import numpy as np
import scipy.sparse as sp

from pde.levels.transfers import MatrixTransfer
from pde.problem.grid import Array, Grid
from pde.problem.operators import Operator

INTERIOR = 0.1
"""Where the sides take at most this share of a summed-up equation, its weights are scaled to the sum one.

A coarse constant then stays constant: a jump of 10^6 would turn the least defect into a large energy.
"""

WEAK, FIRM = 0.01, 0.1
"""Couplings of a tip between coarse points: at most the first share of all. The point that holds it has at least the
second share of that coupling to points which are no tips. See `Tips`.
"""


class OperatorTransfer(MatrixTransfer):
    """P from the stencil of A; the coarse control volumes are `volumes` = P^T W 1.

    Attributes:
        kept: the fine index of every coarse point, per axis.
    """

    def __init__(
        self, A: Operator, which: tuple[bool, ...], dtype: np.dtype, matrix: sp.csr_matrix | None = None
    ) -> None:
        """`matrix` is A as a matrix, if it has been made."""
        coarse, kept = coarse_points(A.grid, which)
        matrix = A.matrix() if matrix is None else matrix
        if A.terms.has_reaction:
            matrix = sp.csr_matrix(matrix - sp.diags(np.broadcast_to(A.terms.reaction, A.grid.shape).ravel()))
        P = _prolongation(matrix, A.grid, which, kept)
        self.kept = kept
        super().__init__(coarse, P, A.volumes, (P.T @ A.volumes.ravel()).reshape(coarse.shape), dtype)


def coarse_points(grid: Grid, which: tuple[bool, ...]) -> tuple[Grid, list[Array]]:
    """The coarse grid, and the fine index of every coarse point per axis; of cells every second centre is kept."""
    points = through_points(grid, which)
    axes = zip(points.axes, which, strict=True)
    return points.coarsen(which), [axis.injection()[0][0] if halve else np.arange(axis.n) for axis, halve in axes]


def through_points(grid: Grid, which: tuple[bool, ...]) -> Grid:
    """The grid with its axes that coarsen as vertex-centred ones through the same unknowns."""
    return Grid(tuple(axis.at_points() if halve else axis for axis, halve in zip(grid.axes, which, strict=True)))


@dataclass
class Between:
    """Points that lie between coarse ones along the same `count` axes, with the entries of their rows of A.

    Args:
        points: their numbers.
        row, column, data: of each entry, `row` counted among the points.
        target: the neighbour of the point in the direction of `column`, taken along these axes alone: tips make
            entries that lead further on coarse grids.
        along: whether an entry leads away along these axes.
    """

    points: Array
    row: Array
    column: Array
    data: Array
    target: Array
    along: Array
    count: int

    def total(self, entries: Array) -> Array:
        """The sum of the chosen entries of each point."""
        return np.bincount(self.row[entries], weights=self.data[entries], minlength=len(self.points))


def _prolongation(A: sp.csr_matrix, grid: Grid, which: tuple[bool, ...], kept: list[Array]) -> sp.csr_matrix:
    """P: identity on coarse points; then, by the number of axes along which a point lies between, from those before."""
    halved = [a for a, halve in enumerate(which) if halve]
    ways = [axes for count in range(1, len(halved) + 1) for axes in combinations(halved, count)]
    between = [_between(A, grid, axes, kept) for axes in ways]
    tips = _tips(A, grid, between)
    rows = Rows(grid.size, np.arange(grid.size, dtype=np.int32).reshape(grid.shape)[np.ix_(*kept)].ravel())
    for _, groups in groupby(between, key=lambda group: group.count):  # points of one count do not need each other
        rows.append([_from_equations(group, tips, rows) for group in groups])
    if len(tips.points):
        rows.append([(tips.points, rows.sums(*tips.means(A), len(tips.points)))])
    return rows.P[rows.of_point]


def _from_equations(group: Between, tips: Tips, rows: Rows) -> tuple[Array, sp.csr_matrix]:
    """The points of a group, with the rows of P that leave no residual of their summed-up equations."""
    away = group.along & ~tips.held(group)
    diagonal, neighbours = group.total(~away), -group.total(away)
    inside = (neighbours > 0) & (abs(diagonal - neighbours) <= INTERIOR * diagonal)
    scale = np.where(inside, neighbours, np.maximum(diagonal, neighbours))
    row = group.row[away]
    return group.points, rows.sums(row, group.target[away], -group.data[away] / scale[row], len(group.points))


class Rows:
    """The rows of P made so far, in any order; `of_point` tells which is that of a fine point, -1 for none."""

    def __init__(self, size: int, kept: Array) -> None:
        self.of_point = np.full(size, -1, dtype=np.int32)
        self.of_point[kept] = np.arange(len(kept))
        self.P = sp.identity(len(kept), format="csr")

    def sums(self, row: Array, column: Array, weights: Array, count: int) -> sp.csr_matrix:
        """`count` weighted sums of the rows of the fine points in `column`."""
        return sp.csr_matrix((weights, (row, self.of_point[column])), shape=(count, self.P.shape[0])) @ self.P

    def append(self, further: list[tuple[Array, sp.csr_matrix]]) -> None:
        points = np.concatenate([points for points, _ in further])
        self.of_point[points] = np.arange(self.P.shape[0], self.P.shape[0] + len(points))
        self.P = sp.vstack((self.P, *(rows for _, rows in further)), format="csr")


def _between(A: sp.csr_matrix, grid: Grid, axes: tuple[int, ...], kept: list[Array]) -> Between:
    every = enumerate(zip(grid.shape, kept, strict=True))
    lines = [np.setdiff1d(np.arange(n), k) if a in axes else k for a, (n, k) in every]
    points = np.arange(grid.size, dtype=np.int32).reshape(grid.shape)[np.ix_(*lines)].ravel()
    rows = A[points]
    row = np.repeat(np.arange(len(points), dtype=np.int32), np.diff(rows.indptr))
    column, target = rows.indices, points[row]
    along, stride = np.zeros(len(row), dtype=bool), 1
    for a in reversed(range(grid.ndim)):
        if a in axes:
            n, here = grid.shape[a], (points // stride % grid.shape[a])[row]
            shift = column // stride % n - here
            if grid.axes[a].periodic:
                shift = (shift + n // 2) % n - n // 2  # the shorter way around
            along |= shift != 0
            target = target + ((here + np.sign(shift)) % n - here) * stride
        stride *= grid.shape[a]
    return Between(points, row, column, rows.data, target, along, len(axes))


class Tips:
    """Points at the end of a narrow inclusion with a large coefficient.

    The one strong coupling of such a point leads across, away from the coarse points that it lies between. Summed up
    across the other axes its equation would take the value from outside, and tie the inside to it by 10^6. So it takes
    the mean of its neighbours once they have their values, and they do without it.
    """

    def __init__(self, points: Array, size: int, count: Array, firm: Array) -> None:
        """Of every point: `count`, the axes along which it lies between; `firm`, its couplings to points not weak."""
        self.points, self._count, self._firm = points, count, firm
        self._is_tip = np.zeros(size, dtype=bool)
        self._is_tip[points] = True

    def held(self, group: Between) -> Array:
        """Whether an entry leads to a tip from a point that lies between along more axes, and is held by others."""
        if not len(self.points):
            return np.zeros(len(group.row), dtype=bool)
        to_tip = self._is_tip[group.column] & (group.count > self._count[group.column])
        return to_tip & (self._firm[group.points][group.row] > FIRM * -group.data)

    def means(self, A: sp.csr_matrix) -> tuple[Array, Array, Array]:
        """(row, column, weights) of the means over all neighbours that are no tips."""
        rows = A[self.points].tocoo()
        row, column, data = (values[~self._is_tip[rows.col]] for values in (rows.row, rows.col, rows.data))
        return row, column, data / np.bincount(row, weights=data, minlength=len(self.points))[row]


def _tips(A: sp.csr_matrix, grid: Grid, between: list[Between]) -> Tips:
    count, weak = np.zeros(grid.size, dtype=np.int8), np.zeros(grid.size, dtype=bool)
    diagonal = A.diagonal()
    total = diagonal - A @ np.ones(grid.size)
    for group in between:
        count[group.points] = group.count
        weak[group.points] = -group.total(group.along) < WEAK * total[group.points]
    candidates = np.flatnonzero(weak)
    if not len(candidates):
        return Tips(candidates, grid.size, count, total)
    firm = np.where(weak, 0.0, diagonal) - A @ np.where(weak, 0.0, 1.0)
    rows = A[candidates].tocoo()
    row, column, coupling = candidates[rows.row], rows.col, -rows.data
    strong = (row != column) & (coupling > FIRM * total[row])
    once = np.bincount(rows.row[strong], minlength=len(candidates)) == 1  # two are a neck, which may tie two insides
    up = strong & (count[column] > count[row]) & ~weak[column] & (firm[column] > FIRM * coupling)
    return Tips(np.unique(row[up & once[rows.row]]), grid.size, count, firm)
