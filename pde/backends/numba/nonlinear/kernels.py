"""The linear part of sweeps and of A(u), row by row, and maps along an axis.

u has the shape (members, planes, rows, n); in two dimensions there is one plane, and `front` is None. `front`, `across`
and `along` hold the couplings with the neighbours before and behind along each axis, (2, count). `ends` hold per axis
the neighbours beyond its ends, (members, 2, ...), and whether there is a period instead.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from pde.backends.numba.jit import called, inline
from pde.backends.numba.pointers import address_of

Ends = namedtuple("Ends", "front across along periodic")
Couplings = namedtuple("Couplings", "front across along held")
"""`held` has the coefficients of u beside Robin sides, (1, planes, rows, n), or (0, ...)."""


@inline
def _row(u, ends, periodic, b, p, i):
    """Point to a row, which may be one beyond the ends of the last axis but one."""
    planes, rows, n = u.shape[1:]
    if periodic or 0 <= i < rows:
        return address_of(u) + ((b * planes + p) * rows + (i + rows) % rows) * n
    return address_of(ends) + ((2 * b + (i >= 0)) * planes + p) * n


@inline
def _row_of_plane(u, ends, periodic, b, p, i):
    """Point to row i of a plane, which may be one beyond the ends of the first axis."""
    planes, rows, n = u.shape[1:]
    if periodic or 0 <= p < planes:
        return address_of(u) + ((b * planes + (p + planes) % planes) * rows + i) * n
    return address_of(ends) + ((2 * b + (p >= 0)) * rows + i) * n


@inline
def _add(result, n, row, before, behind, low, high):
    for j in range(n):
        result[j] += low * (row[j] - before[j]) + high * (row[j] - behind[j])


@inline
def _own_row(u, b, p, i):
    return address_of(u) + ((b * u.shape[1] + p) * u.shape[2] + i) * u.shape[3]


@inline
def _add_front(result, u, ends, periodic, b, p, i, k):
    if k is not None:
        before = _row_of_plane(u, ends, periodic, b, p - 1, i)
        behind = _row_of_plane(u, ends, periodic, b, p + 1, i)
        _add(result, u.shape[3], _own_row(u, b, p, i), before, behind, k[0, p], k[1, p])


@inline
def _end(row, n, at, side, ends, periodic, b, p, i):
    """Return the value at a place of a row, which may be beyond its ends."""
    if periodic:
        return row[(at + n) % n]
    return row[at] if 0 <= at < n else ends[b, side, p, i]


@inline
def _differences(result, u, b, p, i, k, ends):
    """Set `result` to -div(a grad u) on a row."""
    n, low, high = u.shape[3], address_of(k.along), address_of(k.along) + u.shape[3]
    row, turns = _own_row(u, b, p, i), ends.periodic
    before, behind = _row(u, ends.across, turns[1], b, p, i - 1), _row(u, ends.across, turns[1], b, p, i + 1)
    above, below = k.across[0, i], k.across[1, i]
    left, right = row - 1, row + 1
    for j in range(1, n - 1):
        across = above * (row[j] - before[j]) + below * (row[j] - behind[j])
        result[j] = across + (low[j] * (row[j] - left[j]) + high[j] * (row[j] - right[j]))
    for j in (0, n - 1):
        along = low[j] * (row[j] - _end(row, n, j - 1, 0, ends.along, turns[2], b, p, i))
        along += high[j] * (row[j] - _end(row, n, j + 1, 1, ends.along, turns[2], b, p, i))
        result[j] = above * (row[j] - before[j]) + below * (row[j] - behind[j]) + along
    _add_front(result, u, ends.front, turns[0], b, p, i, k.front)
    if len(k.held) > 0:
        held = _own_row(k.held, 0, p, i)
        for j in range(n):
            result[j] += held[j] * row[j]


@inline
def _sum(k, p, like):
    """Return the sum of both couplings; zero of the type of `like` without any."""
    return like if k is None else k[0, p] + k[1, p]


@called
def relax(u, f, c, slope, first, step, k, ends, omega, adaptive, falling, least):
    """Make a step of Newton's method at each point of a block, every second one of its rows.

    Args:
        c, slope: of the reaction, at the points of the block.
        first, step: the index of the first point, and the steps along the axes but the last one.
        adaptive: whether over-relaxation falls with the slope, `falling` times its share of the diagonal.
        least: the least slope, relative to the diagonal.
    """
    members, planes, rows, points = c.shape
    n, x = u.shape[3], first[2]
    A = address_of(np.empty(n, u.dtype))
    low, high = address_of(k.along) + x, address_of(k.along) + (n + x)
    zero, one = u.dtype.type(0), u.dtype.type(1)
    more = omega - one
    for q in range(members * planes * rows):
        b, p, i = q // (planes * rows), first[0] + q // rows % planes * step[0], first[1] + q % rows * step[1]
        _differences(A, u, b, p, i, k, ends)
        row, data = _own_row(u, b, p, i) + x, _own_row(f, b, p, i) + x
        held = _own_row(k.held, 0, p, i) + x
        of_c, of_slope, Au = address_of(c) + q * points, address_of(slope) + q * points, A + x
        across = k.across[0, i] + k.across[1, i] + _sum(k.front, p, zero)
        for m in range(points):
            d = across + low[2 * m] + high[2 * m] + (held[2 * m] if len(k.held) > 0 else zero)
            r, s = data[2 * m] - Au[2 * m] - of_c[m], of_slope[m]
            whole = d + max(s, least * d)
            if adaptive:
                row[2 * m] += r * (d + more * max(d - falling * abs(s), zero)) / (d * whole)
            else:
                row[2 * m] += r * omega / whole


@called
def apply(result, u, c, first, k, ends):
    """Set the planes or rows of `result` from `first` on to -div(a grad u) + c, with c of their shape."""
    members, planes, rows, n = c.shape
    for q in range(members * planes * rows):
        b, p, i = q // (planes * rows), first[0] + q // rows % planes, first[1] + q % rows
        row, of_c = _own_row(result, b, p, i), address_of(c) + q * n
        _differences(row, u, b, p, i, k, ends)
        for j in range(n):
            row[j] += of_c[j]


@inline
def _add_weighted(new, count, w, old, indices):
    for j in range(count):
        new[j] += w[j] * old[indices[j]]


@called
def along_rows(result, old, indices, weights):
    """Map along the last axis: result[:, j] is the sum of weights[m, j] old[:, indices[m, j]]."""
    count, n = result.shape[1], old.shape[1]
    for i in range(len(result)):
        new, row = address_of(result) + i * count, address_of(old) + i * n
        for j in range(count):
            new[j] = 0
        for m in range(len(indices)):
            _add_weighted(new, count, address_of(weights) + m * count, row, address_of(indices) + m * count)


@inline
def _add_times(new, count, w, row):
    for x in range(count):
        new[x] += w * row[x]


@called
def across_rows(result, old, indices, weights):
    """Map along the axis in the middle: result[:, j] is the sum of weights[m, j] old[:, indices[m, j]]."""
    rows, count = result.shape[1:]
    for i in range(len(result)):
        for j in range(rows):
            new = address_of(result) + (i * rows + j) * count
            for x in range(count):
                new[x] = 0
            for m in range(len(indices)):
                if weights[m, j] != 0:
                    row = address_of(old) + (i * old.shape[1] + indices[m, j]) * count
                    _add_times(new, count, weights[m, j], row)
