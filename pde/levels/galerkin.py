"""Products R A P as compact operators: on coefficients, one axis after the other, or from sparse matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from pde.common.caching import once_per_axis
from pde.levels.axis_maps import gather
from pde.levels.interpolation_1d import linear_matrix
from pde.problem.compact import CompactOperator, offsets, steps_along
from pde.problem.grid import Array, Axis, Grid
from pde.problem.masked import MaskedOperator
from pde.problem.operators import StencilOperator

Stencil = dict[tuple[int, ...], Array]
"""Coefficients by offset, arrays of the grid's shape; those that are missing are zero."""

F8 = np.dtype(float)


def stencil_of(A: StencilOperator | MaskedOperator | CompactOperator) -> Stencil:
    """The coefficients of A; outside the mask of a `MaskedOperator` those of its box."""
    if isinstance(A, CompactOperator):
        return dict(zip(offsets(A.grid.ndim), A.coefficients, strict=True))
    box = A.box if isinstance(A, MaskedOperator) else A
    ndim, shape = A.grid.ndim, A.grid.shape
    result = {(0,) * ndim: np.broadcast_to(A.diagonal, shape)}
    for a, pair in enumerate(zip(box.lower, box.upper, strict=True)):
        for step, k in zip((-1, 1), pair, strict=True):
            result[tuple(step if b == a else 0 for b in range(ndim))] = -np.broadcast_to(k, shape)
    return result


def scaled(stencil: Stencil, rows: Any, columns: Any, grid: Grid) -> Stencil:
    """Every row and every column of A times a number, arrays of the grid's shape; columns beyond the box are zero."""
    padded = np.pad(columns, 1)
    for a, axis in enumerate(grid.axes):
        if axis.periodic:
            line = np.moveaxis(padded, a, 0)
            line[0], line[-1] = line[-2], line[1]
    parts = {k: tuple(slice(1 + o, n + 1 + o) for o, n in zip(k, grid.shape, strict=True)) for k in stencil}
    return {k: c * rows * padded[parts[k]] for k, c in stencil.items()}


def collapsed(stencil: Stencil, fine: Grid, a: int) -> Stencil:
    """P^T A P for linear interpolation P along one axis of `fine`, which is vertex-centred and `nested`."""
    axis, coarse, ndim = fine.axes[a], fine.axes[a].coarsen(), fine.ndim
    result: Stencil = {}
    for k, c in stencil.items():
        for step in (-1, 0, 1):
            collapse = gather(axis, a, ndim, F8, collapse_weights, coarse, k[a], step)
            if len(collapse.parts):
                to = (*k[:a], step, *k[a + 1 :])
                term = collapse(c)
                result[to] = result[to] + term if to in result else term
    return result


def coefficients_of(stencil: Stencil, shape: tuple[int, ...]) -> Array:
    """The coefficients of a `CompactOperator`."""
    some = [stencil.get(k) for k in offsets(len(shape))]
    return np.stack([np.zeros(shape) if c is None else c for c in some])


def nearest(matrix: sp.csr_matrix, grid: Grid, volumes: Array) -> sp.csr_matrix:
    """A matrix whose points couple with their 3^d nearest ones alone, made from one with a few longer couplings.

    A longer one is replaced by twice its strength on each half of the way. Constants and what is linear along the way
    do not feel it, and A stays self-adjoint in the inner product of `volumes`.
    """
    W = volumes.ravel()
    while True:
        entries = sp.coo_matrix(matrix)
        here, there = (np.unravel_index(index, grid.shape) for index in (entries.row, entries.col))
        steps = [steps_along(*each) for each in zip(grid.axes, here, there, strict=True)]
        far = np.any([abs(step) > 1 for step in steps], axis=0)
        if not far.any():
            return matrix
        middle = [(a + np.sign(step))[far] % n for a, step, n in zip(here, steps, grid.shape, strict=True)]
        i, j, m = entries.row[far], entries.col[far], np.ravel_multi_index(middle, grid.shape)
        k = W[i] * entries.data[far]
        half = np.concatenate((i, m, m, j)), np.concatenate((m, i, j, m))
        halves = sp.csr_matrix((np.tile(k, 4), half), shape=matrix.shape)
        rest = np.bincount(i, k, len(W)) - np.bincount(half[0], np.tile(k, 4), len(W))
        data = np.where(far, 0.0, entries.data)
        kept = sp.csr_matrix((data, (entries.row, entries.col)), shape=matrix.shape)
        kept.eliminate_zeros()
        matrix = sp.csr_matrix(kept + sp.diags(1 / W) @ (halves + sp.diags(rest)))


@once_per_axis
def collapse_weights(fine: Axis, coarse: Axis, k: int, step: int) -> tuple[Array, Array]:
    """(indices, weights), (3, coarse n), of the coefficients at offset k that P^T A P sums at the offset `step`.

    A fine point i near the coarse point J and its neighbour i + k count P(i, J) P(i + k, J + step) times.
    """
    n, m, kept = fine.n, coarse.n, fine.injection()[0][0]
    i = kept + np.array([[-1], [0], [1]])
    J = np.broadcast_to(np.arange(m), i.shape)
    first, second = _entries(fine, coarse, i, J), _entries(fine, coarse, i + k, J + step)
    if fine.periodic and n < 3:
        first[2] = 0  # the points before and after are one
    if fine.periodic and m < 3 and (step == 1 or (m == 1 and step)):
        second[...] = 0  # as are those coarse points
    return i % n, first * second


def _entries(fine: Axis, coarse: Axis, i: Array, J: Array) -> Array:
    """P(i, J), 0 beyond the ends of an axis that is not periodic."""
    n, m = fine.n, coarse.n
    known = fine.periodic | ((i >= 0) & (i < n) & (J >= 0) & (m > J))
    P = linear_matrix(fine, coarse)
    return np.where(known, np.asarray(P[(i % n).ravel(), (J % m).ravel()]).reshape(i.shape), 0.0)
