"""Solve groups of members in one call. Everything compiled is reached through `execute`."""

from __future__ import annotations

import numpy as np

from pde.backends.numba.batch.coarsest import solve_coarsest
from pde.backends.numba.batch.stencil import residual, squares, sweep, without_mean
from pde.backends.numba.batch.tables import CUBIC, DATA, PROLONG, RESTRICT
from pde.backends.numba.batch.transfers import NOW, clear, gather, scatter, transfer
from pde.backends.numba.jit import called, compiled, exact, merged
from pde.backends.numba.pointers import address_of, pointer
from pde.backends.numba.simd import LANES
from pde.backends.numba.work_queue import BEGUN, DONE, TAKEN, begun, raise_by, read, rest

SWEEP, BACKWARDS, DOWN, UP, DIRECT, RHS, GUESS, FITTING, PROJECT = range(9)
"""Kinds of steps on a level: a sweep, or with the colours in the opposite order; f of the next level <- R (f - A u)
and its u <- 0; u += P u of the next level; u <- A^-1 f; f of the next level <- data restriction of f; u <- cubic
interpolation; f and u <- f and u less their means."""

NOTHING, RESIDUAL, ITERATE = range(3)
"""The vector whose norm ends a round."""


@called
def execute(is_3d, tables, steps, rounds, members, addresses, given, norms, counts, counters, leads, work):
    """Make rounds of steps for all members, each until it ends.

    Several threads make the same call, each with a work space of its own; when the one that leads returns, all is done.

    Args:
        is_3d: None or True, decided when this is compiled.
        tables: of `Tables`.
        steps: (kind, level) of each step.
        rounds: (level, again, norm, row, modes): the level of f, u and out; the first round ends before step `again`,
            and all others begin with it (0: each makes all steps); the vector whose norm is taken; offsets in a work
            space.
        members: rows of f, u and out.
        addresses: of f, u (0: zero) and out, arrays (rows, unknowns).
        given: (4, members): the last norm, relative to a scale, that scale, the tolerance, and the cycles at most.
        norms, counts: (members, cycles) and (members,), the norms after each cycle and the number of cycles made.
        counters: of `new_counters`.
        leads: whether the others depend on this thread, which waits for them.
    """
    if leads:
        raise_by(counters, BEGUN, 1)
    elif not begun(counters):
        return
    groups = (len(members) + LANES - 1) // LANES
    while True:
        group = raise_by(counters, TAKEN, 1)
        if group >= groups:
            break
        solve_group(is_3d, tables, steps, rounds, members, addresses, given, norms, counts, group * LANES, work)
        raise_by(counters, DONE, 1)
    polls = 0
    while leads and read(counters, DONE) < groups:
        rest(polls)
        polls += 1


@merged
def solve_group(is_3d, tables, steps, rounds, members, addresses, given, norms, counts, first, work):
    """Solve for LANES members at once, from number `first` on; the last one stands in for those that are missing."""
    level, again, norm, at_row, at_modes = rounds
    finest, numbers = tables[0][level], address_of(work)
    count, sums, rows, ended = min(LANES, len(members) - first), np.empty(LANES), np.empty(LANES, np.int64), 0
    state = np.empty(LANES, np.int64)
    for lane in range(LANES):
        rows[lane] = members[first + min(lane, count - 1)]
        state[lane] = 0 if lane < count else NOW + 1
    gather(finest, numbers + finest.f, pointer(numbers, addresses[0]), rows)
    if addresses[1] != 0:
        gather(finest, numbers + finest.u, pointer(numbers, addresses[1]), rows)
    else:
        clear(finest, numbers + finest.u)
    begin, end, run = 0, again if again > 0 else len(steps), 0
    while ended < count:
        for k in range(begin, end):
            step(is_3d, tables, steps[k, 0], steps[k, 1], numbers, at_row, at_modes)
        if norm == RESIDUAL:
            residual(is_3d, finest, address_of(tables[1]), address_of(tables[2]), numbers)
            squares(finest, address_of(tables[1]), numbers + finest.r, address_of(sums), address_of(sums))
        elif norm == ITERATE:
            squares(finest, address_of(tables[1]), numbers + finest.u, address_of(sums), address_of(sums))
        ended += judge(finest.volume, given, norms, counts, state, sums, run, first, count)
        scatter(finest, pointer(numbers, addresses[2]), numbers + finest.u, rows, state)
        for lane in range(count):
            if state[lane] == NOW:
                state[lane] = NOW + 1
        begin, end, run = again, len(steps), run + 1


@compiled
def judge(volume, given, norms, counts, state, sums, run, first, count):
    """Note the norms of a round and which members end with it; return how many do.

    A member goes on while it may, its norm is above the tolerance and it has halved.
    """
    ended = 0
    for lane in range(count):
        if state[lane] == 0:
            k = first + lane
            before = given[0, k] if run == 0 else norms[k, run - 1]
            norms[k, run], counts[k] = relative(sums[lane], volume, given[1, k]), run + 1
            more = run + 1 < min(norms.shape[1], int(given[3, k]))
            if not (more and given[2, k] < norms[k, run] <= 0.5 * before):
                state[lane] = NOW
                ended += 1
    return ended


@exact
def relative(total, volume, scale):
    """Return a norm relative to a scale."""
    return np.sqrt(total / volume) / scale


@merged
def step(is_3d, tables, kind, level, work, at_row, at_modes):
    """Make one step."""
    records, reals, integers = tables
    L, next_level = records[level], records[min(level + 1, len(records) - 1)]
    real, integer, row = address_of(reals), address_of(integers), work + at_row
    if kind in (SWEEP, BACKWARDS):
        sweep(is_3d, L, real, integer, work, kind == BACKWARDS)
    elif kind == DIRECT:
        solve_coarsest(L, real, work + L.u, work + L.f, work + at_modes)
    elif kind == PROJECT:
        without_mean(L, real, work + L.u, real)
    elif kind == FITTING:
        without_mean(L, real, work + L.f, real)
    elif kind in (UP, GUESS):
        which = PROLONG if kind == UP else CUBIC
        transfer(L, which, real, integer, L, work + L.u, next_level, work + next_level.u, row, kind == UP)
    else:
        if kind == DOWN:
            residual(is_3d, L, real, integer, work)
            clear(next_level, work + next_level.u)
        which, source = (RESTRICT, L.r) if kind == DOWN else (DATA, L.f)
        transfer(L, which, real, integer, next_level, work + next_level.f, L, work + source, row, False)
