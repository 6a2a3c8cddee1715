"""Two half sweeps and the residual at once, along rows of three planes that lie below each other.

Where coefficients are constant along a row; the stencil is that of `stencil_constant`.
"""

from __future__ import annotations

from collections import namedtuple

from pde.backends.numba.jit import compiled, inline
from pde.backends.numba.layout import EVEN, colour, ends, odd, point
from pde.backends.numba.pointers import prefetch
from pde.backends.numba.seams import has_seam, mend_residual, put_ahead
from pde.backends.numba.simd import lanes, load, store
from pde.backends.numba.stencil_constant import Coefficients, known, points_of

Sweep = namedtuple("Sweep", "across left right below above front behind keep omega")
"""The `Coefficients` of a row with those of a sweep: u <- keep u + omega (f + neighbours) / diagonal.

Outside of the grid u stays: keep = 1, omega = 0.
"""


@inline
def known_beside(k, p, below, above, c):
    """Return `known` of a vector of points from point k on, with these neighbours below and above."""
    return known(
        load(p.left, k), load(p.left, k + 1), below, above, load(p.front, k), load(p.behind, k), load(p.f, k), c
    )  # fmt: skip


@inline
def known_point(j, star, front, behind, below, above, n, lower, upper, c):
    """Return `known` of point j of a row, which has its own lower and upper coefficient."""
    p, O, row = point(j, n), odd(n), star.row
    left, right = (O + j // 2 - 1, O + j // 2) if j % 2 == 0 else (EVEN + j // 2, EVEN + j // 2 + 1)
    f = (star.f_even if j % 2 == 0 else star.f_odd)[j // 2]
    own = Coefficients(c.across, lower, upper, c.below, c.above, c.front, c.behind)
    if front is None:
        return known(row[left], row[right], below, above, None, None, f, own)
    return known(row[left], row[right], below, above, front[p], behind[p], f, own)


@inline
def relax_twice(level, axes, stars, c, parity, r, measured, coming):
    """Make a half sweep on a row and the next one on the row below it, for the points with this parity.

    No point that one of them reads is written by the other, but for the neighbours along this column of points: they
    are in registers. The same is true of the residual in the row below those two.

    Args:
        stars, c: `Star` and `Sweep` of the row, of the one below it and of the one below that.
        r: pointers to the residual of the second and of the third row, where it is `measured` for these points.
        coming: two pointers to lines that are needed soon; one colour has half as many points as a row.
    """
    L, scratch = level.record, axes.scratch
    n, count, mirrored, seam = L.n[2], L.boundary_points, axes.mirrored, parity == 0 and has_seam(L, 2)
    for t in range(count):
        s = t if mirrored else count - 1 - t
        if axes.boundary[s] % 2 == parity:
            relax_at(level, axes, s, stars, c, scratch + 4 * s)
            if t == 0 and seam:
                put_ahead(stars[0].row, n, mirrored, scratch[4 * s])
                put_ahead(stars[1].row, n, mirrored, scratch[4 * s + 1])
    x = colour(parity, n)[0]
    points = points_of(stars[0], parity, n), points_of(stars[1], parity, n), points_of(stars[2], parity, n)
    if measured:
        relax_and_measure(points, c, L.centre, r[0] + x, r[1] + x, coming)
    else:
        relax_inside(points, c, L.centre, coming)
    for s in range(count):
        if axes.boundary[s] % 2 == parity:
            p = point(axes.boundary[s], n)
            stars[0].row[p], stars[1].row[p] = scratch[4 * s], scratch[4 * s + 1]
            if measured:
                r[0][p], r[1][p] = scratch[4 * s + 2], scratch[4 * s + 3]
    if measured and seam:
        mend_residual(stars[1].row, r[0], n, mirrored, axes.values[0], axes.values[3 * count - 1])
    ends(stars[0].row, n, L.periodic[2] != 0)
    ends(stars[1].row, n, L.periodic[2] != 0)


@inline
def relax_inside(points, c, middle, coming):
    """x <- keep x + omega / diagonal (f + neighbours) in two rows; `middle`: the diagonal along a row."""
    p, q, _ = points
    a, b, _ = c
    scale, other = a.omega / (a.across + middle), b.omega / (b.across + middle)
    for k in range(0, p.count, lanes(p.x)):
        old = load(q.x, k)
        new = a.keep * load(p.x, k) + scale * known_beside(k, p, old, load(p.above, k), a)
        store(p.x, k, new)
        store(q.x, k, b.keep * old + other * known_beside(k, q, load(q.below, k), new, b))
        prefetch(coming[0], 2 * k)
        prefetch(coming[0], 2 * k + lanes(p.x))
        prefetch(coming[1], 2 * k)
        prefetch(coming[1], 2 * k + lanes(p.x))


@inline
def relax_and_measure(points, c, middle, r, r_below, coming):
    """The same; r <- f - A x for these points of the second row, r_below <- that of the row below it."""
    p, q, s = points
    a, b, d = c
    scale, other = a.omega / (a.across + middle), b.omega / (b.across + middle)
    centre, last = b.across + middle, d.across + middle
    for k in range(0, p.count, lanes(p.x)):
        old, under = load(q.x, k), load(s.x, k)
        new = a.keep * load(p.x, k) + scale * known_beside(k, p, old, load(p.above, k), a)
        store(p.x, k, new)
        total = known_beside(k, q, under, new, b)
        new = b.keep * old + other * total
        store(q.x, k, new)
        store(r, k, total - centre * new)
        store(r_below, k, known_beside(k, s, load(s.below, k), new, d) - last * under)
        prefetch(coming[0], 2 * k)
        prefetch(coming[0], 2 * k + lanes(p.x))
        prefetch(coming[1], 2 * k)
        prefetch(coming[1], 2 * k + lanes(p.x))


@compiled
def relax_at(level, axes, s, stars, c, out):
    """Do what `relax_twice` does for one boundary point; out <- the two new values and the two residuals."""
    L = level.record
    n, count, j = L.n[2], L.boundary_points, axes.boundary[s]
    p, lower, own, upper = point(j, n), axes.values[s], axes.values[count + s], axes.values[2 * count + s]
    top, middle, low = stars
    a, b, d = c
    old, under = middle.row[p], low.row[p]
    total = known_point(j, top, top.front, top.behind, old, top.above[p], n, lower, upper, a)
    new = a.keep * top.row[p] + a.omega / (a.across + own) * total
    out[0] = new
    total = known_point(j, middle, middle.front, middle.behind, under, new, n, lower, upper, b)
    new = b.keep * old + b.omega / (b.across + own) * total
    out[1], out[2] = new, total - (b.across + own) * new
    total = known_point(j, low, low.front, low.behind, low.below[p], new, n, lower, upper, d)
    out[3] = total - (d.across + own) * under
