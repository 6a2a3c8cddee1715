"""Transfers along a row, and the sums of rows with weights that they and those across are made of."""

from __future__ import annotations

from pde.backends.numba.jit import compiled, inline
from pde.backends.numba.layout import EVEN, join, odd, point, split
from pde.backends.numba.pointers import ahead
from pde.backends.numba.simd import LANES, put, several


@compiled
def times(out, p, a, count):
    """out <- a p."""
    for k in range(0, count, LANES):
        put(out, k, a * several(p, k))


@compiled
def four(out, p, a, q, b, s, c, t, d, count):
    """out <- a p + b q + c s + d t."""
    if a == 0 and d == 0 and b * c == 0:  # a point of the coarse grid
        times(out, q if c == 0 else s, b + c, count)
        return
    for k in range(0, count, LANES):
        put(out, k, (a * several(p, k) + b * several(q, k)) + (c * several(s, k) + d * several(t, k)))


@compiled
def eight(out, rows, weights, count):
    """out <- the sum of eight rows, each times its weight."""
    p0, p1, p2, p3, p4, p5, p6, p7 = rows
    for k in range(0, count, LANES):
        put(out, k, of_eight(
            several(p0, k), several(p1, k), several(p2, k), several(p3, k), several(p4, k), several(p5, k),
            several(p6, k), several(p7, k), weights,
        ))  # fmt: skip


@inline
def of_eight(a0, a1, a2, a3, a4, a5, a6, a7, w):
    """The sum of eight numbers, each times its weight."""
    return ((w[0] * a0 + w[1] * a1) + (w[2] * a2 + w[3] * a3)) + ((w[4] * a4 + w[5] * a5) + (w[6] * a6 + w[7] * a7))


@compiled
def three(out, p, a, q, b, s, c, count):
    """out <- a p + b q + c s."""
    for k in range(0, count, LANES):
        put(out, k, (a * several(p, k) + b * several(q, k)) + c * several(s, k))


@compiled
def two(out, p, a, q, b, count):
    """out <- a p + b q."""
    if a * b == 0:
        times(out, p if b == 0 else q, a + b, count)
        return
    for k in range(0, count, LANES):
        put(out, k, a * several(p, k) + b * several(q, k))


@compiled
def add_two(out, u, p, a, q, b, count):
    """out <- u + a p + b q."""
    if a * b == 0:
        add(out, u, p if b == 0 else q, a + b, count)
        return
    for k in range(0, count, LANES):
        put(out, k, several(u, k) + (a * several(p, k) + b * several(q, k)))


@compiled
def add(out, u, p, a, count):
    """out <- u + a p."""
    for k in range(0, count, LANES):
        put(out, k, several(u, k) + a * several(p, k))


@compiled
def combine(out, rows, place, ring, apart, weight, weights_apart, count, length):
    """The sum of `count` rows from `place` on in a ring of rows, each times its weight: where it is, `out` or one of
    these rows."""
    p, place = following(rows, place, ring, apart)
    if count == 1:
        if weight[0] == 1:
            return p
        times(out, p, weight[0], length)
        return out
    q, place = following(rows, place, ring, apart)
    if count == 2:
        two(out, p, weight[0], q, weight[weights_apart], length)
        return out
    s, place = following(rows, place, ring, apart)
    if count == 3:
        three(out, p, weight[0], q, weight[weights_apart], s, weight[2 * weights_apart], length)
        return out
    t, place = following(rows, place, ring, apart)
    four(
        out, p, weight[0], q, weight[weights_apart], s, weight[2 * weights_apart], t, weight[3 * weights_apart], length
    )
    for k in range(4, count):
        p, place = following(rows, place, ring, apart)
        add(out, out, p, weight[k * weights_apart], length)
    return out


@inline
def following(rows, place, ring, apart):
    """A row of a ring, and the place of the next one."""
    return ahead(rows, place * apart), place + 1 if place + 1 < ring else 0


