"""The coarse side of a pass: planes that u is interpolated from, and planes that the residual is restricted to."""

from __future__ import annotations

from pde.backends.numba.jit import compiled
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
def load_parents(level, parent, count, i, coarse, work):
    """Load the coarse planes needed to interpolate plane i; write their slots to `work.slots`.

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
                needed = False
                for other in range(count):
                    needed = needed or tags[k] == parent[other * n0 + i]
                if not needed:
                    free = k
            slots[s], tags[free] = free, plane
            for j in range(m1):
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
def interpolate_plane(level, cubic, i, coarse, work):
    """Interpolate the coarse grid across the planes, to plane i; return a pointer to the result."""
    L = level.record
    n0, m1, m = L.n[0], L.m[1], L.m[2]
    parent, weight, count = level.integers + L.at_parent[0], level.reals + (L.at_prolong[0] + i), 2
    if cubic:
        parent, weight, count = level.integers + L.at_cubic_parent[0], level.reals + (L.at_cubic[0] + i), 4
    load_parents(level, parent, count, i, coarse, work)
    slots, size = work.slots, work.coarse_plane
    only = only_one(weight, n0, count)
    if only >= 0:
        return work.coarse + slots[only] * size
    for j in range(m1):
        rows, out = work.coarse + j * work.coarse_row, work.mixed + j * work.coarse_row
        p, q = rows + slots[0] * size, rows + slots[1] * size
        if cubic:
            sources = p, q, rows + slots[2] * size, rows + slots[3] * size
            four(out, sources, (weight[0], weight[n0], weight[2 * n0], weight[3 * n0]), m + 4)
        else:
            two(out, p, weight[0], q, weight[n0], m + 4)
    return work.mixed


@compiled
def interpolate_row(is_3d, level, cubic, plane, j, work):
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
            plane + max(p[0], 0) * length, plane + max(p[n1], 0) * length, plane + max(p[2 * n1], 0) * length,
            plane + max(p[3 * n1], 0) * length,
        )  # fmt: skip
        four(out, sources, (c[0], c[n1], c[2 * n1], c[3 * n1]), m + 4)
    else:
        p, c = level.integers + (L.at_parent[1] + j), level.reals + (L.at_prolong[1] + j)
        only = only_one(c, n1, 2)
        if only >= 0:
            return plane + (p[only * n1] * length + 2)
        two(out, plane + p[0] * length, c[0], plane + p[n1] * length, c[n1], m + 4)
    return out + 2


@compiled
def planes_begun(level, first, last):
    """Return the coarse planes whose first fine plane is in first, ..., last - 1, and the fine planes they need."""
    L = level.record
    m0, first0, last0 = L.m[0], level.integers + L.at_first[0], level.integers + L.at_last[0]
    r_first, r_last, c_first = first, last, 0
    while c_first < m0 and first > 0 and first0[c_first] < first:
        c_first += 1
    c_last = c_first
    while c_last < m0 and (last == L.n[0] or first0[c_last] < last):
        r_first, r_last = min(r_first, first0[c_last]), max(r_last, last0[c_last] + 1)
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
def restrict_plane(level, begun, c_last, k, slot, out, work):
    """In three: add the residual of plane k to the coarse planes from `begun` on; store those that are complete.

    Rows are combined within their plane, while it is in the cache; the sums of planes are coarse.
    """
    L, integers, reals = level.record, level.integers, level.reals
    n1, m0, m1, m = L.n[1], L.m[0], L.m[1], L.m[2]
    first0, last0, weight0 = integers + L.at_first[0], integers + L.at_last[0], reals + L.at_restrict[0]
    first1, last1, weight1 = integers + L.at_first[1], integers + L.at_last[1], reals + L.at_restrict[1]
    rows, line = Ring(work.r + slot * work.plane, n1, work.row), work.r_line
    for x in range(m1):
        first, count = around_axis(first1[x], n1), last1[x] - first1[x] + 1
        row = combine(work.r_row, rows, first, weight1 + x, m1, count, work.row)
        restrict_along(level, row, work)
        c = begun
        while c < c_last and first0[c] <= k:
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
