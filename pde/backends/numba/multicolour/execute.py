"""Run the phases of a move in one call, by one thread or more. Everything compiled is reached through `execute`."""

from __future__ import annotations

from pde.backends.numba.jit import called, compiled, merged
from pde.backends.numba.multicolour.corners import (
    corner_plane,
    product_plane,
    prolong_corners,
    restrict_corners,
    tips_in_plane,
    weak_plane,
)
from pde.backends.numba.multicolour.galerkin import galerkin_plane
from pde.backends.numba.multicolour.records import Level, Like
from pde.backends.numba.multicolour.rows import relax_plane, residual_row, zero
from pde.backends.numba.multicolour.transfers import (
    prolong_plane,
    prolong_plane_sparse,
    restrict_planes,
    restrict_sparse,
)
from pde.backends.numba.multicolour.vectors import advance_plane, combine_plane, dot_plane, energy_plane, norm_plane
from pde.backends.numba.pointers import address_of, pointer
from pde.backends.numba.work_queue import BEGUN, DONE, TAKEN, begun, raise_by, wait

PASS, RESTRICT, RESTRICT_SPARSE, PRODUCT = range(4)
"""Kinds of phases: a pass of stages over planes; R of the residual; R r; R A P."""

FIRST, SECOND, ALONE, CLEAR, PROLONG, RESIDUAL, NORM, DOT, COMBINE, ENERGY, ADVANCE, WEAK, TIPS, CORNERS = range(14)
"""Stages of a pass: relaxation of either half of the colours, of the first from u = 0; u <- 0; u += P e; r <- f - A u;
the sums of W (f - A u)^2 and of W r u; p <- u + b p; the sum of W p (A p); u += b p and r -= b A p.
Of a `CornerTransfer` 1 at weak points in f, else 0; the number of tips; and, from CORNERS on, weights by the number of
axes along which points lie between coarse ones."""

F, U, E, R, P = range(5)
"""Buffers of a call, by their addresses: f, u, the coarse vector, r and the direction of conjugate gradients."""


@called
def execute(
    records, entries, signs, phases, stages, addresses, numbers, sums, bytes_, indices, counters, leads, tags, work
):
    """Do all phases; several threads make the same call, each with `tags` and `work` of its own.

    Args:
        records, entries: of the levels.
        signs: +1 and -1.
        phases, stages: see `records.PHASE`.
        addresses: of the buffers of the call.
        numbers: omega, then the number b of each member.
        sums: one number per plane and member.
        bytes_, indices: arrays of these types.
        counters: of `new_counters`.
        leads: whether the others depend on this thread.
    """
    if leads:
        raise_by(counters, BEGUN, 1)
    elif not begun(counters):
        return
    k, before, total = 0, 0, 0
    for each in range(len(phases)):
        total += phases[each].tasks
    like = Like(address_of(signs), address_of(bytes_), address_of(addresses), address_of(indices))
    while True:
        ticket = raise_by(counters, TAKEN, 1)
        if ticket >= total:
            break
        while ticket >= before + phases[k].tasks:
            before += phases[k].tasks
            k += 1
        if not wait(counters, before):
            return
        task(records, entries, signs, phases[k], stages, addresses, numbers, sums, like, ticket - before, tags, work)
        raise_by(counters, DONE, 1)
    if leads:
        wait(counters, total)


@merged
def task(records, entries, signs, p, stages, addresses, numbers, sums, like, number, tags, work):
    """Do one task of a phase."""
    record = records[p.level]
    level = Level(record, entries[p.level], signs, like)
    borders = p.blocks if record.periodic[0] != 0 else p.blocks - 1
    count = p.blocks if p.number == 0 else borders
    member, block = number // count, number % count
    at = member * p.fine
    space = address_of(work)
    f, u, e = (
        buffer(addresses, F, at, like),
        buffer(addresses, U, at, like),
        buffer(addresses, E, member * p.coarse, like),
    )
    r, known = buffer(addresses, R, at, like), addresses[U] != 0
    first, last = p.planes * block // p.blocks, p.planes * (block + 1) // p.blocks
    if p.op == PASS:
        vectors = f, u, e, r, buffer(addresses, P, at, like)
        chosen, total = stages[p.first : p.first + p.stages], sums[member * record.n[0] : (member + 1) * record.n[0]]
        given = numbers[0], numbers[min(1 + member, len(numbers) - 1)]
        if p.number == 0:
            insides(level, chosen, vectors, first, last, p.turn, given, total, space)
        else:
            border = last % p.planes
            for i in range(border - p.number, border + p.number):
                plane = (i + p.planes) % p.planes
                stage(chosen[p.number], level, vectors, plane, p.turn, given, total, space)
    elif p.op == RESTRICT and record.corners != 0:
        restrict_corners(level, e, u, f, known, first, last, space)
    elif p.op == RESTRICT:
        restrict_planes(level, e, u, f, known, first, last, tags, space)
    elif p.op == RESTRICT_SPARSE:
        restrict_sparse(level, e, r, first, last)
    else:
        for i in range(first, last):
            if record.corners != 0:
                product_plane(level, e, r, p.coarse, i, space)
            else:
                galerkin_plane(level, e, p.coarse, i, space)


@compiled
def buffer(addresses, which, offset, like):
    """Point to the part of a buffer that belongs to a member of a batch."""
    return pointer(like.real, addresses[which]) + offset


@compiled
def insides(level, stages, vectors, first, last, turn, numbers, sums, work):
    """Make the stages of a pass in a block of planes, each one plane behind the one before, as far as a block can.

    Stage s needs the planes beside after stage s - 1: near a border it is left to phase s.
    """
    L = level.record
    n0, count = L.n[0], len(stages)
    low, high = first > 0 or L.periodic[0] != 0, last < n0 or L.periodic[0] != 0
    for i in range(first, last + count - 1):
        for s in range(count):
            plane = i - s
            if plane >= (first + s if low else first) and plane < (last - s if high else last):
                stage(stages[s], level, vectors, plane, turn, numbers, sums, work)


@compiled
def stage(kind, level, vectors, i, turn, numbers, sums, work):
    """Make one stage in plane i."""
    f, u, e, r, p = vectors
    L = level.record
    size = L.n[1] * L.n[2]
    if kind <= ALONE:
        relax_plane(level, u, f, i, 1 if kind == SECOND else 0, turn, numbers[0], kind == ALONE, work)
    elif kind == PROLONG:
        if L.corners != 0:
            prolong_corners(level, u, e, i)
        elif L.P.rows != 0:
            prolong_plane_sparse(level, u, e, i)
        else:
            prolong_plane(level, u, e, i, work)
    elif kind == RESIDUAL:
        for i1 in range(L.n[1]):
            residual_row(r + (i * size + i1 * L.n[2]), level, u, f, size > 0, i, i1)
    elif kind == NORM:
        sums[i] = norm_plane(level, u, f, i, work)
    elif kind == COMBINE:
        combine_plane(p + i * size, u + i * size, numbers[1], size)
    elif kind == ADVANCE:
        advance_plane(level, u, r, p, numbers[1], i, work)
    elif kind == ENERGY:
        sums[i] = energy_plane(level, p, i, work)
    elif kind == DOT:
        sums[i] = dot_plane(level, r, u, i)
    elif kind == WEAK:
        weak_plane(level, f, numbers[0], i, work)
    elif kind == TIPS:
        sums[i] = tips_in_plane(level, f, numbers[1], i)
    elif kind >= CORNERS:
        corner_plane(level, kind - CORNERS, numbers[0], i, work)
    else:
        zero(u, i * size, (i + 1) * size)
