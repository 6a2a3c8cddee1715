"""Levels that make their passes block by block, on several threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from mgcore import Level
from pde.grid import Array
from pde.kernels import cycles, passes
from pde.kernels.cycles import NO_NORMS, NO_SCALE, NOTHING_GIVEN, Step, program_of
from pde.kernels.lazy import LazyLevel
from pde.kernels.states import Packed, Rows, Storage, Sweeping

PARALLEL = 1 << 17
"""Unknowns from which on a pass is worth more than one thread."""

SHARES, LONG = 4, 16
"""Blocks per thread at most, so that no thread waits long for a slower one; a block has LONG times its seam, if so."""


class FusedLevel(LazyLevel):
    """The moves of a plain `Level` of two or three dimensions, in passes over its planes."""

    def __init__(self, level: Level, packed: Packed, index: int, sweeping: Sweeping, threads: int) -> None:
        self.dtype, self.size = packed.reals.dtype, level.info.grid.size
        super().__init__(packed, index, sweeping, Storage(self.size, self.dtype))
        self.level, self.threads = level, threads
        self._work: list[Array] = []
        self._needed: dict[int, int] = {}

    def working_in(self, out: Array) -> AbstractContextManager[None]:
        """Keep u in `out`, split, until it is written there in natural order: no room besides is needed."""
        return self.room.lend("u", out)

    def _make_pass(self, step: Step, u: Rows | None) -> float:
        halos: dict[int, Array] = {}

        def block(first: int, last: int, w: Array) -> float:
            halo = halos.get(first)
            address = 0 if halo is None else Rows(halo, True).address
            return self._execute(step._replace(halo=address, first=first, last=last), w)

        def before(ends: Sequence[int]) -> None:
            """The planes beside each block as they are before any block is overwritten."""
            if u is None or (len(ends) == 2 and not self.periodic):
                return
            planes, depth = u.values.reshape(self.planes, -1), step.depth
            for a, b in pairwise(ends):
                places = np.concatenate((np.arange(a - depth, a), np.arange(b, b + depth)))
                halos[a] = planes[places % self.planes]

        return sum(self._in_blocks(self.planes, block, before, 4 * step.sweeps + 8, step.sweeps))

    def _make_data(self, step: Step) -> None:
        self._in_blocks(
            self.planes_coarse, lambda first, last, w: self._execute(step._replace(first=first, last=last), w)
        )

    def _execute(self, step: Step, w: Array) -> float:
        here = program_of([step]), _NOTHING[self.dtype], w, NOTHING_GIVEN, 0, NO_NORMS, NO_SCALE, 0.0
        return float(cycles.execute(*self.packed.arguments, *here)[0])

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
