"""Conjugate gradients between two cycles: the numbers of an iteration, and one pass over the finest grid.

Directions are differences of iterates: p is (u - v) / alpha, where v is the iterate before u. The pass makes the next
one, x = u + c (u - v) + alpha z, in the place of v, and leaves f - A x in r: the true residual, step by step.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from pde.backends.numba.arguments import Task, axes_of
from pde.backends.numba.coarse import around_axis
from pde.backends.numba.fused_sweep import RESIDUAL, ZERO, Plane, product_with_residual, residual_plane
from pde.backends.numba.jit import compiled, inline, merged
from pde.backends.numba.layout import EVEN, ends, fill, load_row, odd, store_row
from pde.backends.numba.simd import lanes, load, store

OF_U, OF_CHANGE, OF_Z, RZ, ENERGY, STEP_LENGTH, NEXT_RZ, DOUBT, LARGEST_RZ, NUMBERS = range(10)
"""Numbers behind the sums: x = OF_U u + OF_CHANGE (u - v) + OF_Z z; (r, z), (p, A p) and alpha of the last iteration;
(r, z) of this one; whether (p, A p) is to be summed by itself; the largest (r, z) so far; how many they are."""

Known = namedtuple("Known", "f v z r")
"""Which of these buffers there are; f, v and z are else zero, and r is not stored."""

FALLEN = 1e-6
"""The share of the largest (r, z) below which one that grows is noise of rounding: the last direction is not used."""

LOST = 0.25
"""The share of (z, A z) below which (p, A p) as a difference has lost digits."""


@inline
def numbers_of(sums, planes):
    """Return the numbers, which are behind two sums for each plane and a total."""
    return sums + (2 * planes + 1)


@compiled
def ratio_of(rz, last, largest):
    """Return beta, or 0 where the last direction is not to be used."""
    noise = abs(rz) >= abs(last) and abs(rz) < FALLEN * largest
    return np.float64(0) if noise or last == 0 else rz / last


@compiled
def find_numbers(sums, planes, addresses, one, other):
    """Find beta and alpha from the sums of W r z and W z (r - A z), and have two buffers change places.

    (z, A p) of the last p is -beta (p, A p), as r is orthogonal to the last z: so (z, A z) gives the next (p, A p).
    """
    b = numbers_of(sums, planes)
    rz, rest = np.float64(0), np.float64(0)
    for k in range(planes):
        rz += sums[k]
        rest += sums[planes + 1 + k]
    b[LARGEST_RZ] = max(b[LARGEST_RZ], abs(rz))
    beta = ratio_of(rz, b[RZ], b[LARGEST_RZ])
    energy = rz - rest - beta * beta * b[ENERGY]
    b[NEXT_RZ] = rz
    b[DOUBT] = 0 if energy > LOST * (rz - rest) and rz != rest else 1
    if b[DOUBT] != 0 or energy <= 0:
        b[DOUBT] = 1
        return
    alpha = rz / energy
    b[OF_U], b[OF_CHANGE], b[OF_Z] = 1, beta * alpha / b[STEP_LENGTH] if b[STEP_LENGTH] != 0 else 0, alpha
    b[RZ], b[ENERGY], b[STEP_LENGTH] = rz, energy, alpha
    addresses[one], addresses[other] = addresses[other], addresses[one]


@merged
def combine(is_3d, varying, level, s, known, buffers, first, last, work):
    """Make x on planes first, ..., last - 1; store it over v, and f - A x in r; sum W r^2 or W x A x.

    `buffers`: f, u in `out`, v in `u` (outside of these planes in the halo), z in `coarse`, r in `f_coarse`.
    """
    L = level.record
    axes, n0, periodic = axes_of(level, work, False), L.n[0], L.periodic[0] != 0
    numbers = numbers_of(buffers.sums, n0)
    if numbers[DOUBT] != 0:
        for k in range(first, last):
            buffers.sums[k] = np.nan
        return
    fill(work.zero, work.row)
    task = Task(0, 0, False, False, ZERO, False, ZERO, False, True, False, s.norm, s.beside, False, first, last)
    slot = 2
    for t in range(first - 1, last + 1):
        slot = slot + 1 if slot < 2 else 0
        if periodic or 0 <= t < n0:
            combine_plane(level, s, known, buffers, numbers, work, t, ring(work, slot), first, last)
        k = t - 1
        if first <= k < last:
            load_plane(level, known, buffers, work, k)
            plane = plane_of(level, known, work, k, slot)
            total = residual_plane(varying, level, task, axes, work, plane, s.norm == RESIDUAL, True)
            if s.norm != RESIDUAL:
                total = -product_with_residual(varying, level, axes, work, plane)
            buffers.sums[k] = total
            if known.r:
                store_residual(level, buffers, work, k)


@inline
def ring(work, slot):
    """Return a plane in the ring of three."""
    return work.u + (slot if slot < 3 else slot - 3) * work.plane


@inline
def plane_of(level, known, work, k, slot):
    """Return plane k, the one behind that in a slot, with its residual."""
    n0, n, periodic = level.record.n[0], level.record.n[2], level.record.periodic[0] != 0
    below, here, above = ring(work, slot + 1), ring(work, slot + 2), ring(work, slot)
    below_step, above_step = work.row, work.row
    if k == 0 and not periodic:
        below, below_step = work.zero, 0
    if k + 1 == n0 and not periodic:
        above, above_step = work.zero, 0
    f, f_step, f_odd = work.zero + EVEN, 0, 0
    if known.f:
        f, f_step, f_odd = work.f + EVEN, work.row, odd(n) - EVEN
    return Plane(k, here, below, below_step, above, above_step, f, f_step, f_odd, work.r)


@inline
def load_plane(level, known, buffers, work, k):
    """Load plane k of f."""
    n1, n = level.record.n[1], level.record.n[2]
    if known.f:
        for j in range(n1):
            load_row(work.f + j * work.row, buffers.f + (k * n1 + j) * n, False, n)


@inline
def combine_plane(level, s, known, buffers, numbers, work, t, rows, first, last):
    """Make plane t of x; store it if it is one of the block's."""
    L = level.record
    n1, n, inside = L.n[1], L.n[2], first <= t < last
    size, i, h, before = n1 * n, around_axis(t, L.n[0]), n - n // 2, work.f + work.plane
    v = buffers.u + i * size if inside else buffers.halo + ((t - first if t < first else t - last) + s.beside) * size
    changes = known.v and numbers[OF_CHANGE] != 0
    for j in range(n1):
        row, z = rows + j * work.row, buffers.coarse + (i * size + j * n)
        load_row(row, buffers.out + (i * size + j * n), False, n)
        if changes:
            load_row(before, v + j * n, False, n)
        if known.z:
            combine_row(row + EVEN, before + EVEN, z, changes, numbers, h)
            combine_row(row + odd(n), before + odd(n), z + h, changes, numbers, n - h)
        ends(row, n, L.periodic[2] != 0)
        if inside and s.sink != ZERO:
            store_row(v + j * n, row, False, False, n)


@inline
def combine_row(x, v, z, changes, numbers, count):
    """x <- a x + b (x - v) + c z at points of one parity."""
    a, b, c = numbers[OF_U], numbers[OF_CHANGE], numbers[OF_Z]
    if changes:
        for k in range(0, count, lanes(x)):
            u = load(x, k)
            store(x, k, a * u + b * (u - load(v, k)) + c * load(z, k))
    else:
        for k in range(0, count, lanes(x)):
            store(x, k, a * load(x, k) + c * load(z, k))


@compiled
def store_residual(level, buffers, work, k):
    """Store the residual of plane k, split by parity."""
    L = level.record
    for j in range(L.n[1]):
        out = buffers.f_coarse + (k * L.n[1] + j) * L.n[2]
        store_row(out, work.r + j * work.row, True, L.streamed != 0, L.n[2])
