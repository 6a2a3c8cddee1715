"""The direct solution on the coarsest level: by the matrix A^-1, or axis by axis with the eigenvectors of each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mgcore import Level
from pde.backends.numba.jit import compiled
from pde.backends.numba.layout import copy, whole
from pde.backends.numba.pointers import ahead, at, pointer
from pde.backends.numba.simd import LANES, put, several
from pde.levels.direct import SeparableSolver
from pde.problem.grid import Array

LARGEST_INVERSE = 512
"""Unknowns of the coarsest grid at most for its inverse as a matrix."""


class Direct(NamedTuple):
    """What `solve_directly` reads; rows of unknowns are split by parity.

    Attributes:
        inverse: A^-1, in float64 as that of `pde.levels.direct.DenseSolver`; empty where there are `modes`, or where the grid
            is too large for both.
        shape: of the grid, in three numbers.
        modes: the matrices to the eigenvectors of the last axis (transposed), the second and the first; 1 over the
            eigenvalues of all; and the matrices back in the opposite order. Rows of the last axis end at whole lanes.
    """

    inverse: Array
    shape: Array
    modes: Array

    @property
    def whole(self) -> bool:
        """Whether there is something to solve with."""
        return bool(len(self.inverse) or len(self.modes))

    @property
    def space(self) -> int:
        """The length of the work space."""
        return 2 * len(self.modes)


def direct(level: Level, order: Array, dtype: np.dtype) -> Direct:
    """That of the coarsest level, whose unknowns are stored in this order."""
    grid, B = level.info.grid, level.B[0]
    shape = np.array([1] * (3 - grid.ndim) + [*grid.shape], np.int64)
    none = Direct(np.zeros((0, 0)), shape, np.zeros(0, dtype))
    if isinstance(B, SeparableSolver):
        return none._replace(modes=_modes(B, shape).astype(dtype))
    if grid.size > LARGEST_INVERSE:
        return none
    inverse = B(np.eye(grid.size).reshape(-1, *grid.shape)).reshape(grid.size, grid.size).T
    return none._replace(inverse=np.ascontiguousarray(inverse[np.ix_(order, order)]))


def _modes(B: SeparableSolver, shape: Array) -> Array:
    to, inverse, back = B.parts
    one, n = [np.ones((1, 1))] * (3 - len(to)), int(shape[2])
    to0, to1, to2 = one + list(to)
    back0, back1, back2 = one + list(back)
    split = [*range(0, n, 2), *range(1, n, 2)]
    parts = (_padded(to2.T[split]), to1, to0, _padded(inverse.reshape(-1, n)), back0, back1)
    return np.concatenate([part.ravel() for part in (*parts, _padded(back2.T[:, split]))])


def _padded(rows: Array) -> Array:
    """Rows with zeros up to whole lanes."""
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % LANES)))


@compiled
def solve_directly(given, f, u, w):
    """u <- A^-1 f."""
    inverse, shape, modes = given
    data, result = pointer(w, f), pointer(w, u)
    if len(modes) == 0:
        for i in range(len(inverse)):
            total = inverse[i, 0] * data[0]
            for j in range(1, len(inverse)):
                total += inverse[i, j] * data[j]
            result[i] = total
        return
    n0, n1, n2 = shape
    length = whole(n2)
    plane = n1 * length
    size = n0 * plane
    x, y = at(w, 0), at(w, size)
    to2 = at(modes, 0)
    to1 = ahead(to2, n2 * length)
    to0 = ahead(to1, n1 * n1)
    over = ahead(to0, n0 * n0)
    back0 = ahead(over, size)
    back1 = ahead(back0, n0 * n0)
    back2 = ahead(back1, n1 * n1)
    product(x, data, n2, to2, n0 * n1, n2, length)
    for i in range(n0):
        product(ahead(y, i * plane), to1, n1, ahead(x, i * plane), n1, n1, length)
    product(x, to0, n0, y, n0, n0, plane)
    for k in range(0, size, LANES):
        put(x, k, several(x, k) * several(over, k))
    product(y, back0, n0, x, n0, n0, plane)
    for i in range(n0):
        product(ahead(x, i * plane), back1, n1, ahead(y, i * plane), n1, n1, length)
    product(y, x, length, back2, n0 * n1, n2, length)
    for row in range(n0 * n1):
        copy(ahead(result, row * n2), ahead(y, row * length), n2)


@compiled
def product(out, a, apart, b, rows, inner, width):
    """out <- a b for matrices (rows, inner), whose rows are `apart`, and (inner, width) of whole lanes."""
    for i in range(rows):
        row, target = ahead(a, i * apart), ahead(out, i * width)
        many = width // (4 * LANES) * (4 * LANES)
        for c in range(0, many, 4 * LANES):  # four sums at a time, as one would wait for itself
            s0, s1 = row[0] * several(b, c), row[0] * several(b, c + LANES)
            s2, s3 = row[0] * several(b, c + 2 * LANES), row[0] * several(b, c + 3 * LANES)
            for k in range(1, inner):
                place = k * width + c
                s0, s1 = s0 + row[k] * several(b, place), s1 + row[k] * several(b, place + LANES)
                s2, s3 = s2 + row[k] * several(b, place + 2 * LANES), s3 + row[k] * several(b, place + 3 * LANES)
            put(target, c, s0)
            put(target, c + LANES, s1)
            put(target, c + 2 * LANES, s2)
            put(target, c + 3 * LANES, s3)
        for c in range(many, width, LANES):
            s0 = row[0] * several(b, c)
            for k in range(1, inner):
                s0 = s0 + row[k] * several(b, k * width + c)
            put(target, c, s0)
