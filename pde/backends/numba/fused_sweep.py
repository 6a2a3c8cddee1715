"""One pass over a grid of two dimensions, row by row: load, relax, residual, restrict, store.

A plane is one row; `tiled_sweep` has the pass of three dimensions.

Plane t is loaded; half a sweep is made on plane t - 1, the next half on t - 2, and so on; the residual follows behind
the last half, is restricted at once and never stored. A few planes are in the cache while all this happens to them.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from pde.backends.numba.arguments import axes_of
from pde.backends.numba.coarse import (
    around_axis,
    coarse_begun,
    earlier,
    interpolate_plane,
    interpolate_row,
    restrict_row,
)
from pde.backends.numba.jit import compiled, inline, merged
from pde.backends.numba.layout import EVEN, ends, fill, load_row, odd, store_row
from pde.backends.numba.pointers import unless_none
from pde.backends.numba.seams import further, has_seam, has_seams, physical
from pde.backends.numba.side_terms import add_to_guess
from pde.backends.numba.simd import lanes
from pde.backends.numba.stencil_constant import Coefficients, Star, product, relax, relax_zeros, residual, squares
from pde.backends.numba.stencil_variable import (
    faces_of,
    product_variable,
    relax_variable,
    residual_variable,
    squares_variable,
)
from pde.backends.numba.transfers import add_correction, interpolate
from pde.backends.numba.workspace import COARSE_SLOTS

ZERO, SPLIT, NATURAL, CUBIC = 0, 1, 2, 3
"""Where a pass takes u from, and (ZERO: nowhere) where it leaves it: rows split by parity, or in natural order."""

NOTHING, RESIDUAL, ITERATE, INNER, PRODUCTS = 0, 1, 2, 3, 4
"""Sums that a pass can take: none, of W (f - A u)^2, W u^2, or W f u with the f of the pass; PRODUCTS: of W f u and,
behind the sums of all planes and their total, of W u (f - A u)."""

Window = namedtuple("Window", "begin end u_first u_last r_first r_last c_first c_last")
"""Ranges of planes: to load, where u must be final, where the residual is needed; coarse planes to restrict to."""

Front = namedtuple("Front", "t slot r_slot")
"""The plane t that is loaded: its slot in the ring, and that of the residual of plane t - 2 sweeps."""

Plane = namedtuple("Plane", "i rows below below_step above above_step f f_step f_odd r")
"""Plane i in the work space: pointers to its rows, to the rows of the planes beside it, to f and to the residual.

Attributes:
    below_step, above_step: from one row to the next, 0 where each is the row of zeros.
    f_step, f_odd: from one row of f to the next, and from its even points to the odd ones.
