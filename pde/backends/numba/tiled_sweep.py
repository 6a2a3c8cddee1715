"""A pass over a grid of three dimensions, plane by plane, and in each plane over a tile of its rows.

As in `fused_sweep` plane t is loaded, half a sweep is made on plane t - 1, and so on; a few planes of a tile fit in the
cache of a core. All half sweeps at plane t are to points of one parity in a row, and read points of the other one in
the rows beside it: none writes what another reads but along the column that goes through the planes.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from pde.backends.numba.arguments import axes_of
from pde.backends.numba.coarse import (
    add_restricted,
    around_axis,
    coarse_begun,
    earlier,
    interpolate_plane,
    interpolate_row,
    rows_needed,
)
from pde.backends.numba.fused_sweep import (
    CUBIC,
    INNER,
    ITERATE,
    NOTHING,
    PRODUCTS,
    RESIDUAL,
    SPLIT,
    ZERO,
    Front,
    weighted_squares,
)
from pde.backends.numba.jit import compiled, inline, merged
from pde.backends.numba.layout import EVEN, ends, fill, load_row, odd, store_row
from pde.backends.numba.pointers import unless_none
from pde.backends.numba.seams import further, has_seam, physical
from pde.backends.numba.side_terms import add_to_row
from pde.backends.numba.simd import lanes
from pde.backends.numba.stencil_chain import Sweep, relax_twice
from pde.backends.numba.stencil_constant import Star, product, relax, residual
from pde.backends.numba.stencil_variable import faces_of, product_variable, relax_variable, residual_variable
from pde.backends.numba.transfers import add_correction, interpolate
from pde.backends.numba.workspace import COARSE_SLOTS

Tile = namedtuple("Tile", "first last number count")
"""Rows first, ..., last - 1 of each plane: this tile's number and the number of tiles."""

Window = namedtuple("Window", "begin end u_first u_last r_first r_last c_first c_last")
"""Ranges of planes or rows: to load, to relax, where the residual is needed; coarse ones to restrict to."""

TilePlane = namedtuple("TilePlane", "i place exists rows below above f f_odd r")
"""Plane i in the work space: pointers to the row of zeros before its rows, to those of the planes beside it, to f and
to the residual.

Attributes:
    place: its number in the pass, from a seam on if there is one.
    exists: whether it is in the grid, and not one of zeros beyond its ends.
    f_odd: from the even points of a row of f to the odd ones.
"""

Row = namedtuple("Row", "j at f_at")
"""Row j of each plane: where it begins in the planes of the work space, and in those of f."""

STRIP = 64
"""Rows of a plane that one thing after the other is done to."""


