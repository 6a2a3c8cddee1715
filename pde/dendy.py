"""Operator-dependent transfers for coefficients that jump: prolongation by the local equations (Dendy's black box).

A point between two coarse ones along one axis gets the value at which its equation, summed up across the other axes
and without its reaction, has no residual; one between four or eight coarse points follows from those. Restriction is
the adjoint in the inner product of control volumes, coarse operators are Galerkin, so that the coarse problem knows the
jumps.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import scipy.sparse as sp

from pde.grid import Array, Grid
from pde.operators import Operator
from pde.transfer import MatrixTransfer

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
    """P from the stencil of A; the coarse control volumes are `volumes` = P^T W 1."""

    def __init__(self, A: Operator, which: tuple[bool, ...], dtype: np.dtype) -> None:
        self.coarse, self.places = coarse_points(A.grid, which)
        reaction = np.broadcast_to(A.terms.reaction, A.grid.shape).ravel()
        P = _prolongation((A.matrix() - sp.diags(reaction)).tocoo(), A.grid, which, self.places)
        self.volumes = (P.T @ A.volumes.ravel()).reshape(self.coarse.shape)
        super().__init__(P, A.volumes, self.volumes, dtype)


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


def _prolongation(A: sp.coo_matrix, grid: Grid, which: tuple[bool, ...], places: list[Array]) -> sp.csr_matrix:
    """P: identity on coarse points; then, by the number of axes along which a point lies between, from those before."""
    ndim, size = grid.ndim, grid.size
    between = [np.ones(n, dtype=bool) for n in grid.shape]
    for b, kept in zip(between, places, strict=True):
        b[kept] = False
    lies = np.stack(np.meshgrid(*between, indexing="ij")).reshape(ndim, size)
    numbers = np.arange(size).reshape(grid.shape)[np.ix_(*places)].ravel()
    P = sp.csr_matrix((np.ones(len(numbers)), (numbers, np.arange(len(numbers)))), shape=(size, len(numbers)))
    rows, columns = (np.stack(np.unravel_index(index, grid.shape)) for index in (A.row, A.col))
    moved = rows != columns
    tip, held = _tips(A, lies, moved)
    total = P
    for kind in sorted(product((False, True), repeat=ndim), key=sum):
        if not any(kind) or any(k and not w for k, w in zip(kind, which, strict=True)):
            continue
        own = (lies[:, A.row] == np.array(kind)[:, None]).all(axis=0)
        along = moved & np.array(kind)[:, None] & ~held
        centre = own & ~along.any(axis=0)
        diagonal = np.bincount(A.row[centre], weights=A.data[centre], minlength=size)
        outside = own & along.any(axis=0)
        target = np.where(np.array(kind)[:, None], columns, rows)[:, outside]  # summed up across the other axes
        neighbours = -np.bincount(A.row[outside], weights=A.data[outside], minlength=size)
        inside = (neighbours > 0) & (abs(diagonal - neighbours) <= INTERIOR * diagonal)
        scale = np.where(inside, neighbours, np.maximum(diagonal, neighbours))
        weights = -A.data[outside] / scale[A.row[outside]]
        M = sp.csr_matrix(
            (weights, (A.row[outside], np.ravel_multi_index(tuple(target), grid.shape))), shape=(size, size)
        )
        total = total + M @ total
    ends = tip[A.row] & ~tip[A.col]
    weights = -A.data[ends] / -np.bincount(A.row[ends], weights=A.data[ends], minlength=size)[A.row[ends]]
    M = sp.csr_matrix((weights, (A.row[ends], A.col[ends])), shape=(size, size))
    return sp.csr_matrix(sp.diags(1.0 - tip) @ total + M @ total)


def _tips(A: sp.coo_matrix, lies: Array, moved: Array) -> tuple[Array, Array]:
    """(tip, held): which points are tips, and which entries of A lead to one from a point that lies between more ones.

    A tip is the end of something narrow with a large coefficient: its one strong coupling leads across, away from the
    coarse points that it lies between. Summed up across the other axes its equation would take the value from outside,
    and the inside, constant on its own, would be tied to it by 10^6. So it takes the mean of all its neighbours once
    they have their values, and they do without it.
    """
    size, count = lies.shape[1], lies.sum(axis=0)

    def coupling(entries: Array) -> Array:
        return -np.bincount(A.row[entries], weights=A.data[entries], minlength=size)

    other = A.row != A.col
    all_of_them = coupling(other)
    weak = (count > 0) & (coupling(other & (moved & lies[:, A.row]).any(axis=0)) < WEAK * all_of_them)
    firm = coupling(other & ~weak[A.col])
    strong = other & (-A.data > FIRM * all_of_them[A.row])
    once = np.bincount(A.row[strong], minlength=size) == 1  # two of them are a neck, which may tie two insides
    up = strong & (count[A.col] > count[A.row]) & weak[A.row] & ~weak[A.col] & (firm[A.col] > FIRM * -A.data)
    tip = np.zeros(size, dtype=bool)
    tip[A.row[up & once[A.row]]] = True
    return tip, other & tip[A.col] & (count[A.row] > count[A.col]) & (firm[A.row] > FIRM * -A.data)
