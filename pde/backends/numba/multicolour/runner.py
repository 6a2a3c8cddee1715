"""Calls of the kernels: phases made once per move, by all threads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from pde.backends.numba.buffers import address
from pde.backends.numba.multicolour import execute as kernels
from pde.backends.numba.multicolour.execute import PASS, PRODUCT, RESTRICT, RESTRICT_SPARSE
from pde.backends.numba.multicolour.records import ENTRY, PHASE
from pde.backends.numba.multicolour.tables import Table
from pde.backends.numba.multicolour.transfers import RING
from pde.backends.numba.thread_pool import Turns, thread_pool
from pde.backends.numba.work_queue import new_counters
from pde.problem.grid import Array

ALONE_BELOW = 1 << 13
"""Unknowns up to which one thread is as fast as several."""

BLOCKS = 4
"""Blocks of planes for each thread: one that is late leaves little undone."""

BYTES, INDICES = np.zeros(1, np.uint8), np.zeros(1, np.int32)


class Runner:
    """Runs moves on one level.

    Args:
        table: of the level.
        threads: at most.
    """

    def __init__(self, table: Table, threads: int) -> None:
        self.table, size = table, int(np.prod(table.shape))
        self.threads = threads if size > ALONE_BELOW else 1
        self.size, self.coarse_size = size, int(np.prod(table.coarse_shape))
        self.entries = np.zeros((1, max(1, len(table.entries))), ENTRY)
        self.entries[0, : len(table.entries)] = table.entries
        self.signs = np.array([1, -1], table.dtype)
        self._phases: dict[Any, tuple[Array, Array]] = {}
        self._turns = Turns()
        self._work: list[tuple[Array, Array]] = []

    def sweeps(self, stages: Sequence[int], turn: int, members: int, numbers: Array, **buffers: Array | None) -> Array:
        """Make a pass of stages; return what they sum up, per member and plane."""
        key = PASS, tuple(stages), turn, members
        if key not in self._phases:
            self._phases[key] = self._passes(stages, turn, members)
        sums = np.zeros(members * self.table.shape[0])
        self._run(self._phases[key], numbers, sums, buffers)
        return sums.reshape(members, -1)

    def restrict(self, members: int, sparse: bool, **buffers: Array | None) -> None:
        """e <- R (f - A u), or R r with a sparse matrix."""
        op, planes = (RESTRICT_SPARSE, self.coarse_size) if sparse else (RESTRICT, self.table.coarse_shape[0])
        self._simple(op, planes, members, buffers)

    def product(self, out: Array, volumes: Array | None = None) -> None:
        """Write the coefficients of R A P to `out`, and those of a `CornerTransfer` with its coarse volumes."""
        self._simple(PRODUCT, self.table.coarse_shape[0], 1, {"e": out, "r": volumes})

    def _simple(self, op: int, planes: int, members: int, buffers: dict[str, Array | None]) -> None:
        key = op, members
        if key not in self._phases:
            phase = self._phase(op, members, planes, min(planes, self._blocks(planes, 1)), 0)
            self._phases[key] = np.array([phase], PHASE), np.zeros(1, np.int64)
        self._run(self._phases[key], np.zeros(2, self.table.dtype), np.zeros(0), buffers)

    def _passes(self, stages: Sequence[int], turn: int, members: int) -> tuple[Array, Array]:
        """The phases of stages, as many in one pass as the number of planes allows."""
        planes, periodic = self.table.shape[0], bool(self.table.record[0]["periodic"][0])
        most = max(1, planes // 2) if periodic else len(stages)
        phases = []
        for first in range(0, len(stages), most):
            count = len(stages[first : first + most])
            blocks = self._blocks(planes, 2 * count)
            borders = blocks if periodic else blocks - 1
            numbers = range(count) if borders else range(1)
            phases += [self._phase(PASS, members, planes, blocks, k, count, first, turn) for k in numbers]
        return np.array(phases, PHASE), np.array(stages, np.int64)

    def _phase(self, op: int, members: int, planes: int, blocks: int, number: int, *stages: int) -> tuple[int, ...]:
        periodic = bool(self.table.record[0]["periodic"][0])
        tasks = blocks if number == 0 or periodic else blocks - 1
        count, first, turn = stages or (0, 0, 0)
        return op, 0, members * tasks, blocks, number, count, first, self.size, self.coarse_size, planes, turn

    def _blocks(self, planes: int, least: int) -> int:
        return 1 if self.threads == 1 else max(1, min(BLOCKS * self.threads, planes // least))

    def _run(self, phases: tuple[Array, Array], numbers: Array, sums: Array, buffers: dict[str, Array | None]) -> None:
        given = (buffers.get(name) for name in ("f", "u", "e", "r", "p"))
        addresses = np.array([0 if each is None else address(each) for each in given], np.int64)
        call = (self.table.record, self.entries, self.signs, *phases, addresses, numbers, sums, BYTES, INDICES)
        counters = new_counters()
        with self._turns:
            spaces = self._spaces()
            for tags, work in spaces[1:]:  # a thread that comes late finds nothing left to do
                thread_pool(self.threads - 1).ask(kernels.execute, *call, counters, False, tags, work)
            kernels.execute(*call, counters, True, *spaces[0])

    def example(self) -> tuple[Any, ...]:
        """Arguments of the types of every call."""
        table, none = self.table, np.zeros(1, np.int64)
        phases = np.zeros(1, PHASE), none, none, np.zeros(2, table.dtype), np.zeros(1)
        head = table.record, self.entries, self.signs, *phases, BYTES, INDICES, new_counters(), True
        return *head, *self._spaces()[0]

    def _spaces(self) -> list[tuple[Array, Array]]:
        while len(self._work) < self.threads:
            self._work.append((np.zeros(RING, np.int64), np.zeros(self._work_size, self.table.dtype)))
        return self._work

    @cached_property
    def _work_size(self) -> int:
        row, (_, rows, line) = self.table.shape[2], self.table.coarse_shape
        return 30 * row + (RING + 27) * rows * line + 28 * line + 64
