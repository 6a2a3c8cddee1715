"""Passes one after the other in one call: on coarse grids a pass is so short that a call from Python would cost more.

A program is an array of steps. Everything compiled is reached through `execute`, so that it is compiled once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pde.kernels.jit import compiled
from pde.kernels.passes import restrict_planes, sweeps
from pde.kernels.pointers import pointer

PASS, DATA, DIRECT = 0, 1, 2
"""What a step does: `sweeps`, `restrict_planes` (from f to `out`), or the direct solution on the coarsest level."""

STEP = np.dtype(
    [
        (name, np.int64)
        for name in (
            *("op", "level", "count", "flip", "f", "f_split", "source", "u", "halo", "copies", "coarse", "correct"),
            *("sink", "out", "f_coarse", "norm", "first", "last"),
        )
    ]
)
"""A step: the arguments of `sweeps`; with `copies`, the planes beyond a periodic axis are copied to `halo` before."""


def step(op: int, **fields: Any) -> np.ndarray:
    """A program of one step."""
    program = np.zeros(1, STEP)
    program["op"] = op
    for name, value in fields.items():
        program[name] = value
    return program


@compiled
def execute(records, reals, integers, deep, varying, program, inverse, w):
    """Make all steps; returns what the last pass does: the sum of W (f - A u)^2, where it is asked for."""
    total = np.float64(0)
    for k in range(len(program)):
        s = program[k]
        if s.op == DIRECT:
            solve_directly(records, inverse, s.f, s.out, w)
        elif s.op == DATA:
            restrict_planes(records, reals, integers, s.level, deep, s.f, s.f_split != 0, s.out, s.first, s.last, w)
        else:
            if s.copies != 0:
                copy_planes(records, s.level, s.u, s.halo, 2 * s.count + 4, w)
            total = sweeps(
                records, reals, integers, s.level, deep, varying, s.count, s.flip, s.f, s.f_split != 0, s.source, s.u,
                s.halo, s.coarse, s.correct != 0, s.sink, s.out, s.f_coarse, s.norm != 0, s.first, s.last, w,
            )  # fmt: skip
    return total


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
