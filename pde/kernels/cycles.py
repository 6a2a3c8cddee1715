"""Whole cycles over the coarse grids in one call: there a pass is so short that a call from Python would cost more."""

from __future__ import annotations

import numpy as np

from pde.kernels.jit import compiled
from pde.kernels.passes import CUBIC, SPLIT, ZERO, restrict_planes, sweeps
from pde.kernels.pointers import pointer


@compiled
def one_pass(tables, level, deep, count, flip, f, f_split, source, u, coarse, correct, sink, out, f_coarse, norm, w):
    """A pass over a whole level; the planes beyond a periodic axis are copied first."""
    records, reals, integers = tables
    L = records[level]
    n0 = L.n[0]
    if L.periodic[0] == 0 or source in (ZERO, CUBIC):
        return sweeps(records, reals, integers, level, deep, count, flip, f, f_split, source, u, 0, coarse, correct,
                      sink, out, f_coarse, norm, 0, n0, w)  # fmt: skip
    size, depth = L.n[1] * L.n[2], 2 * count + 4
    halo = np.empty(2 * depth * size, reals.dtype)
    values = pointer(w, u)
    for k in range(2 * depth):
        place = (k - depth) % n0
        for x in range(size):
            halo[k * size + x] = values[place * size + x]
    return sweeps(records, reals, integers, level, deep, count, flip, f, f_split, source, u, halo.ctypes.data, coarse,
                  correct, sink, out, f_coarse, norm, 0, n0, w)  # fmt: skip


@compiled
def solve_directly(inverse, f, u, w):
    """u <- inverse f."""
    n = len(inverse)
    data, result = pointer(w, f), pointer(w, u)
    for i in range(n):
        total = inverse[i, 0] * data[0]
        for j in range(1, n):
            total += inverse[i, j] * data[j]
        result[i] = total


@compiled
def v_cycle(tables, deep, top, us, fs, inverse, sweeping, f, f_split, source, u, sink, out, norm, w):
    """One V-cycle from level `top` down to the last one, which is solved directly.

    Args:
        us, fs: addresses of what each level stores, u and f, in rows split by parity.
        sweeping: sweeps before and after the correction, and whether either begins with the second colour.
        f, u, source, sink, out: those of `top`, as in `sweeps`; a first guess by interpolation comes from us[top + 1].

    Returns:
        The sum of W (f - A u)^2 on `top`, where `norm` asks for it.
    """
    last = len(us) - 1
    nu, nu_post, flip, flip_post = sweeping
    for l in range(top, last):
        here = l == top
        one_pass(tables, l, deep, nu, flip, f if here else fs[l], f_split if here else True, source if here else ZERO,
                 u if here else 0, us[l + 1], False, SPLIT, us[l], fs[l + 1], False, w)  # fmt: skip
    solve_directly(inverse, fs[last], us[last], w)
    total = np.float64(0)
    for l in range(last - 1, top - 1, -1):
        here = l == top
        total = one_pass(tables, l, deep, nu_post, flip_post, f if here else fs[l], f_split if here else True, SPLIT,
                         us[l], us[l + 1], True, sink if here else SPLIT, out if here else us[l], 0, norm and here,
                         w)  # fmt: skip
    return total


@compiled
def nested(tables, deep, top, us, fs, inverse, sweeping, f, f_split, sink, out, norm, w):
    """Full multigrid on the levels from `top` down to the last one; as `v_cycle`."""
    records, reals, integers = tables
    last = len(us) - 1
    for l in range(top, last):
        restrict_planes(records, reals, integers, l, deep, f if l == top else fs[l], f_split if l == top else True,
                        fs[l + 1], 0, records[l].m[0], w)  # fmt: skip
    solve_directly(inverse, fs[last], us[last], w)
    total = np.float64(0)
    for l in range(last - 1, top - 1, -1):
        here = l == top
        total = v_cycle(tables, deep, l, us, fs, inverse, sweeping, f if here else fs[l], f_split if here else True,
                        CUBIC, 0, sink if here else SPLIT, out if here else us[l], norm and here, w)  # fmt: skip
    return total
