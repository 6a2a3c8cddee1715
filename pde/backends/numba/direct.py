"""The direct solution on the coarsest level: by the matrix A^-1, or axis by axis with the eigenvectors of each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mgcore import Level
from pde.backends.numba.jit import compiled
from pde.backends.numba.layout import copy, whole
from pde.backends.numba.pointers import address_of
from pde.backends.numba.simd import LANES, MOST, load_eight, store_eight
from pde.levels.direct import SeparableSolver
from pde.problem.grid import Array

LARGEST_INVERSE = 512
"""Unknowns of the coarsest grid at most for its inverse as a matrix."""


class Direct(NamedTuple):
    """The matrices of `solve_directly`, for rows of unknowns split by parity.

    Attributes:
        inverse: A^-1, in float64 as in `pde.levels.direct.DenseSolver`; empty where there are `modes`, or where the
            grid is too large for both.
        shape: of the grid, in three numbers.
        modes: the matrices to the eigenvectors of the last axis (transposed), the second and the first; 1 over the
            eigenvalues of all; and the matrices back in the opposite order. Rows of the last axis end at whole lanes.
    """

    inverse: Array
    shape: Array
    modes: Array

    @property
    def exists(self) -> bool:
        """Whether there are matrices: the grid is not too large for both kinds."""
        return bool(len(self.inverse) or len(self.modes))

    @property
    def work_size(self) -> int:
        """The numbers of the two fields that a solution works on."""
        n0, n1, n2 = map(int, self.shape)
        return 2 * n0 * n1 * -(-n2 // MOST) * MOST if len(self.modes) else 0


def direct(level: Level, order: Array, dtype: np.dtype) -> Direct:
    """Return the matrices of the coarsest level, whose unknowns are stored in this order."""
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
    """Append zeros to rows, up to whole lanes."""
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % MOST)))


@compiled
def solve_directly(direct, f, u, w):
    """u <- A^-1 f; w: two fields with rows of whole lanes."""
    inverse, shape, modes = direct
    if len(modes) == 0:
        for i in range(len(inverse)):
            total = inverse[i, 0] * f[0]
            for j in range(1, len(inverse)):
                total += inverse[i, j] * f[j]
            u[i] = total
        return
    n0, n1, n2 = shape
    length = whole(n2)
    plane = n1 * length
    size = n0 * plane
    x, y = w, w + size
    to2 = address_of(modes)
    to1 = to2 + n2 * length
    to0 = to1 + n1 * n1
    over = to0 + n0 * n0
    back0 = over + size
    back1 = back0 + n0 * n0
    back2 = back1 + n1 * n1
    product(x, f, n2, to2, n0 * n1, n2, length)
    for i in range(n0):
        product(y + i * plane, to1, n1, x + i * plane, n1, n1, length)
    product(x, to0, n0, y, n0, n0, plane)
    for k in range(0, size, LANES):
        store_eight(x, k, load_eight(x, k) * load_eight(over, k))
    product(y, back0, n0, x, n0, n0, plane)
    for i in range(n0):
        product(x + i * plane, back1, n1, y + i * plane, n1, n1, length)
    product(y, x, length, back2, n0 * n1, n2, length)
    for row in range(n0 * n1):
        copy(u + row * n2, y + row * length, n2)


@compiled
def product(out, a, step, b, rows, inner, width):
    """out <- a b for matrices (rows, inner), whose rows are `step` apart, and (inner, width) of whole lanes."""
    for i in range(rows):
        row, target = a + i * step, out + i * width
        many = width // (4 * LANES) * (4 * LANES)
        for c in range(0, many, 4 * LANES):  # four sums at a time, as one would wait for itself
            s0, s1 = row[0] * load_eight(b, c), row[0] * load_eight(b, c + LANES)
            s2, s3 = row[0] * load_eight(b, c + 2 * LANES), row[0] * load_eight(b, c + 3 * LANES)
            for k in range(1, inner):
                here = k * width + c
                s0, s1 = s0 + row[k] * load_eight(b, here), s1 + row[k] * load_eight(b, here + LANES)
                s2, s3 = s2 + row[k] * load_eight(b, here + 2 * LANES), s3 + row[k] * load_eight(b, here + 3 * LANES)
            store_eight(target, c, s0)
            store_eight(target, c + LANES, s1)
            store_eight(target, c + 2 * LANES, s2)
            store_eight(target, c + 3 * LANES, s3)
        for c in range(many, width, LANES):
            s0 = row[0] * load_eight(b, c)
            for k in range(1, inner):
                s0 = s0 + row[k] * load_eight(b, k * width + c)
            store_eight(target, c, s0)
