"""Cycles of fourth order: the compact operator on top, and corrections of second order by another backend below."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

import mgcore
from mgcore import CYCLES, Event, Level, Moves
from mgcore.cycle import VISITS
from mgcore.level import State, difference
from mgcore.trace import traced
from pde.backends.base import Backend
from pde.backends.data import Data, Norms, Vector
from pde.backends.full_multigrid import sides_of_every_grid
from pde.backends.numba.backend import exact
from pde.levels.hierarchy import Hierarchy
from pde.problem.grid import Sides
from pde.problem.mehrstellen import fold_sides

LAST = 2
"""Cycles of full multigrid on the finest grid: with one it stays at two or three times the discretisation error."""


class FourthOrder(Backend):
    """Cycles on `hierarchy.compact`, with corrections by `inner`.

    Args:
        inner: runs cycles on the levels of second order below the finest; where there are none it is not used.
        threads: of compiled kernels; 0: there are none.
        report: is told every move.
    """

    def __init__(
        self, hierarchy: Hierarchy, inner: Backend, threads: int, report: Callable[[Event], Any] | None = None
    ) -> None:
        super().__init__(hierarchy, hierarchy.choices.dtype, inner.device)
        self.inner, self._threads, self._report = inner, threads, report
        self.runs_in = "Numba" if threads else None
        self._made: dict[int, Any] = {}

    def describe(self) -> str:
        if not self._threads or self.inner.runs_in:
            return self.inner.describe()
        return f"compiled kernels, {self._threads} thread{'s' * (self._threads > 1)}"  # on the finest grid alone

    def held(self) -> Sequence[Any]:
        return self.inner.held()

    def prepare(self, progress: bool = False) -> None:
        self.inner.prepare(progress)

    def fold(self, f: Vector, sides: Sides, *, level: int = 0) -> Vector:
        return fold_sides(f, sides, self.hierarchy.compact[level].A)

    def cycle(self, kind: str, data: Data, u: Vector = None, *, level: int = 0, **_: Any) -> tuple[Vector, Norms]:
        top, f = self._top(level), data.rhs
        if isinstance(top, Level):
            return CYCLES[kind](self._levels(kind, level, top), f, u), None
        f = np.ascontiguousarray(f)
        out = np.empty_like(f)
        guesses = [None] * len(f) if u is None else np.ascontiguousarray(u)
        norms = []
        for one, guess, result in zip(f, guesses, out, strict=True):
            norms.append(top.store(CYCLES[kind](self._levels(kind, level, top), one, guess), result))
        return out, exact(norms, f)

    def full_multigrid(self, data: Data, *, measure: str | None = None, **_: Any) -> tuple[Vector, Norms]:
        """One pass: R takes M f of a grid to that of the next coarser one, but for an error of fourth order."""
        if not self._threads:
            return self._nested(data)[0], None
        ndim, members = data.rhs.ndim - 1, range(len(data.rhs))
        data = data.each(np.ascontiguousarray)  # results are arrays like f, which kernels write
        made = [self._nested(data.select([k], ndim), measure) for k in members]
        norms = [norm for _, norm in made if norm is not None]
        whole = measure == "residual" and len(norms) == len(made)
        return np.concatenate([u for u, _ in made]), exact(norms, data.rhs) if whole else None

    def _nested(self, data: Data, measure: str | None = None) -> tuple[Vector, float | None]:
        """The result for one right-hand side, or without kernels for a batch; the norm of its residual."""
        sides, norm = sides_of_every_grid(data.sides, self.hierarchy), None

        def interpolate(level: int, u: Vector) -> Any:
            top = self._top(level)
            if isinstance(top, Level):
                return self.hierarchy.interpolations[level](u, sides[level])
            return top.interpolated(self.hierarchy.compact[level + 1].A.surrounded(u, sides[level + 1]))

        def cycle(levels: Sequence[int], f: Vector, u: Any) -> Vector:
            nonlocal norm
            level, top = levels[0], self._top(levels[0])
            f = self.project(self.fold(f, sides[level], level=level), level=level)
            for _ in range(LAST if level == 0 else 1):
                u = CYCLES["V"](self._levels("V", level, top), f, u)
            if not isinstance(top, Level):
                last, u = u, np.empty_like(f)
                norm = top.store(last, u, measured=level == 0 and measure == "residual")
            return u

        compact: Any = self.hierarchy.compact
        maps = [partial(interpolate, level) for level in range(len(compact) - 1)]
        tops = [self._top(level) for level in range(len(compact) - 1)]
        restrict: Any = [top.R if isinstance(top, Level) else top.restricted for top in tops]
        levels: Any = range(len(compact))
        u = mgcore.full_multigrid(levels, data.nodal, interpolate=maps, restrict_data=restrict, cycle=cycle)
        return u, norm

    def symmetric(self) -> Backend:
        return FourthOrder(self.hierarchy.symmetric(), self.inner.symmetric(), self._threads)

    def traced(self, report: Callable[[Event], Any]) -> Backend:
        return FourthOrder(self.hierarchy, self.inner, self._threads, report)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_made": {}}

    def _top(self, level: int) -> Any:
        """The moves of the compact operator on a level: compiled ones where there are, else a `Level`."""
        compact = self.hierarchy.compact[level]
        if not self._threads or self._report is not None:
            return compact
        if level not in self._made:
            from pde.backends.numba.mehrstellen_level import MehrstellenLevel

            self._made[level] = MehrstellenLevel(compact, self._threads) if MehrstellenLevel.suits(compact) else compact
        return self._made[level]

    def _levels(self, kind: str, level: int, top: Any) -> Sequence[Moves[Any]]:
        """The moves of a cycle that begins on a level, where they are `top`."""
        compact, levels = self.hierarchy.compact, self.hierarchy.levels
        if self._report is not None:
            every = [*levels[:level], compact[level], *levels[level + 1 :]]
            return traced(every, self._report, self._norm)[level:]
        if level == len(levels) - 1:
            return [top]
        below: Any = Below(partial(self.inner.cycle, level=level), iter(VISITS[kind]))
        return [top, below]

    def _norm(self, number: int, r: Vector) -> float:
        return float(self.norms(r, level=number - 1).max())


class Below:
    """The coarse levels as one level, which `smooth` makes a cycle on, of each visit's kind."""

    def __init__(self, cycle: Callable[..., tuple[Vector, Norms]], kinds: Iterator[str]) -> None:
        self._cycle, self._kinds = cycle, kinds

    def start_from_residual(self, r: Vector, u: None) -> State:
        return State(u, r)

    def smooth(self, state: State) -> State:
        return State(self._cycle(next(self._kinds), Data(state.f), state.u)[0], state.f)

    def change(self, before: State, after: State) -> Vector:
        return difference(after.u, before.u)
