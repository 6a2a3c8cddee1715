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
def sum_equations(sums, away, every, level, i0, i1):
    """Sum up the equations of a row, each across the axes along which its point is not between coarse ones.

    sums: 27 rows by direction, of which those that occur are set; the centre without the reaction.
    away, every: rows of sums of the couplings that lead to coarse points, and of all.
    """
    L, like = level.record, level.like
    n0, n1, n2 = L.n[0], L.n[1], L.n[2]
    x0, x1 = between(level, 0, i0), between(level, 1, i1)
    for d0 in range(-x0, x0 + 1):
        for d1 in range(-x1, x1 + 1):
            zero(sums + (12 + 9 * d0 + 3 * d1) * n2, 0, 3 * n2)
    zero(away, 0, n2)
    zero(every, 0, n2)
    centre, diagonal = sums + 13 * n2, row_of(L.diagonal, like.real, i0, i1)
    reaction, aside = row_of(L.reaction, like.real, i0, i1), pointer(like.real, L.aside)
    for j in range(n2):
        centre[j] = diagonal[j] - reaction[j]
    for e in range(L.entries):
        c = level.entries[e]
        if beside(i0 + c.d0, n0, L.periodic[0]) < 0 or beside(i1 + c.d1, n1, L.periodic[1]) < 0:
            continue
        values, sign = pointer(like.real, c.at) + (i0 * c.plane + i1 * c.row), level.signs[c.sign]
        first, last = (0, n2) if L.periodic[2] != 0 else (max(0, -c.d2), min(n2, n2 - c.d2))
        k = 13 + 9 * x0 * c.d0 + 3 * x1 * c.d1
        whole, part = sums + k * n2, sums + (k + c.d2) * n2
        for j in range(first, last):
            every[j] += sign * values[j * c.step]
        if k != 13 or c.d2 == 0:
            for j in range(first, last):
                away[j] += sign * values[j * c.step] if k != 13 else 0
        else:
            for j in range(first, last):
                away[j] += sign * values[j * c.step] * aside[j]
        for j in range(first, last):
            value = sign * values[j * c.step]
            along = value * aside[j] if c.d2 != 0 else 0
            whole[j] -= value - along
            part[j] -= along


@compiled
def corner_plane(level, count, interior, i0, work):
    """Set the weights of the points in a plane that lie between coarse ones along `count` axes."""
    L, like = level.record, level.like
    n0, n1, n2, x0 = L.n[0], L.n[1], L.n[2], between(level, 0, i0)
    sums, away, every = work, work + 27 * n2, work + 28 * n2
    for i1 in range(n1):
        x1 = between(level, 1, i1)
        x2 = count - x0 - x1
        if x2 < 0 or x2 > 1:
            continue
        at, chosen = (i0 * n1 + i1) * n2, pointer(like.index, L.between[2])
        for b in range(8):
            if L.flat == 0 or b & 2 == 0:
                target, one = slot(level, b >> 2, b >> 1 & 1, b & 1) + at, 1 if b == 0 and count == 0 else 0
                for j in range(n2):
                    target[j] = one if chosen[j] == x2 else target[j]
        if count == 0:
            continue
        sum_equations(sums, away, every, level, i0, i1)
        centre = sums + 13 * n2
        for j in range(n2):
            inside = away[j] > 0 and abs(centre[j] - away[j]) <= interior * centre[j]
            total = away[j] if inside else max(centre[j], away[j])
            away[j] = 1 / total if chosen[j] == x2 else 0
        for d0 in range(-x0, x0 + 1):
            for d1 in range(-x1, x1 + 1):
                for d2 in range(-x2, x2 + 1):
                    if d0 == 0 and d1 == 0 and d2 == 0:
                        continue
                    k0, k1 = beside(i0 + d0, n0, L.periodic[0]), beside(i1 + d1, n1, L.periodic[1])
                    if k0 < 0 or k1 < 0:
                        continue
                    share, there = sums + (13 + 9 * d0 + 3 * d1 + d2) * n2, (k0 * n1 + k1) * n2
                    # the neighbour lies at this side along the axes of the direction, and has the other corners as well
                    for b0 in range(1 + x0 * (d0 == 0)):
                        for b1 in range(1 + x1 * (d1 == 0)):
                            for b2 in range(1 + x2 * (d2 == 0)):
                                weights = slot(level, b0, b1, b2) + there
                                target = slot(level, b0 | (d0 > 0), b1 | (d1 > 0), b2 | (d2 > 0)) + at
                                subtract_products(target, share, away, weights, d2, n2, L.periodic[2])


@compiled
def subtract_products(target, share, over, weights, d, n, periodic):
    """Subtract share_j over_j weights_(j + d) from a row where over_j is not zero: others may not be known yet."""
    for j in range(max(0, -d), min(n, n - d)):
        less = target[j] - share[j] * over[j] * weights[j + d]
        target[j] = less if over[j] != 0 else target[j]
    if periodic != 0 and d != 0:
        j = 0 if d < 0 else n - 1
        if over[j] != 0:
            target[j] -= share[j] * over[j] * weights[(j + d + n) % n]


