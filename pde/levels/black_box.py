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

from pde.common.frozen import derive
from pde.levels.transfers import MatrixTransfer
from pde.problem.grid import Array, Grid
from pde.problem.operators import Operator

INTERIOR = 0.1
"""Where the sides take at most this share of a summed-up equation, its weights are made to have the sum one.

A coarse constant then stays constant: were it lower beside an interface, the jump of 10^6 would turn that little into
a large energy.
"""

WEAK, FIRM = 0.01, 0.1
"""A tip's couplings between coarse points are at most the first share of all that it has; those of the point that holds
it, to points which are no tips, at least the second share of what holds it. See `_tips`.
"""


class OperatorTransfer(MatrixTransfer):
    """P from the stencil of A; the coarse control volumes are `volumes` = P^T W 1.

    Attributes:
        places: the fine index of every coarse point, per axis.
    """

    places: list[Array]

    def __init__(
        self, A: Operator, which: tuple[bool, ...], dtype: np.dtype, matrix: sp.csr_matrix | None = None
    ) -> None:
        """`matrix` is A as a matrix, if it has been made."""
        coarse, places = coarse_points(A.grid, which)
        matrix = A.matrix() if matrix is None else matrix
        if A.terms.has_reaction:
            matrix = sp.csr_matrix(matrix - sp.diags(np.broadcast_to(A.terms.reaction, A.grid.shape).ravel()))
        P = _prolongation(matrix, A.grid, which, places)
        derive(self, places=places)
        super().__init__(coarse, P, A.volumes, (P.T @ A.volumes.ravel()).reshape(coarse.shape), dtype)


def coarse_points(grid: Grid, which: tuple[bool, ...]) -> tuple[Grid, list[Array]]:
    """The coarse grid, and the fine index of every coarse point per axis; of cells every second centre is kept."""
    points = through_points(grid, which)
    places = [
        axis.injection()[0][0] if halve else np.arange(axis.n) for axis, halve in zip(points.axes, which, strict=True)
    ]
    return points.coarsen(which), places


def through_points(grid: Grid, which: tuple[bool, ...]) -> Grid:
    """The grid with its axes that coarsen as vertex-centred ones through the same unknowns."""
    return Grid(tuple(axis.at_points() if halve else axis for axis, halve in zip(grid.axes, which, strict=True)))


@dataclass
class Between:
    """The points that lie between coarse ones along the same axes, with their rows of A.

    Args:
        points: their numbers.
        row: the point of each entry, by its place among them.
        data: the entries.
        column: where an entry leads.
        target: the next point on the way there, once it is summed up across the other axes: tips make entries that lead
            further on coarse grids.
        along: whether it leads away along the axes between.
        count: of these axes.
    """

    points: Array
    row: Array
    data: Array
    column: Array
    target: Array
    along: Array
    count: int

    def total(self, entries: Array) -> Array:
        """The sum of the chosen entries of each point."""
        return np.bincount(self.row[entries], weights=self.data[entries], minlength=len(self.points))


def _prolongation(A: sp.csr_matrix, grid: Grid, which: tuple[bool, ...], places: list[Array]) -> sp.csr_matrix:
    """P: identity on coarse points; then, by the number of axes along which a point lies between, from those before."""
    kept = np.arange(grid.size, dtype=np.int32).reshape(grid.shape)[np.ix_(*places)].ravel()
    between = [_between(A, grid, axes, places) for axes in _ways_to_lie_between(which)]
    tips = _tips(A, grid, between)
    found = np.full(grid.size, -1, dtype=np.int32)  # the row of a point in P so far
    found[kept] = np.arange(len(kept))
    P = sp.identity(len(kept), format="csr")
    for _, groups in groupby(between, key=lambda group: group.count):  # those of one count do not need each other
        further = []
        for group in groups:
            away = group.along & ~tips.held(group)
            diagonal, neighbours = group.total(~away), -group.total(away)
            inside = (neighbours > 0) & (abs(diagonal - neighbours) <= INTERIOR * diagonal)
            scale = np.where(inside, neighbours, np.maximum(diagonal, neighbours))
            row = group.row[away]
            sums = _sums(P, -group.data[away] / scale[row], row, found[group.target[away]], len(group.points))
            further.append((group.points, sums))
        points = np.concatenate([points for points, _ in further])
        found[points] = np.arange(P.shape[0], P.shape[0] + len(points))
        P = sp.vstack((P, *(sums for _, sums in further)), format="csr")
    if len(tips.points):
        row, column, weights = tips.means(A)
        means = _sums(P, weights, row, found[column], len(tips.points))
        found[tips.points] = np.arange(P.shape[0], P.shape[0] + len(tips.points))
        P = sp.vstack((P, means), format="csr")
    return P[found]


def _sums(P: sp.csr_matrix, weights: Array, row: Array, column: Array, count: int) -> sp.csr_matrix:
    """`count` weighted sums of rows of P."""
    return sp.csr_matrix((weights, (row, column)), shape=(count, P.shape[0])) @ P


def _ways_to_lie_between(which: tuple[bool, ...]) -> list[tuple[int, ...]]:
    """The axes along which a point may lie between coarse ones, one of them first."""
    halved = [a for a, halve in enumerate(which) if halve]
    return [axes for count in range(1, len(halved) + 1) for axes in combinations(halved, count)]


def _between(A: sp.csr_matrix, grid: Grid, axes: tuple[int, ...], places: list[Array]) -> Between:
    lines = [
        np.setdiff1d(np.arange(n), p) if a in axes else p
        for a, (n, p) in enumerate(zip(grid.shape, places, strict=True))
    ]
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
    return Between(points, row, rows.data, column, target, along, len(axes))


class Tips:
    """Points that are the end of something narrow with a large coefficient.

    Its one strong coupling leads across, away from the coarse points that it lies between. Summed up across the other
    axes its equation would take the value from outside, and the inside, constant on its own, would be tied to it by
    10^6. So it takes the mean of all its neighbours once they have their values, and they do without it.
    """

    def __init__(self, points: Array, size: int, count: Array, firm: Array) -> None:
        """Of every point: along how many axes it lies between, and the sum of its couplings to points not weak."""
        self.points, self._count, self._firm = points, count, firm
        self._is_tip = np.zeros(size, dtype=bool)
        self._is_tip[points] = True

    def held(self, group: Between) -> Array:
        """Which entries lead to a tip from a point that lies between along more axes, and is held by others."""
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
    all_of_them = diagonal - A @ np.ones(grid.size)
    for group in between:
        count[group.points] = group.count
        weak[group.points] = -group.total(group.along) < WEAK * all_of_them[group.points]
    candidates = np.flatnonzero(weak)
    if not len(candidates):
        return Tips(candidates, grid.size, count, all_of_them)
    firm = np.where(weak, 0.0, diagonal) - A @ np.where(weak, 0.0, 1.0)
    rows = A[candidates].tocoo()
    row, column, coupling = candidates[rows.row], rows.col, -rows.data
    strong = (row != column) & (coupling > FIRM * all_of_them[row])
    once = np.bincount(rows.row[strong], minlength=len(candidates)) == 1  # two are a neck, which may tie two insides
    up = strong & (count[column] > count[row]) & ~weak[column] & (firm[column] > FIRM * coupling)
    return Tips(np.unique(row[up & once[rows.row]]), grid.size, count, firm)
