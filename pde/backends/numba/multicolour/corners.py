"""Transfers that follow the operator: weights of corners from its equations, products, and the transfers themselves.

A point that lies between coarse ones along some axes has the corners of the coarse cell around it, `corner(...)` by a
bit for each axis; see `pde.levels.black_box` for the weights.
"""

from __future__ import annotations

from pde.backends.numba.jit import compiled, inline
from pde.backends.numba.multicolour.galerkin import field
from pde.backends.numba.multicolour.rows import beside, residual_row, row_of, zero
from pde.backends.numba.pointers import pointer


@inline
def between(level, a, i):
    """Return 1 where an index of an axis lies between coarse ones, else 0."""
    return pointer(level.like.index, level.record.between[a])[i]


@inline
def corner(level, a, bit, i):
    """Return the coarse index of the low or high corner along an axis."""
    return pointer(level.like.index, level.record.line[a].parents)[bit * level.record.n[a] + i]


@compiled
def slot(level, b0, b1, b2):
    """Point to the weights of a corner."""
    L = level.record
    number = 2 * b0 + b2 if L.flat != 0 else 4 * b0 + 2 * b1 + b2
    return pointer(level.like.real, L.corners) + number * (L.n[0] * L.n[1] * L.n[2])


@compiled
def sum_equation(level, i0, i1, j, sums):
    """Sum up the equation of a point across the axes along which it is not between coarse ones.

    sums: 27 numbers by direction, the centre without the reaction.
    """
    L, like = level.record, level.like
    x0, x1, x2 = between(level, 0, i0), between(level, 1, i1), between(level, 2, j)
    zero(sums, 0, 27)
    sums[13] = row_of(L.diagonal, like.real, i0, i1)[j] - row_of(L.reaction, like.real, i0, i1)[j]
    for e in range(L.entries):
        k0, _, _, value = neighbour(level, e, i0, i1, j)
        if k0 >= 0:
            c = level.entries[e]
            sums[13 + 9 * x0 * c.d0 + 3 * x1 * c.d1 + x2 * c.d2] -= value


@compiled
def corner_plane(level, count, interior, i0, work):
    """Set the weights of the points in a plane that lie between coarse ones along `count` axes."""
    L = level.record
    n0, n1, n2 = L.n[0], L.n[1], L.n[2]
    size, x0 = n1 * n2, between(level, 0, i0)
    for i1 in range(n1):
        x1 = between(level, 1, i1)
        for j in range(n2):
            x2 = between(level, 2, j)
            if x0 + x1 + x2 != count:
                continue
            here = i0 * size + i1 * n2 + j
            for b in range(8):
                if L.flat == 0 or b & 2 == 0:
                    slot(level, b >> 2, b >> 1 & 1, b & 1)[here] = 0
            if count == 0:
                slot(level, 0, 0, 0)[here] = 1
                continue
            sum_equation(level, i0, i1, j, work)
            diagonal, away = work[13], work[13] * 0
            for k in range(27):
                away -= work[k] if k != 13 else 0
            inside = away > 0 and abs(diagonal - away) <= interior * diagonal
            over = 1 / (away if inside else max(diagonal, away))
            for k in range(27):
                if k == 13 or work[k] == 0:
                    continue
                d0, d1, d2 = k // 9 - 1, k // 3 % 3 - 1, k % 3 - 1
                k0, k1 = beside(i0 + d0, n0, L.periodic[0]), beside(i1 + d1, n1, L.periodic[1])
                there = k0 * size + k1 * n2 + beside(j + d2, n2, L.periodic[2])
                for b in range(8):  # the corners of the neighbour, which lies at this side along the axes of k
                    b0, b1, b2 = b >> 2, b >> 1 & 1, b & 1
                    if (b0 != 0 and d0 != 0) or (b1 != 0 and d1 != 0) or (b2 != 0 and d2 != 0):
                        continue
                    if (b0 > x0) or (b1 > x1) or (b2 > x2):
                        continue
                    weight = slot(level, b0, b1, b2)[there]
                    c0, c1, c2 = b0 | (d0 > 0), b1 | (d1 > 0), b2 | (d2 > 0)
                    slot(level, c0, c1, c2)[here] -= work[k] * over * weight


