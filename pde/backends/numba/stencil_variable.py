"""The arithmetic along a row whose coefficients vary from point to point: they are rows themselves."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pde.backends.numba.jit import compiled, inline
from pde.backends.numba.layout import EVEN, colour, ends, half, odd
from pde.backends.numba.pointers import ahead, fetch_both, pointer, unless_none
from pde.backends.numba.simd import LANES, put, several


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
def faces_of(w, L, deep, i, j, width, lower0, upper0, lower1, upper1):
    """The coefficients of row j of plane i."""
    n1, n = L.n[1], L.n[2]
    rows = i * n1 + j
    below = ahead(pointer(w, L.faces[0]), rows * L.face_row[0])
    front = ahead(pointer(w, L.faces[1]), (i * (n1 + 1) + j) * L.face_row[1])
    left = ahead(pointer(w, L.faces[2]), rows * L.face_row[2])
    return Faces(
        left, left, below, ahead(below, n1 * L.face_row[0]), unless_none(deep, front),
        unless_none(deep, ahead(front, L.face_row[1])), ahead(width, n),
        ahead(pointer(w, L.faces[3]), rows * L.face_row[3]), lower0, upper0, lower1, upper1,
    )  # fmt: skip


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
    x, left, right, count = colour(parity, n)
    _relax_varying(
        ahead(row, x), ahead(r, x), kept, ahead(row, left), ahead(row, right), ahead(below, x), ahead(above, x),
        ahead(front, x), ahead(behind, x), half(f, parity), of_parity(faces, parity, n), 1 - L.omega, L.omega, count,
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
        x, left, right, count = colour(parity, n)
        _residual_varying(
            ahead(r, x), ahead(row, x), ahead(row, left), ahead(row, right), ahead(below, x), ahead(above, x),
            ahead(front, x), ahead(behind, x), half(f, parity), of_parity(faces, parity, n), count,
        )  # fmt: skip


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
