"""Sums over planes and combinations of vectors, as conjugate gradients need them."""

from __future__ import annotations

import numpy as np

from pde.backends.numba.jit import compiled, inline
from pde.backends.numba.multicolour.rows import add_across, add_along, extent, row_of, zero
from pde.backends.numba.pointers import pointer


@compiled
def combine_plane(p, z, factor, count):
    """p <- z + factor p; a factor of zero does not read p."""
    if factor == 0:
        for j in range(count):
            p[j] = z[j]
    else:
        for j in range(count):
            p[j] = z[j] + factor * p[j]


@inline
def widths(level):
    """Point to the control volumes along each axis."""
    like, w = level.like, level.record.widths
    return pointer(like.real, w[0]), pointer(like.real, w[1]), pointer(like.real, w[2])


@compiled
def dot_plane(level, v, w, i0):
    """Return the sum of W v w over a plane."""
    L, like = level.record, level.like
    n1, n2 = L.n[1], L.n[2]
    total = np.float64(0)
    width0, width1, width2 = widths(level)
    for i1 in range(n1):
        at = (i0 * n1 + i1) * n2
        a, b = v + at, w + at
        part = np.float64(0)
        for j in range(n2):
            part += np.float64(width2[j]) * a[j] * b[j]
        total += np.float64(width0[i0]) * width1[i1] * part
    return total


@compiled
def energy_plane(level, p, i0, work):
    """Return the sum of W p (A p) over a plane."""
    L, like = level.record, level.like
    n1, n2 = L.n[1], L.n[2]
    total = np.float64(0)
    width0, width1, width2 = widths(level)
    for i1 in range(n1):
        here, t = p + (i0 * n1 + i1) * n2, work
        first, last = extent(level, i0, i1)
        diagonal = row_of(L.diagonal, like.real, i0, i1)
        zero(t, first, last)
        add_across(t, level, p, i0, i1, first, last, False)
        add_along(t, level, p, i0, i1, first, last)
        part = np.float64(0)
        for j in range(first, last):
            part += np.float64(width2[j]) * here[j] * (diagonal[j] * here[j] - t[j])
        total += np.float64(width0[i0]) * width1[i1] * part
    return total
