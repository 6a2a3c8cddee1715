"""The arithmetic along a row whose coefficients are alike, but for special points beside its ends that have their own.

Rows are addresses in a work space, and f those of its even and its odd points, wherever they are. In three dimensions
a row has four neighbours; in two, `front` and `behind` are None and their terms are not compiled. Here and in `varying`
alone the stencil is written.
"""

from __future__ import annotations

import numpy as np

from pde.backends.numba.jit import compiled, inline
from pde.backends.numba.layout import EVEN, colour, ends, half, odd, point
from pde.backends.numba.pointers import ahead, fetch_both
from pde.backends.numba.simd import LANES, put, several
from pde.backends.numba.transfers import times


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
def residual_inside(r, x, left, right, below, above, front, behind, f, centre, c, count):
    """r <- f - A x, for points of one colour."""
    for k in range(0, count, LANES):
        total = known_lanes(k, left, right, below, above, front, behind, f, c)
        put(r, k, total - centre * several(x, k))


@compiled
def known_at(j, row, below, above, front, behind, f, n, lower, upper, c):
    """`known` of point j of a row, which has its own lower and upper coefficient."""
    p, O = point(j, n), odd(n)
    left, right = (O + j // 2 - 1, O + j // 2) if j % 2 == 0 else (EVEN + j // 2, EVEN + j // 2 + 1)
    f_here = half(f, j % 2)[j // 2]
    here = (lower, upper, c[2], c[3], c[4], c[5])
    if front is None:
        return known(row[left], row[right], below[p], above[p], None, None, f_here, here)
    return known(row[left], row[right], below[p], above[p], front[p], behind[p], f_here, here)


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
    x, left, right, length = colour(parity, n)
    relax_inside(
        ahead(row, x), ahead(r, x), kept, ahead(row, left), ahead(row, right), ahead(below, x), ahead(above, x),
        ahead(front, x), ahead(behind, x), half(f, parity), keep, L.omega / (centre + L.centre), centre + L.centre, c,
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
        x, left, right, length = colour(parity, n)
        residual_inside(
            ahead(r, x), ahead(row, x), ahead(row, left), ahead(row, right), ahead(below, x), ahead(above, x),
            ahead(front, x), ahead(behind, x), half(f, parity), centre + L.centre, c, length,
        )  # fmt: skip
    for s in range(count):
        j = special[s]
        if first <= j % 2 < last:
            total = known_at(j, row, below, above, front, behind, f, n, values[s], values[2 * count + s], c)
            r[point(j, n)] = total - (centre + values[count + s]) * row[point(j, n)]


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
    x, _, _, length = colour(parity, n)
    f = half(f, parity)
    times(ahead(row, x), f, L.omega / (centre + L.centre), length)
    for s in range(count):
        j = special[s]
        if j % 2 == parity:
            row[point(j, n)] = L.omega / (centre + values[count + s]) * f[j // 2]
    ends(row, n, L.periodic[2] != 0)
