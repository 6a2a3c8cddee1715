"""The linear part of sweeps and of A(u), row by row, and maps along an axis.

u has the shape (members, planes, rows, n); in two dimensions there is one plane, and `front` is None. `front`, `across`
and `along` hold the couplings with the neighbours before and behind along each axis, (2, count). `ends` hold per axis
the neighbours beyond its ends, (members, 2, ...), or None around a period.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from pde.backends.numba.jit import called, inline

Ends = namedtuple("Ends", "front across along")
Couplings = namedtuple("Couplings", "front across along held")
"""`held` has the coefficients of u beside Robin sides, (planes, rows, n), or is None."""


@inline
def _row(u, ends, b, p, i):
    """Return a row, which may be one beyond the ends of the last axis but one."""
    rows = u.shape[2]
    if 0 <= i < rows:
        return u[b, p, i]
    return u[b, p, (i + rows) % rows] if ends is None else ends[b, 0 if i < 0 else 1, p]


@inline
def _row_of_plane(u, ends, b, p, i):
    """Return row i of a plane, which may be one beyond the ends of the first axis."""
    planes = u.shape[1]
    if 0 <= p < planes:
        return u[b, p, i]
    return u[b, (p + planes) % planes, i] if ends is None else ends[b, 0 if p < 0 else 1, i]


@inline
def _at_end(result, k, row, j, along, ends, b, p, i):
    """Add the differences of point j, the first or last of a row, with its neighbours there."""
    n = len(row)
    for side in range(2):
        at = j + 2 * side - 1
        if 0 <= at < n:
            there = row[at]
        else:
            there = row[(at + n) % n] if ends is None else ends[b, side, p, i]
        result[k] += along[side, k] * (row[j] - there)


@inline
def _add_differences(result, row, before, behind, low, high, x, step):
    for k in range(len(result)):
        j = x + step * k
        result[k] += low * (row[j] - before[j]) + high * (row[j] - behind[j])


@inline
def _add_front(result, u, b, p, i, x, step, k, ends):
    if k is not None:
        before, behind = _row_of_plane(u, ends, b, p - 1, i), _row_of_plane(u, ends, b, p + 1, i)
        _add_differences(result, u[b, p, i], before, behind, k[0, p], k[1, p], x, step)


@inline
def _sum(k, p, like):
    """Return the sum of both couplings, zero of the type of `like` without any."""
    if k is None:
        return like * 0
    return k[0, p] + k[1, p]


@inline
def _at(held, p, i, j, like):
    if held is None:
        return like * 0
    return held[p, i, j]


@inline
def _differences(result, u, b, p, i, x, step, k, ends):
    """Set `result` to -div(a grad u) at points x, x + step, ... of a row; `k` are the couplings at these."""
    row, points, n = u[b, p, i], len(result), u.shape[3]
    for m in range(points):
        j = x + step * m
        result[m] = _at(k.held, p, i, j, row[j]) * row[j]
    _add_front(result, u, b, p, i, x, step, k.front, ends.front)
    above, below = _row(u, ends.across, b, p, i - 1), _row(u, ends.across, b, p, i + 1)
    _add_differences(result, row, above, below, k.across[0, i], k.across[1, i], x, step)
    last = x + step * (points - 1)
    first, stop = 1 if x == 0 else 0, points - 1 if last == n - 1 else points
    for m in range(first, stop):
        j = x + step * m
        result[m] += k.along[0, m] * (row[j] - row[j - 1]) + k.along[1, m] * (row[j] - row[j + 1])
    if x == 0:
        _at_end(result, 0, row, 0, k.along, ends.along, b, p, i)
    if last == n - 1 and last > 0:
        _at_end(result, points - 1, row, last, k.along, ends.along, b, p, i)


@called
def relax(u, f, c, slope, first, step, k, ends, omega, adaptive, falling, least):
    """Make a step of Newton's method at each point of a block, every second one of its rows.

    Args:
        c, slope: of the reaction, at the points of the block.
        first, step: the index of the first point, and the steps along the axes but the last one.
        k: couplings; those along the last axis are at the points of the block.
        adaptive: whether over-relaxation falls with the slope, `falling` times its share of the diagonal.
        least: the least slope, relative to the diagonal.
    """
    members, planes, rows, points = c.shape
    change = np.empty(points, u.dtype)
    zero, one = u.dtype.type(0), u.dtype.type(1)
    for b in range(members):
        for q in range(planes * rows):
            p, i = first[0] + q // rows * step[0], first[1] + q % rows * step[1]
            x, row, data = first[2], u[b, p, i], f[b, p, i]
            c_row, slope_row = c[b, q // rows, q % rows], slope[b, q // rows, q % rows]
            _differences(change, u, b, p, i, x, 2, k, ends)
            total = k.across[0, i] + k.across[1, i] + _sum(k.front, p, zero)
            for m in range(points):
                d = total + k.along[0, m] + k.along[1, m] + _at(k.held, p, i, x + 2 * m, zero)
                s = slope_row[m]
                weight = omega
                if adaptive:
                    weight = one + (omega - one) * max(one - falling * abs(s) / d, zero)
                change[m] = weight * (data[x + 2 * m] - change[m] - c_row[m]) / (d + max(s, least * d))
            for m in range(points):
                row[x + 2 * m] += change[m]


@called
def apply(result, u, c, first, k, ends):
    """Set the planes or rows of `result` from `first` on to -div(a grad u) + c, with c of their shape."""
    for b in range(len(c)):
        for q in range(c.shape[1] * c.shape[2]):
            p, i = first[0] + q // c.shape[2], first[1] + q % c.shape[2]
            row, c_row = result[b, p, i], c[b, q // c.shape[2], q % c.shape[2]]
            _differences(row, u, b, p, i, 0, 1, k, ends)
            for m in range(len(row)):
                row[m] += c_row[m]


@called
def along_rows(result, old, indices, weights):
    """Map along the last axis: result[:, j] is the sum of weights[m, j] old[:, indices[m, j]]."""
    for i in range(len(result)):
        new, row = result[i], old[i]
        for j in range(len(new)):
            new[j] = weights[0, j] * row[indices[0, j]]
        for m in range(1, len(indices)):
            for j in range(len(new)):
                new[j] += weights[m, j] * row[indices[m, j]]


@called
def across_rows(result, old, indices, weights):
    """Map along the axis in the middle: result[:, j] is the sum of weights[m, j] old[:, indices[m, j]]."""
    for i in range(len(result)):
        for j in range(result.shape[1]):
            new = result[i, j]
            first = old[i, indices[0, j]]
            for x in range(len(new)):
                new[x] = weights[0, j] * first[x]
            for m in range(1, len(indices)):
                w = weights[m, j]
                if w != 0:
                    row = old[i, indices[m, j]]
                    for x in range(len(new)):
                        new[x] += w * row[x]
