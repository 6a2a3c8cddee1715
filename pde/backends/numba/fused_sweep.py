"""One pass over a grid, plane by plane (in two dimensions row by row): a few planes are in the cache while everything
happens to them. Plane t is loaded; half a sweep is made on plane t - 1, the next half on t - 2, and so on; the residual
follows behind the last, is restricted at once and never stored."""

from __future__ import annotations

import numpy as np

from pde.backends.numba.coarse import mix, mixed_row, planes_begun, restrict_plane, restrict_row
from pde.backends.numba.jit import compiled
from pde.backends.numba.layout import EVEN, ends, fill, load, odd, store
from pde.backends.numba.pointers import ahead, at, pointer, unless_none
from pde.backends.numba.simd import LANES
from pde.backends.numba.stencil_constant import relax, residual, squares, start_from_zero
from pde.backends.numba.stencil_variable import faces_of, relax_varying, residual_varying, squares_varying
from pde.backends.numba.transfers import add_correction, interpolate
from pde.backends.numba.workspace import SLOTS, around_axis, earlier, space

ZERO, SPLIT, NATURAL, CUBIC = 0, 1, 2, 3
"""Where a pass takes u from, and (ZERO: nowhere) where it leaves it: rows split by parity, or in natural order."""

NOTHING, RESIDUAL, ITERATE = 0, 1, 2
"""Of what a pass measures the norm."""