@compiled
def weak_plane(level, flags, weak, i0, work):
    """Set 1 where the couplings of a point to the coarse ones beside it are weak, else 0; see `black_box.Tips`."""
    L = level.record
    n1, n2 = L.n[1], L.n[2]
    away, every, aside = work + 27 * n2, work + 28 * n2, pointer(level.like.real, L.aside)
    for i1 in range(n1):
        flag, aligned = flags + (i0 * n1 + i1) * n2, between(level, 0, i0) + between(level, 1, i1) == 0
        sum_equations(work, away, every, level, i0, i1)
        for j in range(n2):
            found = away[j] < weak * every[j] and (not aligned or aside[j] != 0)
            flag[j] = 1 if found else 0


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
                product_row(level, out, volumes, size, i, i1, 1 if c == 0 else 0, work)
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
def product_row(level, out, volumes, size, i0, i1, b0, work):
    """Add the share of a fine row to the products of its corners on side b0 of its plane."""
    L, like = level.record, level.like
    n1, n2, m1, m2 = L.n[1], L.n[2], L.line[1].coarse, L.line[2].coarse
    x0, x1, at = between(level, 0, i0), between(level, 1, i1), (i0 * n1 + i1) * n2
    sums, low, high = work, work + 27 * n2, work + 28 * n2
    apply_to_corners(sums, level, i0, i1)
    W = row_of(L.volumes, like.real, i0, i1)
    before = pointer(like.index, L.line[2].children)
    here, behind, exists = before + m2, before + 2 * m2, pointer(like.real, L.behind)
    for b1 in range(1 + x1):
        first, second = slot(level, b0, b1, 0) + at, slot(level, b0, b1, 1) + at
        for j in range(n2):
            low[j], high[j] = W[j] * first[j], W[j] * second[j]
        row = (corner(level, 0, b0, i0) * m1 + corner(level, 1, b1, i1)) * m2
        total = volumes + row
        for J in range(m2):
            total[J] += high[before[J]] + low[here[J]] + exists[J] * low[behind[J]]
        for s0 in range(x0, 3):
            for s1 in range(x1, 3):
                if L.flat != 0 and s1 != 1:
                    continue
                part = sums + (9 * s0 + 3 * s1) * n2
                for d in range(3):
                    target = field(out, size, 9 * (s0 - b0) + 3 * (s1 - b1) + d, L.flat != 0) + row
                    own, next_ = part + d * n2, part + min(d + 1, 2) * n2
                    if d < 2:
                        for J in range(m2):
                            target[J] += high[before[J]] * next_[before[J]]
                    for J in range(m2):
                        target[J] += low[here[J]] * own[here[J]] + exists[J] * low[behind[J]] * own[behind[J]]


@compiled
def apply_to_corners(sums, level, i0, i1):
    """Set 27 rows to A P of a row of points, by `step_to` along each axis."""
    L, like = level.record, level.like
    n1, n2 = L.n[1], L.n[2]
    x0, x1 = between(level, 0, i0), between(level, 1, i1)
    zero(sums, 0, 27 * n2)
    for e in range(-1, L.entries):
        k0, k1, d0, d1, d2, step, sign = i0, i1, 0, 0, 0, 1, -level.signs[0]
        values = row_of(L.diagonal, like.real, i0, i1)
        if e >= 0:
            c = level.entries[e]
            d0, d1, d2, step, sign = c.d0, c.d1, c.d2, c.step, level.signs[c.sign]
            k0, k1 = beside(i0 + d0, L.n[0], L.periodic[0]), beside(i1 + d1, n1, L.periodic[1])
            values = pointer(like.real, c.at) + (i0 * c.plane + i1 * c.row)
        if k0 < 0 or k1 < 0:
            continue
        y0, y1 = between(level, 0, k0), between(level, 1, k1)
        for c0 in range(1 + y0):
            for c1 in range(1 + y1):
                row = sums + (9 * step_to(x0, y0, d0, c0) + 3 * step_to(x1, y1, d1, c1)) * n2
                for c2 in range(2):
                    weights = slot(level, c0, c1, c2) + (k0 * n1 + k1) * n2
                    add_along_row(row, level, values, step, sign, weights, d2, c2)


@compiled
def add_along_row(row, level, values, step, sign, weights, d, c):
    """Subtract A P for one neighbour of each point of a row and one of its corners, at the place of each."""
    L = level.record
    n = L.n[2]
    first, last = max(0, -d), min(n, n - d)
    for s in range(3):
        chosen = pointer(level.like.real, L.places) + ((3 * (d + 1) + s) * 2 + c) * n
        if pointer(level.like.index, L.placed)[(3 * (d + 1) + s) * 2 + c] == 0:
            continue
        target = row + s * n
        for j in range(first, last):
            target[j] -= sign * values[j * step] * chosen[j] * weights[j + d]
        if L.periodic[2] != 0 and d != 0:
            j = 0 if d < 0 else n - 1
            target[j] -= sign * values[j * step] * chosen[j] * weights[(j + d + n) % n]


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
    before = pointer(like.index, L.line[2].children)
    here, behind, exists = before + m2, before + 2 * m2, pointer(like.real, L.behind)
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
                for J in range(m2):
                    row[J] += high[before[J]] * r[before[J]] + low[here[J]] * r[here[J]]
                for J in range(m2):
                    row[J] += exists[J] * low[behind[J]] * r[behind[J]]
