"""What a pass has to do with the next coarser grid: planes that u comes from, and planes that the residual goes to."""

from __future__ import annotations

from pde.kernels.jit import compiled
from pde.kernels.layout import fill, join, split
from pde.kernels.pointers import ahead, at
from pde.kernels.space import SLOTS
from pde.kernels.transfers import add, four, two


@compiled
def bring(parent, L, count, i, coarse, w, S, tags, slots):
    """See to it that the coarse planes that plane i comes from are in the work space; `slots` tells where.

    Missing ones, which weigh nothing, are in the first slot: whatever is there is a number.
    """
    n0, m1, m = L.n[0], L.m[1], L.m[2]
    for s in range(count):
        place = parent[s * n0 + i]
        slots[s] = S.coarse
        found = place < 0
        for k in range(SLOTS):
            if tags[k] == place:
                slots[s], found = S.coarse + k * S.coarse_plane, True
        if not found:
            free = 0
            for k in range(SLOTS):
                needed = False
                for other in range(count):
                    needed = needed or tags[k] == parent[other * n0 + i]
                if not needed:
                    free = k
            slots[s] = S.coarse + free * S.coarse_plane
            tags[free] = place
            for j in range(m1):
                source = ahead(coarse, (place * m1 + j) * m)
                join(at(w, slots[s] + j * S.coarse_row + 2), source, ahead(source, m - m // 2), m)


@compiled
def mix(L, integers, reals, cubic, i, coarse, w, S, tags, slots):
    """The coarse planes that plane i comes from, each times its weight: their sum, to the work space."""
    n0, m1, m = L.n[0], L.m[1], L.m[2]
    parent, weight, count = at(integers, L.at_parent[0]), ahead(at(reals, L.at_prolong[0]), i), 2
    if cubic:
        parent, weight, count = at(integers, L.at_cubic_parent[0]), ahead(at(reals, L.at_cubic[0]), i), 4
    bring(parent, L, count, i, coarse, w, S, tags, slots)
    for j in range(m1):
        o = j * S.coarse_row + 2
        p, q = at(w, slots[0] + o), at(w, slots[1] + o)
        if cubic:
            s, t = at(w, slots[2] + o), at(w, slots[3] + o)
            four(at(w, S.mixed + o), p, weight[0], q, weight[n0], s, weight[2 * n0], t, weight[3 * n0], m)
        else:
            two(at(w, S.mixed + o), p, weight[0], q, weight[n0], m)


@compiled
def mixed_row(L, integers, reals, deep, cubic, j, w, S):
    """Coarse values along row j, from the rows that `mix` has left."""
    if deep is None:
        return at(w, S.mixed + 2)
    n1, m, length, v = L.n[1], L.m[2], S.coarse_row, at(w, S.v + 2)
    rows = at(w, S.mixed + 2)
    if cubic:
        p, c = ahead(at(integers, L.at_cubic_parent[1]), j), ahead(at(reals, L.at_cubic[1]), j)
        four(
            v, ahead(rows, max(p[0], 0) * length), c[0], ahead(rows, max(p[n1], 0) * length), c[n1],
            ahead(rows, max(p[2 * n1], 0) * length), c[2 * n1], ahead(rows, max(p[3 * n1], 0) * length), c[3 * n1], m,
        )  # fmt: skip
    else:
        p, c = ahead(at(integers, L.at_parent[1]), j), ahead(at(reals, L.at_prolong[1]), j)
        two(v, ahead(rows, p[0] * length), c[0], ahead(rows, p[n1] * length), c[n1], m)
    return v


@compiled
def planes_begun(L, integers, first, last):
    """The coarse planes that begin among the planes first, ..., last - 1, and the planes that make them."""
    m0, first0, last0 = L.m[0], at(integers, L.at_first[0]), at(integers, L.at_last[0])
    r_first, r_last, c_first = first, last, 0
    while c_first < m0 and first > 0 and first0[c_first] < first:
        c_first += 1
    c_last = c_first
    while c_last < m0 and (last == L.n[0] or first0[c_last] < last):
        r_first, r_last = min(r_first, first0[c_last]), max(r_last, last0[c_last] + 1)
        c_last += 1
    return c_first, c_last, r_first, r_last


@compiled
def gather(L, integers, reals, row, k, i, j, c_first, c_last, out, w, S):
    """Add a restricted row, j of plane i (k around the axis), to its coarse planes; complete ones go to `out`."""
    n0, n1, m1, m = L.n[0], L.n[1], L.m[1], L.m[2]
    first0, last0 = at(integers, L.at_first[0]), at(integers, L.at_last[0])
    parent0, weight0 = at(integers, L.at_parent[0]), at(reals, L.at_restrict[0])
    parent1, weight1 = at(integers, L.at_parent[1]), at(reals, L.at_restrict[1])
    for s in range(2):
        place, weight = parent0[s * n0 + i], weight0[s * n0 + i]
        if weight == 0 or not c_first <= place < c_last or not first0[place] <= k <= last0[place]:
            continue
        slot = S.sums + place % 3 * S.coarse_plane
        if k == first0[place] and j == 0:
            fill(at(w, slot), S.coarse_plane)
        for p in range(2):
            if weight1[p * n1 + j] != 0:
                add(at(w, slot + parent1[p * n1 + j] * S.coarse_row), row, weight * weight1[p * n1 + j], m)
        if k == last0[place] and j == n1 - 1:
            for x in range(m1):
                target = ahead(out, (place * m1 + x) * m)
                split(target, ahead(target, m - m // 2), at(w, slot + x * S.coarse_row), m)
