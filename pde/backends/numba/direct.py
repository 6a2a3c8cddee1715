"""Direct solutions, on the coarsest level and where full multigrid begins: by A^-1, or axis by axis by eigenvectors."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mgcore import Level
from pde.backends.numba.jit import compiled, inline
from pde.backends.numba.layout import copy, whole
from pde.backends.numba.pointers import address_of
from pde.backends.numba.simd import LANES, MOST, load_eight, store_eight
from pde.levels.direct import DirectStart, SeparableSolver
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
        return work_size(self.shape) if len(self.modes) else 0


def work_size(shape: Any) -> int:
    """Return the numbers of two fields on a grid of (planes, rows, points)."""
    n0, n1, n2 = map(int, shape)
    return 2 * n0 * n1 * -(-n2 // MOST) * MOST


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


def direct_at_start(start: DirectStart, dtype: np.dtype) -> Direct:
    """Return the matrices of the level where full multigrid begins; on the finest one rows are in natural order."""
    shape = np.array([1] * (3 - start.A.grid.ndim) + [*start.A.grid.shape], np.int64)
    return Direct(np.zeros((0, 0)), shape, _modes(start.solver, shape, start.level > 0).astype(dtype))


def _modes(B: SeparableSolver, shape: Array, by_parity: bool = True) -> Array:
    to, inverse, back = B.parts
    one, n = [np.ones((1, 1))] * (3 - len(to)), int(shape[2])
    to0, to1, to2 = one + list(to)
    back0, back1, back2 = one + list(back)
    split = [*range(0, n, 2), *range(1, n, 2)] if by_parity else list(range(n))
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
    if n0 > 1:
        product(x, to0, n0, y, n0, n0, plane)
        scale(x, over, size)
        product(y, back0, n0, x, n0, n0, plane)
    else:
        scale(y, over, size)
    for i in range(n0):
        product(x + i * plane, back1, n1, y + i * plane, n1, n1, length)
    product(y, x, length, back2, n0 * n1, n2, length)
    for row in range(n0 * n1):
        copy(u + row * n2, y + row * length, n2)


@inline
def scale(x, by, size):
    """x <- x by."""
    for k in range(0, size, LANES):
        store_eight(x, k, load_eight(x, k) * load_eight(by, k))


@compiled
def product(out, a, step, b, rows, inner, width):
    """out <- a b for matrices (rows, inner), whose rows are `step` apart, and (inner, width) of whole lanes."""
    for c in range(0, width - LANES, 2 * LANES):
        pair_of_columns(out + c, a, step, b + c, rows, inner, width)
    if width // LANES % 2 == 1:
        c = width - LANES
        for i in range(rows):
            row = a + i * step
            even, odds = row[0] * load_eight(b, c), 0.0 * load_eight(b, c)
            for k in range(1, inner - 1, 2):  # two sums, as one would wait for itself
                even += row[k] * load_eight(b, k * width + c)
                odds += row[k + 1] * load_eight(b, (k + 1) * width + c)
            if inner % 2 == 0:
                even = even + row[inner - 1] * load_eight(b, (inner - 1) * width + c)
            store_eight(out, i * width + c, even + odds)


@inline
def pair_of_columns(out, a, step, b, rows, inner, width):
    """Make 2 LANES columns of a product, four rows at a time; the last four may overlap others."""
    for i in range(0, rows if rows >= 4 else 0, 4):
        first = min(i, rows - 4)
        a0 = a + first * step
        a1, a2, a3, target = a0 + step, a0 + 2 * step, a0 + 3 * step, out + first * width
        x, y = load_eight(b, 0), load_eight(b, LANES)
        x0, x1, x2, x3 = a0[0] * x, a1[0] * x, a2[0] * x, a3[0] * x
        y0, y1, y2, y3 = a0[0] * y, a1[0] * y, a2[0] * y, a3[0] * y
        for k in range(1, inner):
            x, y = load_eight(b, k * width), load_eight(b, k * width + LANES)
            x0, x1, x2, x3 = x0 + a0[k] * x, x1 + a1[k] * x, x2 + a2[k] * x, x3 + a3[k] * x
            y0, y1, y2, y3 = y0 + a0[k] * y, y1 + a1[k] * y, y2 + a2[k] * y, y3 + a3[k] * y
        store_eight(target, 0, x0)
        store_eight(target, LANES, y0)
        store_eight(target, width, x1)
        store_eight(target, width + LANES, y1)
        store_eight(target, 2 * width, x2)
        store_eight(target, 2 * width + LANES, y2)
        store_eight(target, 3 * width, x3)
        store_eight(target, 3 * width + LANES, y3)
    for i in range(rows if rows < 4 else 0):
        row = a + i * step
        x, y = row[0] * load_eight(b, 0), row[0] * load_eight(b, LANES)
        for k in range(1, inner):
            x, y = x + row[k] * load_eight(b, k * width), y + row[k] * load_eight(b, k * width + LANES)
        store_eight(out, i * width, x)
        store_eight(out, i * width + LANES, y)
