"""Passes one after the other in one call: on coarse grids a pass is so short that a call from Python would cost more.

A program is an array of steps. Everything compiled is reached through `execute`, so that it is compiled once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pde.kernels.jit import called, compiled, exact
from pde.kernels.passes import CUBIC, ZERO, restrict_planes, sweeps
from pde.kernels.pointers import pointer

PASS, DATA, DIRECT = 0, 1, 2
"""What a step does: `sweeps`, `restrict_planes` (from f to `out`), or the direct solution on the coarsest level."""

GIVEN = -1
"""In place of a number in a program: that of `Given` when it is run."""


class Step(NamedTuple):
    """The arguments of `sweeps`, or of what else a step does.

    With `copies`, the planes beyond a periodic axis are copied to `halo` before.
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
    copies: int = 0
    coarse: int = 0
    correct: int = 0
    sink: int = ZERO
    out: int = 0
    f_coarse: int = 0
    norm: int = 0
    first: int = 0
    last: int = 0

    @property
    def depth(self) -> int:
        """How many planes there are in `halo` beyond either end."""
        return 2 * self.sweeps + 4


STEP = np.dtype([(name, np.int64) for name in Step._fields])


def program_of(steps: Sequence[Step]) -> np.ndarray:
    """The steps as `execute` takes them."""
    return np.array(steps, STEP)


class Given(NamedTuple):
    """What a program is run with, as `sweeps` has it: addresses of arrays, and the order of the numbers in each."""

    f: int = 0
    f_split: int = 0
    source: int = ZERO
    u: int = 0
    sink: int = ZERO
    out: int = 0
    norm: int = 0


NOTHING_GIVEN, NO_NORMS, NO_SCALE = np.array(Given(), np.int64), np.zeros(0), np.ones(2)
"""For a program that is run once and holds everything itself."""


@called
def execute(records, reals, integers, deep, varying, program, inverse, w, given, again, norms, scale, tolerance):
    """Make all steps, or where there are `norms` several runs: all after the first take u from `out`.

    Args:
        again: the first run ends before this step, and all others begin with it; 0: each run makes all steps.
        given: a `Given` as an array.
        norms: the first is that of the residual before; the others are filled, one per run, while there is room, the
            norm is above the tolerance and it has halved.
        scale: a norm is the square root of the sum of W (f - A u)^2 over scale[0], over scale[1].

    Returns:
        What the last pass does, the sum of W (f - A u)^2 where it is asked for; how many norms have been filled.
    """
    total, runs = np.float64(0), 0
    begin, end = 0, again if again > 0 else len(program)
    f, f_split, source, u = given[0], given[1], given[2], given[3]
    sink, out, norm = given[4], given[5], given[6]
    while True:
        for k in range(begin, end):
            s = program[k]
            f_here, split_here = (f, f_split) if s.f == GIVEN else (s.f, s.f_split)
            source_here, u_here = (source, u) if s.u == GIVEN else (s.source, s.u)
            sink_here, out_here = (sink, out) if s.out == GIVEN else (s.sink, s.out)
            if s.op == DIRECT:
                solve_directly(records, inverse, f_here, out_here, w)
            elif s.op == DATA:
                restrict_planes(
                    records, reals, integers, s.level, deep, f_here, split_here != 0, out_here, s.first, s.last, w
                )
            else:
                if s.copies != 0 and source_here != ZERO and source_here != CUBIC:
                    copy_planes(records, s.level, u_here, s.halo, 2 * s.sweeps + 4, w)
                measured = norm if s.norm == GIVEN else s.norm
                total = sweeps(
                    records, reals, integers, s.level, deep, varying, s.sweeps, s.flip, f_here, split_here != 0,
                    source_here, u_here, s.halo, s.coarse, s.correct != 0, sink_here, out_here, s.f_coarse,
                    measured != 0, s.first, s.last, w,
                )  # fmt: skip
        if len(norms) == 0:
            break
        runs += 1
        norms[runs] = relative(total, scale)
        if runs + 1 == len(norms) or not tolerance < norms[runs] <= 0.5 * norms[runs - 1]:
            break
        source, u, begin, end = sink, out, again, len(program)
    return total, runs


@exact
def relative(total, scale):
    """A norm from the sum of W (f - A u)^2, to the last bit that of a cycle which is made alone."""
    return np.sqrt(total / scale[0]) / scale[1]


@compiled
def copy_planes(records, level, u, halo, depth, w):
    """The planes beyond both ends of a periodic axis, `depth` of them on either side."""
    n0, size = records[level].n[0], records[level].n[1] * records[level].n[2]
    values, target = pointer(w, u), pointer(w, halo)
    for k in range(2 * depth):
        place = (k - depth) % n0
        for x in range(size):
            target[k * size + x] = values[place * size + x]


@compiled
def solve_directly(records, inverse, f, u, w):
    """u <- inverse f."""
    data, result = pointer(w, f), pointer(w, u)
    for i in range(len(inverse)):
        total = inverse[i, 0] * data[0]
        for j in range(1, len(inverse)):
            total += inverse[i, j] * data[j]
        result[i] = total
