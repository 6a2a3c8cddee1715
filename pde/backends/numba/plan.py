"""The programs of a solver's cycles: recorded when they are first asked for, run by all threads in one call."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numba
import numpy as np

from mgcore import Level
from pde.backends.numba import interpreter as cycles
from pde.backends.numba.direct import direct
from pde.backends.numba.fused_sweep import RESIDUAL, ZERO
from pde.backends.numba.interpreter import DIRECT, NO_NORMS, NO_SCALE, STEP, Given, program_of
from pde.backends.numba.recording import Recorder, record
from pde.backends.numba.states import Packed, Rows, Storage, Sweeping
from pde.backends.numba.thread_pool import hands
from pde.backends.numba.work_queue import RUNS, new_team
from pde.backends.numba.workspace import SLOTS, space_needed
from pde.problem.grid import Array

LINE = 64
"""Bytes of a line of the cache; rows of a work space begin with one."""


class Programs:
    """Cycles over levels, and full multigrid ("nested"), from and to arrays of the user."""

    def __init__(self, levels: Sequence[Level], packed: Packed, sweeping: Sweeping, threads: int) -> None:
        dtype, grids = packed.reals.dtype, [level.info.grid for level in levels]
        self.packed, self.sweeping, self.threads = packed, sweeping, threads
        self._rooms = [Storage(grid.size, dtype) for grid in grids]
        self._order = _order(levels[-1])
        self._shape, self._solver = grids[-1].shape, levels[-1].B[0]
        self._direct = direct(levels[-1], self._order, dtype)
        self.whole = self._direct.whole
        """Whether a program is one call: nothing in it is solved by sparse factors."""
        self._work = [_work_space(dtype, 0)]
        self._halos: dict[tuple[int, int], Rows] = {}
        self._programs: dict[tuple[str, int], Array] = {}

    def prepare(self) -> list[str]:
        """Have all that programs call loaded from Numba's cache or compiled; the files in which the cache keeps it.

        There are none where it could not be kept, as on a full disk: what is compiled runs nevertheless.
        """
        given, norms, sums, team = np.array(Given(), np.int64), NO_NORMS, np.zeros(1), new_team()
        data = (*self.packed.arguments, np.zeros(1, STEP), tuple(self._direct))
        call = (*data, given, 0, norms, NO_SCALE, 0.0, sums, team, True)
        needed = ((cycles.execute, (*call, *self._work[0])), (space_needed, (self.packed.records[0], 0)))
        kept = [_is_kept(function, tuple(map(numba.typeof, arguments))) for function, arguments in needed]
        folder = cycles.execute.stats.cache_path
        if folder is None or not all(kept):
            return []
        name = cycles.__name__.rpartition(".")[2]  # Numba names its files after the module and the function
        return [str(path) for path in Path(folder).glob(f"{name}.execute-*.nbi")]

    def cycle(self, kind: str, start: int, f: Rows, u: Rows | None, out: Rows, norm: int = RESIDUAL) -> float:
        """A cycle that begins on level `start`, from u (None: zero); returns the sum of W (f - A u)^2, or what
        else `norm` asks for."""
        if start == len(self._rooms) - 1:
            self._solve_coarsest(f, out)
            return 0.0
        total, program = 0.0, self._program(kind, start)
        for part in self._parts(program):
            if part is None:
                self._solve_coarsest(self._rooms[-1]["f"], self._rooms[-1]["u"])
            else:
                total, _ = self._execute(part, f, u, out, norm)
        return total

    def solve(self, kind: str, f: Rows, u: Rows | None, out: Rows, norms: Array, scale: Array, tolerance: float) -> int:
        """Cycles of a kind, the first of them "nested" where it is "fmg"; for the rest see `cycles.execute`."""
        again = len(self._program("nested", 0)) if kind == "fmg" else 0
        return self._execute(self._program(kind, 0), f, u, out, RESIDUAL, again, norms, scale, tolerance)[1]

    def _execute(
        self,
        program: Array,
        f: Rows,
        u: Rows | None,
        out: Rows,
        norm: int,
        again: int = 0,
        norms: Array = NO_NORMS,
        scale: Array = NO_SCALE,
        tolerance: float = 0.0,
    ) -> tuple[float, int]:
        source, address = (ZERO, 0) if u is None else (u.order, u.address)
        given = np.array(Given(f.address, f.split, source, address, out.order, out.address, norm), np.int64)
        blocks, team = int(program["blocks"].max()), new_team()
        sums = np.zeros(max(blocks, 1))
        call = (*self.packed.arguments, program, tuple(self._direct), given, again, norms, scale, tolerance, sums, team)
        threads = min(self.threads, blocks)
        for k in range(1, threads):  # one that comes late finds nothing left to do
            hands(self.threads - 1).ask(cycles.execute, *call, False, *self._work[k])
        cycles.execute(*call, True, *self._work[0])
        return float(sums[: max(int(program["blocks"][-1]), 1)].sum()), int(team[RUNS])

    def _program(self, kind: str, start: int) -> Array:
        key = kind, start
        if key not in self._programs and kind == "fmg":
            self._programs[key] = np.concatenate([self._program(each, start) for each in ("nested", "V")])
        if key not in self._programs:
            recorder = Recorder(self.packed, self.threads, self._halos)
            steps = record(kind, recorder, self._rooms[start:], start, self.sweeping)
            passes = {(step.level, max(step.sweeps, 1)) for step in steps if step.op != DIRECT}
            space = max(space_needed(self.packed.records[l], sweeps) for l, sweeps in passes)
            self._make_room(max(space, self._direct.space), max(step.blocks for step in steps))
            self._programs[key] = program_of(steps)
        return self._programs[key]

    def _make_room(self, space: int, blocks: int) -> None:
        have = [len(w) for _, w in self._work]
        for k in range(max(len(have), min(self.threads, blocks))):
            if k >= len(have) or have[k] < space:
                self._work[k : k + 1] = [_work_space(self.packed.reals.dtype, space)]

    def _parts(self, program: Array) -> list[Any]:
        """What is run in one call, and None in the place of each direct solution by sparse factors."""
        if self.whole:
            return [program]
        parts: list[Any] = []
        ends = [-1, *np.flatnonzero(program["op"] == DIRECT), len(program)]
        for number, (a, b) in enumerate(pairwise(ends)):
            if number:
                parts.append(None)
            if b > a + 1:
                part = program[a + 1 : b].copy()
                part["blocks"][0] = max(part["blocks"][0], 1)
                parts.append(part)
        return parts

    def _solve_coarsest(self, f: Rows, out: Rows) -> None:
        order = self._order
        natural = f.values
        if f.split:
            natural = np.empty_like(natural)
            natural[order] = f.values
        values = self._solver(natural.reshape(self._shape)).ravel()[order]
        if out.split:
            out.values[:] = values
        else:
            out.values[order] = values


def _is_kept(function: Any, types: tuple[Any, ...]) -> bool:
    """Have a function loaded or compiled for arguments of these types; whether the cache takes it."""
    try:
        function.compile(types)
    except OSError:
        return False
    return True


def _work_space(dtype: np.dtype, space: int) -> tuple[Array, Array]:
    """(places, w) of `cycles.execute` for one thread."""
    w = np.zeros(space * dtype.itemsize + LINE, np.int8)
    w = w[-w.__array_interface__["data"][0] % LINE :][: space * dtype.itemsize]
    return np.zeros(2 * SLOTS, np.int64), w.view(dtype)


def _order(level: Level) -> Array:
    """Which unknown stands at each place of split rows."""
    natural = np.arange(level.info.grid.size).reshape(-1, level.info.grid.shape[-1])
    return np.concatenate((natural[:, ::2], natural[:, 1::2]), axis=1).ravel()
