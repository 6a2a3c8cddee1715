"""The backend of domains and of coefficients that jump: `mgcore`'s cycles on levels whose moves are compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mgcore import CYCLES, Event, Iteration
from pde.backends.base import Backend
from pde.backends.data import LARGE, SMALL, Data, Norms, Options, Vector
from pde.backends.numba import stamps
from pde.backends.numba.jit import prepared, reported
from pde.backends.numba.multicolour import execute
from pde.backends.numba.multicolour.execute import NORM
from pde.backends.numba.multicolour.krylov import CompiledConjugateGradients
from pde.backends.numba.multicolour.level import CompiledLevel
from pde.backends.numba.multicolour.runner import Runner
from pde.backends.numba.multicolour.tables import Table
from pde.backends.numba.thread_pool import Turns
from pde.backends.numba.variants import Variant, is_compact
from pde.common.progress import CompileBar
from pde.levels.hierarchy import Hierarchy
from pde.problem.grid import Array


class Multicolour(Backend):
    """Cycles on compiled levels from the finest as far down as kernels are for them; coarser levels are plain.

    Args:
        variant: of the kernels.
    """

    runs_in = "Numba"

    def __init__(self, hierarchy: Hierarchy, options: Options, variant: Variant) -> None:
        super().__init__(hierarchy, options.dtype, options.device)
        self.variant, self._options = variant, options
        self._runners: list[Runner] = []
        self._turns = Turns()
        self._volume = float(np.prod([axis.width.sum() for axis in hierarchy.levels[0].info.grid.axes]))
        self._symmetric: Multicolour | None = None
        self._prepared = False

    def describe(self) -> str:
        threads = self._options.cores
        return f"compiled kernels, {threads} thread{'s' * (threads > 1)}"

    def held(self) -> Sequence[Any]:
        return [self._runners, *(level.memory for level in self.moves if isinstance(level, CompiledLevel))]

    def prepare(self, progress: bool = False) -> None:
        if self._prepared:
            return
        with CompileBar(progress, self.variant) as bar, self._turns, reported(bar):
            self._make_moves()
            files = prepared(execute.execute, self.finest.runner.example())
        if files and not stamps.is_compiled(self.variant):
            stamps.write(self.variant, files=files)
        self._prepared = True

    @property
    def finest(self) -> CompiledLevel:
        """The first level."""
        self._make_moves()
        level: Any = self.moves[0]
        return level

    def cycle(
        self,
        kind: str,
        data: Data,
        u: Vector = None,
        *,
        level: int = 0,
        out: Vector = None,
        measure: str | None = None,
    ) -> tuple[Vector, Norms]:
        self._make_moves()
        moves = self.moves[level:]
        if not isinstance(moves[0], CompiledLevel):
            return CYCLES[kind](moves, data.rhs, u), None
        f = np.ascontiguousarray(data.rhs)
        out = out if out is not None and out.flags.c_contiguous else np.empty_like(f)
        if u is not None and u is not out:
            out[...] = u
        with self._turns:
            CYCLES[kind]([replace(moves[0], target=out), *moves[1:]], f, None if u is None else out)
            if level > 0 or measure != "residual":
                return out, None
            numbers = moves[0].numbers(1.0)
            squares = moves[0].runner.sweeps([NORM], 0, len(f), numbers, f=f, u=out).sum(axis=1)
        return out, self.norms_of(squares)

    def nested(self) -> Hierarchy:
        self._make_moves()
        levels = [
            replace(plain, P=level.prolonged, R=level.restricted) if isinstance(level, CompiledLevel) else plain
            for plain, level in zip(self.hierarchy.levels, self.moves, strict=True)
        ]
        return replace(self.hierarchy, levels=levels)

    def norms_of(self, squares: np.ndarray) -> Norms:
        """The norms of residuals on the finest grid, by their sums of W r^2; None where squares are not exact."""
        norms = np.sqrt(squares / self._volume).tolist()
        return norms if all(SMALL < norm < LARGE for norm in norms) else None

    def start(
        self, kind: str, accel: str | None, data: Data, u: Array | None = None, out: Array | None = None
    ) -> Iteration:
        if accel is None or self.hierarchy.choices.singular:
            return super().start(kind, accel, data, u, out)
        return CompiledConjugateGradients(self, kind, data, u, out)

    def symmetric(self) -> Backend:
        if self._symmetric is None:
            self._make_moves()
            self._symmetric = Multicolour(self.hierarchy.symmetric(), self._options, self.variant)
            self._symmetric._runners = self._runners
        return self._symmetric

    def with_finest(self, hierarchy: Hierarchy, runner: Runner | None = None) -> Multicolour:
        """See `Backend`; arrays of this backend are used again, which is not to run any more."""
        memory, result = self.finest.memory, Multicolour(hierarchy, self._options, self.variant)
        info = hierarchy.levels[0].info
        if runner is None:
            table = Table(info.operator, info.to_coarse, self.dtype, hierarchy.volumes[0].rows)
            runner = Runner(table, self._options.cores)
        result._runners = [runner, *self._runners[1:]]
        result.moves = [CompiledLevel(hierarchy.levels[0], runner, memory), *self.moves[1:]]
        result._prepared = self._prepared
        if self._symmetric is not None:
            result._symmetric = self._symmetric.with_finest(hierarchy.symmetric(), runner)
        return result

    def traced(self, report: Callable[[Event], Any]) -> Backend:
        return Backend(self.hierarchy, self.dtype, self.device).traced(report)

    def _make_moves(self) -> None:
        """Make the tables of the levels, once."""
        if isinstance(self.moves[0], CompiledLevel):
            return
        levels, threads = self.hierarchy.levels, self._options.cores
        count = next(k for k, level in enumerate(levels) if not is_compact(level))
        if not self._runners:
            infos, volumes = [level.info for level in levels[:count]], self.hierarchy.volumes
            tables = [Table(i.operator, i.to_coarse, self.dtype, v.rows) for i, v in zip(infos, volumes, strict=False)]
            self._runners = [Runner(table, threads) for table in tables]
        pairs = zip(levels, self._runners, strict=False)
        self.moves = [*(CompiledLevel(level, runner, {}) for level, runner in pairs), *levels[count:]]

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "moves": self.hierarchy.levels, "_runners": [], "_symmetric": None, "_prepared": False}
