"""A row of unknowns: neighbours' terms, relaxation of a colour, residual."""

from __future__ import annotations

from pde.backends.numba.jit import compiled, inline
from pde.backends.numba.multicolour.records import PARITY
from pde.backends.numba.pointers import pointer


@inline
def row_of(field, like, i0, i1):
    """Point to a row of numbers on a grid."""
    return pointer(like, field.at) + (i0 * field.plane + i1 * field.row)


@inline
def extent(level, i0, i1):
    """Return the first column of a row that is inside and the one behind the last."""
    L = level.record
    ends = pointer(level.like.index, L.extents) + 2 * (i0 * L.n[1] + i1)
    return ends[0], ends[1]


@compiled
def copy(target, source, first, last):
    """Copy part of a row."""
    for j in range(first, last):
        target[j] = source[j]


@compiled
def zero(target, first, last):
    """Set part of a row to zero."""
    for j in range(first, last):
        target[j] = 0


@compiled
def add_term(t, c, step, sign, v, shift, own, differ, first, last, n, periodic):
    """t_j += sign c_j v_(j + shift), v being zero beyond ends that are not periodic; less own_j if they `differ`."""
    a, b = max(first, -shift), min(last, n - shift)
    if differ != 0:
        for j in range(a, b):
            t[j] += sign * c[j * step] * (v[j + shift] - own[j])
    elif step == 0:
        k = sign * c[0]
        for j in range(a, b):
            t[j] += k * v[j + shift]
    else:
        for j in range(a, b):
            t[j] += sign * c[j] * v[j + shift]
    if periodic != 0 and shift != 0:
        j = 0 if shift < 0 else n - 1
        if first <= j < last:
            there = v[(j + shift + n) % n]
            t[j] += sign * c[j * step] * (there - own[j] if differ != 0 else there)


@inline
def beside(k, n, periodic):
    """Return index k of an axis, around a periodic one; -1 beyond the end of another."""
    if 0 <= k < n:
        return k
    return (k + n) % n if periodic != 0 else -1


@compiled
def add_neighbours(t, level, u, i0, i1, first, last, entries, alone, differ):
    """Add the terms of some neighbours; only of rows of this plane if `alone`, as u is not known elsewhere.

    entries: the first and the one behind the last. differ: 1 adds those of differences to u itself.
    """
    L, like = level.record, level.like
    n1, n2 = L.n[1], L.n[2]
    own = u + (i0 * n1 + i1) * n2
    for e in range(entries[0], entries[1]):
        c = level.entries[e]
        if alone and c.d0 != 0:
            continue
        k0, k1 = beside(i0 + c.d0, L.n[0], L.periodic[0]), beside(i1 + c.d1, n1, L.periodic[1])
        if k0 < 0 or k1 < 0:
            continue
        values = pointer(like.real, c.at) + (i0 * c.plane + i1 * c.row)
        v = u + (k0 * n1 + k1) * n2
        add_term(t, values, c.step, level.signs[c.sign], v, c.d2, own, differ, first, last, n2, L.periodic[2])


@compiled
def subtract_row(t, level, u, i0, i1, first, last):
    """t <- t - A u in a row."""
    L, like = level.record, level.like
    centre, here = row_of(L.centre, like.real, i0, i1), u + (i0 * L.n[1] + i1) * L.n[2]
    add_neighbours(t, level, u, i0, i1, first, last, (0, L.entries), L.n[0] < 0, L.differences)
    if L.differences != 0 and pointer(like.index, L.inner)[i0 * L.n[1] + i1] != 0:
        t[0] -= centre[0] * here[0]
        if L.n[2] > 1:
            t[L.n[2] - 1] -= centre[L.n[2] - 1] * here[L.n[2] - 1]
        return
    for j in range(first, last):
        t[j] -= centre[j] * here[j]


@compiled
def relax(u, t, inverse, mask, omega, parity, first, last):
    """u_j += omega (t_j / a_jj - u_j) at the points inside with one parity."""
    for j in range(first, last):
        chosen = mask[j] != 0 and (j & 1) == parity
        changed = u[j] + omega * (t[j] * inverse[j] - u[j])
        u[j] = changed if chosen else u[j]


@compiled
def relax_plane(level, u, f, i0, second, turn, omega, alone, work):
    """Relax the points of a plane that are in the first or second half of the colours; u = 0 before if `alone`.

    turn: 1 takes the colours in the opposite order.
    """
    L = level.record
    n1, n2 = L.n[1], L.n[2]
    plane = u + i0 * n1 * n2
    if alone:
        zero(plane, 0, n1 * n2)
    colour = second ^ turn
    if L.colours != PARITY:
        for i1 in range(n1):
            relax_row(level, u, f, i0, i1, (i0 + i1 + colour) & 1, 1, omega, alone, work)
    elif i0 & 1 == colour:
        for half in range(2):
            for i1 in range(half ^ turn, n1, 2):
                relax_row(level, u, f, i0, i1, turn, 2, omega, alone, work)


@compiled
def relax_row(level, u, f, i0, i1, parity, colours, omega, alone, work):
    """Relax the points of a row with one parity, and then, if there are two `colours`, those with the other."""
    L, like = level.record, level.like
    n2 = L.n[2]
    first, last = extent(level, i0, i1)
    if first >= last:
        return
    at, inverse, mask = (i0 * L.n[1] + i1) * n2, row_of(L.inverse, like.real, i0, i1), row_of(L.mask, like.byte, i0, i1)
    t, s = work, work + n2
    copy(t, f + at, first, last)
    add_neighbours(t, level, u, i0, i1, first, last, (0, L.across), alone, 0)
    for k in range(colours):
        copy(s, t, first, last)
        add_neighbours(s, level, u, i0, i1, first, last, (L.across, L.entries), alone, 0)
        relax(u + at, s, inverse, mask, omega, (parity + k) & 1, first, last)


@compiled
def residual_row(out, level, u, f, known, i0, i1):
    """out <- f - A u in a row (f where u is zero: not `known`), zero where the mask is."""
    L, like = level.record, level.like
    n2 = L.n[2]
    first, last = extent(level, i0, i1)
    at, mask = (i0 * L.n[1] + i1) * n2, row_of(L.mask, like.byte, i0, i1)
    zero(out, 0, first)
    zero(out, max(first, last), n2)
    copy(out, f + at, first, last)
    if known:
        subtract_row(out, level, u, i0, i1, first, last)
    for j in range(first, last):
        out[j] = out[j] if mask[j] != 0 else 0
