"""Levels whose moves are fused passes. A move only notes what there is to do; a pass is made when its result is needed:
sweeps, correction, residual and restriction that follow each other on a level are one pass over its planes."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from mgcore import Level
from pde.grid import Array
from pde.kernels import cycles, passes
from pde.kernels.cycles import DATA, NO_NORMS, NO_SCALE, NOTHING_GIVEN, PASS, step
from pde.kernels.passes import CUBIC, ZERO
from pde.kernels.states import Interpolated, Packed, Pending, Rows, State, Storage, Sweeping, as_rows

PARALLEL = 1 << 17
"""Unknowns from which on a pass is worth more than one thread."""

SHARES, LONG = 4, 16
"""Blocks per thread at most, so that no thread waits long for a slower one; a block has LONG times its seam, if so."""


class FusedLevel:
    """The moves of a plain `Level` of two or three dimensions, in passes over its planes."""

    def __init__(self, level: Level, packed: Packed, index: int, sweeping: Sweeping, threads: int) -> None:
        self.level, self.packed, self.index, self.sweeping, self.threads = level, packed, index, sweeping, threads
        self.shape, self.dtype, self.size = level.info.grid.shape, packed.reals.dtype, level.info.grid.size
        self.periodic = bool(packed.records[index]["periodic"][0])
        self.room = Storage(self.size, self.dtype)
        self._work: list[Array] = []
        self._needed: dict[int, int] = {}

    def start(self, f: Any, u: Any = None) -> State:
        return State(as_rows(f), u if u is None or isinstance(u, Interpolated) else as_rows(u))

    def start_from_residual(self, r: Rows, u: Any) -> State:
        return State(r, u)

    def smooth(self, state: State) -> State:
        return self._sweep(state, self.sweeping.nu, self.sweeping.flip)

    def working_in(self, out: Array) -> AbstractContextManager[None]:
        """Keep u in `out`, split, until it is written there in natural order: no room besides is needed."""
        return self.room.lend("u", out)

    def restrict(self, state: State, coarse: Any) -> State:
        self.run(state, self.room["u"], coarse.room["f"])
        return coarse.start_from_residual(coarse.room["f"], None)

    def correct(self, state: State, coarse: Any, before: State, after: State, *, post: bool = True) -> State:
        state = State(state.f, self.room["u"], coarse.stored(after))
        return self._sweep(state, self.sweeping.nu_post, self.sweeping.flip_post) if post else state

    def feature(self, state: State) -> Pending:
        return Pending(self, state)

    def stored(self, state: State) -> Rows:
        """u in the storage of the level."""
        if isinstance(state.u, Rows) and state.u.split and state.correction is None and not state.sweeps:
            return state.u
        self.run(state, self.room["u"])
        return self.room["u"]

    def restrict_data(self, f: Any, coarse: Any) -> Rows:
        """The data of full multigrid on the next coarser grid."""
        f, out = as_rows(f), coarse.room["f"]
        m0 = int(self.packed.records[self.index]["m"][0])
        self._in_blocks(
            m0,
            lambda first, last, w: self._execute(
                step(DATA, level=self.index, f=f.address, f_split=f.split, out=out.address, first=first, last=last), w
            ),
        )
        return out

    def run(self, state: State, out: Rows, f_coarse: Rows | None = None, norm: bool = False) -> float:
        """Do what there is to do, in one pass; returns the sum of W r^2 where `norm` asks for it."""
        u, coarse = state.u, state.correction
        source, values = ZERO, None
        if isinstance(u, Interpolated):
            source, coarse = CUBIC, u.coarse
        elif u is not None:
            source, values = u.order, u
        halos: dict[int, Array] = {}
        n0, depth = self.shape[0], 2 * state.sweeps + 4

        common = step(
            PASS,
            level=self.index,
            count=state.sweeps,
            flip=state.flip,
            f=state.f.address,
            f_split=state.f.split,
            source=source,
            u=0 if values is None else values.address,
            coarse=0 if coarse is None else coarse.address,
            correct=state.correction is not None,
            sink=out.order,
            out=out.address,
            f_coarse=0 if f_coarse is None else f_coarse.address,
            norm=norm,
        )

        def block(first: int, last: int, w: Array) -> float:
            program, halo = common.copy(), halos.get(first)
            program["halo"] = 0 if halo is None else Rows(halo, True).address
            program["first"], program["last"] = first, last
            return self._execute(program, w)

        def before(ends: Sequence[int]) -> None:
            """The planes beside each block as they are before any block is overwritten."""
            if values is None or (len(ends) == 2 and not self.periodic):
                return
            planes = values.values.reshape(n0, -1)
            for a, b in pairwise(ends):
                halos[a] = planes[np.concatenate((np.arange(a - depth, a), np.arange(b, b + depth))) % n0]

        return sum(self._in_blocks(n0, block, before, 4 * state.sweeps + 8, state.sweeps))

    def _execute(self, program: Array, w: Array) -> float:
        here = _NOTHING[self.dtype], w, NOTHING_GIVEN, 0, NO_NORMS, NO_SCALE, 0.0
        return float(cycles.execute(*self.packed.arguments, program, *here)[0])

    def _sweep(self, state: State, count: int, flip: bool) -> State:
        if state.sweeps and count and state.flip != flip:
            state = State(state.f, self.stored(state))
        return replace(state, sweeps=state.sweeps + count, flip=flip if count else state.flip)

    def _in_blocks(self, planes: int, run: Any, before: Any = None, least: int = 8, sweeps: int = 2) -> list[float]:
        threads = max(1, min(self.threads, planes // least)) if self.size >= PARALLEL else 1
        count = threads * max(1, min(SHARES, planes // (LONG * least * threads))) if threads > 1 else 1
        ends = [planes * k // count for k in range(count + 1)]
        if before is not None:
            before(ends)
        left, results = deque(range(count)), [0.0] * count

        def work(w: Array) -> None:
            while left:
                with suppress(IndexError):  # another thread has taken the last one
                    k = left.popleft()
                    results[k] = run(ends[k], ends[k + 1], w)

        waiting = [_pool(threads).submit(work, self._space(k, sweeps)) for k in range(1, threads)]
        work(self._space(0, sweeps))
        for each in waiting:
            each.result()
        return results

    def _space(self, k: int, sweeps: int) -> Array:
        if sweeps not in self._needed:
            self._needed[sweeps] = passes.space_needed(self.packed.records[self.index], sweeps)
        needed = self._needed[sweeps]
        while len(self._work) <= k:
            self._work.append(np.zeros(0, self.dtype))
        if len(self._work[k]) < needed:
            self._work[k] = np.zeros(needed, self.dtype)
        return self._work[k]


_NOTHING = {np.dtype(name): np.zeros((0, 0), name) for name in ("float64", "float32")}


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads - 1, thread_name_prefix="pde")
