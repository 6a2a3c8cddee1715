"""u <- u + s d, and the residual f - A u of the new u, in one pass over planes; d and the residual are float32.

A block of planes overwrites what its neighbours need: the planes beside each block are computed to `halo` in a step
before. A u is a sum of differences, which is zero where u is constant.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from pde.backends.numba.casting import narrowed, widened
from pde.backends.numba.jit import called, compiled, inline
from pde.backends.numba.layout import copy
from pde.backends.numba.pointers import address_of, pointer, to_a_line
from pde.backends.numba.simd import LANES, load_eight, store_eight, write_lanes_through
from pde.backends.numba.work_queue import BEGUN, DONE, TAKEN, begun, raise_by, wait

F, U, D, OUT, R, FACES = range(6)
"""Indices of addresses, 0 where there is none; from FACES on those of a/h at faces across each axis, and of c."""

_COUNTS = ("n", 3), ("periodic", 3), ("face_row", 4), ("blocks", ()), ("streamed", ())
RECORD = np.dtype([(name, np.int64, count) for name, count in _COUNTS])
"""The grid: planes, rows and points; the distance of rows of faces, 0 where one stands for all; blocks of planes;
whether the residual is written past the cache. A plane is one row in two dimensions."""

LINE = 16
"""Numbers of float32 in a line of the cache."""

Arrays = namedtuple("Arrays", "f u d v r halo zero row")
"""Pointers to f, u and d, the new u, the residual, the planes beside a block, a row of zeros and one to work on."""

Star = namedtuple(
    "Star",
    "x below above front behind f face_below face_above face_front face_behind face_left reaction shrink "
    "lower0 upper0 lower1 upper1",
)
"""A row of u, those beside it, f, a/h at faces and c, 1 over the widths: pointers; then numbers for all of the row."""


@called
def execute(records, lines, halo, addresses, scales, singles, sums, counters, leads, rows):
    """Make the pass, by one thread or more: u + s d to `out`, which may be u, and its residual over t to `r`.

    Args:
        records: of one `RECORD`.
        lines: per plane 1 over the distance to the one below and above (times a/h where that is one number) and the
            width, the same per row, and along a row 1 over the widths, and the widths.
        halo: two planes for each block.
        addresses: see F and so on. Without u it is zero; without d the residual is that of u, and there is no `out`;
            without r only the sums are left.
        scales: s and 1/t.
        singles: an array of float32.
        sums: takes the sum of W (f - A u)^2 over each plane.
        counters: of `new_counters`.
        leads: whether the others depend on this thread.
        rows: of this thread, for two rows.
    """
    if leads:
        raise_by(counters, BEGUN, 1)
    elif not begun(counters):
        return
    L = records[0]
    before = L.blocks if addresses[D] != 0 and (L.blocks > 1 or L.periodic[0] != 0) else 0
    while True:
        ticket = raise_by(counters, TAKEN, 1)
        if ticket >= before + L.blocks:
            break
        if not wait(counters, 0 if ticket < before else before):
            return
        number = ticket % L.blocks
        a = arrays_of(L, addresses, address_of(singles), address_of(halo), number, address_of(rows))
        if ticket < before:
            make_halo(L, a, addresses[U] != 0, scales[0], number)
        else:
            make_planes(L, a, address_of(lines), addresses, scales, sums, number)
        raise_by(counters, DONE, 1)
    if leads:
        wait(counters, before + L.blocks)


@inline
def arrays_of(L, addresses, single, halo, number, rows):
    """Return the arrays of a block."""
    new = addresses[OUT] if addresses[D] != 0 else addresses[U]
    return Arrays(
        pointer(rows, addresses[F]), pointer(rows, addresses[U]), pointer(single, addresses[D]), pointer(rows, new),
        pointer(single, addresses[R]), halo + 2 * number * L.n[1] * L.n[2], rows, rows + L.n[2],
    )  # fmt: skip


@inline
def planes_of(L, number):
    """Return the first plane of a block, and the one after the last."""
    return L.n[0] * number // L.blocks, L.n[0] * (number + 1) // L.blocks


@compiled
def make_halo(L, a, known, s, number):
    """Compute the new u of the planes beside a block."""
    first, last = planes_of(L, number)
    size = L.n[1] * L.n[2]
    for side in range(2):
        t = last if side == 1 else first - 1
        if L.periodic[0] != 0 or 0 <= t < L.n[0]:
            of = t % L.n[0] * size
            update(a.halo + side * size, a.u + of, a.d + of, known, s, size)


@compiled
def make_planes(L, a, lines, addresses, scales, sums, number):
    """Compute the new u of a block, and the residual of each plane when the next one is known."""
    first, last = planes_of(L, number)
    n1, n = L.n[1], L.n[2]
    known, changes = addresses[U] != 0, addresses[D] != 0
    width1, width2 = lines + (3 * L.n[0] + 2 * n1), lines + (3 * (L.n[0] + n1) + n)
    for k in range(n):
        a.zero[k] = 0
    for t in range(first, last + 1):
        total = np.float64(0)
        for j in range(n1):
            at = (t * n1 + j) * n
            if changes and t < last:
                update(a.v + at, a.u + at, a.d + at, known, scales[0], n)
            if t > first:
                at -= n1 * n
                if known or changes:
                    star = star_of(L, a, lines, addresses, changes, first, last, t - 1, j)
                    residual(a.row, star, n, L.periodic[2] != 0)
                else:
                    copy(a.row, a.f + at, n)
                total += width1[j] * squares(a.row, width2, n)
                if addresses[R] != 0:
                    write(a.r + at, a.row, scales[1], n, L.streamed)
        if t > first:
            sums[t - 1] = lines[2 * L.n[0] + t - 1] * total


@compiled
def update(target, u, d, known, s, count):
    """target <- u + s d, where u is known, else s d; target may be u."""
    if count < LANES:
        for k in range(count):
            target[k] = u[k] + s * d[k] if known else s * d[k]
        return
    last = count - LANES  # of these numbers some are computed twice, from the same u
    if known:
        final = load_eight(u, last) + s * widened(load_eight(d, last))
        for k in range(0, last, LANES):
            store_eight(target, k, load_eight(u, k) + s * widened(load_eight(d, k)))
        store_eight(target, last, final)
    else:
        for k in range(0, last, LANES):
            store_eight(target, k, s * widened(load_eight(d, k)))
        store_eight(target, last, s * widened(load_eight(d, last)))


@inline
def row_of(L, a, changes, first, last, t, j):
    """Return row j of plane t of the new u, zeros where there is none."""
    n0, n1, n = L.n[0], L.n[1], L.n[2]
    row = a.zero
    if L.periodic[0] != 0 or 0 <= t < n0:
        row = a.v + (t % n0 * n1 + j) * n
        if changes and not first <= t < last:
            row = a.halo + ((t >= last) * n1 + j) * n
    return row


@inline
def star_of(L, a, lines, addresses, changes, first, last, i, j):
    """Return row j of plane i with all that its residual needs."""
    n0, n1, n = L.n[0], L.n[1], L.n[2]
    number, plane = i * n1 + j, n1 * L.face_row[0]
    x, around = a.v + number * n, L.periodic[1] != 0
    front, behind = a.zero, a.zero
    if around or j > 0:
        front = x - n if j > 0 else x + (n1 - 1) * n
    if around or j + 1 < n1:
        behind = x + n if j + 1 < n1 else x - (n1 - 1) * n
    face0 = pointer(lines, addresses[FACES]) + number * L.face_row[0]
    face1 = pointer(lines, addresses[FACES + 1]) + (i * (n1 + 1) + j) * L.face_row[1]
    face2 = pointer(lines, addresses[FACES + 2]) + number * L.face_row[2]
    reaction = pointer(lines, addresses[FACES + 3]) + number * L.face_row[3]
    across = lines + 3 * n0
    return Star(
        x, row_of(L, a, changes, first, last, i - 1, j), row_of(L, a, changes, first, last, i + 1, j), front, behind,
        a.f + number * n, face0, face0 + plane, face1, face1 + L.face_row[1], face2, reaction, across + 3 * n1,
        lines[i], lines[n0 + i], across[j], across[n1 + j],
    )  # fmt: skip


@compiled
def residual(target, star, n, periodic):
    """target <- f - A u on a row."""
    x, last = star.x, n - 1
    before, after = (x[last], x[0]) if periodic else (0.0, 0.0)
    target[0] = residual_at(None, star, 0, before, x[1] if last > 0 else after)
    if last > 0:
        target[last] = residual_at(None, star, last, x[last - 1], after)
    if last > LANES:
        for k in range(1, last - LANES, LANES):
            residual_lanes(target, star, k)
        residual_lanes(target, star, last - LANES)
    else:
        for k in range(1, last):
            target[k] = residual_at(None, star, k, x[k - 1], x[k + 1])


@inline
def residual_lanes(target, star, k):
    store_eight(target, k, residual_at(True, star, k, load_eight(star.x, k - 1), load_eight(star.x, k + 1)))


@inline
def residual_at(many, p, k, left, right):
    """Return f - A u at point k, which has these neighbours along the row; `many`: of LANES points from there on."""
    x = take(many, p.x, k)
    below, above = take(many, p.face_below, k), take(many, p.face_above, k)
    front, behind = take(many, p.face_front, k), take(many, p.face_behind, k)
    along = take(many, p.face_left, k) * (x - left) + take(many, p.face_left, k + 1) * (x - right)
    total = take(many, p.reaction, k) * x + take(many, p.shrink, k) * along
    total += p.lower0 * (below * (x - take(many, p.below, k))) + p.upper0 * (above * (x - take(many, p.above, k)))
    total += p.lower1 * (front * (x - take(many, p.front, k))) + p.upper1 * (behind * (x - take(many, p.behind, k)))
    return take(many, p.f, k) - total


@inline
def take(many, pointer, k):
    """Return the number at k, or LANES numbers where `many` is not None; decided when this is compiled."""
    if many is None:
        return pointer[k]
    return load_eight(pointer, k)


@compiled
def squares(r, width, n):
    """Sum the squares along a row, each times its width."""
    total = np.float64(0)
    for k in range(n):
        total += width[k] * (r[k] * r[k])
    return total


@compiled
def write(target, r, scale, n, streamed):
    """target <- scale r in float32; `streamed`: whole lines of the cache past it."""
    first = min(n, to_a_line(target)) if streamed != 0 else 0
    last = first + (n - first) // LINE * LINE
    for k in range(first):
        target[k] = scale * r[k]
    if streamed != 0:
        for k in range(first, last, LANES):
            write_lanes_through(target, k, narrowed(scale * load_eight(r, k)))
    elif n >= LANES:
        for k in range(0, n - LANES, LANES):
            store_eight(target, k, narrowed(scale * load_eight(r, k)))
        last = n - LANES
    if n - last >= LANES:
        store_eight(target, last, narrowed(scale * load_eight(r, last)))
        last += LANES
    for k in range(last, n):
        target[k] = scale * r[k]
