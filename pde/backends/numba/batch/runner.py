"""Calls of the kernels for groups of members: plans of cycles, work spaces and threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from mgcore.cycle import VISITS
from pde.backends.numba.batch import execute as kernels
from pde.backends.numba.batch.execute import (
    BACKWARDS,
    DIRECT,
    DOWN,
    FITTING,
    GUESS,
    PROJECT,
    RESIDUAL,
    RHS,
    SWEEP,
    UP,
)
from pde.backends.numba.batch.tables import Tables
from pde.backends.numba.buffers import address
from pde.backends.numba.jit import prepared, reported
from pde.backends.numba.simd import LANES
from pde.backends.numba.thread_pool import Turns, thread_pool
from pde.backends.numba.work_queue import new_counters
from pde.levels.hierarchy import Hierarchy
from pde.problem.grid import Array

LARGEST_CALL = 1 << 23
"""Unknowns at most in one call, during which Python sees no signal: some tenths of a second."""

LINE = 64
"""Bytes of a cache line."""

Step = tuple[int, int]


class Runner:
    """Runs cycles on the levels of a hierarchy for many members at once.

    Args:
        threads: at most.
    """

    def __init__(self, hierarchy: Hierarchy, dtype: np.dtype, threads: int) -> None:
        levels, singular, start = hierarchy.levels, hierarchy.choices.singular, hierarchy.start
        self.tables, self.threads, self.dtype = Tables(levels, dtype, singular, start), threads, dtype
        self._begin = len(levels) - 1 if start is None else start.level
        self._sizes = [level.info.grid.size for level in levels]
        self._levels, self._singular = levels, singular
        self._spaces: list[Array] = []
        self._turns = Turns()

    def prepare(self, report: Callable[[int], Any]) -> list[str]:
        """Load the kernels or compile them, as `jit.prepared`; `report` is told how many functions are compiled."""
        none, pair = np.zeros(3, np.int64), np.zeros((1, 2), np.int64)
        call = self._call(pair, (0, 0, RESIDUAL), none, np.zeros((4, 3)), np.zeros((3, 1)), none, none)
        with self._turns, reported(report):
            return prepared(kernels.execute, (*call, new_counters(), True, self._work()[0]))

    def run(
        self,
        kind: str,
        f: Array,
        u: Array | None,
        out: Array,
        members: Array,
        given: Array,
        most: int = 1,
        norm: int = RESIDUAL,
        level: int = 0,
        project: bool = True,
    ) -> tuple[Array, Array]:
        """Make cycles of these members from u (None: zero) to `out`, which may be u, at most so many of each.

        Args:
            kind: of the cycles, or "fmg": full multigrid for zero boundary data, then V-cycles.
            f, u, out: contiguous arrays (rows, *shape); `members` are rows.
            given, norm: see `execute`.
            level: on which the cycles begin.
            project: whether each cycle ends with a u of zero mean where the problem is singular.

        Returns:
            The norms after each cycle, (members, most), and the number of cycles of each.

        Raises:
            TypeError, ValueError: an array is not contiguous or has another dtype or shape; names the argument.
        """
        size = self._sizes[level]
        for name, values in (("f", f), ("u", u), ("out", out)):
            if values is None:
                continue
            if values.dtype != self.dtype:  # kernels are given addresses alone
                raise TypeError(f"{name} must be {self.dtype} for these kernels, got {values.dtype}")
            if values.shape != f.shape or values.size != len(f) * size or not values.flags.c_contiguous:
                raise ValueError(f"{name} must be contiguous, {f.shape}; got {values.shape}, strides {values.strides}")
        steps, again = self._plan(kind, level, project)
        norms, counts = np.full((len(members), most), np.nan), np.zeros(len(members), np.int64)
        addresses = np.array([address(f), 0 if u is None else address(u), address(out)], np.int64)
        each = max(LANES, LARGEST_CALL // size // LANES * LANES)
        with self._turns:
            for k in range(0, len(members), each):
                part = slice(k, k + each)
                judged = members[part], np.ascontiguousarray(given[:, part]), norms[part], counts[part]
                self._execute(self._call(steps, (level, again, norm), *judged, addresses), -(-len(judged[0]) // LANES))
        return norms, counts

    def _execute(self, call: tuple[Any, ...], groups: int) -> None:
        counters, spaces = new_counters(), self._work()
        for space in spaces[1:groups]:  # a thread that comes late finds nothing left to do
            thread_pool(self.threads - 1).ask(kernels.execute, *call, counters, False, space)
        kernels.execute(*call, counters, True, spaces[0])

    def _call(
        self,
        steps: Array,
        rounds: tuple[int, int, int],
        members: Array,
        given: Array,
        norms: Array,
        counts: Array,
        addresses: Array,
    ) -> tuple[Any, ...]:
        tables = self.tables
        places = (*rounds, tables.row, tables.modes)
        return tables.is_3d, tables.arrays, steps, places, members, addresses, given, norms, counts

    def _plan(self, kind: str, level: int, project: bool) -> tuple[Array, int]:
        """The steps of the first round, those of later rounds, and the number of the former; 0: all are alike."""
        first = list(self._nested()) if kind == "fmg" else []
        fitting = [(PROJECT, 0)] if self._singular and level == 0 and project else []
        first += fitting if first else []
        later = [*self._cycle("V" if kind == "fmg" else kind, level), *fitting]
        return np.array([*first, *later], np.int64), len(first)

    def _cycle(self, kind: str, l: int) -> Iterator[Step]:
        """The steps of a cycle that begins on level l."""
        level, last = self._levels[l], len(self._levels) - 1
        if l == last:
            yield DIRECT, l
            return
        yield from ((BACKWARDS if B.reverse else SWEEP, l) for B in level.B)
        yield DOWN, l
        for below in VISITS[kind][: 1 if l + 1 == last else None]:  # direct solutions are all the same
            yield from self._cycle(below, l + 1)
        yield UP, l
        if kind != "backslash":
            yield from ((BACKWARDS if B.reverse else SWEEP, l) for B in level.B_post)

    def _nested(self) -> Iterator[Step]:
        """The steps of full multigrid."""
        yield from ((RHS, l) for l in range(self._begin))
        for l in range(self._begin, -1, -1):
            if l < self._begin:
                yield GUESS, l
            if self._singular:
                yield FITTING, l
            yield from ([(DIRECT, l)] if l == self._begin else self._cycle("V", l))

    def _work(self) -> list[Array]:
        """The work spaces of all threads, which begin with a cache line."""
        while len(self._spaces) < self.threads:
            line = LINE // self.dtype.itemsize
            whole = np.zeros(self.tables.work_size + line, self.dtype)
            self._spaces.append(whole[-address(whole) % LINE // self.dtype.itemsize :][: self.tables.work_size])
        return self._spaces
