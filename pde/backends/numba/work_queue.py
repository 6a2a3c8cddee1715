"""Several threads in one call: they take the blocks of a program in turn, each when all before its step are done.

Blocks have numbers in the order of their steps. A thread takes the next number and waits until the steps before are
done; a thread that comes late finds the rest, or nothing left, and nobody waits for it. All wait for the one that
leads, which nothing interrupts once it has begun; where a signal or an error keeps it from that, nothing is touched.
"""

from __future__ import annotations

import os
import platform
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from pde.backends.numba.jit import compiled

TAKEN, DONE, STOP, RUNS, BEGUN = 0, 16, 32, 48, 64
"""Places of counters in a team, in cache lines of their own."""

PATIENCE = 64
"""Looks at a counter before other threads of the machine are let in."""

GRACE = 1 << 16
"""Looks at a counter before a thread takes it that the one that leads will not come: some milliseconds."""

_PAUSES = {"x86_64": "llvm.x86.sse2.pause", "amd64": "llvm.x86.sse2.pause"}
_yield = types.ExternalFunction("SwitchToThread" if os.name == "nt" else "sched_yield", types.int32())


def new_team() -> np.ndarray:
    """The counters of one call."""
    return np.zeros(80, np.int64)


def _pointer(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    team = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.gep(team.data, [arguments[1]])


@intrinsic
def raise_by(typing_context: Any, team: Any, place: Any, count: Any) -> Any:
    """Add to a counter at once; returns what it was before."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.atomic_rmw("add", _pointer(context, builder, signature, arguments), arguments[2], "acq_rel")

    return types.int64(team, types.int64, types.int64), generate


@intrinsic
def read(typing_context: Any, team: Any, place: Any) -> Any:
    """A counter as it is now; what was written before it rose is seen after."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_pointer(context, builder, signature, arguments), "acquire", 8)

    return types.int64(team, types.int64), generate


@intrinsic
def pause(typing_context: Any) -> Any:
    """Leave the core to its other thread for a moment, where there is an instruction for it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if name := _PAUSES.get(platform.machine().lower()):
            builder.call(builder.module.declare_intrinsic(name, (), ir.FunctionType(ir.VoidType(), [])), [])
        return context.get_dummy_value()

    return types.void(), generate


@compiled
def begun(team):
    """Whether the thread that leads has begun, or does so soon."""
    for looks in range(GRACE):
        if read(team, BEGUN) != 0:
            return True
        rest(looks)
    return False


@compiled
def rest(looks):
    """Between two looks at a counter."""
    if looks % PATIENCE == PATIENCE - 1:
        _yield()
    else:
        pause()


@compiled
def wait(team, before):
    """Whether so many blocks are done, now or after a while; False: the call has ended."""
    looks = 0
    while read(team, DONE) < before:
        if read(team, STOP) != 0:
            return False
        rest(looks)
        looks += 1
    return read(team, STOP) == 0
