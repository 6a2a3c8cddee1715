"""The coarse side of a pass: planes that u is interpolated from, and planes that the residual is restricted to."""

from __future__ import annotations

from pde.backends.numba.jit import compiled, inline
from pde.backends.numba.layout import ends, join, split
from pde.backends.numba.transfers import Ring, add, combine, four, restrict, times, two
from pde.backends.numba.workspace import COARSE_SLOTS, COARSE_SUMS


@compiled
def around_axis(k, n):
    """Return k modulo n, without the division where it is not needed."""
    return k if 0 <= k < n else k % n


@compiled
def earlier(slot, count, ring):
    """Return the slot in a ring of planes that was filled `count` < `ring` planes before this one."""
    return slot - count if slot >= count else slot - count + ring


@compiled
def rows_needed(level, cubic, begin, end):
    """Return the range of coarse rows that the rows begin, ..., end - 1 of a plane are interpolated from."""
    L = level.record
    n1, low, high = L.n[1], L.m[1], 0
    parent, weight, count = level.integers + L.at_parent[1], level.reals + L.at_prolong[1], 2
    if cubic:
        parent, weight, count = level.integers + L.at_cubic_parent[1], level.reals + L.at_cubic[1], 4
    for j in range(begin, end):
        for s in range(count):
            k = s * n1 + around_axis(j, n1)
            if weight[k] != 0:
                low, high = min(low, parent[k]), max(high, parent[k] + 1)
    return low, high


