"""Passes one after the other in one call, by one thread or several.

A program is an array of steps, and a step is done in blocks of planes. Everything compiled is reached through
`execute`, so that it is compiled once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pde.backends.numba.direct import solve_directly
from pde.backends.numba.fused_sweep import ZERO, sweeps
from pde.backends.numba.jit import called, compiled, exact, merged
from pde.backends.numba.pointers import pointer
from pde.backends.numba.restrict_rhs import restrict_planes
from pde.backends.numba.work_queue import BEGUN, DONE, RUNS, STOP, TAKEN, begun, raise_by, read, wait

PASS, DATA, DIRECT, HALO = 0, 1, 2, 3
"""What a step does: `sweeps`, `restrict_planes` (from f to `out`), the direct solution on the coarsest level, or a copy
of the planes of u beside each block to `halo`, before the next step overwrites them."""

GIVEN, ROOM = -1, -2
"""In place of an address in a program: that of `Given` when it is run; that of its `out`, with rows split."""


class Step(NamedTuple):
    """The arguments of `sweeps`, or of what else a step does; `planes` of its grid in so many blocks.

    `beside` planes on either side of a block are in `halo`. A step with 0 blocks is one block, and done at once after
    the step before by the same thread.
    """

    op: int
    level: int = 0
    sweeps: int = 0
    flip: int = 0
    f: int = 0
    f_split: int = 0
    source: int = ZERO
    u: int = 0
    halo: int = 0
    beside: int = 0
    coarse: int = 0
    correct: int = 0
    sink: int = ZERO
    out: int = 0
    f_coarse: int = 0
    norm: int = 0
    planes: int = 0
    blocks: int = 1


STEP = np.dtype([(name, np.int64) for name in Step._fields])


def program_of(steps: Sequence[Step]) -> np.ndarray:
    """The steps as `execute` takes them; undivided ones that follow each other go together."""
    program = np.array(steps, STEP)
    undivided = program["blocks"] == 1
    program["blocks"][1:][undivided[1:] & undivided[:-1]] = 0
    return program


class Given(NamedTuple):
    """What a program is run with, as `sweeps` has it: addresses of arrays, and the order of the numbers in each."""

    f: int = 0
    f_split: int = 0
    source: int = ZERO
    u: int = 0
    sink: int = ZERO
    out: int = 0
    norm: int = 0


NO_NORMS, NO_SCALE = np.zeros(0), np.ones(2)
"""For a program that is run once."""


@called
def execute(records, reals, integers, deep, varying, program, direct, given, again, norms, scale, tolerance, sums,
            team, leads, places, w):  # fmt: skip
    """Make all steps, or where there are `norms` several runs: all after the first take u from `out`.

    Several threads make the same call, each with a work space of its own; when the one that leads returns, all is done.

    Args:
        again: the first run ends before this step, and all others begin with it; 0: each run makes all steps.
        direct: a `Direct` for the coarsest level.
        given: a `Given` as an array.
        norms: the first is that of the residual before; the others are filled, one per run, while there is room, the
            norm is above the tolerance and it has halved.
        scale: a norm is the square root of the sum of W (f - A u)^2 over scale[0], over scale[1].
        sums: what the blocks of the last step return: their sums of W (f - A u)^2, where they are asked for.
        team: counters, `new_team`; that of RUNS is the number of norms that have been filled.
        leads: whether the others depend on this thread.
        places, w: the work space.
    """
    if leads:
        raise_by(team, BEGUN, 1)
    elif not begun(team):
        return
    k, later, before = 0, False, 0
    end = again if again > 0 else len(program)
    while True:
        turn = raise_by(team, TAKEN, 1)
        while True:  # to the step that it belongs to
            count = 1 if k == end else program[k].blocks
            if turn < before + count:
                break
            before += count
            k += 1
            if k > end:
                k, end, later = again, len(program), True
        if not wait(team, before):
            return
        if k == end:
            if not another(program, norms, scale, tolerance, sums, team):
                raise_by(team, STOP, 1)
                return
        else:
            for each in range(k, end):
                if each > k and program[each].blocks != 0:
                    break
                number = turn - before
                sums[number] = block(
                    records, reals, integers, deep, varying, program[each], direct, given, later, number, places, w
                )
        raise_by(team, DONE, 1)


@compiled
def another(program, norms, scale, tolerance, sums, team):
    """Note the norm after a run, and say whether there is another one."""
    if len(norms) == 0:
        return False
    total = np.float64(0)
    for b in range(max(program[-1].blocks, 1)):
        total += sums[b]
    runs = read(team, RUNS) + 1
    raise_by(team, RUNS, 1)
    norms[runs] = relative(total, scale)
    return runs + 1 < len(norms) and tolerance < norms[runs] <= 0.5 * norms[runs - 1]


@merged
def block(records, reals, integers, deep, varying, s, direct, given, later, number, places, w):
    """One block of a step; returns what `sweeps` does."""
    f, f_split = (given[0], given[1]) if s.f == GIVEN else (s.f, s.f_split)
    sink, out = (given[4], given[5]) if s.out == GIVEN else (s.sink, given[5] if s.out == ROOM else s.out)
    source, u = s.source, given[5] if s.u == ROOM else s.u
    if s.u == GIVEN:
        source, u = (given[4], given[5]) if later else (given[2], given[3])
    count = max(s.blocks, 1)
    first, last = s.planes * number // count, s.planes * (number + 1) // count
    size = records[s.level].n[1] * records[s.level].n[2]
    halo = s.halo + number * 2 * s.beside * size * w.itemsize
    if s.op == HALO:
        if source != ZERO:
            copy_planes(u, halo, first, last, s.beside, s.planes, size, records[s.level].periodic[0] != 0, w)
    elif s.op == DIRECT:
        solve_directly(direct, f, out, w)
    elif s.op == DATA:
        restrict_planes(records, reals, integers, s.level, deep, f, f_split != 0, out, first, last, w)
    else:
        norm = given[6] if s.norm == GIVEN else s.norm
        return sweeps(
            records, reals, integers, s.level, deep, varying, s.sweeps, s.flip, f, f_split != 0, source, u, halo,
            s.beside, s.coarse, s.correct != 0, sink, out, s.f_coarse, norm, first, last,
            places, w,
        )  # fmt: skip
    return np.float64(0)


@exact
def relative(total, scale):
    """A norm from the sum of W (f - A u)^2, to the last bit that of a cycle which is made alone."""
    return np.sqrt(total / scale[0]) / scale[1]


@compiled
def copy_planes(u, halo, first, last, beside, planes, size, periodic, w):
    """`beside` planes on either side of the planes first, ..., last - 1, where there are any."""
    values, target = pointer(w, u), pointer(w, halo)
    for k in range(2 * beside):
        place = first - beside + k if k < beside else last + k - beside
        if not periodic and not 0 <= place < planes:
            continue
        place %= planes
        for x in range(size):
            target[k * size + x] = values[place * size + x]