@compiled
def sweeps(records, reals, integers, level, deep, varying, count, flip, f, f_split, source, u, halo, beside, coarse,
           correct, sink, out, f_coarse, norm, first, last, places, w):  # fmt: skip
    """One pass over the planes first, ..., last - 1 of a level.

    Takes u from `source` (outside of these planes from `halo`, which has `beside` on either side), adds P coarse where
    `correct`, makes `count` red-black sweeps and leaves u in `out`; restricts f - A u to f_coarse unless that is null.

    Args:
        deep: None in two dimensions, else anything.
        varying: None where the coefficients are alike along a row, else anything.
        flip: 0 begins with the colour of the first point, 1 with the other one (the adjoint order).
        f, u, halo, coarse, out, f_coarse: addresses; 0 where there is none.
        norm: NOTHING, RESIDUAL or ITERATE.
        places: room for 2 SLOTS integers.
        w: the work space, `space_needed` long; its numbers are those of the grid.

    Returns:
        The sum over these planes of W (f - A u)^2, or of W u^2, as `norm` asks for it.
    """
    L = records[level]
    n0, n1, n, m1, m = L.n[0], L.n[1], L.n[2], L.m[1], L.m[2]
    S = space(n1, n, m1, m, L.span[0], count)
    length, R, H, E, O, h = S.row, S.ring, 2 * count, EVEN, odd(n), n - n // 2
    streamed = L.streamed != 0 and out != u
    periodic, around = L.periodic[0] != 0, L.periodic[1] != 0
    f, u, halo, coarse, out, f_coarse_rows = (
        pointer(w, f), pointer(w, u), pointer(w, halo), pointer(w, coarse), pointer(w, out), pointer(w, f_coarse),
    )  # fmt: skip
    lower0, centre0, upper0 = at(reals, L.at_lower[0]), at(reals, L.at_centre[0]), at(reals, L.at_upper[0])
    lower1, centre1, upper1 = at(reals, L.at_lower[1]), at(reals, L.at_centre[1]), at(reals, L.at_upper[1])
    width0, width1 = at(reals, L.at_width[0]), at(reals, L.at_width[1])
    special, values = at(integers, L.at_special), at(reals, L.at_special_values)
    width2 = at(reals, L.at_widths)
    zero, scratch = at(w, S.zero), at(w, S.scratch)
    fill(zero, S.row)

    restricted = f_coarse != 0
    measured = restricted or norm == RESIDUAL
    c_first, c_last, r_first, r_last = planes_begun(L, integers, first, last) if restricted else (0, 0, first, last)
    u_first, u_last = (r_first - 1, r_last + 1) if measured else (first, last)
    begin, end = u_first - H, u_last + H
    if not periodic:
        begin, end = max(begin, 0), min(end, n0)
    total = np.float64(0)
    tags, slots = places[:SLOTS], places[SLOTS:]
    tags[:] = -2
    fill(at(w, S.coarse), S.coarse_plane)  # what weighs nothing must be a number too

    last0 = at(integers, L.at_last[0])
    turn, r_turn, made = R - 1, S.r_ring - 1, c_first
    for t in range(begin, r_last + H + 2):
        # places of plane t, and of the residual of plane t - H, which the last half sweep begins
        turn, r_turn = turn + 1 if turn + 1 < R else 0, r_turn + 1 if r_turn + 1 < S.r_ring else 0
        if t < end:
            i = around_axis(t, n0)
            mixed_plane = S.mixed
            if source == CUBIC or correct:
                mixed_plane = mix(L, integers, reals, source == CUBIC, i, coarse, w, S, tags, slots)
            for j in range(n1):
                row, place = at(w, turn * S.plane + j * length), (i * n1 + j) * n
                if not f_split:
                    load(at(w, S.f + turn * S.plane + j * length), ahead(f, place), False, n)
                even, odds = ahead(row, E), ahead(row, O)
                if source == CUBIC:
                    mixed = mixed_row(L, integers, reals, deep, True, mixed_plane, j, w, S)
                    interpolate(
                        row, mixed, L, at(integers, L.cubic), at(integers, L.cubic_from), at(reals, L.cubic_weight)
                    )
                elif source == ZERO:
                    fill(row, length)
                else:
                    stored, rest = ahead(u, place), n0 * n1 * n - place
                    if not first <= t < last:
                        plane = (t - first if t < first else t - last) + beside
                        stored, rest = ahead(halo, (plane * n1 + j) * n), (2 * beside * n1 - plane * n1 - j) * n
                    if source == SPLIT and correct and rest >= n + LANES:
                        even, odds = stored, ahead(stored, h)
                    else:
                        load(row, stored, source == SPLIT, n)
                if correct:
                    mixed = mixed_row(L, integers, reals, deep, False, mixed_plane, j, w, S)
                    add_correction(
                        row, even, odds, mixed, L, at(integers, L.prolonged), at(integers, L.prolonged_from),
                        at(reals, L.prolonged_weight), scratch,
                    )  # fmt: skip
                ends(row, n, L.periodic[2] != 0)
        for q in range(H + 1):
            k = t - 1 - q
            if q < H:
                low, high = u_first - (H - 1 - q), u_last + (H - 1 - q)
                if not periodic:
                    low, high = max(low, 0), min(high, n0)
            else:
                low, high = r_first, r_last
                if not measured:
                    break
            if not low <= k < high:
                continue
            i = around_axis(k, n0)
            plane = earlier(turn, 1 + q, R) * S.plane
            f_plane = S.f + plane
            plane_below, plane_above = earlier(turn, 2 + q, R) * S.plane, earlier(turn, q, R) * S.plane
            expected = first <= t + 1 < min(end, last) and q < 2
            for j in range(n1):
                # the next plane comes while this one is computed, half of its lines with each half sweep
                coming = zero, zero
                if expected:
                    place = ((t + 1) * n1 + j) * n
                    if source in (ZERO, CUBIC):
                        coming = ahead(f, place), ahead(f, place + LANES)
                    else:
                        coming = ahead(u, place + q * LANES), ahead(f, place + q * LANES)
                row = at(w, plane + j * length)
                f_even = ahead(f, (i * n1 + j) * n) if f_split else at(w, f_plane + j * length + E)
                halves = f_even, ahead(f_even, h if f_split else O - E)
                below = at(w, plane_below + j * length) if periodic or k > 0 else zero
                above = at(w, plane_above + j * length) if periodic or k + 1 < n0 else zero
                c = (L.lower, L.upper, lower0[i], upper0[i], lower1[j], upper1[j])
                centre = centre0[i] + centre1[j]
                before = at(w, plane + around_axis(j - 1, n1) * length) if around or j > 0 else zero
                after = at(w, plane + around_axis(j + 1, n1) * length) if around or j + 1 < n1 else zero
                front, behind = unless_none(deep, before), unless_none(deep, after)
                parity = (i + j + q + flip) & 1
                r_row = at(w, S.r + (r_turn if q < H else earlier(r_turn, 1, S.r_ring)) * S.plane + j * length)
                # the last half sweep leaves the residual of its colour
                kept = measured and q == H - 1
                since, until = (parity, parity + 1) if H > 0 else (0, 2)
                if varying is None:
                    if q == 0 and H > 0 and source == ZERO and not correct:
                        start_from_zero(row, halves, L, special, values, centre, parity)
                        continue
                    if q < H:
                        relax(
                            row, r_row, kept, below, above, front, behind, halves, L, special, values, centre, c,
                            parity, scratch, coming,
                        )  # fmt: skip
                        continue
                    residual(
                        r_row, row, below, above, front, behind, halves, L, special, values, centre, c, since, until
                    )
                else:
                    faces = faces_of(w, L, deep, i, j, width2, lower0[i], upper0[i], lower1[j], upper1[j])
                    if q < H:
                        relax_varying(row, r_row, kept, below, above, front, behind, halves, L, faces, parity, coming)
                        continue
                    residual_varying(r_row, row, below, above, front, behind, halves, L, faces, since, until)
                if norm == RESIDUAL and first <= k < last:
                    area = np.float64(width0[i]) * np.float64(width1[j])
                    total += area * squared(r_row, L, special, values, varying, width2)
            if restricted and q == H:
                r_place = earlier(r_turn, 1, S.r_ring)
                if deep is not None:
                    restrict_plane(L, integers, reals, made, c_last, k, r_place, f_coarse_rows, w, S)
                while made < c_last and last0[made] == k:
                    if deep is None:
                        restrict_row(L, integers, reals, made, k, r_place, f_coarse_rows, w, S)
                    made += 1
        k = t - H  # this plane is done
        if sink == ZERO or not first <= k < last:
            continue
        for j in range(n1):
            row = at(w, earlier(turn, H, R) * S.plane + j * length)
            store(ahead(out, (k * n1 + j) * n), row, sink == SPLIT, streamed, n)
            if norm == ITERATE:
                area = np.float64(width0[k]) * np.float64(width1[j])
                total += area * squared(row, L, special, values, varying, width2)
    return total


@compiled
def squared(row, L, special, values, varying, width):
    """Sum of the squares along a row, each times its width."""
    if varying is None:
        return squares(row, L, special, values)
    return squares_varying(row, width, L.n[2])
