"""Sums over planes and combinations of vectors, as conjugate gradients need them."""

from __future__ import annotations

import numpy as np

from pde.backends.numba.jit import compiled, inline
from pde.backends.numba.multicolour.rows import extent, residual_row, row_of, subtract_row, zero
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
    L = level.record
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
    L = level.record
    n1, n2 = L.n[1], L.n[2]
    total = np.float64(0)
    width0, width1, width2 = widths(level)
    for i1 in range(n1):
        here = p + (i0 * n1 + i1) * n2
        first, last = extent(level, i0, i1)
        zero(work, first, last)
        subtract_row(work, level, p, i0, i1, first, last)
        part = np.float64(0)
        for j in range(first, last):
            part -= np.float64(width2[j]) * here[j] * work[j]
        total += np.float64(width0[i0]) * width1[i1] * part
    return total


@compiled
def advance_plane(level, u, r, p, step, i0, work):
    """u += step p and r -= step A p in a plane, r being zero outside."""
    L, like = level.record, level.like
    n1, n2 = L.n[1], L.n[2]
    for i1 in range(n1):
        at, mask = (i0 * n1 + i1) * n2, row_of(L.mask, like.byte, i0, i1)
        first, last = extent(level, i0, i1)
        zero(work, first, last)
        subtract_row(work, level, p, i0, i1, first, last)
        here, along, rest = u + at, p + at, r + at
        for j in range(first, last):
            here[j] += step * along[j]
            rest[j] += step * work[j] if mask[j] != 0 else 0


@compiled
def norm_plane(level, u, f, i0, work):
    """Return the sum of W (f - A u)^2 over a plane, f - A u times `rows`."""
    L = level.record
    n1, n2 = L.n[1], L.n[2]
    total = np.float64(0)
    width0, width1, width2 = widths(level)
    for i1 in range(n1):
        residual_row(work, level, u, f, n1 > 0, i0, i1)
        factor, part = row_of(L.rows, level.like.real, i0, i1), np.float64(0)
        for j in range(n2):
            r = np.float64(factor[j]) * work[j]
            part += width2[j] * r * r
        total += np.float64(width0[i0]) * width1[i1] * part
    return total