@compiled
def weak_plane(level, flags, weak, i0, work):
    """Set 1 where the couplings of a point to the coarse ones beside it are weak, else 0; see `black_box.Tips`."""
    n1, n2 = level.record.n[1], level.record.n[2]
    for i1 in range(n1):
        for j in range(n2):
            found = False
            if between(level, 0, i0) + between(level, 1, i1) + between(level, 2, j) != 0:
                sum_equation(level, i0, i1, j, work)
                away, (_, total) = work[13] * 0, couplings(level, flags, 0, i0, i1, j)
                for k in range(27):
                    away -= work[k] if k != 13 else 0
                found = away < weak * total
            flags[(i0 * n1 + i1) * n2 + j] = 1 if found else 0


@compiled
def tips_in_plane(level, flags, firm, i0):
    """Count the tips in a plane, see `black_box.Tips`."""
    L = level.record
    n1, n2, count = L.n[1], L.n[2], 0
    for i1 in range(n1):
        for j in range(n2):
            if flags[(i0 * n1 + i1) * n2 + j] == 0:
                continue
            _, total = couplings(level, flags, 0, i0, i1, j)
            strong, holds = 0, False
            for e in range(L.entries):
                k0, k1, k2, value = neighbour(level, e, i0, i1, j)
                if k0 >= 0 and value > firm * total:
                    strong += 1
                    more = between(level, 0, k0) - between(level, 0, i0)
                    more += between(level, 1, k1) - between(level, 1, i1) + between(level, 2, k2) - between(level, 2, j)
                    held, _ = couplings(level, flags, 1, k0, k1, k2)
                    holds = more > 0 and flags[(k0 * n1 + k1) * n2 + k2] == 0 and held > firm * value
            count += 1 if strong == 1 and holds else 0
    return count


@compiled
def neighbour(level, e, i0, i1, j):
    """Return the place of a neighbour, -1 beyond the box, and the coupling to it."""
    L, like = level.record, level.like
    c = level.entries[e]
    k0, k1 = beside(i0 + c.d0, L.n[0], L.periodic[0]), beside(i1 + c.d1, L.n[1], L.periodic[1])
    k2 = beside(j + c.d2, L.n[2], L.periodic[2])
    value = level.signs[c.sign] * pointer(like.real, c.at)[i0 * c.plane + i1 * c.row + j * c.step]
    return -1 if k1 < 0 or k2 < 0 else k0, k1, k2, value


@compiled
def couplings(level, flags, firm, i0, i1, j):
    """Return the sums of a point's couplings to points that are not weak, if `firm`, and to all."""
    L = level.record
    some = every = row_of(L.diagonal, level.like.real, i0, i1)[j] * 0
    for e in range(L.entries):
        k0, k1, k2, value = neighbour(level, e, i0, i1, j)
        if k0 >= 0:
            every += value
            if firm != 0 and flags[(k0 * L.n[1] + k1) * L.n[2] + k2] == 0:
                some += value
    return some, every


@compiled
def product_plane(level, out, volumes, size, i0, work):
    """Set the coefficients of R A P and the control volumes P^T W 1 at a coarse plane."""
    L, like = level.record, level.like
    m0, part, flat = L.line[0].coarse, L.line[1].coarse * L.line[2].coarse, L.flat != 0
    planes = pointer(like.index, L.line[0].children)
    for k in range(27):
        if not flat or k // 3 % 3 == 1:
            zero(field(out, size, k, flat) + i0 * part, 0, part)
    zero(volumes + i0 * part, 0, part)
    for c in range(3):
        i = planes[c * m0 + i0]
        if i >= 0:
            for i1 in range(L.n[1]):
                for j in range(L.n[2]):
                    add_products(level, out, volumes, size, i, i1, j, 1 if c == 0 else 0, work)
    for k in range(27):
        if not flat or k // 3 % 3 == 1:
            target = field(out, size, k, flat)
            for j in range(i0 * part, (i0 + 1) * part):
                target[j] /= volumes[j]


@inline
def step_to(here, there, d, bit):
    """Return where a corner of the neighbour at distance d lies: 1 is one's own low corner, 0 before and 2 behind it.

    here, there: whether the point and its neighbour lie between coarse ones.
    """
    if d == 0:
        return 1 + bit
    if here != 0:
        return 2 if d > 0 else 1
    if there == 0:
        return 1 + d
    return 1 + bit if d > 0 else bit


