"""Sweeps and residuals of a group of members. The stencil is written in `known` alone."""

from __future__ import annotations

import numpy as np

from pde.backends.numba.jit import compiled, inline
from pde.backends.numba.simd import LANES, converted, load_eight, store_eight


@inline
def known(is_3d, u, f, c, stride0, stride1):
    """Return f plus the neighbours of a point, each times its coefficient: f - A u without the diagonal."""
    total = load_eight(f, 0) + (c[0] * load_eight(u, -LANES) + c[1] * load_eight(u, LANES))
    total = total + (c[2] * load_eight(u, -stride1) + c[3] * load_eight(u, stride1))
    if is_3d is not None:
        total = total + (c[4] * load_eight(u, -stride0) + c[5] * load_eight(u, stride0))
    return total


@inline
def entries(is_3d):
    """Return the numbers of a point's coefficients, the last two of them the diagonal and omega over it."""
    if is_3d is None:
        return 6
    return 8


@compiled
def sweep(is_3d, L, reals, integers, work, reverse):
    """Make one coloured sweep u <- u + B (f - A u)."""
    n0, n1 = L.n[0], L.n[1]
    for number in range(L.colours):
        wrap(L, work)
        colour = L.colours - 1 - number if reverse else number
        spans, rows = integers + L.at_spans + 2 * colour * n0 * n1, integers + L.at_rows
        for row in range(n0 * n1):
            start, stop = spans[2 * row], spans[2 * row + 1]
            if start < stop:
                offset = row // n1 * L.stride[0] + row % n1 * L.stride[1]
                relax(is_3d, L, work + L.u + offset, work + L.f + offset, reals + rows[row], start, stop)


@inline
def relax(is_3d, L, u, f, c, start, stop):
    """Relax every second point of a row."""
    count, keep, stride0, stride1 = entries(is_3d), L.keep, L.stride[0], L.stride[1]
    for k in range(start, stop, 2):
        x, own = u + k * LANES, c + k * count
        total = known(is_3d, x, f + k * LANES, own, stride0, stride1)
        store_eight(x, 0, keep * load_eight(x, 0) + own[count - 1] * total)


@compiled
def residual(is_3d, L, reals, integers, work):
    """r <- f - A u."""
    count, stride0, stride1, rows = entries(is_3d), L.stride[0], L.stride[1], integers + L.at_rows
    wrap(L, work)
    for row in range(L.n[0] * L.n[1]):
        offset = row // L.n[1] * stride0 + row % L.n[1] * stride1
        u, f, r, c = work + L.u + offset, work + L.f + offset, work + L.r + offset, reals + rows[row]
        for k in range(L.n[2]):
            x, own = u + k * LANES, c + k * count
            total = known(is_3d, x, f + k * LANES, own, stride0, stride1)
            store_eight(r, k * LANES, total - own[count - 2] * load_eight(x, 0))


@compiled
def squares(L, reals, v, wide, sums):
    """sums <- sum W v^2 of each member; `wide` points to a number in float64."""
    store_eight(sums, 0, weighted_sum(L, reals, v, wide, True))


@compiled
def without_mean(L, reals, v, wide):
    """v <- v less its mean."""
    mean = converted((1 / L.volume) * weighted_sum(L, reals, v, wide, False), v)
    for row in range(L.n[0] * L.n[1]):
        x = v + row // L.n[1] * L.stride[0] + row % L.n[1] * L.stride[1]
        for k in range(L.n[2]):
            store_eight(x, k * LANES, load_eight(x, k * LANES) - mean)


@inline
def weighted_sum(L, reals, v, wide, squared):
    """Return sum W v, or sum W v^2, of each member."""
    widths, total = reals + L.at_width[2], 0.0 * converted(load_eight(v, 0), wide)
    for row in range(L.n[0] * L.n[1]):
        i, j = row // L.n[1], row % L.n[1]
        x = v + i * L.stride[0] + j * L.stride[1]
        along = 0.0 * total
        for k in range(L.n[2]):
            value = converted(load_eight(x, k * LANES), wide)
            along = along + (np.float64(widths[k]) * value * value if squared else np.float64(widths[k]) * value)
        total = total + np.float64(reals[L.at_width[0] + i]) * np.float64(reals[L.at_width[1] + j]) * along
    return total


@compiled
def wrap(L, work):
    """Fill the halo of u on periodic axes."""
    n0, n1, n2 = L.n
    u, stride0, stride1 = work + L.u, L.stride[0], L.stride[1]
    if L.periodic[2] != 0:
        for row in range(n0 * n1):
            x = u + row // n1 * stride0 + row % n1 * stride1
            store_eight(x, -LANES, load_eight(x, (n2 - 1) * LANES))
            store_eight(x, n2 * LANES, load_eight(x, 0))
    if L.periodic[1] != 0:
        for i in range(n0):
            copy_row(u + i * stride0 - stride1, u + i * stride0 + (n1 - 1) * stride1, n2)
            copy_row(u + i * stride0 + n1 * stride1, u + i * stride0, n2)
    if L.periodic[0] != 0:
        for j in range(n1):
            copy_row(u + j * stride1 - stride0, u + j * stride1 + (n0 - 1) * stride0, n2)
            copy_row(u + j * stride1 + n0 * stride0, u + j * stride1, n2)


@inline
def copy_row(target, source, n):
    for k in range(n):
        store_eight(target, k * LANES, load_eight(source, k * LANES))
