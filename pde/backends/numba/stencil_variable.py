"""The stencil along a row whose coefficients vary from point to point: they are rows themselves."""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from pde.backends.numba.jit import compiled, inline
from pde.backends.numba.layout import EVEN, colour, ends, odd
from pde.backends.numba.pointers import pointer, prefetch, unless_none
from pde.backends.numba.seams import has_seam, mend_residual, put_ahead
from pde.backends.numba.simd import lanes, load, store
from pde.backends.numba.stencil_constant import points_of

Faces = namedtuple("Faces", "left right below above front behind shrink reaction lower0 upper0 lower1 upper1")
"""The coefficients of a row of points, or of one colour of it; all but the last four are pointers.

left, right, below, above, front, behind: a/h between each point and that neighbour. shrink: 1 over the widths along
the row. reaction: c. lower0, upper0, lower1, upper1: 1 over the widths of the row across, one number for each side.
"""


@compiled
def faces_of(level, axes, i, j):
    """Return the coefficients of row j of plane i."""
    L, like, at = level.record, axes.lower0, level.addresses
    n1, n = L.n[1], L.n[2]
    rows = i * n1 + j
    below = pointer(like, at[L.faces[0]]) + rows * L.face_row[0]
    front = pointer(like, at[L.faces[1]]) + (i * (n1 + 1) + j) * L.face_row[1]
    above, behind = below + n1 * L.face_row[0], front + L.face_row[1]
    if axes.mirrored:
        below, above, front, behind = above, below, behind, front
    left = pointer(like, at[L.faces[2]]) + rows * L.face_row[2]
    reaction = pointer(like, at[L.faces[3]]) + rows * L.face_row[3]
    return Faces(
        left, left, below, above, unless_none(level.is_3d, front), unless_none(level.is_3d, behind), axes.widths + n,
        reaction,
        axes.lower0[i], axes.upper0[i], axes.lower1[j], axes.upper1[j],
    )  # fmt: skip


@compiled
def faces_of_colour(a, parity, n):
    """Return the coefficients of the points with this parity; along the row there are n + 1 faces."""
    h, even = n - n // 2, (n + 2) // 2
    if parity == 0:
        return Faces(
            a.left, a.left + even, a.below, a.above, a.front, a.behind, a.shrink, a.reaction,
            a.lower0, a.upper0, a.lower1, a.upper1,
        )  # fmt: skip
    return Faces(
        a.left + even, a.left + 1, a.below + h, a.above + h, a.front + h, a.behind + h, a.shrink + h, a.reaction + h,
        a.lower0, a.upper0, a.lower1, a.upper1,
    )  # fmt: skip


@inline
def balance(k, p, a, front, behind):
    """Return (f plus the neighbours times their coefficients, the diagonal) of a vector of points from point k on."""
    lower0, upper0 = a.lower0 * load(a.below, k), a.upper0 * load(a.above, k)
    lower, upper, shrink = load(a.left, k), load(a.right, k), load(a.shrink, k)
    total = load(p.f, k) + shrink * (lower * load(p.left, k) + upper * load(p.right, k))
    total += lower0 * load(p.below, k) + upper0 * load(p.above, k)
    centre = load(a.reaction, k) + shrink * (lower + upper) + (lower0 + upper0)
    if front is not None:
        lower1, upper1 = a.lower1 * load(a.front, k), a.upper1 * load(a.behind, k)
        total += lower1 * load(front, k) + upper1 * load(behind, k)
        centre += lower1 + upper1
    return total, centre


@compiled
def relax_variable(level, axes, star, faces, parity, r, kept, coming):
    """Relax the points of a row with this parity; r <- their residual if it is kept."""
    L = level.record
    n, h, mirrored, seam = L.n[2], L.n[2] // 2, axes.mirrored, parity == 0 and has_seam(L, 2)
    p, a = points_of(star, parity, n), faces_of_colour(faces, parity, n)
    if seam:
        k = 0 if mirrored else h // lanes(star.row) * lanes(star.row)
        total, centre = balance(k, p, a, p.front, p.behind)
        store(axes.scratch, 0, (1 - L.omega) * load(p.x, k) + L.omega * (total / centre))
        put_ahead(star.row, n, mirrored, axes.scratch[0 if mirrored else h - k])
    _relax(p, a, r + colour(parity, n)[0], kept, L.omega, coming)
    if kept and seam:
        mend_residual(star.row, r, n, mirrored, a.left[0] * a.shrink[0], a.right[h] * a.shrink[h])
    ends(star.row, n, L.periodic[2] != 0)


@inline
def _relax(p, a, r, kept, omega, coming):
    keep = 1 - omega
    for k in range(0, p.count, lanes(p.x)):
        total, centre = balance(k, p, a, p.front, p.behind)
        new = keep * load(p.x, k) + omega * (total / centre)
        prefetch(coming[0], 2 * k)
        prefetch(coming[1], 2 * k)
        store(p.x, k, new)
        if kept:
            store(r, k, total - centre * new)


@compiled
def residual_variable(level, star, faces, r, first, last):
    """r <- f - A u on a row, for the points with a parity from `first` to `last` - 1."""
    n = level.record.n[2]
    for parity in range(first, last):
        p, a = points_of(star, parity, n), faces_of_colour(faces, parity, n)
        _residual(r + colour(parity, n)[0], p, a)


@inline
def _residual(r, p, a):
    for k in range(0, p.count, lanes(p.x)):
        total, centre = balance(k, p, a, p.front, p.behind)
        store(r, k, total - centre * load(p.x, k))


@compiled
def squares_variable(r, width, n):
    """Sum the squares along a row, each times its width."""
    h = n - n // 2
    return _weighted_squares(r + EVEN, width, h) + _weighted_squares(r + odd(n), width + h, n - h)


@compiled
def _weighted_squares(r, width, count):
    total = np.float64(0)
    for k in range(count):
        total += np.float64(width[k]) * np.float64(r[k]) * np.float64(r[k])
    return total


@compiled
def product_variable(row, f_even, f_odd, width, n):
    """Sum f u along a row, each times its width."""
    h = n - n // 2
    return _weighted_product(row + EVEN, f_even, width, h) + _weighted_product(row + odd(n), f_odd, width + h, n - h)


@compiled
def _weighted_product(u, f, width, count):
    total = np.float64(0)
    for k in range(count):
        total += np.float64(width[k]) * np.float64(u[k]) * np.float64(f[k])
    return total