@merged
def sweep_tile(is_3d, varying, level, task, tile, buffers, work):
    """Make one pass, as `fused_sweep.sweep`, over a tile of the rows of the planes task.first, ..., task.last - 1.

    Takes u from `task.source`, adds P coarse where `task.correct`, makes `task.sweeps` red-black sweeps and leaves u in
    `out`; restricts f - A u to `f_coarse` where `task.restricted`. Where `task.norm` asks for it, `sums` takes the sum
    over the tile of each plane of W (f - A u)^2, of W u^2 or of W f u; of PRODUCTS where one tile is all rows.
    """
    H, axes, L = 2 * task.sweeps, axes_of(level, work, task.mirrored), level.record
    window = window_of(level, task, 0, task.first, task.last)
    rows = window_of(level, task, 1, tile.first, tile.last)
    needed, from_coarse = (0, 0), task.correct or task.source == CUBIC
    if from_coarse:
        low, high = (L.n[1] - rows.end, L.n[1] - rows.begin) if task.mirrored else (rows.begin, rows.end)
        needed = rows_needed(level, task.source == CUBIC, low, high)
    clear(task, needed, work)
    slot, r_slot, made = work.ring - 1, work.r_ring - 1, window.c_first
    last0 = level.integers + L.at_last[0]
    for t in range(window.begin, window.r_last + H + 1):
        slot, r_slot = slot + 1 if slot + 1 < work.ring else 0, r_slot + 1 if r_slot + 1 < work.r_ring else 0
        front, mixed = Front(t, slot, r_slot), work.mixed
        if t >= window.end:
            fill(work.u + slot * work.plane, work.plane)
        elif from_coarse:
            i = physical(around_axis(t, L.n[0]), L.n[0], task.mirrored)
            mixed = interpolate_plane(level, task.source == CUBIC, i, buffers.coarse, needed, work)
        coming = coming_of(level, task, buffers, work, window, t + 1)
        done, last = plane_of(level, task, buffers, work, front, H), plane_of(level, task, buffers, work, front, 1 + H)
        k, x, total, more = t - 1 - H, rows.c_first, np.float64(0), np.float64(0)
        measured = task.measured and window.r_first <= k < window.r_last
        stored = task.sink != ZERO and task.first <= t - H < task.last
        for begin in range(rows.begin, rows.end, STRIP):
            end = min(begin + STRIP, rows.end)
            if t < window.end:
                load_rows(is_3d, level, task, buffers, work, front, (begin, end, rows.begin), mixed, needed)
            strip = max(begin, rows.u_first), min(end, rows.u_last), rows.begin
            for q in range(0, H, 2):
                planes = (
                    plane_of(level, task, buffers, work, front, 1 + q),
                    plane_of(level, task, buffers, work, front, 2 + q),
                    plane_of(level, task, buffers, work, front, 3 + q),
                )
                kept = task.measured and q == H - 2
                relax_rows(varying, level, task, axes, work.row, planes, strip, kept, coming)
            if measured and (H == 0 or varying is not None or has_seam(L, 0) or has_seam(L, 1)):
                measure_rows(varying, level, task, axes, work.row, last, strip)
            strip = max(begin, tile.first), min(end, tile.last), rows.begin
            if stored:
                total += store_rows(varying, level, task, axes, buffers.out, work.row, done, strip)
            if measured and task.norm == RESIDUAL:
                total += squares_of_rows(varying, level, axes, work.row, last.r, last.i, strip)
            if task.norm == PRODUCTS and measured:
                more += products_of_rows(varying, level, axes, work.row, last, strip)
            if measured and task.restricted:
                x = restrict_rows(level, made, window, rows, k, x, end, last.r, buffers.f_coarse, work)
        if task.norm == PRODUCTS and task.first <= k < task.last:
            buffers.sums[L.n[0] + 1 + last.i] = more
        if task.norm == RESIDUAL and task.first <= k < task.last:
            buffers.sums[last.i * tile.count + tile.number] = total
        elif task.norm != NOTHING and stored:
            buffers.sums[done.i * tile.count + tile.number] = total
        while made < window.c_last and last0[made] == k:
            made += 1


@inline
def clear(task, needed, work):
    """Set the rows and planes around the grid to zero: no number that weighs nothing may be NaN."""
    fill(work.u, work.ring * work.plane)
    if not task.f_split:
        fill(work.f, work.ring * work.plane)
    fill(work.coarse + needed[0] * work.coarse_row, (needed[1] - needed[0]) * work.coarse_row)
    for k in range(COARSE_SLOTS):
        work.tags[k] = -2


@inline
def window_of(level, task, axis, first, last):
    """Return the ranges along an axis of a pass over first, ..., last - 1."""
    c_first, c_last, r_first, r_last = 0, 0, first, last
    if task.restricted:
        c_first, c_last, r_first, r_last = coarse_begun(level, axis, first, last)
    more = 1 if task.measured else 0
    reach, below = 2 * task.sweeps + more, further(level.record, axis, 2 * task.sweeps)
    begin, end = r_first - reach - below, r_last + reach
    u_first, u_last = begin + 1, end - 1
    if task.sweeps == 0:
        u_first, u_last = r_first, r_last
    if level.record.periodic[axis] == 0:
        begin, end = max(begin, 0), min(end, level.record.n[axis])
        u_first, u_last = max(u_first, 0), min(u_last, level.record.n[axis])
    return Window(begin, end, u_first, u_last, r_first, r_last, c_first, c_last)


@inline
def row_of(level, mirrored, f_split, length, first, j):
    """Return row j of planes that begin with row `first`."""
    n1 = level.record.n[1]
    at, around = (j - first + 1) * length, physical(around_axis(j, n1), n1, mirrored)
    return Row(around, at, around * level.record.n[2] if f_split else at)


