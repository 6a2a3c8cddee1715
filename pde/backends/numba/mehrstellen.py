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
from pde.backends.numba.layout import copy
from pde.backends.numba.pointers import address_of
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

Box = namedtuple("Box", "u f K omega n0 n1 n p0 p1 p2")
"""Pointers to the iterate, f, K and omega, the unknowns along each axis, and which of them are periodic: what rows need
is passed to functions without arrays, whose references would be counted."""

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
    total, box = 0.0, box_of(arrays, tables)
    if stage == BEFORE:
        if seam:
            bring(prepare, arrays, tables, (end - 1) % n, scratch)
        return total
    if stage == AFTER:
        if seam:
            relax_slab(box, (end - 1) % n, sweep, scratch)
            for t in range(end - 2, end + 1):
                if t % n == t or periodic:
                    total += close(finish, t == end - 1, box, arrays.result, t % n, scratch)
            if finish == DESCEND:
                descend_across(box, arrays.coarse, tables.restriction, end, scratch)
        return total
    last, first_closed, last_closed = end - seam, begin + before, end - 2 * seam
    coarse, known = 0, -1
    if finish == DESCEND:
        while coarse < arrays.coarse.shape[1] and lowest(tables.restriction, coarse) < first_closed:
            coarse += 1
    for t in range(begin, last + 3):
        if t < last:
            bring(prepare, arrays, tables, t % n, scratch)
        if sweep >= 0:
            if begin <= t - 1 < last and (t - 1 - sweep) % 2 == 0:
                relax_slab(box, (t - 1) % n, sweep, scratch)
            if begin <= t - 2 < last and (t - 2 - sweep) % 2 == 1:
                relax_slab(box, (t - 2) % n, sweep, scratch)
        done = t - 3
        if begin <= done < last:
            closed = first_closed <= done < last_closed
            if finish in (STORE, NORM) or closed:
                kind = finish if closed or finish == STORE else STORE
                total += close(kind, True, box, arrays.result, done % n, scratch)
        if finish == DESCEND:
            while coarse < arrays.coarse.shape[1] and highest(tables.restriction, coarse) <= min(done, last_closed - 1):
                known = descend(box, arrays.coarse, tables.restriction, coarse, scratch, known)
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
def box_of(arrays, tables):
    n0, n1, n = arrays.f.shape
    p = tables.periodic
    pointers = address_of(arrays.u), address_of(arrays.f), address_of(tables.K), address_of(tables.omega)
    return Box(pointers[0], pointers[1], pointers[2], pointers[3], n0, n1, n, int(p[0]), int(p[1]), int(p[2]))


@compiled
def bring(prepare, arrays, tables, t, scratch):
    """Bring a slab to the halo array, or correct it."""
    if prepare == NOTHING:
        return
    box = box_of(arrays, tables)
    flat = box.n0 == 1
    for row in range(1 if flat else box.n1):
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
        around(box, i, j)


@compiled
def relax_slab(box, t, sweep, scratch):
    """Relax a slab: in three dimensions its rows of one parity, then those of the other."""
    one, other = address_of(scratch), address_of(scratch) + scratch.shape[1]
    if box.n0 == 1:
        relax(box, 0, t, sweep, one, other)
        return
    for parity in range(2):
        for j in range((parity + sweep) % 2, box.n1, 2):
            relax(box, t, j, sweep, one, other)


@compiled
def close(finish, stored, box, result, t, scratch):
    """Be done with a slab; return the sum of squares of its residual, where that is asked for."""
    total, flat, out = 0.0, box.n0 == 1, address_of(result)
    one, other = address_of(scratch), address_of(scratch) + scratch.shape[1]
    for line in range(1 if flat else box.n1):
        i, j = (0, t) if flat else (t, line)
        target = out + (i * box.n1 + j) * box.n
        if stored and finish in (STORE, NORM):
            copy(target, row_of(box, i, j) + 1, box.n)
        if finish in (RESIDUAL, NORM):
            total += residual(target if finish == RESIDUAL else other, one, box, i, j)
    return total


@compiled
def lowest(restriction, coarse):
    """The first row of the residual that a coarse row of two dimensions needs."""
    return restriction[1][0][coarse, 0]


@compiled
def highest(restriction, coarse):
    """The last one."""
    rows, weights = restriction[1]
    last = rows[coarse, 0]
    for b in range(rows.shape[1]):
        if weights[coarse, b] != 0:
            last = max(last, rows[coarse, b])
    return last


@compiled
def descend_across(box, coarse, restriction, end, scratch):
    """Restrict the residual to the coarse rows that need a row beside the end of a block."""
    (rows, weights), known = restriction[1], -1
    for number in range(rows.shape[0]):
        near = False
        for b in range(rows.shape[1]):
            beside = (rows[number, b] - end + 2) % box.n1 < 3
            near = near or (weights[number, b] != 0 and beside)
        if near:
            known = descend(box, coarse, restriction, number, scratch, known)


@compiled
def descend(box, coarse, restriction, number, scratch, known):
    """Restrict the residual to a row of two dimensions; the last row that was needed stays, its number is returned."""
    (rows, weights), (columns, shares), t = restriction[1], restriction[2], scratch[1]
    one, sums, r = address_of(scratch), address_of(t), address_of(t) + scratch.shape[1]
    t[: box.n] = 0
    for b in range(rows.shape[1]):
        if weights[number, b] != 0:
            if rows[number, b] != known:
                known = rows[number, b]
                residual(r, one, box, 0, known)
            more(sums, r, weights[number, b], box.n)
    points(coarse[0, number], t, columns, shares, False)
    return known