@inline
def restrict(out, r, L, special, sources, weights):
    """Full weighting along a row: r to coarse values in natural order."""
    n, most = L.n[2], L.restricted_most
    O = odd(n)
    if L.halved[2] == 0:
        join(out, ahead(r, EVEN), ahead(r, O), n)
        return
    four(out, ahead(r, O - 1), L.r[0], ahead(r, EVEN), L.r[1], ahead(r, O), L.r[2], ahead(r, EVEN + 1), L.r[3], L.m[2])
    for s in range(L.restricted_count):
        out[special[s]] = 0
        for t in range(s * most, (s + 1) * most):
            out[special[s]] += weights[t] * r[point(sources[t], n)]


@inline
def beyond(v, m, periodic):
    """Two values beyond each end of the m coarse values v."""
    if periodic:
        v[-2], v[-1] = v[(m - 2) % m], v[m - 1]
        v[m], v[m + 1] = v[0], v[1 % m]
    else:
        v[-2] = v[-1] = v[m] = v[m + 1] = 0


@inline
def add_correction(row, even, odds, v, L, special, sources, weights, scratch):
    """row <- u + P v along the row, u being two halves."""
    n = L.n[2]
    O, g = odd(n), n // 2
    if L.halved[2] == 0:
        split(scratch, ahead(scratch, n - g), v, n)
        add(ahead(row, EVEN), even, scratch, 1, n - g)
        add(ahead(row, O), odds, ahead(scratch, n - g), 1, g)
        return
    for s in range(L.prolonged_count):
        j = special[s]
        scratch[s] = (even[j // 2] if j % 2 == 0 else odds[j // 2]) + (
            weights[2 * s] * v[sources[2 * s]] + weights[2 * s + 1] * v[sources[2 * s + 1]]
        )
    add_two(ahead(row, EVEN), even, ahead(v, -1), L.e[0], v, L.e[1], n - g)
    add_two(ahead(row, O), odds, v, L.o[0], ahead(v, 1), L.o[1], g)
    for s in range(L.prolonged_count):
        row[point(special[s], n)] = scratch[s]


@inline
def interpolate(row, v, L, special, sources, weights):
    """row <- cubic interpolation of the coarse values v."""
    n = L.n[2]
    O, g = odd(n), n // 2
    if L.halved[2] == 0:
        split(ahead(row, EVEN), ahead(row, O), v, n)
        return
    e, o = L.ce, L.co
    four(ahead(row, EVEN), ahead(v, -2), e[0], ahead(v, -1), e[1], v, e[2], ahead(v, 1), e[3], n - g)
    four(ahead(row, O), ahead(v, -1), o[0], v, o[1], ahead(v, 1), o[2], ahead(v, 2), o[3], g)
    for s in range(L.cubic_count):
        p = point(special[s], n)
        row[p] = 0
        for t in range(4 * s, 4 * s + 4):
            row[p] += weights[t] * v[sources[t]]


@inline
def restrict_data(out, r, L, special, sources, weights):
    """Data of full multigrid along a row: r to coarse values in natural order."""
    n, most, d = L.n[2], L.data_most, L.d
    E, O = EVEN, odd(n)
    if L.halved[2] == 0:
        join(out, ahead(r, E), ahead(r, O), n)
        return
    # d belongs to the points 2 k - 3, ..., 2 k + 4
    rows = (
        ahead(r, O - 2), ahead(r, E - 1), ahead(r, O - 1), ahead(r, E), ahead(r, O), ahead(r, E + 1), ahead(r, O + 1),
        ahead(r, E + 2),
    )  # fmt: skip
    eight(out, rows, (d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]), L.m[2])
    for s in range(L.data_count):
        out[special[s]] = 0
        for t in range(s * most, (s + 1) * most):
            out[special[s]] += weights[t] * r[point(sources[t], n)]
