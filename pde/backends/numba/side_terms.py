"""Boundary data in full multigrid: their share in right-hand sides, and in first guesses beside the sides.

Either is a sum over the sides of products: a weight along the axis across the side, times values on the side. For each
of the axes (planes, rows, points) and its low and its high end, `terms` holds these values in rows of unknowns split by
parity; across the last axis, one number for each row. Grids of two dimensions have none across rows.
"""

from __future__ import annotations

from pde.backends.numba.jit import compiled
from pde.backends.numba.layout import EVEN, ends, odd, point
from pde.backends.numba.transfers import add


@compiled
def add_to_guess(level, rows, i, terms, work):
    """Add the boundary data to the interpolated plane i; `rows` are in the work space."""
    for j in range(level.record.n[1]):
        add_to_row(level, rows + j * work.row, i, j, terms)


@compiled
def add_to_row(level, row, i, j, terms):
    """Add the boundary data to row j of the interpolated plane i."""
    L = level.record
    n0, n1, n = L.n[0], L.n[1], L.n[2]
    across0, across1, across2 = level.reals + L.at_ends[0], level.reals + L.at_ends[1], level.reals + L.at_ends[2]
    one = terms + 2 * n1 * n
    two = one if level.is_3d is None else one + 2 * n0 * n
    for s in range(2):
        add_values(row, across0[s * n0 + i], terms + (s * n1 + j) * n, n)
        if level.is_3d is not None:
            add_values(row, across1[s * n1 + j], one + (s * n0 + i) * n, n)
        value = two[(s * n0 + i) * n1 + j]
        for k in range(L.reach[s]):
            at = k if s == 0 else n - 1 - k
            row[point(at, n)] += across2[s * n + at] * value
    ends(row, n, L.periodic[2] != 0)


@compiled
def add_values(row, weight, values, n):
    """row <- row + weight values."""
    if weight != 0:
        half = n - n // 2
        add(row + EVEN, row + EVEN, values, weight, half)
        add(row + odd(n), row + odd(n), values + half, weight, n - half)


@compiled
def fold(level, f, terms, first, last):
    """Add the boundary data to the right-hand side f of the coarse grid, in the equations beside its sides.

    It does so on its planes first, ..., last - 1.
    """
    L = level.record
    m0, m1, m = L.m[0], L.m[1], L.m[2]
    one = terms + 2 * m1 * m
    two = one if level.is_3d is None else one + 2 * m0 * m
    for s in range(2):
        at, i = 0 if s == 0 else m // 2 if m % 2 == 1 else m - 1, s * (m0 - 1)
        if first <= i < last:
            plane = f + i * m1 * m
            for k in range(m1 * m):
                plane[k] += terms[s * m1 * m + k]
        for i in range(first, last):
            if level.is_3d is not None:
                row, values = f + (i * m1 + s * (m1 - 1)) * m, one + (s * m0 + i) * m
                for k in range(m):
                    row[k] += values[k]
            for j in range(m1):
                f[(i * m1 + j) * m + at] += two[(s * m0 + i) * m1 + j]