@compiled
def load_rows(is_3d, level, task, buffers, work, front, strip, mixed, needed):
    """Load rows of u (and of f, unless it is split) into a plane of the ring; correct or interpolate them.

    strip: the rows strip[0], ..., strip[1] - 1; the planes begin with row strip[2].
    """
    L = level.record
    n1, n, i = L.n[1], L.n[2], physical(around_axis(front.t, L.n[0]), L.n[0], task.mirrored)
    h, cubic = n - n // 2, task.source == CUBIC
    for j in range(strip[0], strip[1]):
        row = row_of(level, task.mirrored, task.f_split, work.row, strip[2], j)
        number, target = i * n1 + row.j, work.u + (front.slot * work.plane + row.at)
        if not task.f_split:
            load_row(work.f + (front.slot * work.plane + row.at), buffers.f + number * n, False, n)
        even, odds = target + EVEN, target + odd(n)
        if cubic:
            interpolate(level, target, interpolate_row(is_3d, level, True, mixed, row.j, needed, work))
        elif task.source == ZERO:
            fill(target, work.row)
        else:
            stored, rest = buffers.u + number * n, (L.n[0] * n1 - number) * n
            if task.source == SPLIT and task.correct and rest >= n + lanes(target):
                even, odds = stored, stored + h
            else:
                load_row(target, stored, task.source == SPLIT, n)
        if task.correct:
            v = interpolate_row(is_3d, level, False, mixed, row.j, needed, work)
            add_correction(level, target, even, odds, v, work.scratch)
        ends(target, n, L.periodic[2] != 0)
        if cubic and task.with_sides:
            add_to_row(level, target, i, row.j, buffers.terms)


@inline
def plane_of(level, task, buffers, work, front, lag):
    """Return the plane `lag` planes behind the one that is loaded."""
    L = level.record
    n = L.n[2]
    k = front.t - lag
    place, here = around_axis(k, L.n[0]), earlier(front.slot, lag, work.ring) * work.plane
    i = physical(place, L.n[0], task.mirrored)
    below = work.u + earlier(front.slot, lag + 1, work.ring) * work.plane
    above = work.u + earlier(front.slot, lag - 1, work.ring) * work.plane
    exists = L.periodic[0] != 0 or 0 <= k < L.n[0]
    # beyond the ends f has weight zero, but is read: from the nearest plane, as others may be in no memory of this rank
    held = i if exists else physical(min(max(k, 0), L.n[0] - 1), L.n[0], task.mirrored)
    f, f_odd = buffers.f + held * L.n[1] * n, n - n // 2
    if not task.f_split:
        f, f_odd = work.f + (here + EVEN), odd(n) - EVEN
    r_slot = front.r_slot if lag <= 2 * task.sweeps else earlier(front.r_slot, 1, work.r_ring)
    place = place if has_seam(L, 0) else k
    return TilePlane(i, place, exists, work.u + here, below, above, f, f_odd, work.r + r_slot * work.plane)


@inline
def coming_of(level, task, buffers, work, window, t):
    """Return pointers to plane t of u and of f, which is loaded next, and the distance of their rows.

    Where there is nothing to come they point to the work space.
    """
    if t >= window.end:
        return work.scratch, work.scratch, 0
    n = level.record.n[2]
    at = physical(around_axis(t, level.record.n[0]), level.record.n[0], task.mirrored) * level.record.n[1] * n
    if task.source == ZERO or task.source == CUBIC:
        return buffers.f + at, buffers.f + at, n
    return buffers.u + at, buffers.f + at, n


@inline
def star_of(level, length, plane, row):
    """Return a row of a plane with the rows beside it."""
    here, f = plane.rows + row.at, plane.f + row.f_at
    return Star(
        here, plane.below + row.at, plane.above + row.at, unless_none(level.is_3d, here - length),
        unless_none(level.is_3d, here + length), f, f + plane.f_odd,
    )  # fmt: skip


@inline
def coefficients_of(level, axes, plane, j):
    """Return the coefficients and those of a sweep inside row j of a plane."""
    L, i = level.record, plane.i
    keep, omega = (1 - L.omega, L.omega) if plane.exists else (L.omega * 0 + 1, L.omega * 0)
    return Sweep(
        axes.centre0[i] + axes.centre1[j], L.lower, L.upper, axes.lower0[i], axes.upper0[i], axes.lower1[j],
        axes.upper1[j], keep, omega,
    )  # fmt: skip