@compiled
def row_of(box, i, j):
    """A row of the iterate, from the value before its first unknown."""
    return box.u + ((i + 1) * (box.n1 + 2) + j + 1) * (box.n + 2)


@compiled
def of_row(box, i, j):
    """The coefficients of a row of unknowns: 27, and 27 of its last point."""
    a, b = int(i == box.n0 - 1), int(j == box.n1 - 1)
    return box.K + (2 * a + b) * 54


@compiled
def relax(box, i, j, flip, t, new):
    """Relax one row, the odd points first where `flip`."""
    n, row = box.n, row_of(box, i, j)
    rest(t, box, i, j)
    new[0], new[n + 1] = row[0], row[n + 1]
    relax_colour(new, t, row, box, of_row(box, i, j), flip)
    relax_colour(row, t, new, box, of_row(box, i, j), 1 - flip)
    around(box, i, j)


@compiled
def relax_colour(new, t, row, box, K, parity):
    """new <- row with the points of one parity relaxed."""
    n, omega = box.n, box.omega[0]
    relaxed(new, t, row, box.omega + (1 + parity) * n, omega / K[13], K[13], K[14], n)
    new[n] = row[n]
    if parity == (n - 1) % 2:
        new[n] += omega / K[40] * (t[n - 1] - dot(row, K + 39, n))
    if box.p2 != 0:
        new[0], new[n + 1] = new[n], new[1]


@compiled
def relaxed(new, t, row, colour, weight, centre, beside, n):
    """All points are relaxed, and 0 times the change is added to those of the other colour."""
    for k in range(n):
        r = t[k] - centre * row[k + 1] - beside * (row[k] + row[k + 2])
        new[k + 1] = row[k + 1] + colour[k] * weight * r


@compiled
def residual(r, t, box, i, j):
    """r <- f - A u in a row; return the sum of squares."""
    n, row, K, total = box.n, row_of(box, i, j), of_row(box, i, j), 0.0
    rest(t, box, i, j)
    centre, beside = K[13], K[14]
    for k in range(n - 1):
        r[k] = t[k] - centre * row[k + 1] - beside * (row[k] + row[k + 2])
        total += r[k] * r[k]
    r[n - 1] = t[n - 1] - dot(row, K + 39, n)
    return total + r[n - 1] * r[n - 1]


@compiled
def rest(t, box, i, j):
    """t <- f less the terms of other rows than its own."""
    n, K, f, row = box.n, of_row(box, i, j), box.f + (i * box.n1 + j) * box.n, row_of(box, i, j)
    length, plane = n + 2, (box.n1 + 2) * (n + 2)
    pair(t, f, row - length, row + length, K[10], K[11], K[16], K[17], n)
    last = f[n - 1] - dot(row - length, K + 36, n) - dot(row + length, K + 42, n)
    if box.n0 > 1:
        below, above = row - plane, row + plane
        other_pair(t, below, above, K[4], K[5], K[22], K[23], n)
        four(t, (below - length, below + length, above - length, above + length), (K[1], K[7], K[19], K[25]), n)
        for q in range(3):
            shift = (q - 1) * length
            last -= dot(below + shift, K + 27 + 3 * q, n) + dot(above + shift, K + 45 + 3 * q, n)
    t[n - 1] = last


@compiled
def pair(t, source, x, y, x0, x1, y0, y1, n):
    """t <- source less two rows, times coefficients that are alike on both sides."""
    for k in range(n):
        t[k] = source[k] - (x0 * x[k + 1] + x1 * (x[k] + x[k + 2])) - (y0 * y[k + 1] + y1 * (y[k] + y[k + 2]))


@compiled
def other_pair(t, x, y, x0, x1, y0, y1, n):
    """The same from t itself: a compiler has to know that no two arrays overlap."""
    for k in range(n):
        t[k] -= (x0 * x[k + 1] + x1 * (x[k] + x[k + 2])) + (y0 * y[k + 1] + y1 * (y[k] + y[k + 2]))


@compiled
def four(t, rows, weights, n):
    """t less four rows, of which only the points in the middle couple."""
    w, x, y, z = rows
    w0, x0, y0, z0 = weights
    for k in range(n):
        t[k] -= w0 * w[k + 1] + x0 * x[k + 1] + y0 * y[k + 1] + z0 * z[k + 1]


@compiled
def dot(x, X, n):
    """The terms of a row in the last column."""
    return X[0] * x[n - 1] + X[1] * x[n] + X[2] * x[n + 1]


@compiled
def around(box, i, j):
    """Copy a row, and its ends, to the halo of periodic axes."""
    n, row = box.n, row_of(box, i, j)
    if box.p2 != 0:
        row[0], row[n + 1] = row[n], row[1]
    if box.p0 + box.p1 == 0 or (0 < i < box.n0 - 1 and 0 < j < box.n1 - 1):
        return
    for p in range(-box.p0, box.p0 + 1):  # on the other side, or not
        for q in range(-box.p1, box.p1 + 1):
            beyond0, beyond1 = i + p * box.n0, j + q * box.n1
            if (p != 0 or q != 0) and -1 <= beyond0 <= box.n0 and -1 <= beyond1 <= box.n1:
                copy(row_of(box, beyond0, beyond1), row, n + 2)


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
                more(address_of(t), address_of(source[p[i, a], q[j, b]]), weight, m)
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
def more(t, row, weight, n):
    for k in range(n):
        t[k] += weight * row[k]