"""


@merged
def sweep(is_3d, varying, level, task, buffers, work):
    """Make one pass over the planes task.first, ..., task.last - 1 of a level.

    Takes u from `task.source` (outside of these planes from the halo), adds P coarse where `task.correct`, makes
    `task.sweeps` red-black sweeps and leaves u in `out`; restricts f - A u to `f_coarse` where `task.restricted`. Where
    `task.norm` asks for it, `sums` takes the sum over each plane of W (f - A u)^2, of W u^2 or of W f u.
    """
    H, axes, window = 2 * task.sweeps, axes_of(level, work, task.mirrored), window_of(level, task)
    more = further(level.record, 0, H)
    fill(work.zero, work.row)
    fill(work.coarse, work.coarse_plane)  # a plane that weighs nothing must be finite too
    for k in range(COARSE_SLOTS):
        work.tags[k] = -2
    slot, r_slot, made = work.ring - 1, work.r_ring - 1, window.c_first
    for t in range(window.begin, window.r_last + H + 2):
        slot, r_slot = slot + 1 if slot + 1 < work.ring else 0, r_slot + 1 if r_slot + 1 < work.r_ring else 0
        front = Front(t, slot, r_slot)
        if t < window.end:
            load_plane(is_3d, level, task, buffers, work, t, slot)
        for q in range(H):
            k, reach = t - 1 - q, H - 1 - q  # planes from those where u must be final
            exists = level.record.periodic[0] != 0 or 0 <= k < level.record.n[0]
            if exists and window.u_first - reach - more <= k < window.u_last + reach:
                plane = plane_of(level, task, buffers, work, front, 1 + q)
                coming = coming_of(level, task, buffers, work, window, t + 1, q)
                relax_plane(varying, level, task, axes, work, plane, q, coming)
        k = t - 1 - H
        if task.measured and window.r_first <= k < window.r_last:
            plane = plane_of(level, task, buffers, work, front, 1 + H)
            own = task.norm == RESIDUAL and task.first <= k < task.last
            changed = has_seam(level.record, 0) and around_axis(k, level.record.n[0]) == level.record.n[0] - 1
            total = residual_plane(varying, level, task, axes, work, plane, own, changed)
            if own:
                buffers.sums[plane.i] = total
            if task.norm == PRODUCTS and task.first <= k < task.last:
                buffers.sums[level.record.n[0] + 1 + plane.i] = product_with_residual(varying, level, axes, work, plane)
            if task.restricted:
                behind = earlier(r_slot, 1, work.r_ring)
                made = restrict_residual(level, buffers, work, k, behind, made, window.c_last)
        k = t - H  # this plane is done
        if task.sink != ZERO and task.first <= k < task.last:
            store_plane(varying, level, task, axes, buffers, work, plane_of(level, task, buffers, work, front, H))


@inline
def window_of(level, task):
    """Return the ranges of planes of a pass."""
    c_first, c_last, r_first, r_last = 0, 0, task.first, task.last
    if task.restricted:
        c_first, c_last, r_first, r_last = coarse_begun(level, 0, task.first, task.last)
    u_first, u_last = (r_first - 1, r_last + 1) if task.measured else (task.first, task.last)
    begin, end = u_first - 2 * task.sweeps - further(level.record, 0, 2 * task.sweeps), u_last + 2 * task.sweeps
    if level.record.periodic[0] == 0:
        begin, end = max(begin, 0), min(end, level.record.n[0])
    return Window(begin, end, u_first, u_last, r_first, r_last, c_first, c_last)


@merged
def load_plane(is_3d, level, task, buffers, work, t, slot):
    """Load plane t of u (and of f, unless it is split) into a slot of the ring; correct or interpolate it."""
    L = level.record
    n1, n = L.n[1], L.n[2]
    E, O, h, cubic = EVEN, odd(n), n - n // 2, task.source == CUBIC
    i, rows, coarse = physical(around_axis(t, L.n[0]), L.n[0], task.mirrored), work.u + slot * work.plane, work.mixed
    if cubic or task.correct:
        coarse = interpolate_plane(level, cubic, i, buffers.coarse, (0, L.m[1]), work)
    for j in range(n1):
        row, number = rows + j * work.row, i * n1 + j
        if not task.f_split:
            load_row(work.f + (slot * work.plane + j * work.row), buffers.f + number * n, False, n)
        even, odds = row + E, row + O
        if cubic:
            interpolate(level, row, interpolate_row(is_3d, level, True, coarse, j, (0, L.m[1]), work))
        elif task.source == ZERO:
            fill(row, work.row)
        else:
            stored, rest = buffers.u + number * n, (L.n[0] * n1 - number) * n
            if not task.first <= t < task.last:
                beside = (t - task.first if t < task.first else t - task.last) + task.beside
                number = physical(beside, 2 * task.beside, task.mirrored) * n1 + j
                stored, rest = buffers.halo + number * n, (2 * task.beside * n1 - number) * n
            if task.source == SPLIT and task.correct and rest >= n + lanes(row):
                even, odds = stored, stored + h
            else:
                load_row(row, stored, task.source == SPLIT, n)
        if task.correct:
            v = interpolate_row(is_3d, level, False, coarse, j, (0, L.m[1]), work)
            add_correction(level, row, even, odds, v, work.scratch)
        ends(row, n, L.periodic[2] != 0)
    if cubic and task.with_sides:
        add_to_guess(level, rows, i, buffers.terms, work)


@inline
def plane_of(level, task, buffers, work, front, lag):
    """Return the plane `lag` planes behind the one that is loaded."""
    L = level.record
    n0, n1, n = L.n[0], L.n[1], L.n[2]
    k, periodic = front.t - lag, L.periodic[0] != 0
    i, here = physical(around_axis(k, n0), n0, task.mirrored), earlier(front.slot, lag, work.ring) * work.plane
    below, below_step, above, above_step = work.zero, 0, work.zero, 0
    if periodic or k > 0:
        below, below_step = work.u + earlier(front.slot, lag + 1, work.ring) * work.plane, work.row
    if periodic or k + 1 < n0:
        above, above_step = work.u + earlier(front.slot, lag - 1, work.ring) * work.plane, work.row
    f, f_step, f_odd = buffers.f + i * n1 * n, n, n - n // 2
    if not task.f_split:
        f, f_step, f_odd = work.f + (here + EVEN), work.row, odd(n) - EVEN
    r_slot = front.r_slot if lag <= 2 * task.sweeps else earlier(front.r_slot, 1, work.r_ring)
    r = work.r + r_slot * work.plane
    return Plane(i, work.u + here, below, below_step, above, above_step, f, f_step, f_odd, r)


@inline
def coming_of(level, task, buffers, work, window, t, q):
    """Return two pointers to lines of plane t, which is loaded next, and the distance to those of the next row.

    Half of its lines come with each of the first two half sweeps; where there is nothing to come, zeros do.
    """
    n = level.record.n[2]
    if not task.first <= t < min(window.end, task.last) or q > 1:
        return work.zero, work.zero, 0
    start = physical(t, level.record.n[0], task.mirrored) * level.record.n[1] * n
    if task.source == ZERO or task.source == CUBIC:
        return buffers.f + start, buffers.f + (start + lanes(buffers.f)), n
    return buffers.u + (start + q * lanes(buffers.f)), buffers.f + (start + q * lanes(buffers.f)), n


@inline
def star_of(level, work, plane, j):
    """Return row j of a plane with the rows beside it."""
    n1, around = level.record.n[1], level.record.periodic[1] != 0
    before = plane.rows + around_axis(j - 1, n1) * work.row if around or j > 0 else work.zero
    after = plane.rows + around_axis(j + 1, n1) * work.row if around or j + 1 < n1 else work.zero
    f = plane.f + j * plane.f_step
    return Star(
        plane.rows + j * work.row, plane.below + j * plane.below_step, plane.above + j * plane.above_step,
        unless_none(level.is_3d, before), unless_none(level.is_3d, after), f, f + plane.f_odd,
    )  # fmt: skip


@inline
def coefficients_of(level, axes, i, j):
    """Return the coefficients inside row j of plane i."""
    L = level.record
    return Coefficients(
        axes.centre0[i] + axes.centre1[j], L.lower, L.upper, axes.lower0[i], axes.upper0[i], axes.lower1[j],
        axes.upper1[j],
    )  # fmt: skip


@inline
def relax_plane(varying, level, task, axes, work, plane, q, coming):
    """Make half sweep q on a plane; the last one also leaves the residual of its colour, where that is needed."""
    kept = task.measured and q == 2 * task.sweeps - 1
    from_zero = q == 0 and task.source == ZERO and not task.correct and not has_seams(level.record)
    for j in range(level.record.n[1]):
        star, r = star_of(level, work, plane, j), plane.r + j * work.row
        parity = (plane.i + j + q + task.flip) & 1
        lines = coming[0] + j * coming[2], coming[1] + j * coming[2]
        if varying is None:
            c = coefficients_of(level, axes, plane.i, j)
            if from_zero:
                relax_zeros(level, axes, star, c, parity)
            else:
                relax(level, axes, star, c, parity, r, kept, lines)
        else:
            relax_variable(level, axes, star, faces_of(level, axes, plane.i, j), parity, r, kept, lines)


@inline
def residual_plane(varying, level, task, axes, work, plane, summed, changed):
    """Compute the residual of a plane where half sweeps have not; return the sum of W r^2 if it is `summed`.

    changed: whether u beside the plane has changed since the residual of points was left.
    """
    total = np.float64(0)
    for j in range(level.record.n[1]):
        star, r = star_of(level, work, plane, j), plane.r + j * work.row
        parity = (plane.i + j + task.flip) & 1
        first, last = (parity, parity + 1) if task.sweeps > 0 and not changed else (0, 2)
        if varying is None:
            residual(level, axes, star, coefficients_of(level, axes, plane.i, j), r, first, last)
        else:
            residual_variable(level, star, faces_of(level, axes, plane.i, j), r, first, last)
        if summed:
            total += weighted_squares(varying, level, axes, r, plane.i, j)
    return total


@inline
def restrict_residual(level, buffers, work, k, slot, made, c_last):
    """Restrict the residual of plane k, which is in this slot; return the number of the next coarse plane."""
    last0 = level.integers + level.record.at_last[0]
    while made < c_last and last0[made] == k:
        restrict_row(level, made, k, slot, buffers.f_coarse, work)
        made += 1
    return made


@merged
def store_plane(varying, level, task, axes, buffers, work, plane):
    """Store a plane of u; leave the sum of W u^2 or W f u where it is asked for."""
    n1, n, i = level.record.n[1], level.record.n[2], plane.i
    total = np.float64(0)
    for j in range(n1):
        row = plane.rows + j * work.row
        store_row(buffers.out + (i * n1 + j) * n, row, task.sink == SPLIT, task.streamed, n)
        if task.norm == ITERATE:
            total += weighted_squares(varying, level, axes, row, i, j)
        elif task.norm >= INNER:
            total += weighted_product(varying, level, axes, row, plane, j)
    if task.norm >= ITERATE:
        buffers.sums[i] = total


@compiled
def weighted_product(varying, level, axes, row, plane, j):
    """Sum f u along row j of a plane, each times its volume."""
    area = np.float64(axes.width0[plane.i]) * np.float64(axes.width1[j])
    f = plane.f + j * plane.f_step
    if varying is None:
        return area * product(level, axes, row, f, f + plane.f_odd)
    return area * product_variable(row, f, f + plane.f_odd, axes.widths, level.record.n[2])


@compiled
def product_with_residual(varying, level, axes, work, plane):
    """Sum W u (f - A u) over a plane whose residual is in the work space."""
    n = level.record.n[2]
    residual = plane.r + EVEN
    plane = Plane(
        plane.i, plane.rows, plane.below, plane.below_step, plane.above, plane.above_step, residual, work.row,
        odd(n) - EVEN, plane.r,
    )  # fmt: skip
    total = np.float64(0)
    for j in range(level.record.n[1]):
        total += weighted_product(varying, level, axes, plane.rows + j * work.row, plane, j)
    return total


@compiled
def weighted_squares(varying, level, axes, row, i, j):
    """Sum the squares along row j of plane i, each times its volume."""
    area = np.float64(axes.width0[i]) * np.float64(axes.width1[j])
    if varying is None:
        return area * squares(level, axes, row)
    return area * squares_variable(row, axes.widths, level.record.n[2])
