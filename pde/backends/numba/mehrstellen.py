"""Compiled passes on top of a hierarchy of fourth order: relaxation, residual and transfers of the compact operator.

Arrays have three axes, the first of length one in two dimensions. The iterate has a halo: zeros, or what lies around a
periodic axis. A slab is a plane of it, in two dimensions a row; slabs of one parity do not couple. The coefficients are
alike but for the last plane, row and column, where the last interval of a coarse axis may be shorter.

A pass brings each slab of a block to the halo array, relaxes the slab before it, then the one before that, and is done
with the next one: all while these few are in the cache. The last slab of a block has neighbours in another block. It is
brought there in a step before, and relaxed in a step after the others.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from pde.backends.numba.jit import called, compiled
from pde.backends.numba.work_queue import BEGUN, DONE, TAKEN, begun, raise_by, wait

BEFORE, PASS, AFTER, RESTRICT = range(4)
"""Stages: the last slabs of blocks are brought, all others are relaxed, these are; the residual is restricted."""

NOTHING, LOAD, ZERO, INTERPOLATE, CORRECT = range(5)
"""How the iterate comes to the halo array."""

RESIDUAL, DESCEND, STORE, NORM = range(1, 5)
"""How a pass ends: DESCEND restricts the residual in two dimensions, NORM stores and sums squares."""

Arrays = namedtuple("Arrays", "u source f result coarse")
"""The iterate with its halo, what it is brought from, f, and what takes the result or the residual on both grids. LOAD
takes the iterate from `source`, INTERPOLATE from coarse values with those around them, CORRECT a coarse correction."""

Tables = namedtuple("Tables", "K omega periodic restriction prolongation interpolation")
"""K[a, b, c, i, j, k]: the coefficients, with a, b, c = 1 in the last plane, row and column. omega: its parameter, and
rows that are 1 at points of even and of odd index. periodic: of each axis. Maps: per axis (indices, weights)."""


@called
def execute(steps, blocks, arrays, tables, sums, counters, leads):
    """Make steps, (stage, prepare, sweep, finish) each, in blocks that any number of threads take from `counters`.

    Args:
        steps: sweep is 0 forwards, 1 backwards, -1 for none.
        sums: of squares of the residual, one per block.
        leads: whether the call is the one that others wait for.
    """
    if leads:
        raise_by(counters, BEGUN, 1)
    elif not begun(counters):
        return
    width = max(arrays.f.shape[2], arrays.coarse.shape[2], arrays.source.shape[2]) + 2
    scratch = np.empty((3, width), arrays.f.dtype)
    while True:
        number = raise_by(counters, TAKEN, 1)
        if number >= len(steps) * blocks or not wait(counters, number // blocks * blocks):
            break
        step, block = steps[number // blocks], number % blocks
        if step[0] == RESTRICT:
            restrict(arrays, tables, block, blocks, scratch)
        else:
            sums[block] += make(step, arrays, tables, block, blocks, scratch)
        raise_by(counters, DONE, 1)
    if leads:
        wait(counters, len(steps) * blocks)


@compiled
def restrict(arrays, tables, block, blocks, scratch):
    """Restrict `result` to the coarse rows of a block."""
    m0, m1, _ = arrays.coarse.shape
    for row in range(m0 * m1 * block // blocks, m0 * m1 * (block + 1) // blocks):
        i, j = row // m1, row % m1
        weighted(arrays.coarse[i, j], arrays.result, tables.restriction, i, j, scratch[0], False)


@compiled
def make(step, arrays, tables, block, blocks, scratch):
    """Make a step on the slabs of a block; return the sum of squares of the residual, where that is asked for."""
    stage, prepare, sweep, finish = step[0], step[1], step[2], step[3]
    n0, n1, _ = arrays.f.shape
    flat = n0 == 1
    n, periodic = (n1, tables.periodic[1]) if flat else (n0, tables.periodic[0])
    begin, end = bound(block, blocks, n, sweep, periodic), bound(block + 1, blocks, n, sweep, periodic)
    seam = int(sweep >= 0 and (periodic or block + 1 < blocks))
    before = int(sweep >= 0 and (periodic or block > 0))
    total = 0.0
    if stage == BEFORE:
        if seam:
            bring(prepare, arrays, tables, (end - 1) % n, scratch)
        return total
    if stage == AFTER:
        if seam:
            relax_slab(arrays, tables, (end - 1) % n, sweep, scratch)
            for t in range(end - 2, end + 1):
                if t % n == t or periodic:
                    total += close(finish, t == end - 1, arrays, tables, t % n, scratch)
            if finish == DESCEND:
                descend_across(arrays, tables, end, scratch)
        return total
    last, first_closed, last_closed = end - seam, begin + before, end - 2 * seam
    coarse, known = 0, -1
    if finish == DESCEND:
        while coarse < arrays.coarse.shape[1] and lowest(tables, coarse) < first_closed:
            coarse += 1
    for t in range(begin, last + 3):
        if t < last:
            bring(prepare, arrays, tables, t % n, scratch)
        if sweep >= 0:
            if begin <= t - 1 < last and (t - 1 - sweep) % 2 == 0:
                relax_slab(arrays, tables, (t - 1) % n, sweep, scratch)
            if begin <= t - 2 < last and (t - 2 - sweep) % 2 == 1:
                relax_slab(arrays, tables, (t - 2) % n, sweep, scratch)
        done = t - 3
        if begin <= done < last:
            closed = first_closed <= done < last_closed
            if finish in (STORE, NORM) or closed:
                kind = finish if closed or finish == STORE else STORE
                total += close(kind, True, arrays, tables, done % n, scratch)
        if finish == DESCEND:
            while coarse < arrays.coarse.shape[1] and highest(tables, coarse) <= min(done, last_closed - 1):
                known = descend(arrays, tables, coarse, scratch, known)
                coarse += 1
    return total


@compiled
def bound(block, blocks, n, sweep, periodic):
    """The first slab of a block: of the parity that is relaxed first, but where an axis begins."""
    parity = max(sweep, 0)
    if block == 0 or block == blocks:
        return (n if block else 0) + parity * periodic
    middle = n * block // blocks
    return middle + (middle - parity) % 2


@compiled
def bring(prepare, arrays, tables, t, scratch):
    """Bring a slab to the halo array, or correct it."""
    if prepare == NOTHING:
        return
    flat = arrays.f.shape[0] == 1
    for row in range(1 if flat else arrays.f.shape[1]):
        i, j = (0, t) if flat else (t, row)
        middle = arrays.u[i + 1, j + 1, 1:-1]
        if prepare == LOAD:
            middle[:] = arrays.source[i, j]
        elif prepare == ZERO:
            middle[:] = 0
        elif prepare == INTERPOLATE:
            weighted(middle, arrays.source, tables.interpolation, i, j, scratch[0], False)
        else:
            weighted(middle, arrays.source, tables.prolongation, i, j, scratch[0], True)
        around(arrays.u, i, j, tables.periodic)


@compiled
def relax_slab(arrays, tables, t, sweep, scratch):
    """Relax a slab: in three dimensions its rows of one parity, then those of the other."""
    if arrays.f.shape[0] == 1:
        relax(arrays, tables, 0, t, sweep, scratch)
        return
    for parity in range(2):
        for j in range((parity + sweep) % 2, arrays.f.shape[1], 2):
            relax(arrays, tables, t, j, sweep, scratch)


@compiled
def close(finish, stored, arrays, tables, t, scratch):
    """Be done with a slab; return the sum of squares of its residual, where that is asked for."""
    total, flat = 0.0, arrays.f.shape[0] == 1
    for row in range(1 if flat else arrays.f.shape[1]):
        i, j = (0, t) if flat else (t, row)
        if stored and finish in (STORE, NORM):
            arrays.result[i, j] = arrays.u[i + 1, j + 1, 1:-1]
        if finish in (RESIDUAL, NORM):
            r = scratch[1] if finish == NORM else arrays.result[i, j]
            total += residual(r, scratch[0], arrays, tables.K, i, j)
    return total


@compiled
def lowest(tables, coarse):
    """The first row of the residual that a coarse row of two dimensions needs."""
    return tables.restriction[1][0][coarse, 0]


@compiled
def highest(tables, coarse):
    """The last one."""
    rows, weights = tables.restriction[1]
    last = rows[coarse, 0]
    for b in range(rows.shape[1]):
        if weights[coarse, b] != 0:
            last = max(last, rows[coarse, b])
    return last


@compiled
def descend_across(arrays, tables, end, scratch):
    """Restrict the residual to the coarse rows that need a row beside the end of a block."""
    rows, weights = tables.restriction[1]
    n, known = arrays.f.shape[1], -1
    for coarse in range(rows.shape[0]):
        near = False
        for b in range(rows.shape[1]):
            beside = (rows[coarse, b] - end + 2) % n < 3
            near = near or (weights[coarse, b] != 0 and beside)
        if near:
            known = descend(arrays, tables, coarse, scratch, known)


@compiled
def descend(arrays, tables, coarse, scratch, known):
    """Restrict the residual to a row of two dimensions; the last row that was needed stays, its number is returned."""
    t, r, n = scratch[1], scratch[2], arrays.f.shape[2]
    (rows, weights), (columns, shares) = tables.restriction[1], tables.restriction[2]
    t[:n] = 0
    for b in range(rows.shape[1]):
        if weights[coarse, b] != 0:
            if rows[coarse, b] != known:
                known = rows[coarse, b]
                residual(r, scratch[0], arrays, tables.K, 0, known)
            more(t, r, weights[coarse, b], n)
    points(arrays.coarse[0, coarse], t, columns, shares, False)
    return known


@compiled
def relax(arrays, tables, i, j, flip, scratch):
    """Relax one row, the odd points first where `flip`."""
    u, K, omega = arrays.u, tables.K, tables.omega
    n0, n1, n = arrays.f.shape
    t, new, row = scratch[0], scratch[1], u[i + 1, j + 1]
    a, b = int(i == n0 - 1), int(j == n1 - 1)
    rest(t, u, arrays.f, K, i, j)
    beside, centre = K[a, b, 0, 1, 1, 2], K[a, b, 0, 1, 1, 1]
    for parity in range(flip, 2 - 3 * flip, 1 - 2 * flip):
        relaxed(new, t, row, omega[1 + parity], omega[0, 0] / centre, centre, beside, n)
        if parity == (n - 1) % 2:
            new[n - 1] = row[n] + omega[0, 0] / K[a, b, 1, 1, 1, 1] * (t[n - 1] - dot(row, K[a, b, 1, 1, 1], n))
        row[1 : n + 1] = new[:n]
        if tables.periodic[2]:
            row[0], row[n + 1] = row[n], row[1]
    around(u, i, j, tables.periodic)


@compiled
def relaxed(new, t, row, colour, weight, centre, beside, n):
    """The row with the points of a colour relaxed: all are computed, and 0 times the change added to the others."""
    for k in range(n):
        r = t[k] - centre * row[k + 1] - beside * (row[k] + row[k + 2])
        new[k] = row[k + 1] + colour[k] * weight * r


@compiled
def residual(r, t, arrays, K, i, j):
    """r <- f - A u in a row; return the sum of squares."""
    n0, n1, n = arrays.f.shape
    row, a, b, total = arrays.u[i + 1, j + 1], int(i == n0 - 1), int(j == n1 - 1), 0.0
    rest(t, arrays.u, arrays.f, K, i, j)
    centre, beside = K[a, b, 0, 1, 1, 1], K[a, b, 0, 1, 1, 2]
    for k in range(n - 1):
        r[k] = t[k] - centre * row[k + 1] - beside * (row[k] + row[k + 2])
        total += r[k] * r[k]
    r[n - 1] = t[n - 1] - dot(row, K[a, b, 1, 1, 1], n)
    return total + r[n - 1] * r[n - 1]


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
