"""R A P as coefficients of 3^d points, plane by plane of the coarse grid."""

from __future__ import annotations

from pde.backends.numba.jit import compiled
from pde.backends.numba.multicolour.records import CHILDREN
from pde.backends.numba.multicolour.rows import beside, row_of, zero
from pde.backends.numba.multicolour.transfers import add_multiple, parents
from pde.backends.numba.pointers import pointer


@compiled
def direction(here, there, m):
    """Return 0, 1 or 2 for a coarse point before, at or behind another one, around a periodic axis too."""
    d = there - here
    if d == 0:
        return 1
    if d == 1 or (d == 1 - m and m > 2):
        return 2
    return 0


@compiled
def galerkin_plane(level, out, size, i0, work):
    """Set the coefficients at a coarse plane: 27 (or 9 of them, in two dimensions) fields of `size` numbers."""
    L, like = level.record, level.like
    line, m0 = L.line[0], L.line[0].coarse
    part = L.line[1].coarse * L.line[2].coarse
    flat = L.flat != 0
    fine, weight = pointer(like.index, line.children), pointer(like.real, line.weights)
    within, rest = work, work + 27 * part
    for k in range(27):
        if not flat or k // 3 % 3 == 1:
            zero(field(out, size, k, flat) + i0 * part, 0, part)
    for c in range(CHILDREN):
        x = weight[c * m0 + i0]
        if x == 0:
            continue
        i = fine[c * m0 + i0]
        zero(within, 0, 27 * part)
        collapse_plane(within, level, i, part, rest)
        for d0 in range(3):
            there = beside(i + d0 - 1, L.n[0], L.periodic[0])
            if there < 0:
                continue
            p, q, v, w = parents(line, like, there)
            for k in range(9):
                if flat and k // 3 != 1:
                    continue
                source = within + (9 * d0 + k) * part
                if v != 0:
                    target = field(out, size, 9 * direction(i0, p, m0) + k, flat) + i0 * part
                    add_multiple(target, source, x * v, part)
                if w != 0:
                    target = field(out, size, 9 * direction(i0, q, m0) + k, flat) + i0 * part
                    add_multiple(target, source, x * w, part)
    finish_plane(level, out, size, i0, part, flat)


@compiled
def field(out, size, k, flat):
    """Point to a field of coefficients by its offset, 9 d0 + 3 d1 + d2; there are but 9 in two dimensions."""
    return out + (k // 9 * 3 + k % 3 if flat else k) * size


@compiled
def finish_plane(level, out, size, i0, part, flat):
    """Leave out what leads to or from masked coarse points, whose diagonal is 1."""
    L, like = level.record, level.like
    if L.coarse_mask == 0:
        return
    m0, m1, m2 = L.line[0].coarse, L.line[1].coarse, L.line[2].coarse
    mask = pointer(like.byte, L.coarse_mask)
    for k in range(27):
        if flat and k // 3 % 3 != 1:
            continue
        plane = field(out, size, k, flat) + i0 * part
        k0 = beside(i0 + k // 9 - 1, m0, L.periodic[0])
        for i1 in range(m1):
            k1 = beside(i1 + k // 3 % 3 - 1, m1, L.periodic[1])
            target, here = plane + i1 * m2, mask + (i0 * m1 + i1) * m2
            if k0 < 0 or k1 < 0:
                zero(target, 0, m2)
                continue
            there = mask + (k0 * m1 + k1) * m2
            for j in range(m2):
                k2 = beside(j + k % 3 - 1, m2, L.periodic[2])
                known = k2 >= 0 and here[j] != 0 and there[k2] != 0
                target[j] = target[j] if known else 0
    centre = field(out, size, 13, flat) + i0 * part
    for j in range(part):
        centre[j] = centre[j] if centre[j] != 0 else 1


@compiled
def collapse_plane(within, level, i0, part, work):
    """Collapse the coefficients of a fine plane along its rows and columns, and add them to the 27 fields `within`."""
    L, like = level.record, level.like
    n1, line, m1, m2 = L.n[1], L.line[1], L.line[1].coarse, L.line[2].coarse
    row, rest = work, work + 27 * m2
    up = pointer(like.real, line.restrict)
    for i1 in range(n1):
        zero(row, 0, 27 * m2)
        collapse_row(row, level, i0, i1, rest)
        a, b, _, _ = parents(line, like, i1)
        for d1 in range(3):
            there = beside(i1 + d1 - 1, n1, L.periodic[1])
            if there < 0:
                continue
            p, q, v, w = parents(line, like, there)
            for k in range(4):
                here, x = (a, up[i1]) if k < 2 else (b, up[n1 + i1])
                to, y = (p, v) if k % 2 == 0 else (q, w)
                if x * y == 0:
                    continue
                shift = 3 * direction(here, to, m1)
                for d0 in range(3):
                    for d2 in range(3):
                        source = row + (9 * d0 + 3 * d1 + d2) * m2
                        add_multiple(within + (9 * d0 + shift + d2) * part + here * m2, source, x * y, m2)


@compiled
def collapse_row(row, level, i0, i1, scaled):
    """Collapse the coefficients of a fine row along it: 27 coarse rows, by offsets d0, d1 (fine) and d2 (coarse)."""
    L, like = level.record, level.like
    n0, n1, n2, m2 = L.n[0], L.n[1], L.n[2], L.line[2].coarse
    mask = row_of(L.mask, like.byte, i0, i1)
    diagonal, own = row_of(L.diagonal, like.real, i0, i1), row_of(L.weights, like.real, i0, i1)
    scale = row_of(L.scale, like.real, i0, i1)
    for j in range(n2):
        scaled[j] = diagonal[j] * own[j] * scale[j] if mask[j] != 0 else 0
    collapse_along(row + 12 * m2, level, scaled, 0, m2)
    for e in range(L.entries):
        c = level.entries[e]
        k0, k1 = beside(i0 + c.d0, n0, L.periodic[0]), beside(i1 + c.d1, n1, L.periodic[1])
        if k0 < 0 or k1 < 0:
            continue
        values, sign = pointer(like.real, c.at) + (i0 * c.plane + i1 * c.row), level.signs[c.sign]
        other, theirs = row_of(L.scale, like.real, k0, k1), row_of(L.mask, like.byte, k0, k1)
        for j in range(max(0, -c.d2), min(n2, n2 - c.d2)):
            known = mask[j] != 0 and theirs[j + c.d2] != 0
            scaled[j] = -sign * values[j * c.step] * own[j] * other[j + c.d2] if known else 0
        if c.d2 != 0:
            j = 0 if c.d2 < 0 else n2 - 1
            there = beside(j + c.d2, n2, L.periodic[2])
            known = there >= 0 and mask[j] != 0 and theirs[there] != 0
            scaled[j] = -sign * values[j * c.step] * own[j] * other[there] if known else 0
        collapse_along(row + (9 * c.d0 + 3 * c.d1 + 12) * m2, level, scaled, c.d2, m2)


@compiled
def collapse_along(row, level, values, shift, m):
    """Collapse coefficients with one offset along a row: add them to three coarse rows."""
    like, line = level.like, level.record.line[2]
    kept, used = pointer(like.index, line.kept), pointer(like.index, line.used) + 9 * (shift + 1)
    products = pointer(like.real, line.products) + 9 * (shift + 1) * m
    for k in range(9):
        if used[k] == 0:
            continue
        target, index, weight = row + k // 3 * m, kept + k % 3 * m, products + k * m
        for j in range(m):
            target[j] += weight[j] * values[index[j]]
