"""Run the steps of a plan in one call, by one thread or more.

A step is done in blocks of planes. Everything compiled is reached through `execute`, so that it is compiled once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pde.backends.numba.arguments import Level, Task, buffers_of, work_of
from pde.backends.numba.buffers import NULL, OUT, TERMS, U
from pde.backends.numba.direct import solve_directly
from pde.backends.numba.fused_sweep import CUBIC, PRODUCTS, RESIDUAL, ZERO, sweep
from pde.backends.numba.jit import called, compiled, exact, merged
from pde.backends.numba.krylov_pass import Known, combine, find_numbers
from pde.backends.numba.layout import copy
from pde.backends.numba.means import add_products, subtract_mean, sum_planes
from pde.backends.numba.pointers import address_of, pointer
from pde.backends.numba.restrict_rhs import restrict_rhs
from pde.backends.numba.seams import has_seams
from pde.backends.numba.side_terms import fold
from pde.backends.numba.tiled_sweep import Tile, sweep_tile
from pde.backends.numba.work_queue import BEGUN, DONE, RUNS, STOP, TAKEN, begun, raise_by, read, wait

PASS, RHS, DIRECT, HALO, COMBINE, FIND, FOLD, SUM, SUBTRACT, OUTER = range(10)
"""Kinds of steps: `sweep`, `restrict_rhs` (from f to `out`), `solve_directly` on the coarsest level, a copy of the
planes of u beside each block to `halo`, before the next step overwrites them; of conjugate gradients `combine` and
`find_numbers`; `fold` into the right-hand side `out` of the next coarser level, `sum_planes` of f, `subtract_mean` and
`add_products` (from f to `out`)."""


class Step(NamedTuple):
    """A step over `planes` of its grid, in so many blocks. f, u, halo, coarse, out, f_coarse: indices of buffers.

    Attributes:
        op: one of the kinds above.
        division: of the work space, one of the plan's.
        flip: 0 begins sweeps with the colour of the first point, 1 with the other one (the adjoint order).
        f_split: whether f is split by parity.
        source, sink: how u is stored in `u` and in `out`: ZERO, SPLIT, NATURAL or CUBIC.
        beside: planes on either side of a block that are in `halo`.
        correct: whether P coarse is added.
        norm: NOTHING, RESIDUAL, ITERATE, INNER or PRODUCTS.
        sums: the buffer of the sums of planes, in float64.
        terms: where in the boundary data those of this step begin.
        start: of DIRECT 1 on the level where full multigrid begins, else 0.
        begin: the first of the `planes`.
        tiles: parts that the rows of each plane are in.
        blocks: those of planes times `tiles`. 0 is one block that the thread of the step before does at once.
    """

    op: int
    level: int = 0
    division: int = 0
    sweeps: int = 0
    flip: int = 0
    f: int = NULL
    f_split: int = 0
    source: int = ZERO
    u: int = NULL
    halo: int = NULL
    beside: int = 0
    coarse: int = NULL
    correct: int = 0
    sink: int = ZERO
    out: int = NULL
    f_coarse: int = NULL
    norm: int = 0
    sums: int = NULL
    terms: int = 0
    start: int = 0
    begin: int = 0
    planes: int = 0
    tiles: int = 1
    blocks: int = 1


STEP = np.dtype([(name, np.int64) for name in Step._fields])


@called
def execute(is_3d, varying, tables, plan, direct, addresses, rounds, counters, leads, thread):
    """Make all steps, or several rounds of them: all after the first take u from `out`.

    Several threads make the same call, each with a work space of its own; when the one that leads returns, all is done.

    Args:
        is_3d, varying: None or True, decided when this is compiled.
        tables: (records, reals, integers) of all levels.
        plan: (steps, divisions of the work space).
        direct: a `Direct` for the coarsest level, and one for that where full multigrid begins.
        addresses: of the plan's buffers.
        rounds: (again, norms, scale, tolerance, sums), see `another`; the first round ends before step `again`, and all
            others begin with it; 0: each makes all steps.
        counters: of `new_counters`; that of RUNS is the number of rounds.
        leads: whether the others depend on this thread.
        thread: (tags_and_slots, numbers) of its work space.
    """
    if leads:
        raise_by(counters, BEGUN, 1)
    elif not begun(counters):
        return
    steps, again, sums = plan[0], rounds[0], rounds[4]
    k, before = 0, 0
    end = again if again > 0 else len(steps)
    while True:
        ticket = raise_by(counters, TAKEN, 1)
        while True:  # find the step that it belongs to
            count = 1 if k == end else steps[k].blocks
            if ticket < before + count:
                break
            before += count
            k += 1
            if k > end:
                k, end = again, len(steps)
        if not wait(counters, before):
            return
        if k == end:
            if not another(rounds, steps[end - 1].planes * steps[end - 1].tiles, counters):
                raise_by(counters, STOP, 1)
                return
            addresses[U] = addresses[OUT]
        else:
            for each in range(k, end):
                if each > k and steps[each].blocks != 0:
                    break
                block(is_3d, varying, tables, plan, each, direct, addresses, sums, ticket - before, thread)
        raise_by(counters, DONE, 1)


@compiled
def another(rounds, planes, counters):
    """Note the sum of W r^2 after a round and its norm; tell whether there is another round.

    rounds: (again, norms, scale, tolerance, sums). There is while there is space in `norms`, the norm is above the
    tolerance and it has halved. norms[0] is the norm before; a norm is the square root of the sum over scale[0], over
    scale[1]. sums: of each of these planes, and then of all of them, in this order however many threads there are.
    """
    _, norms, scale, tolerance, sums = rounds
    total = np.float64(0)
    for k in range(planes):
        total += sums[k]
    sums[planes] = total
    run = read(counters, RUNS) + 1
    raise_by(counters, RUNS, 1)
    if run >= len(norms):
        return False
    norms[run] = relative(total, scale)
    return run + 1 < len(norms) and tolerance < norms[run] <= 0.5 * norms[run - 1]


@merged
def block(is_3d, varying, tables, plan, k, direct, addresses, sums, number, thread):
    """Do one block of step k."""
    steps, divisions = plan
    s = steps[k]
    records, reals, integers = tables
    level = Level(records[s.level], address_of(reals), address_of(integers), address_of(addresses), is_3d)
    work = work_of(divisions[s.division], thread)
    blocks, size = max(s.blocks, 1), level.record.n[1] * level.record.n[2]
    parts, part, rows, number_of_tile = blocks // s.tiles, number // s.tiles, level.record.n[1], number % s.tiles
    first, last = s.begin + s.planes * part // parts, s.begin + s.planes * (part + 1) // parts
    buffers = buffers_of(s, addresses, number * 2 * s.beside * size, address_of(thread[1]), address_of(sums))
    if s.op == HALO:
        if addresses[s.u] != 0:
            copy_halo(buffers.halo, buffers.u, first, last, s.beside, level)
    elif s.op == DIRECT:
        solve_directly(direct[s.start], buffers.f, buffers.out, work.modes)
    elif s.op == RHS:
        restrict_rhs(is_3d, level, buffers.f, s.f_split != 0, buffers.out, first, last, work)
    elif s.op == FOLD:
        if addresses[TERMS] != 0:
            fold(level, buffers.out, buffers.terms, first, last)
    elif s.op == SUM:
        sum_planes(level, buffers.f, s.f_split != 0, pointer(address_of(sums), addresses[s.sums]), first, last)
    elif s.op == SUBTRACT:
        planes = pointer(address_of(sums), addresses[s.sums])
        subtract_mean(level, buffers.f, s.f_split != 0, planes, buffers.out, first, last)
    elif s.op == OUTER:
        products = pointer(address_of(sums), addresses[TERMS])
        add_products(level, buffers.f, products, buffers.out, first, last, work.data_row)
    elif s.op == COMBINE:
        known = Known(addresses[s.f] != 0, addresses[s.u] != 0, addresses[s.coarse] != 0, addresses[s.f_coarse] != 0)
        combine(is_3d, varying, level, s, known, buffers, first, last, work)
    elif s.op == FIND:
        find_numbers(buffers.sums, s.planes, addresses, s.u, s.out)
    else:
        source = s.source if s.source == CUBIC or addresses[s.u] != 0 else ZERO
        restricted = addresses[s.f_coarse] != 0
        mirrored = s.flip != 0 and has_seams(level.record)
        streamed = level.record.streamed != 0 and addresses[s.out] != addresses[s.u]
        if mirrored:
            first, last = level.record.n[0] - last, level.record.n[0] - first
        task = Task(
            s.sweeps, s.flip, mirrored, s.f_split != 0, source, s.correct != 0, s.sink, restricted,
            restricted or s.norm == RESIDUAL or s.norm == PRODUCTS, streamed, s.norm, s.beside, addresses[TERMS] != 0,
            first, last,
        )  # fmt: skip
        if is_3d is None:
            sweep(is_3d, varying, level, task, buffers, work)
        else:
            begin, end = rows * number_of_tile // s.tiles, rows * (number_of_tile + 1) // s.tiles
            if mirrored:
                begin, end = rows - end, rows - begin
            tile = Tile(begin, end, number_of_tile, s.tiles)
            sweep_tile(is_3d, varying, level, task, tile, buffers, work)


@exact
def relative(total, scale):
    """Return the norm of a residual, to the last bit that of a cycle which is made alone."""
    return np.sqrt(total / scale[0]) / scale[1]


@compiled
def copy_halo(halo, u, first, last, beside, level):
    """Copy `beside` planes of u on either side of the planes first, ..., last - 1, where there are any."""
    n0, size, periodic = level.record.n[0], level.record.n[1] * level.record.n[2], level.record.periodic[0] != 0
    for k in range(2 * beside):
        plane = first - beside + k if k < beside else last + k - beside
        if not periodic and not 0 <= plane < n0:
            continue
        plane %= n0
        copy(halo + k * size, u + plane * size, size)
