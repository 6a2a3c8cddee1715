"""The stencil along a row with constant coefficients; points next to the ends ("boundary points") have their own.

In three dimensions a row has four neighbours; in two, `front` and `behind` are None and their terms are not compiled.
The stencil is written here and in `stencil_variable` alone.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from pde.backends.numba.jit import compiled, inline
from pde.backends.numba.layout import EVEN, colour, ends, odd, point
from pde.backends.numba.pointers import prefetch
from pde.backends.numba.seams import has_seam, mend_residual, put_ahead
from pde.backends.numba.simd import lanes, load, store
from pde.backends.numba.transfers import times

Star = namedtuple("Star", "row below above front behind f_even f_odd")
"""Pointers to a row, to the rows beside it, and to f at its even and its odd points."""

Points = namedtuple("Points", "x left right below above front behind f count")
"""Pointers to the points of one colour of a row, to their six neighbours and to f; how many there are."""

Coefficients = namedtuple("Coefficients", "across left right below above front behind")
"""Coefficients of the neighbours inside a row; `across`: the part of the diagonal from the axes across it."""


@inline
def points_of(star, parity, n):
    """Return the points of a row with this parity."""
    x, left, right, count = colour(parity, n)
    return Points(
        star.row + x, star.row + left, star.row + right, star.below + x, star.above + x, star.front + x,
        star.behind + x, star.f_even if parity == 0 else star.f_odd, count,
    )  # fmt: skip


@inline
def known(left, right, below, above, front, behind, f, c):
    """Return f plus the neighbours of a point, each times its coefficient: f - A x without the diagonal."""
    total = f + (c.left * left + c.right * right) + (c.below * below + c.above * above)
    if front is not None:
        total += c.front * front + c.behind * behind
    return total


@inline
def known_lanes(k, p, c):
    """Return `known` of a vector of points from point k on."""
    return known(
        load(p.left, k), load(p.right, k), load(p.below, k), load(p.above, k), load(p.front, k), load(p.behind, k),
        load(p.f, k), c,
    )  # fmt: skip


@compiled
def known_at(j, star, front, behind, n, lower, upper, c):
    """Return `known` of point j of a row, which has its own lower and upper coefficient."""
    p, O, row = point(j, n), odd(n), star.row
    left, right = (O + j // 2 - 1, O + j // 2) if j % 2 == 0 else (EVEN + j // 2, EVEN + j // 2 + 1)
    f = (star.f_even if j % 2 == 0 else star.f_odd)[j // 2]
    own = Coefficients(c.across, lower, upper, c.below, c.above, c.front, c.behind)
    if front is None:
        return known(row[left], row[right], star.below[p], star.above[p], None, None, f, own)
    return known(row[left], row[right], star.below[p], star.above[p], front[p], behind[p], f, own)


@inline
def relax(level, axes, star, c, parity, r, kept, coming):
    """Relax the points of a row with this parity; r <- their residual if it is kept.

    Args:
        coming: two pointers to lines that are needed soon; one colour has half as many points as a row.
    """
    L, scratch = level.record, axes.scratch
    n, count, keep = L.n[2], L.boundary_points, 1 - L.omega
    boundary, values = axes.boundary, axes.values
    seam = parity == 0 and has_seam(L, 2)
    for t in range(count):
        s = t if axes.mirrored else count - 1 - t
        j = boundary[s]
        if j % 2 == parity:
            total = known_at(j, star, star.front, star.behind, n, values[s], values[2 * count + s], c)
            scratch[s] = keep * star.row[point(j, n)] + L.omega / (c.across + values[count + s]) * total
            if kept:
                scratch[count + s] = total - (c.across + values[count + s]) * scratch[s]
            if t == 0 and seam:
                put_ahead(star.row, n, axes.mirrored, scratch[s])
    centre = c.across + L.centre
    points = points_of(star, parity, n)
    relax_inside(points, r + colour(parity, n)[0], kept, keep, L.omega / centre, centre, c, coming)
    for s in range(count):
        j = boundary[s]
        if j % 2 == parity:
            star.row[point(j, n)] = scratch[s]
            if kept:
                r[point(j, n)] = scratch[count + s]
    if kept and seam:
        mend_residual(star.row, r, n, axes.mirrored, values[0], values[3 * count - 1])
    ends(star.row, n, L.periodic[2] != 0)


@inline
def relax_inside(p, r, kept, keep, scale, centre, c, coming):
    """x <- keep x + scale (f + neighbours) for the points of one colour; r <- f - A x there, if it is kept."""
    if kept:
        for k in range(0, p.count, lanes(p.x)):
            total = known_lanes(k, p, c)
            new = keep * load(p.x, k) + scale * total
            store(p.x, k, new)
            store(r, k, total - centre * new)
            prefetch(coming[0], 2 * k)
            prefetch(coming[1], 2 * k)
    else:
        for k in range(0, p.count, lanes(p.x)):
            total = known_lanes(k, p, c)
            store(p.x, k, keep * load(p.x, k) + scale * total)
            prefetch(coming[0], 2 * k)
            prefetch(coming[1], 2 * k)


@inline
def relax_zeros(level, axes, star, c, parity):
    """Relax a row of zeros between rows of zeros."""
    L = level.record
    n, count = L.n[2], L.boundary_points
    x, _, _, length = colour(parity, n)
    f = star.f_even if parity == 0 else star.f_odd
    times(star.row + x, f, L.omega / (c.across + L.centre), length)
    for s in range(count):
        j = axes.boundary[s]
        if j % 2 == parity:
            star.row[point(j, n)] = L.omega / (c.across + axes.values[count + s]) * f[j // 2]
    ends(star.row, n, L.periodic[2] != 0)


@inline
def residual(level, axes, star, c, r, first, last):
    """r <- f - A u on a row, for the points with a parity from `first` to `last` - 1."""
    L = level.record
    n, count = L.n[2], L.boundary_points
    boundary, values = axes.boundary, axes.values
    for parity in range(first, last):
        p = points_of(star, parity, n)
        residual_inside(r + colour(parity, n)[0], p, c.across + L.centre, c)
    for s in range(count):
        j = boundary[s]
        if first <= j % 2 < last:
            total = known_at(j, star, star.front, star.behind, n, values[s], values[2 * count + s], c)
            r[point(j, n)] = total - (c.across + values[count + s]) * star.row[point(j, n)]


@inline
def residual_inside(r, p, centre, c):
    """r <- f - A x for the points of one colour."""
    for k in range(0, p.count, lanes(p.x)):
        store(r, k, known_lanes(k, p, c) - centre * load(p.x, k))


@compiled
def squares(level, axes, r):
    """Sum the squares along a row, each times its width."""
    L = level.record
    n, count = L.n[2], L.boundary_points
    total = _squares(r + EVEN, n - n // 2) + _squares(r + odd(n), n // 2)
    total *= np.float64(L.width)
    for s in range(count):
        value = np.float64(r[point(axes.boundary[s], n)])
        total += (np.float64(axes.values[3 * count + s]) - np.float64(L.width)) * value * value
    return total


@compiled
def _squares(r, count):
    total = np.float64(0)
    for k in range(count):
        total += np.float64(r[k]) * np.float64(r[k])
    return total


@compiled
def product(level, axes, row, f_even, f_odd):
    """Sum f u along a row, each times its width."""
    L = level.record
    n, count = L.n[2], L.boundary_points
    total = _product(row + EVEN, f_even, n - n // 2) + _product(row + odd(n), f_odd, n // 2)
    total *= np.float64(L.width)
    for s in range(count):
        j = axes.boundary[s]
        f = (f_even if j % 2 == 0 else f_odd)[j // 2]
        more = np.float64(axes.values[3 * count + s]) - np.float64(L.width)
        total += more * np.float64(f) * np.float64(row[point(j, n)])
    return total


@compiled
def _product(u, f, count):
    total = np.float64(0)
    for k in range(count):
        total += np.float64(u[k]) * np.float64(f[k])
    return total
