"""Transfers along a row, and the weighted sums of rows that all transfers are made of."""

from __future__ import annotations

from collections import namedtuple

from pde.backends.numba.jit import compiled, inline
from pde.backends.numba.layout import EVEN, join, odd, point, split
from pde.backends.numba.simd import lanes, load, store

Ring = namedtuple("Ring", "rows count step")
"""Rows in a ring: a pointer to the first, the number of rows, and the numbers from one to the next."""


@compiled
def times(out, p, a, count):
    """out <- a p."""
    for k in range(0, count, lanes(out)):
        store(out, k, a * load(p, k))


@compiled
def two(out, p, a, q, b, count):
    """out <- a p + b q."""
    if a * b == 0:
        times(out, p if b == 0 else q, a + b, count)
        return
    for k in range(0, count, lanes(out)):
        store(out, k, a * load(p, k) + b * load(q, k))


@compiled
def three(out, rows, weights, count):
    """out <- the weighted sum of three rows."""
    (p, q, s), (a, b, c) = rows, weights
    for k in range(0, count, lanes(out)):
        store(out, k, (a * load(p, k) + b * load(q, k)) + c * load(s, k))


@compiled
def four(out, rows, weights, count):
    """out <- the weighted sum of four rows."""
    (p, q, s, t), (a, b, c, d) = rows, weights
    if a == 0 and d == 0 and b * c == 0:  # a point of the coarse grid
        times(out, q if c == 0 else s, b + c, count)
        return
    for k in range(0, count, lanes(out)):
        store(out, k, (a * load(p, k) + b * load(q, k)) + (c * load(s, k) + d * load(t, k)))


@compiled
def eight(out, rows, weights, count):
    """out <- the weighted sum of eight rows."""
    p, q, r, s, t, u, v, w = rows
    for k in range(0, count, lanes(out)):
        values = load(p, k), load(q, k), load(r, k), load(s, k), load(t, k), load(u, k), load(v, k), load(w, k)
        store(out, k, of_eight(values, weights))


@inline
def of_eight(a, w):
    """Return the weighted sum of eight numbers."""
    return ((w[0] * a[0] + w[1] * a[1]) + (w[2] * a[2] + w[3] * a[3])) + (
        (w[4] * a[4] + w[5] * a[5]) + (w[6] * a[6] + w[7] * a[7])
    )


@compiled
def add_two(out, u, p, a, q, b, count):
    """out <- u + a p + b q."""
    if a * b == 0:
        add(out, u, p if b == 0 else q, a + b, count)
        return
    for k in range(0, count, lanes(out)):
        store(out, k, load(u, k) + (a * load(p, k) + b * load(q, k)))


@compiled
def add(out, u, p, a, count):
    """out <- u + a p."""
    for k in range(0, count, lanes(out)):
        store(out, k, load(u, k) + a * load(p, k))


@compiled
def combine(out, ring, first, weight, step, count, length):
    """Sum `count` rows of a ring from row `first` on, with weights that are `step` apart.

    Returns the sum: `out`, or a row of the ring where it alone has weight 1.
    """
    p, k = next_row(ring, first)
    if count == 1:
        if weight[0] == 1:
            return p
        times(out, p, weight[0], length)
        return out
    q, k = next_row(ring, k)
    if count == 2:
        two(out, p, weight[0], q, weight[step], length)
        return out
    s, k = next_row(ring, k)
    if count == 3:
        three(out, (p, q, s), (weight[0], weight[step], weight[2 * step]), length)
        return out
    t, k = next_row(ring, k)
    four(out, (p, q, s, t), (weight[0], weight[step], weight[2 * step], weight[3 * step]), length)
    for c in range(4, count):
        p, k = next_row(ring, k)
        add(out, out, p, weight[c * step], length)
    return out


@inline
def next_row(ring, k):
    """Return row k of a ring and the number of the next one."""
    return ring.rows + k * ring.step, k + 1 if k + 1 < ring.count else 0


@inline
def restrict(level, out, r):
    """out <- full weighting of a row r of the work space, in natural order."""
    L = level.record
    E, O, n = EVEN, odd(L.n[2]), L.n[2]
    if L.halved[2] == 0:
        join(out, r + E, r + O, n)
        return
    four(out, (r + (O - 1), r + E, r + O, r + (E + 1)), (L.r[0], L.r[1], L.r[2], L.r[3]), L.m[2])
    points, sources = level.integers + L.restricted, level.integers + L.restricted_from
    weights, most = level.reals + L.restricted_weight, L.restricted_most
    for s in range(L.restricted_count):
        out[points[s]] = 0
        for t in range(s * most, (s + 1) * most):
            out[points[s]] += weights[t] * r[point(sources[t], n)]


@inline
def add_correction(level, row, even, odds, v, scratch):
    """row <- u + P v along the row, where u is given as two halves."""
    L = level.record
    n, count = L.n[2], L.prolonged_count
    O, g = odd(n), n // 2
    if L.halved[2] == 0:
        split(scratch, scratch + (n - g), v, n)
        add(row + EVEN, even, scratch, 1, n - g)
        add(row + O, odds, scratch + (n - g), 1, g)
        return
    points, sources = level.integers + L.prolonged, level.integers + L.prolonged_from
    weights = level.reals + L.prolonged_weight
    for s in range(count):
        j = points[s]
        scratch[s] = (even[j // 2] if j % 2 == 0 else odds[j // 2]) + (
            weights[2 * s] * v[sources[2 * s]] + weights[2 * s + 1] * v[sources[2 * s + 1]]
        )
    add_two(row + EVEN, even, v - 1, L.e[0], v, L.e[1], n - g)
    add_two(row + O, odds, v, L.o[0], v + 1, L.o[1], g)
    for s in range(count):
        row[point(points[s], n)] = scratch[s]


@inline
def interpolate(level, row, v):
    """row <- cubic interpolation of the coarse values v."""
    L = level.record
    n = L.n[2]
    O, g = odd(n), n // 2
    if L.halved[2] == 0:
        split(row + EVEN, row + O, v, n)
        return
    four(row + EVEN, (v - 2, v - 1, v, v + 1), (L.ce[0], L.ce[1], L.ce[2], L.ce[3]), n - g)
    four(row + O, (v - 1, v, v + 1, v + 2), (L.co[0], L.co[1], L.co[2], L.co[3]), g)
    points, sources = level.integers + L.cubic, level.integers + L.cubic_from
    weights = level.reals + L.cubic_weight
    for s in range(L.cubic_count):
        p = point(points[s], n)
        row[p] = 0
        for t in range(4 * s, 4 * s + 4):
            row[p] += weights[t] * v[sources[t]]


@inline
def restrict_data(level, out, r):
    """out <- coarse data of full multigrid along a row r of the work space, in natural order."""
    L = level.record
    E, O, n, d = EVEN, odd(L.n[2]), L.n[2], L.d
    if L.halved[2] == 0:
        join(out, r + E, r + O, n)
        return
    # d belongs to the points 2 k - 3, ..., 2 k + 4
    rows = r + (O - 2), r + (E - 1), r + (O - 1), r + E, r + O, r + (E + 1), r + (O + 1), r + (E + 2)
    eight(out, rows, (d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]), L.m[2])
    points, sources = level.integers + L.data, level.integers + L.data_from
    weights, most = level.reals + L.data_weight, L.data_most
    for s in range(L.data_count):
        out[points[s]] = 0
        for t in range(s * most, (s + 1) * most):
            out[points[s]] += weights[t] * r[point(sources[t], n)]