@compiled
def relax_rows(varying, level, task, axes, length, planes, strip, kept, coming):
    """Make a half sweep on rows of the first plane and the next one on the second, for points of one parity in a row.

    Where it is `kept`, leave the residual of these points of the second plane and of the third one. On both sides of a
    seam the parities differ: then each plane is relaxed by itself.

    Args:
        strip: as in `load_rows`.
    """
    p, s, d = planes
    n0 = level.record.n[0]
    parity = physical(p.place, n0, task.mirrored) + task.flip
    other = physical(s.place, n0, task.mirrored) + task.flip + 1
    for j in range(strip[0], strip[1]):
        row = row_of(level, task.mirrored, task.f_split, length, strip[2], j)
        lines = coming[0] + row.j * coming[2], coming[1] + row.j * coming[2]
        stars = star_of(level, length, p, row), star_of(level, length, s, row), star_of(level, length, d, row)
        which, second, r = (parity + row.j) & 1, (other + row.j) & 1, s.r + row.at
        if varying is None and which != second:
            relax(level, axes, stars[0], coefficients_of(level, axes, p, row.j), which, r, False, lines)
            relax(level, axes, stars[1], coefficients_of(level, axes, s, row.j), second, r, kept, lines)
        elif varying is None:
            c = (
                coefficients_of(level, axes, p, row.j), coefficients_of(level, axes, s, row.j),
                coefficients_of(level, axes, d, row.j),
            )  # fmt: skip
            relax_twice(level, axes, stars, c, which, (r, d.r + row.at), kept, lines)
        else:
            if p.exists:
                relax_variable(level, axes, stars[0], faces_of(level, axes, p.i, row.j), which, r, False, lines)
            if s.exists:
                relax_variable(level, axes, stars[1], faces_of(level, axes, s.i, row.j), second, r, kept, lines)


@compiled
def measure_rows(varying, level, task, axes, length, plane, strip):
    """Compute the residual of rows where half sweeps have not, or have changed u beside them since."""
    L = level.record
    for j in range(strip[0], strip[1]):
        row = row_of(level, task.mirrored, task.f_split, length, strip[2], j)
        star, r = star_of(level, length, plane, row), plane.r + row.at
        whole = task.sweeps == 0 or (has_seam(L, 0) and plane.place >= L.n[0] - 2)
        whole = whole or (has_seam(L, 1) and around_axis(j, L.n[1]) == L.n[1] - 1)
        if varying is None and not whole:
            continue
        if varying is None:
            residual(level, axes, star, coefficients_of(level, axes, plane, row.j), r, 0, 2)
        else:
            parity = (plane.i + row.j + task.flip) & 1
            first, last = (0, 2) if whole else (parity, parity + 1)
            residual_variable(level, star, faces_of(level, axes, plane.i, row.j), r, first, last)


@compiled
def store_rows(varying, level, task, axes, out, length, plane, strip):
    """Store rows of u; return the sum of W u^2 or of W f u over them, where it is asked for."""
    n1, n, total = level.record.n[1], level.record.n[2], np.float64(0)
    for j in range(strip[0], strip[1]):
        row = row_of(level, task.mirrored, task.f_split, length, strip[2], j)
        u = plane.rows + row.at
        store_row(out + (plane.i * n1 + row.j) * n, u, task.sink == SPLIT, task.streamed, n)
        if task.norm == ITERATE:
            total += weighted_squares(varying, level, axes, u, plane.i, row.j)
        elif task.norm >= INNER:
            f = plane.f + row.f_at
            total += product_of_row(varying, level, axes, u, f, f + plane.f_odd, plane.i, row.j)
    return total


@compiled
def squares_of_rows(varying, level, axes, length, r, i, strip):
    """Sum W r^2 over rows of plane i."""
    total = np.float64(0)
    for j in range(strip[0], strip[1]):
        row = row_of(level, axes.mirrored, False, length, strip[2], j)
        total += weighted_squares(varying, level, axes, r + row.at, i, row.j)
    return total


@compiled
def restrict_rows(level, made, window, rows, k, x, end, r, out, work):
    """In three dimensions: restrict row x of plane k and those after it whose last row is before `end`.

    Returns:
        The first row that is not restricted yet.
    """
    last = level.integers + level.record.at_last[1]
    while x < rows.c_last and last[x] < end:
        add_restricted(level, made, window, rows, k, x, r + work.row, out, work)
        x += 1
    return x


@compiled
def products_of_rows(varying, level, axes, length, plane, strip):
    """Sum W u (f - A u) over rows of a plane whose residual is in the work space."""
    total, n = np.float64(0), level.record.n[2]
    for j in range(strip[0], strip[1]):
        row = row_of(level, axes.mirrored, False, length, strip[2], j)
        u, r = plane.rows + row.at, plane.r + row.at
        total += product_of_row(varying, level, axes, u, r + EVEN, r + odd(n), plane.i, row.j)
    return total


@compiled
def product_of_row(varying, level, axes, u, even, odds, i, j):
    """Sum f u along row j of plane i, each times its volume; f in two halves."""
    area = np.float64(axes.width0[i]) * np.float64(axes.width1[j])
    if varying is None:
        return area * product(level, axes, u, even, odds)
    return area * product_variable(u, even, odds, axes.widths, level.record.n[2])
