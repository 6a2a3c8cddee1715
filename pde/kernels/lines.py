"""The arithmetic along a row, the only place where the stencil is written. Rows are addresses in a work space.

In three dimensions a row has four neighbours; in two, `front` and `behind` are None and their terms are not compiled.
Coefficients that are alike along a row are numbers, `known`; others are rows themselves, `balance`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pde.kernels.jit import compiled, inline
from pde.kernels.lanes import LANES, put, several
from pde.kernels.layout import EVEN, join, odd, point, split
from pde.kernels.pointers import ahead, fetch


@inline
def known(left, right, below, above, front, behind, f, c):
    """f and the neighbours of a point, each times its coefficient: all of f - A x but centre x."""
    total = f + (c[0] * left + c[1] * right) + (c[2] * below + c[3] * above)
    if front is not None:
        total += c[4] * front + c[5] * behind
    return total


@inline
def known_lanes(k, left, right, below, above, front, behind, f, c):
    """`known` of the points from k on, with the rows of their neighbours."""
    return known(
        several(left, k), several(right, k), several(below, k), several(above, k), several(front, k),
        several(behind, k), several(f, k), c,
    )  # fmt: skip


@inline
def relax_inside(x, r, kept, left, right, below, above, front, behind, f, keep, scale, centre, c, count, coming):
    """x <- keep x + scale (f + neighbours), for points of one colour; r <- f - A x there, if it is kept."""
    if kept:
        for k in range(0, count, LANES):
            total = known_lanes(k, left, right, below, above, front, behind, f, c)
            new = keep * several(x, k) + scale * total
            put(x, k, new)
            put(r, k, total - centre * new)
            fetch_both(coming, k)
    else:
        for k in range(0, count, LANES):
            total = known_lanes(k, left, right, below, above, front, behind, f, c)
            put(x, k, keep * several(x, k) + scale * total)
            fetch_both(coming, k)


@inline
def fetch_both(coming, k):
    """Bring lines that are needed soon to the cache: the arithmetic of a row has half as many points as a row."""
    fetch(coming[0], 2 * k)
    fetch(coming[1], 2 * k)


@inline
def residual_inside(r, x, left, right, below, above, front, behind, f, centre, c, count):
    """r <- f - A x, for points of one colour."""
    for k in range(0, count, LANES):
        total = known_lanes(k, left, right, below, above, front, behind, f, c)
        put(r, k, total - centre * several(x, k))


class Faces(NamedTuple):
    """The coefficients of a row of points, or of those of one colour in it; all but the last four are addresses.

    left, right, below, above, front, behind: a/h between each point and that neighbour. shrink: 1 over the widths along
    the row. reaction: c. lower0, upper0, lower1, upper1: 1 over the widths of the row across, one number for each side.
    """

    left: Any
    right: Any
    below: Any
    above: Any
    front: Any
    behind: Any
    shrink: Any
    reaction: Any
    lower0: Any
    upper0: Any
    lower1: Any
    upper1: Any


@compiled
def of_parity(a, parity, n):
    """The coefficients of the points of a row with this parity; those along it are n + 1 numbers."""
    g = n // 2
    h, even = n - g, (n + 2) // 2
    if parity == 0:
        return Faces(
            a.left, ahead(a.left, even), a.below, a.above, a.front, a.behind, a.shrink, a.reaction,
            a.lower0, a.upper0, a.lower1, a.upper1,
        )  # fmt: skip
    return Faces(
        ahead(a.left, even), ahead(a.left, 1), ahead(a.below, h), ahead(a.above, h), ahead(a.front, h),
        ahead(a.behind, h), ahead(a.shrink, h), ahead(a.reaction, h), a.lower0, a.upper0, a.lower1, a.upper1,
    )  # fmt: skip


@inline
def balance(k, left, right, below, above, front, behind, f, a):
    """(`known`, the coefficient of the points themselves) from point k on: a flux is a/h times a difference, and it is
    beside each width."""
    lower0, upper0 = a.lower0 * several(a.below, k), a.upper0 * several(a.above, k)
    lower, upper, shrink = several(a.left, k), several(a.right, k), several(a.shrink, k)
    total = several(f, k) + shrink * (lower * several(left, k) + upper * several(right, k))
    total += lower0 * several(below, k) + upper0 * several(above, k)
    centre = several(a.reaction, k) + shrink * (lower + upper) + (lower0 + upper0)
    if front is not None:
        lower1, upper1 = a.lower1 * several(a.front, k), a.upper1 * several(a.behind, k)
        total += lower1 * several(front, k) + upper1 * several(behind, k)
        centre += lower1 + upper1
    return total, centre


@compiled
def relax_varying(row, r, kept, below, above, front, behind, f, L, faces, parity, coming):
    """`relax` with coefficients that vary along the row."""
    n = L.n[2]
    x, left, right, count = _colour(parity, n)
    _relax_varying(
        ahead(row, x), ahead(r, x), kept, ahead(row, left), ahead(row, right), ahead(below, x), ahead(above, x),
        ahead(front, x), ahead(behind, x), ahead(f, x), of_parity(faces, parity, n), 1 - L.omega, L.omega, count,
        coming,
    )  # fmt: skip
    ends(row, n, L.periodic[2] != 0)


@inline
def _relax_varying(x, r, kept, left, right, below, above, front, behind, f, a, keep, omega, count, coming):
    for k in range(0, count, LANES):
        total, centre = balance(k, left, right, below, above, front, behind, f, a)
        new = keep * several(x, k) + omega * (total / centre)
        fetch_both(coming, k)
        put(x, k, new)
        if kept:
            put(r, k, total - centre * new)


@compiled
def residual_varying(r, row, below, above, front, behind, f, L, faces, first, last):
    """`residual` with coefficients that vary along the row."""
    n = L.n[2]
    for parity in range(first, last):
        x, left, right, count = _colour(parity, n)
        _residual_varying(
            ahead(r, x), ahead(row, x), ahead(row, left), ahead(row, right), ahead(below, x), ahead(above, x),
            ahead(front, x), ahead(behind, x), ahead(f, x), of_parity(faces, parity, n), count,
        )  # fmt: skip
    ends(r, n, L.periodic[2] != 0)


@inline
def _residual_varying(r, x, left, right, below, above, front, behind, f, a, count):
    for k in range(0, count, LANES):
        total, centre = balance(k, left, right, below, above, front, behind, f, a)
        put(r, k, total - centre * several(x, k))


@compiled
def squares_varying(r, width, n):
    """`squares` with widths that vary along the row."""
    h = n - n // 2
    return _weighted_squares(ahead(r, EVEN), width, h) + _weighted_squares(ahead(r, odd(n)), ahead(width, h), n - h)


@compiled
def _weighted_squares(r, width, count):
    total = np.float64(0)
    for k in range(count):
        total += np.float64(width[k]) * np.float64(r[k]) * np.float64(r[k])
    return total


@inline
def _colour(parity, n):
    """Where the points of a row with this parity begin, and their neighbours on the left and on the right; how many."""
    if parity == 0:
        return EVEN, odd(n) - 1, odd(n), n - n // 2
    return odd(n), EVEN, EVEN + 1, n // 2


@inline
def ends(row, n, periodic):
    """The values beyond the ends of a row: those on the other side of a periodic one, else zero."""
    if periodic:
        wrap(row, n)
    else:
        row[odd(n) - 1] = 0
        row[EVEN + (n + 1) // 2] = 0
        row[odd(n) + n // 2] = 0


@compiled
def known_at(j, row, below, above, front, behind, f, n, lower, upper, c):
    """`known` of point j of a row, which has its own lower and upper coefficient."""
    p, O = point(j, n), odd(n)
    left, right = (O + j // 2 - 1, O + j // 2) if j % 2 == 0 else (EVEN + j // 2, EVEN + j // 2 + 1)
    here = (lower, upper, c[2], c[3], c[4], c[5])
    if front is None:
        return known(row[left], row[right], below[p], above[p], None, None, f[p], here)
    return known(row[left], row[right], below[p], above[p], front[p], behind[p], f[p], here)


@inline
def wrap(row, n):
    """The values beyond the ends of a periodic row with an even number of points."""
    O = odd(n)
    row[O - 1] = row[O + n // 2 - 1]
    row[EVEN + n // 2] = row[EVEN]


@inline
def relax(row, r, kept, below, above, front, behind, f, L, special, values, centre, c, parity, scratch, coming):
    """Half a red-black sweep: the points of a row whose index has this parity; their residual to r, if kept."""
    n, count = L.n[2], L.specials
    keep = 1 - L.omega
    for s in range(count):
        j = special[s]
        if j % 2 == parity:
            total = known_at(j, row, below, above, front, behind, f, n, values[s], values[2 * count + s], c)
            scratch[s] = keep * row[point(j, n)] + L.omega / (centre + values[count + s]) * total
            if kept:
                scratch[count + s] = total - (centre + values[count + s]) * scratch[s]
    x, left, right, length = _colour(parity, n)
    relax_inside(
        ahead(row, x), ahead(r, x), kept, ahead(row, left), ahead(row, right), ahead(below, x), ahead(above, x),
        ahead(front, x), ahead(behind, x), ahead(f, x), keep, L.omega / (centre + L.centre), centre + L.centre, c,
        length, coming,
    )  # fmt: skip
    for s in range(count):
        j = special[s]
        if j % 2 == parity:
            row[point(j, n)] = scratch[s]
            if kept:
                r[point(j, n)] = scratch[count + s]
    ends(row, n, L.periodic[2] != 0)


@inline
def residual(r, row, below, above, front, behind, f, L, special, values, centre, c, first, last):
    """r <- f - A u on a row, for the points whose index has a parity from `first` to `last` - 1."""
    n, count = L.n[2], L.specials
    for parity in range(first, last):
        x, left, right, length = _colour(parity, n)
        residual_inside(
            ahead(r, x), ahead(row, x), ahead(row, left), ahead(row, right), ahead(below, x), ahead(above, x),
            ahead(front, x), ahead(behind, x), ahead(f, x), centre + L.centre, c, length,
        )  # fmt: skip
    for s in range(count):
        j = special[s]
        if first <= j % 2 < last:
            total = known_at(j, row, below, above, front, behind, f, n, values[s], values[2 * count + s], c)
            r[point(j, n)] = total - (centre + values[count + s]) * row[point(j, n)]
    ends(r, n, L.periodic[2] != 0)


@compiled
def squares(r, L, special, values):
    """Sum of the squares along a row, each times its width."""
    n, count = L.n[2], L.specials
    total = _squares(ahead(r, EVEN), n - n // 2) + _squares(ahead(r, odd(n)), n // 2)
    total *= np.float64(L.width)
    for s in range(count):
        value = np.float64(r[point(special[s], n)])
        total += (np.float64(values[3 * count + s]) - np.float64(L.width)) * value * value
    return total


@compiled
def _squares(r, count):
    total = np.float64(0)
    for k in range(count):
        total += np.float64(r[k]) * np.float64(r[k])
    return total


@inline
def start_from_zero(row, f, L, special, values, centre, parity):
    """`relax` of a row of zeros between rows of zeros."""
    n, count = L.n[2], L.specials
    x, _, _, length = _colour(parity, n)
    times(ahead(row, x), ahead(f, x), L.omega / (centre + L.centre), length)
    for s in range(count):
        p = point(special[s], n)
        if special[s] % 2 == parity:
            row[p] = L.omega / (centre + values[count + s]) * f[p]
    ends(row, n, L.periodic[2] != 0)


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
def two(out, p, a, q, b, count):
    """out <- a p + b q."""
    if a * b == 0:
        times(out, p if b == 0 else q, a + b, count)
        return
    for k in range(0, count, LANES):
        put(out, k, a * several(p, k) + b * several(q, k))


@compiled
def add_two(out, p, a, q, b, count):
    """out <- out + a p + b q."""
    if a * b == 0:
        add(out, p if b == 0 else q, a + b, count)
        return
    for k in range(0, count, LANES):
        put(out, k, several(out, k) + (a * several(p, k) + b * several(q, k)))


@compiled
def add(out, p, a, count):
    """out <- out + a p."""
    for k in range(0, count, LANES):
        put(out, k, several(out, k) + a * several(p, k))


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
def add_correction(row, v, L, special, sources, weights, scratch):
    """row <- row + P v along the row."""
    n = L.n[2]
    O, g = odd(n), n // 2
    if L.halved[2] == 0:
        split(scratch, ahead(scratch, n - g), v, n)
        add(ahead(row, EVEN), scratch, 1, n - g)
        add(ahead(row, O), ahead(scratch, n - g), 1, g)
        return
    for s in range(L.prolonged_count):
        scratch[s] = row[point(special[s], n)] + (
            weights[2 * s] * v[sources[2 * s]] + weights[2 * s + 1] * v[sources[2 * s + 1]]
        )
    beyond(v, L.m[2], L.periodic[2] != 0)
    add_two(ahead(row, EVEN), ahead(v, -1), L.e[0], v, L.e[1], n - g)
    add_two(ahead(row, O), v, L.o[0], ahead(v, 1), L.o[1], g)
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
    beyond(v, L.m[2], L.periodic[2] != 0)
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
