"""Compiled cycles on top of a hierarchy of fourth order: relaxation, residual and transfers of the compact operator.

Arrays have three axes, the first of length one in two dimensions. The iterate has a halo: zeros, or what lies around a
periodic axis. A row of it is relaxed as a whole, first its even points and then its odd ones, or the other way round;
rows of one class, by the parities of their two indices, do not couple. The coefficients are alike but for the last
plane, row and column, where the last interval of a coarse axis may be shorter.
"""

from __future__ import annotations

import numpy as np

from pde.backends.numba.jit import called, compiled
from pde.backends.numba.work_queue import BEGUN, DONE, TAKEN, begun, raise_by, wait

LOAD, ZERO, INTERPOLATE, RELAX, RESIDUAL, RESTRICT, DESCEND, CORRECT, STORE, NORM = range(10)
"""Kinds of steps; DESCEND is RESIDUAL and RESTRICT of two dimensions as one."""


@called
def execute(steps, blocks, arrays, stencil, maps, sums, counters, leads):
    """Make steps, (kind, argument) each, in blocks that any number of threads take from `counters`.

    Args:
        arrays: (u with halo, first guess, f, result, coarse); `result` takes the residual, and u at last. The guess of
            INTERPOLATE is on the coarse grid, with the values around it.
        stencil: (K, omega, periodic): K[a, b, c, i, j, k] with a, b, c = 1 in the last plane, row and column; omega[0]
            is the relaxation parameter, omega[1] and omega[2] are 1 at even and at odd points, and 0 between them.
        maps: of restriction, prolongation and interpolation, per axis (indices, weights), (points, entries).
        sums: of squares of the residual, one per block.
        leads: whether the call is the one that others wait for.
    """
    if leads:
        raise_by(counters, BEGUN, 1)
    elif not begun(counters):
        return
    u, guess, f, result, coarse = arrays
    n = f.shape[2]
    scratch = np.empty((3, max(n, coarse.shape[2]) + 2), f.dtype)
    known = -1
    while True:
        number = raise_by(counters, TAKEN, 1)
        if number >= len(steps) * blocks or not wait(counters, number // blocks * blocks):
            break
        kind, argument = steps[number // blocks]
        target, known = coarse if kind in (RESTRICT, DESCEND) else f, -1
        rows, block = target.shape[0] * target.shape[1], number % blocks
        for row in range(rows * block // blocks, rows * (block + 1) // blocks):
            i, j = row // target.shape[1], row % target.shape[1]
            if kind == RESTRICT:
                weighted(coarse[i, j], result, maps[0], i, j, scratch[0], False)
            elif kind == DESCEND:
                known = descend(coarse[i, j], u, f, stencil[0], maps[0], j, scratch, known)
            elif kind == STORE:
                result[i, j] = u[i + 1, j + 1, 1:-1]
            elif kind == RELAX:
                if argument // 2 == 2 * (i % 2) + j % 2:
                    relax(u, f, stencil, i, j, argument % 2, scratch)
            elif kind in (RESIDUAL, NORM):
                rest(scratch[0], u, f, stencil[0], i, j)
                r = scratch[1] if kind == NORM else result[i, j]
                sums[block] += own(r, scratch[0], u[i + 1, j + 1], stencil[0], i, j, f.shape)
            else:
                middle = u[i + 1, j + 1, 1:-1]
                if kind == LOAD:
                    middle[:] = guess[i, j]
                elif kind == ZERO:
                    middle[:] = 0
                elif kind == INTERPOLATE:
                    weighted(middle, guess, maps[2], i, j, scratch[0], False)
                else:
                    weighted(middle, coarse, maps[1], i, j, scratch[0], True)
                around(u, i, j, stencil[2])
        raise_by(counters, DONE, 1)
    if leads:
        wait(counters, len(steps) * blocks)


@compiled
def relax(u, f, stencil, i, j, flip, scratch):
    """Relax one row, the odd points first where `flip`."""
    K, omega, periodic = stencil
    n0, n1, n = f.shape
    t, new, row = scratch[0], scratch[1], u[i + 1, j + 1]
    a, b = int(i == n0 - 1), int(j == n1 - 1)
    rest(t, u, f, K, i, j)
    beside, centre = K[a, b, 0, 1, 1, 2], K[a, b, 0, 1, 1, 1]
    for parity in range(flip, 2 - 3 * flip, 1 - 2 * flip):
        relaxed(new, t, row, omega[1 + parity], omega[0, 0] / centre, centre, beside, n)
        if parity == (n - 1) % 2:
            new[n - 1] = row[n] + omega[0, 0] / K[a, b, 1, 1, 1, 1] * (t[n - 1] - dot(row, K[a, b, 1, 1, 1], n))
        row[1 : n + 1] = new[:n]
        if periodic[2]:
            row[0], row[n + 1] = row[n], row[1]
    around(u, i, j, periodic)


@compiled
def relaxed(new, t, row, colour, weight, centre, beside, n):
    """The row with the points of a colour relaxed: all are computed, and 0 times the change added to the others."""
    for k in range(n):
        r = t[k] - centre * row[k + 1] - beside * (row[k] + row[k + 2])
        new[k] = row[k + 1] + colour[k] * weight * r


@compiled
def rest(t, u, f, K, i, j):
    """t <- f less the terms of other rows than its own."""
    n0, n1, n = f.shape
    a, b = int(i == n0 - 1), int(j == n1 - 1)
    A, B = K[a, b, 0], K[a, b, 1]
    pair(t, f[i, j], u[i + 1, j], u[i + 1, j + 2], A[1, 0], A[1, 2], n)
    last = f[i, j, n - 1] - dot(u[i + 1, j], B[1, 0], n) - dot(u[i + 1, j + 2], B[1, 2], n)
    if n0 > 1:
        other_pair(t, u[i, j + 1], u[i + 2, j + 1], A[0, 1], A[2, 1], n)
        four(
            t, (u[i, j], u[i, j + 2], u[i + 2, j], u[i + 2, j + 2]), (A[0, 0, 1], A[0, 2, 1], A[2, 0, 1], A[2, 2, 1]), n
        )
        for q in range(3):
            last -= dot(u[i, j + q], B[0, q], n) + dot(u[i + 2, j + q], B[2, q], n)
    t[n - 1] = last


@compiled
def pair(t, source, x, y, X, Y, n):
    """t <- source less two rows, times coefficients that are alike on both sides."""
    x0, x1, y0, y1 = X[1], X[2], Y[1], Y[2]
    for k in range(n):
        t[k] = source[k] - (x0 * x[k + 1] + x1 * (x[k] + x[k + 2])) - (y0 * y[k + 1] + y1 * (y[k] + y[k + 2]))


@compiled
def other_pair(t, x, y, X, Y, n):
    """The same from t itself: a compiler has to know that no two arrays overlap."""
    x0, x1, y0, y1 = X[1], X[2], Y[1], Y[2]
    for k in range(n):
        t[k] -= (x0 * x[k + 1] + x1 * (x[k] + x[k + 2])) + (y0 * y[k + 1] + y1 * (y[k] + y[k + 2]))


@compiled
def four(t, rows, weights, n):
    """t less four rows, of which only the points in the middle couple."""
    w, x, y, z = rows
    for k in range(n):
        t[k] -= weights[0] * w[k + 1] + weights[1] * x[k + 1] + weights[2] * y[k + 1] + weights[3] * z[k + 1]


@compiled
def dot(x, X, n):
    """The terms of a row in the last column."""
    return X[0] * x[n - 1] + X[1] * x[n] + X[2] * x[n + 1]


@compiled
def own(r, t, row, K, i, j, shape):
    """r <- t less the terms of its own row; return the sum of squares."""
    n0, n1, n = shape
    a, b = int(i == n0 - 1), int(j == n1 - 1)
    centre, beside, total = K[a, b, 0, 1, 1, 1], K[a, b, 0, 1, 1, 2], 0.0
    for k in range(n - 1):
        r[k] = t[k] - centre * row[k + 1] - beside * (row[k] + row[k + 2])
        total += r[k] * r[k]
    r[n - 1] = t[n - 1] - dot(row, K[a, b, 1, 1, 1], n)
    return total + r[n - 1] * r[n - 1]


@compiled
def around(u, i, j, periodic):
    """Copy a row, and its ends, to the halo of periodic axes."""
    n0, n1, n = u.shape[0] - 2, u.shape[1] - 2, u.shape[2] - 2
    row = u[i + 1, j + 1]
    if periodic[2]:
        row[0], row[n + 1] = row[n], row[1]
    for p in range(3):  # on the other side, or not
        for q in range(3):
            beyond0, beyond1 = i + 1 + (p - 1) * n0, j + 1 + (q - 1) * n1
            moves = (p == 1 or periodic[0]) and (q == 1 or periodic[1]) and not (p == 1 and q == 1)
            if moves and 0 <= beyond0 < n0 + 2 and 0 <= beyond1 < n1 + 2:
                u[beyond0, beyond1] = row


@compiled
def descend(target, u, f, K, maps, j, scratch, known):
    """Restrict the residual to a row of two dimensions; the last row that was needed stays, its number is returned."""
    t, r, n, (q, w), (p, x) = scratch[1], scratch[2], f.shape[2], maps[1], maps[2]
    t[:n] = 0
    for b in range(q.shape[1]):
        if w[j, b] != 0:
            if q[j, b] != known:
                known = q[j, b]
                rest(scratch[0], u, f, K, 0, known)
                own(r, scratch[0], u[1, known + 1], K, 0, known, f.shape)
            more(t, r, w[j, b], n)
    points(target, t, p, x, False)
    return known


@compiled
def weighted(target, source, maps, i, j, t, add):
    """A row of a tensor product of maps along each axis: weighted rows first, and weighted points of these."""
    (p, v), (q, w), (r, x) = maps
    m = source.shape[2]
    t[:m] = 0
    for a in range(p.shape[1]):
        for b in range(q.shape[1]):
            weight = v[i, a] * w[j, b]
            if weight != 0:
                more(t, source[p[i, a], q[j, b]], weight, m)
    points(target, t, r, x, add)


@compiled
def points(target, t, r, x, add):
    """Weighted points of t, in the place of `target` or added to it."""
    for k in range(target.shape[0]):
        total = target[k] if add else t[0] * 0
        for c in range(r.shape[1]):
            total += x[k, c] * t[r[k, c]]
        target[k] = total


@compiled
def more(t, row, weight, m):
    for k in range(m):
        t[k] += weight * row[k]
