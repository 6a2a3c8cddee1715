"""A queue of blocks for the threads of one call: each takes the next block when all steps before it are done.

Blocks are numbered in the order of their steps. A thread takes the next number and waits until the steps before are
done; a thread that comes late finds the rest, or nothing left, and no other waits for it. All wait for the one that
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
"""Indices of the counters of a call, each in a cache line of its own."""

PATIENCE = 64
"""Polls of a counter before other threads of the machine are let in."""

GRACE = 1 << 16
"""Polls of a counter before a thread assumes that the one that leads will not come: some milliseconds."""

_PAUSES = {"x86_64": "llvm.x86.sse2.pause", "amd64": "llvm.x86.sse2.pause"}
_yield = types.ExternalFunction("SwitchToThread" if os.name == "nt" else "sched_yield", types.int32())


def new_counters() -> np.ndarray:
    """Return the counters of one call."""
    return np.zeros(80, np.int64)


def _pointer(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    counters = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.gep(counters.data, [arguments[1]])


@intrinsic
def raise_by(typing_context: Any, counters: Any, which: Any, count: Any) -> Any:
    """Add to a counter atomically; return its value before."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.atomic_rmw("add", _pointer(context, builder, signature, arguments), arguments[2], "acq_rel")

    return types.int64(counters, types.int64, types.int64), generate


@intrinsic
def read(typing_context: Any, counters: Any, which: Any) -> Any:
    """Read a counter; what was written before it rose is seen after."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_pointer(context, builder, signature, arguments), "acquire", 8)

    return types.int64(counters, types.int64), generate


@intrinsic
def pause(typing_context: Any) -> Any:
    """Pause the core for a moment, where there is an instruction for it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if name := _PAUSES.get(platform.machine().lower()):
            builder.call(builder.module.declare_intrinsic(name, (), ir.FunctionType(ir.VoidType(), [])), [])
        return context.get_dummy_value()

    return types.void(), generate


@compiled
def begun(counters):
    """Tell whether the thread that leads has begun, or does so soon."""
    for polls in range(GRACE):
        if read(counters, BEGUN) != 0:
            return True
        rest(polls)
    return False


@compiled
def rest(polls):
    """Rest between two polls of a counter."""
    if polls % PATIENCE == PATIENCE - 1:
        _yield()
    else:
        pause()


@compiled
def wait(counters, before):
    """Wait until so many blocks are done; return False where the call has ended."""
    polls = 0
    while read(counters, DONE) < before:
        if read(counters, STOP) != 0:
            return False
        rest(polls)
        polls += 1
    return read(counters, STOP) == 0