@compiled
def load_parents(level, parent, count, i, coarse, needed, work):
    """Load the `needed` rows of the coarse planes that plane i comes from; write their slots to `work.slots`.

    A missing one (-1), whose weight is zero, is in the first slot: any finite number will do.
    """
    L = level.record
    n0, m1, m = L.n[0], L.m[1], L.m[2]
    tags, slots = work.tags, work.slots
    for s in range(count):
        plane = parent[s * n0 + i]
        slots[s] = 0
        found = plane < 0
        for k in range(COARSE_SLOTS):
            if tags[k] == plane:
                slots[s], found = k, True
        if not found:
            free = 0
            for k in range(COARSE_SLOTS):
                kept = False
                for other in range(count):
                    kept = kept or tags[k] == parent[other * n0 + i]
                if not kept:
                    free = k
            slots[s], tags[free] = free, plane
            for j in range(needed[0], needed[1]):
                source = coarse + (plane * m1 + j) * m
                row = work.coarse + (free * work.coarse_plane + j * work.coarse_row + 2)
                join(row, source, source + (m - m // 2), m)
                if L.periodic[2] != 0:
                    row[-2], row[-1], row[m], row[m + 1] = row[(m - 2) % m], row[m - 1], row[0], row[1 % m]
                else:
                    row[-2] = row[-1] = row[m] = row[m + 1] = 0


@compiled
def only_one(weight, step, count):
    """Return which of some weights is 1 while the others are zero; -1: none."""
    which = -1
    for s in range(count):
        if weight[s * step] == 1 and which < 0:
            which = s
        elif weight[s * step] != 0:
            return -1
    return which


@compiled
def interpolate_plane(level, cubic, i, coarse, needed, work):
    """Interpolate the `needed` coarse rows across the planes, to plane i; return a pointer to the result."""
    L = level.record
    n0, m = L.n[0], L.m[2]
    parent, weight, count = level.integers + L.at_parent[0], level.reals + (L.at_prolong[0] + i), 2
    if cubic:
        parent, weight, count = level.integers + L.at_cubic_parent[0], level.reals + (L.at_cubic[0] + i), 4
    load_parents(level, parent, count, i, coarse, needed, work)
    slots, size = work.slots, work.coarse_plane
    only = only_one(weight, n0, count)
    if only >= 0:
        return work.coarse + slots[only] * size
    for j in range(needed[0], needed[1]):
        rows, out = work.coarse + j * work.coarse_row, work.mixed + j * work.coarse_row
        p, q = rows + slots[0] * size, rows + slots[1] * size
        if cubic:
            sources = p, q, rows + slots[2] * size, rows + slots[3] * size
            four(out, sources, (weight[0], weight[n0], weight[2 * n0], weight[3 * n0]), m + 4)
        else:
            two(out, p, weight[0], q, weight[n0], m + 4)
    return work.mixed


@inline
def within(k, needed):
    """Return k, or a row that has been loaded where the weight of row k is zero."""
    return min(max(k, needed[0]), needed[1] - 1)


@compiled
def interpolate_row(is_3d, level, cubic, plane, j, needed, work):
    """Interpolate such a plane across its rows, to row j; return a pointer to the coarse values along it."""
    if is_3d is None:
        return plane + 2
    L = level.record
    n1, m, length, out = L.n[1], L.m[2], work.coarse_row, work.mixed_row
    if cubic:
        p, c = level.integers + (L.at_cubic_parent[1] + j), level.reals + (L.at_cubic[1] + j)
        only = only_one(c, n1, 4)
        if only >= 0:
            return plane + (p[only * n1] * length + 2)
        sources = (
            plane + within(p[0], needed) * length, plane + within(p[n1], needed) * length,
            plane + within(p[2 * n1], needed) * length, plane + within(p[3 * n1], needed) * length,
        )  # fmt: skip
        four(out, sources, (c[0], c[n1], c[2 * n1], c[3 * n1]), m + 4)
    else:
        p, c = level.integers + (L.at_parent[1] + j), level.reals + (L.at_prolong[1] + j)
        only = only_one(c, n1, 2)
        if only >= 0:
            return plane + (p[only * n1] * length + 2)
        two(out, plane + within(p[0], needed) * length, c[0], plane + within(p[n1], needed) * length, c[n1], m + 4)
    return out + 2


@compiled
def coarse_begun(level, axis, first, last):
    """Return the coarse planes or rows whose first fine one is in first, ..., last - 1, and the fine ones they need."""
    L = level.record
    m, fine_first, fine_last = L.m[axis], level.integers + L.at_first[axis], level.integers + L.at_last[axis]
    r_first, r_last, c_first = first, last, 0
    while c_first < m and first > 0 and fine_first[c_first] < first:
        c_first += 1
    c_last = c_first
    while c_last < m and (last == L.n[axis] or fine_first[c_last] < last):
        r_first, r_last = min(r_first, fine_first[c_last]), max(r_last, fine_last[c_last] + 1)
        c_last += 1
    return c_first, c_last, r_first, r_last


@compiled
def restrict_row(level, c, k, slot, out, work):
    """In two dimensions: restrict the residual to coarse row c, whose last fine row k is in this slot of the ring."""
    L = level.record
    m0, m = L.m[0], L.m[2]
    count = k - level.integers[L.at_first[0] + c] + 1
    ring, first = Ring(work.r, work.r_ring, work.plane), earlier(slot, count - 1, work.r_ring)
    row = combine(work.r_row, ring, first, level.reals + (L.at_restrict[0] + c), m0, count, work.row)
    restrict_along(level, row, work)
    target = out + c * m
    split(target, target + (m - m // 2), work.r_line, m)


@compiled
def add_restricted(level, begun, window, rows, k, x, r, out, work):
    """In three: add the residual of plane k to row x of the coarse planes from `begun` on; store what is complete.

    Args:
        window, rows: of the planes and the rows of the pass.
        r: the residual of row rows.begin of the plane.
    """
    L, integers, reals = level.record, level.integers, level.reals
    m0, m1, m = L.m[0], L.m[1], L.m[2]
    first0, last0, weight0 = integers + L.at_first[0], integers + L.at_last[0], reals + L.at_restrict[0]
    first, last, weight1 = integers[L.at_first[1] + x], integers[L.at_last[1] + x], reals + (L.at_restrict[1] + x)
    fine = Ring(r + (first - rows.begin) * work.row, last - first + 1, work.row)
    restrict_along(level, combine(work.r_row, fine, 0, weight1, m1, last - first + 1, work.row), work)
    c, line = begun, work.r_line
    while c < window.c_last and first0[c] <= k:
        weight = weight0[(k - first0[c]) * m0 + c]
        total = work.sums + (c % COARSE_SUMS * work.coarse_plane + x * work.coarse_row)
        if k == first0[c]:
            times(total, line, weight, m)
        else:
            add(total, total, line, weight, m)
        if k == last0[c]:
            target = out + (c * m1 + x) * m
            split(target, target + (m - m // 2), total, m)
        c += 1


@compiled
def restrict_along(level, row, work):
    """Restrict a row of the residual along itself, to `work.r_line`."""
    L = level.record
    ends(row, L.n[2], L.periodic[2] != 0)
    restrict(level, work.r_line, row)
