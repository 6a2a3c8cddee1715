"""Maps of a group of members between levels, and between it and the arrays of the user."""

from __future__ import annotations

from pde.backends.numba.jit import compiled, inline
from pde.backends.numba.simd import LANES, load_eight, store_eight


@compiled
def transfer(L, which, reals, integers, into, target, out_of, source, row, add):
    """target <- M source, or target += M source, for one of the maps of level L.

    Args:
        into, out_of: the levels of target and source.
        row: space for one row of the source.
    """
    indices0, weights0 = integers + L.at_index[3 * which], reals + L.at_weight[3 * which]
    indices1, weights1 = integers + L.at_index[3 * which + 1], reals + L.at_weight[3 * which + 1]
    n0, n1 = into.n[0], into.n[1]
    for i in range(n0):
        for j in range(n1):
            begun = False
            for a in range(L.most[3 * which]):
                for b in range(L.most[3 * which + 1]):
                    w = weights0[a * n0 + i] * weights1[b * n1 + j]
                    if w != 0:
                        offset = indices0[a * n0 + i] * out_of.stride[0] + indices1[b * n1 + j] * out_of.stride[1]
                        add_row(row, source + offset, w, out_of.n[2], begun)
                        begun = True
            x = target + i * into.stride[0] + j * into.stride[1]
            if begun:
                along(L, which, reals, integers, x, row, into.n[2], add)
            elif not add:
                for k in range(into.n[2]):
                    store_eight(x, k * LANES, 0.0)


@inline
def add_row(row, source, w, n, begun):
    """row <- w source, or row += w source."""
    if begun:
        for k in range(0, n * LANES, LANES):
            store_eight(row, k, load_eight(row, k) + w * load_eight(source, k))
    else:
        for k in range(0, n * LANES, LANES):
            store_eight(row, k, w * load_eight(source, k))


@inline
def along(L, which, reals, integers, x, row, n, add):
    """Make a row from one of the source, along itself."""
    indices, weights = integers + L.at_index[3 * which + 2], reals + L.at_weight[3 * which + 2]
    most = L.most[3 * which + 2]
    for k in range(n):
        total = weights[k] * load_eight(row, indices[k] * LANES)
        for a in range(1, most):
            total = total + weights[a * n + k] * load_eight(row, indices[a * n + k] * LANES)
        if add:
            total = total + load_eight(x, k * LANES)
        store_eight(x, k * LANES, total)


@compiled
def gather(L, target, source, members):
    """Take LANES members from an array (members, unknowns)."""
    n0, n1, n2 = L.n
    size = n0 * n1 * n2
    for row in range(n0 * n1):
        x, first = target + row // n1 * L.stride[0] + row % n1 * L.stride[1], row * n2
        for k in range(n2):
            for lane in range(LANES):
                x[k * LANES + lane] = source[members[lane] * size + first + k]


@compiled
def scatter(L, target, source, members, ended):
    """Write the members that have ended just now to an array (members, unknowns)."""
    n0, n1, n2 = L.n
    size = n0 * n1 * n2
    for row in range(n0 * n1):
        x, first = source + row // n1 * L.stride[0] + row % n1 * L.stride[1], row * n2
        for k in range(n2):
            for lane in range(LANES):
                if ended[lane] == NOW:
                    target[members[lane] * size + first + k] = x[k * LANES + lane]


@compiled
def clear(L, x):
    """x <- 0."""
    for row in range(L.n[0] * L.n[1]):
        for k in range(0, L.n[2] * LANES, LANES):
            store_eight(x + row // L.n[1] * L.stride[0] + row % L.n[1] * L.stride[1], k, 0.0)


NOW = 1
"""Marks a member that ends with this cycle; 0 goes on, 2 has ended."""
