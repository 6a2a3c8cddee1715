"""The work space of a pass: a ring of planes of u and f, and coarse planes that they come from or go to."""

from __future__ import annotations

from typing import NamedTuple

from pde.backends.numba.jit import called, compiled, inline
from pde.backends.numba.layout import row_length

SLOTS = 4
"""Coarse planes at hand: those of cubic interpolation."""


class Space(NamedTuple):
    """Places in the work space of a pass."""

    row: int
    plane: int
    ring: int
    zero: int
    f: int
    r: int
    r_ring: int
    r_row: int
    r_coarse: int
    scratch: int
    v: int
    mixed: int
    coarse: int
    coarse_row: int
    coarse_plane: int
    sums: int
    total: int


@inline
def space(n1, n, m1, m, span, sweeps):
    """How the work space is divided for rows of n points, n1 in a plane, and their coarse counterparts.

    Args:
        span: planes that a coarse one is made of, at most; in two dimensions they are kept until then.
    """
    row = row_length(n)
    plane = n1 * row
    ring = 2 * sweeps + 3
    coarse_row = row_length(m)
    coarse_plane = m1 * coarse_row
    zero = ring * plane
    f = zero + row
    r = f + ring * plane
    r_ring = span + 1 if n1 == 1 else 2
    r_row = r + r_ring * plane
    r_coarse = r_row + row
    scratch = r_coarse + coarse_row
    v = scratch + row + 64
    mixed = v + coarse_row
    coarse = mixed + coarse_plane
    sums = coarse + SLOTS * coarse_plane
    total = sums + 3 * coarse_plane + 64
    return Space(
        row, plane, ring, zero, f, r, r_ring, r_row, r_coarse, scratch, v, mixed, coarse, coarse_row,
        coarse_plane, sums, total,
    )  # fmt: skip


@called
def space_needed(L, sweeps):
    """The length of the work space of a pass."""
    return space(L.n[1], L.n[2], L.m[1], L.m[2], L.span[0], sweeps).total + L.n[1] * L.n[2] + 64


@compiled
def around_axis(k, n):
    """k modulo n, without the division where it is not needed."""
    return k if 0 <= k < n else k % n


@compiled
def earlier(turn, count, ring):
    """The place in a ring of planes of the one that was loaded `count` < `ring` planes earlier."""
    return turn - count if turn >= count else turn - count + ring
