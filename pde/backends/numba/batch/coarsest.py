"""The direct solution on the coarsest level for a group of members: by the eigenvectors of each axis, or of A."""

from __future__ import annotations

from pde.backends.numba.jit import compiled, inline
from pde.backends.numba.simd import LANES, load_eight, store_eight


@compiled
def solve_coarsest(L, reals, u, f, x):
    """u <- A^-1 f; x: space for two fields without halo."""
    n0, n1, n2 = L.n
    size = n0 * n1 * n2
    y = x + size * LANES
    if L.separable == 0:
        to = reals + L.at_modes
        back = to + size * whole(size)
        over = back + size * whole(size)
        for row in range(n0 * n1):
            copy(y + row * n2 * LANES, f + row // n1 * L.stride[0] + row % n1 * L.stride[1], n2)
        multiply(x, y, LANES, to, size)
        scale(x, over, size)
        multiply(y, x, LANES, back, size)
        for row in range(n0 * n1):
            copy(u + row // n1 * L.stride[0] + row % n1 * L.stride[1], y + row * n2 * LANES, n2)
        return
    to0 = reals + L.at_modes
    to1 = to0 + n0 * whole(n0)
    to2 = to1 + n1 * whole(n1)
    back0 = to2 + n2 * whole(n2)
    back1 = back0 + n0 * whole(n0)
    back2 = back1 + n1 * whole(n1)
    over = back2 + n2 * whole(n2)
    for row in range(n0 * n1):
        multiply(x + row * n2 * LANES, f + row // n1 * L.stride[0] + row % n1 * L.stride[1], LANES, to2, n2)
    across(n0, n1, n2, y, x, to0, to1)
    scale(y, over, size)
    across(n0, n1, n2, x, y, back0, back1)
    for row in range(n0 * n1):
        multiply(u + row // n1 * L.stride[0] + row % n1 * L.stride[1], x + row * n2 * LANES, LANES, back2, n2)


@inline
def across(n0, n1, n2, y, x, M0, M1):
    """y <- (M0 x M1) x along the first two axes; x is overwritten."""
    for i in range(n0):
        for k in range(n2):
            column = (i * n1 * n2 + k) * LANES
            multiply(y + column, x + column, n2 * LANES, M1, n1)
    if n0 > 1:
        for column in range(0, n1 * n2 * LANES, LANES):
            multiply(x + column, y + column, n1 * n2 * LANES, M0, n0)
        copy(y, x, n0 * n1 * n2)


@compiled
def multiply(y, x, step, M, n):
    """y <- M^T x for vectors of n points, `step` numbers apart; M has rows of whole LANES."""
    width = whole(n)
    for c in range(0, n, LANES):  # eight sums at a time, as one would wait for itself
        m, v = M + c, load_eight(x, 0)
        s0, s1, s2, s3 = m[0] * v, m[1] * v, m[2] * v, m[3] * v
        s4, s5, s6, s7 = m[4] * v, m[5] * v, m[6] * v, m[7] * v
        for k in range(1, n):
            m, v = M + c + k * width, load_eight(x, k * step)
            s0, s1, s2, s3 = s0 + m[0] * v, s1 + m[1] * v, s2 + m[2] * v, s3 + m[3] * v
            s4, s5, s6, s7 = s4 + m[4] * v, s5 + m[5] * v, s6 + m[6] * v, s7 + m[7] * v
        put(y, step, c, n, s0)
        put(y, step, c + 1, n, s1)
        put(y, step, c + 2, n, s2)
        put(y, step, c + 3, n, s3)
        put(y, step, c + 4, n, s4)
        put(y, step, c + 5, n, s5)
        put(y, step, c + 6, n, s6)
        put(y, step, c + 7, n, s7)


@inline
def put(y, step, k, n, values):
    """Store point k, if there is one."""
    if k < n:
        store_eight(y, k * step, values)


@inline
def scale(x, by, n):
    """x <- x by."""
    for k in range(n):
        store_eight(x, k * LANES, by[k] * load_eight(x, k * LANES))


@inline
def copy(target, source, n):
    for k in range(0, n * LANES, LANES):
        store_eight(target, k, load_eight(source, k))


@inline
def whole(n):
    """The next multiple of LANES."""
    return (n + LANES - 1) // LANES * LANES