@compiled
def add_products(level, out, volumes, size, i0, i1, j, b0, sums):
    """Add the share of a fine point to the products of its corners on side b0 of its plane.

    sums: 27 numbers, A P of the point, by `step_to` along each axis.
    """
    L, like = level.record, level.like
    n1, n2, m1, m2 = L.n[1], L.n[2], L.line[1].coarse, L.line[2].coarse
    x0, x1, x2 = between(level, 0, i0), between(level, 1, i1), between(level, 2, j)
    zero(sums, 0, 27)
    for e in range(-1, L.entries):
        k0, k1, k2, d0, d1, d2 = i0, i1, j, 0, 0, 0
        value = row_of(L.diagonal, like.real, i0, i1)[j]
        if e >= 0:
            c = level.entries[e]
            d0, d1, d2 = c.d0, c.d1, c.d2
            k0, k1, k2, coupling = neighbour(level, e, i0, i1, j)
            value = -coupling
            if k0 < 0:
                continue
        there = (k0 * n1 + k1) * n2 + k2
        y0, y1, y2 = between(level, 0, k0), between(level, 1, k1), between(level, 2, k2)
        for c0 in range(1 + y0):
            for c1 in range(1 + y1):
                for c2 in range(1 + y2):
                    to = 9 * step_to(x0, y0, d0, c0) + 3 * step_to(x1, y1, d1, c1) + step_to(x2, y2, d2, c2)
                    sums[to] += value * slot(level, c0, c1, c2)[there]
    W, here = row_of(L.volumes, like.real, i0, i1)[j], (i0 * n1 + i1) * n2 + j
    for b1 in range(1 + x1):
        for b2 in range(1 + x2):
            x = W * slot(level, b0, b1, b2)[here]
            if x == 0:
                continue
            J = (corner(level, 0, b0, i0) * m1 + corner(level, 1, b1, i1)) * m2 + corner(level, 2, b2, j)
            volumes[J] += x
            for k in range(27):
                if sums[k] != 0:
                    target = 9 * (k // 9 - b0) + 3 * (k // 3 % 3 - b1) + k % 3 - b2
                    field(out, size, target, L.flat != 0)[J] += x * sums[k]


@compiled
def prolong_corners(level, u, e, i0):
    """u += P e in a plane."""
    L, like = level.record, level.like
    n1, n2, m1, m2 = L.n[1], L.n[2], L.line[1].coarse, L.line[2].coarse
    columns = pointer(like.index, L.line[2].parents)
    for i1 in range(n1):
        at = (i0 * n1 + i1) * n2
        here = u + at
        for b0 in range(1 + between(level, 0, i0)):
            for b1 in range(1 + between(level, 1, i1)):
                row = e + (corner(level, 0, b0, i0) * m1 + corner(level, 1, b1, i1)) * m2
                low, high = slot(level, b0, b1, 0) + at, slot(level, b0, b1, 1) + at
                for j in range(n2):
                    here[j] += low[j] * row[columns[j]] + high[j] * row[columns[n2 + j]]


@compiled
def restrict_corners(level, out, u, f, known, first, last, work):
    """out <- R (f - A u) in coarse planes first, ..., last - 1."""
    L, like = level.record, level.like
    m0, part = L.line[0].coarse, L.line[1].coarse * L.line[2].coarse
    planes, volumes = pointer(like.index, L.line[0].children), pointer(like.real, L.coarse_volumes)
    zero(out + first * part, 0, (last - first) * part)
    for i in range(first, last):
        for c in range(0 if i == first else 1, 3):
            plane = planes[c * m0 + i]
            if plane >= 0:
                own, next_ = out + i * part, out + (i + 1) * part
                add_restricted(level, own, next_, c, i + 1 < last, u, f, known, plane, work)
    for j in range(first * part, last * part):
        out[j] /= volumes[j]


@compiled
def add_restricted(level, own, next_, c, both, u, f, known, i0, r):
    """Add P^T W of the residual in a plane, which is before (c = 0), in or behind a coarse one, and to the next one."""
    L, like = level.record, level.like
    n1, n2, m2 = L.n[1], L.n[2], L.line[2].coarse
    columns = pointer(like.index, L.line[2].parents)
    for i1 in range(n1):
        residual_row(r, level, u, f, known, i0, i1)
        W, at = row_of(L.volumes, like.real, i0, i1), (i0 * n1 + i1) * n2
        for j in range(n2):
            r[j] *= W[j]
        for k in range(2 if c == 2 and both else 1):
            target, b0 = (next_, 1) if k == 1 else (own, 1 if c == 0 else 0)
            for b1 in range(1 + between(level, 1, i1)):
                row = target + corner(level, 1, b1, i1) * m2
                low, high = slot(level, b0, b1, 0) + at, slot(level, b0, b1, 1) + at
                for j in range(n2):
                    row[columns[j]] += low[j] * r[j]
                for j in range(n2):
                    row[columns[n2 + j]] += high[j] * r[j]
