"""What a pass has to do with the next coarser grid: planes that u comes from, and planes that the residual goes to."""

from __future__ import annotations

from pde.backends.numba.jit import compiled
from pde.backends.numba.layout import ends, join, split
from pde.backends.numba.pointers import ahead, at
from pde.backends.numba.transfers import add, beyond, combine, four, restrict, times, two
from pde.backends.numba.workspace import SLOTS, around_axis, earlier


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
                row = at(w, slots[s] + j * S.coarse_row + 2)
                join(row, source, ahead(source, m - m // 2), m)
                beyond(row, m, L.periodic[2] != 0)


@compiled
def alone(weight, apart, count):
    """Which of some weights is 1 while the others are zero; -1: none."""
    which = -1
    for s in range(count):
        if weight[s * apart] == 1 and which < 0:
            which = s
        elif weight[s * apart] != 0:
            return -1
    return which


@compiled
def mix(L, integers, reals, cubic, i, coarse, w, S, tags, slots):
    """The coarse planes that plane i comes from, each times its weight: their sum is at the place returned."""
    n0, m1, m = L.n[0], L.m[1], L.m[2]
    parent, weight, count = at(integers, L.at_parent[0]), ahead(at(reals, L.at_prolong[0]), i), 2
    if cubic:
        parent, weight, count = at(integers, L.at_cubic_parent[0]), ahead(at(reals, L.at_cubic[0]), i), 4
    bring(parent, L, count, i, coarse, w, S, tags, slots)
    only = alone(weight, n0, count)
    if only >= 0:
        return slots[only]
    for j in range(m1):
        o = j * S.coarse_row
        p, q = at(w, slots[0] + o), at(w, slots[1] + o)
        if cubic:
            s, t = at(w, slots[2] + o), at(w, slots[3] + o)
            four(at(w, S.mixed + o), p, weight[0], q, weight[n0], s, weight[2 * n0], t, weight[3 * n0], m + 4)
        else:
            two(at(w, S.mixed + o), p, weight[0], q, weight[n0], m + 4)
    return S.mixed


@compiled
def mixed_row(L, integers, reals, deep, cubic, mixed, j, w, S):
    """Coarse values along row j, from the rows that `mix` has left."""
    if deep is None:
        return at(w, mixed + 2)
    n1, m, length, v = L.n[1], L.m[2], S.coarse_row, at(w, S.v)
    rows = at(w, mixed)
    if cubic:
        p, c = ahead(at(integers, L.at_cubic_parent[1]), j), ahead(at(reals, L.at_cubic[1]), j)
        only = alone(c, n1, 4)
        if only >= 0:
            return ahead(rows, p[only * n1] * length + 2)
        four(
            v, ahead(rows, max(p[0], 0) * length), c[0], ahead(rows, max(p[n1], 0) * length), c[n1],
            ahead(rows, max(p[2 * n1], 0) * length), c[2 * n1], ahead(rows, max(p[3 * n1], 0) * length), c[3 * n1],
            m + 4,
        )  # fmt: skip
    else:
        p, c = ahead(at(integers, L.at_parent[1]), j), ahead(at(reals, L.at_prolong[1]), j)
        only = alone(c, n1, 2)
        if only >= 0:
            return ahead(rows, p[only * n1] * length + 2)
        two(v, ahead(rows, p[0] * length), c[0], ahead(rows, p[n1] * length), c[n1], m + 4)
    return ahead(v, 2)


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
def restrict_row(L, integers, reals, c, k, turn, out, w, S):
    """In two dimensions: coarse row c of the residual to `out`, once that of its last row, k, is complete.

    Args:
        turn: the place of row k in the ring of residuals.
    """
    m0, m = L.m[0], L.m[2]
    count = k - at(integers, L.at_first[0])[c] + 1
    row = combine(
        at(w, S.r_row), at(w, S.r), earlier(turn, count - 1, S.r_ring), S.r_ring, S.plane,
        ahead(at(reals, L.at_restrict[0]), c), m0, count, S.row,
    )  # fmt: skip
    along(row, L, integers, reals, w, S)
    target = ahead(out, c * m)
    split(target, ahead(target, m - m // 2), at(w, S.r_coarse), m)


@compiled
def restrict_plane(L, integers, reals, begun, c_last, k, turn, out, w, S):
    """In three: what the residual of plane k adds to the coarse planes from `begun` on; complete ones go to `out`.

    Rows are combined within their plane, while it is in the cache; the sums of planes are coarse.
    """
    n1, m0, m1, m = L.n[1], L.m[0], L.m[1], L.m[2]
    first0, last0, weight0 = at(integers, L.at_first[0]), at(integers, L.at_last[0]), at(reals, L.at_restrict[0])
    first1, last1, weight1 = at(integers, L.at_first[1]), at(integers, L.at_last[1]), at(reals, L.at_restrict[1])
    rows, line = at(w, S.r + turn * S.plane), at(w, S.r_coarse)
    for x in range(m1):
        row = combine(
            at(w, S.r_row), rows, around_axis(first1[x], n1), n1, S.row, ahead(weight1, x), m1,
            last1[x] - first1[x] + 1, S.row,
        )  # fmt: skip
        along(row, L, integers, reals, w, S)
        c = begun
        while c < c_last and first0[c] <= k:
            weight = weight0[(k - first0[c]) * m0 + c]
            total = at(w, S.sums + c % 3 * S.coarse_plane + x * S.coarse_row)
            if k == first0[c]:
                times(total, line, weight, m)
            else:
                add(total, total, line, weight, m)
            if k == last0[c]:
                target = ahead(out, (c * m1 + x) * m)
                split(target, ahead(target, m - m // 2), total, m)
            c += 1


@compiled
def along(row, L, integers, reals, w, S):
    """A row of the residual, restricted along itself, to the work space."""
    ends(row, L.n[2], L.periodic[2] != 0)
    restrict(
        at(w, S.r_coarse), row, L, at(integers, L.restricted), at(integers, L.restricted_from),
        at(reals, L.restricted_weight),
    )  # fmt: skip
