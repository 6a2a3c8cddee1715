"""A level whose moves are compiled: the state is u and f in arrays, and each move is one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mgcore import Level, Moves
from mgcore.level import difference
from pde.backends.numba.multicolour.execute import ALONE, CLEAR, FIRST, PROLONG, RESIDUAL, SECOND
from pde.backends.numba.multicolour.runner import Runner
from pde.levels.corner_transfer import CornerTransfer
from pde.levels.truncated import TruncatedTransfer
from pde.problem.grid import Array


class State(NamedTuple):
    """u (None: zero) in an array of the level's or of the backend's own, and f."""

    u: Array | None
    f: Array


@dataclass
class CompiledLevel:
    """The moves of `level`, see `mgcore.Moves`; u and f have one batch axis in front.

    Args:
        level: the plain level that specifies the result.
        runner: of its tables.
        memory: arrays for u, f and r, by name and number of members.
        target: where u is made, if not in an array of the level's own.
    """

    level: Level
    runner: Runner
    memory: dict[Any, Array]
    target: Array | None = None

    def start(self, f: Array, u: Array | None = None) -> State:
        return State(u, f)

    def start_from_residual(self, r: Array, u: Array | None) -> State:
        return State(u, r if u is None else r + self.level.A(u))

    def smooth(self, state: State) -> State:
        return self._swept(state, [], self.level.B)

    def restrict(self, state: State, coarse: Moves[Any]) -> Any:
        members, shape = len(state.f), self.level.info.to_coarse.coarse.shape
        e = coarse.array("f", members) if isinstance(coarse, CompiledLevel) else self.array("e", members, shape)
        self._restrict(state, e)
        return coarse.start_from_residual(e, None)

    def _restrict(self, state: State, e: Array) -> None:
        """e <- R (f - A u)."""
        if isinstance(self.level.P, TruncatedTransfer | CornerTransfer):
            self.runner.restrict(len(e), False, f=state.f, u=state.u, e=e)
        else:
            self.runner.restrict(len(e), True, r=self.residual(state), e=e)

    def restricted(self, f: Array) -> Array:
        """R f in new memory."""
        e = np.empty((len(f), *self.level.info.to_coarse.coarse.shape), self.runner.table.dtype)
        self._restrict(State(None, np.ascontiguousarray(f)), e)
        return e

    def prolonged(self, e: Array, like: Array | None = None) -> Array:
        """P e in new memory."""
        u, e = np.empty((len(e), *self.level.info.grid.shape), self.runner.table.dtype), np.ascontiguousarray(e)
        self.runner.sweeps([CLEAR, PROLONG], 0, len(e), self.numbers(1.0), u=u, e=e)
        return u

    def correct(self, state: State, coarse: Moves[Any], before: Any, after: Any, *, post: bool = True) -> State:
        e = coarse.change(before, after)
        stages = [] if e is None else [PROLONG] if state.u is not None else [CLEAR, PROLONG]
        return self._swept(state, stages, self.level.B_post if post else (), e)

    def change(self, before: State, after: State) -> Array | None:
        return difference(after.u, before.u)

    def feature(self, state: State) -> Array | None:
        return state.u

    def data(self, state: State) -> Array:
        return state.f

    def residual(self, state: State) -> Array:
        """f - A u."""
        if state.u is None:
            return state.f
        r = self.array("r", len(state.f))
        self.runner.sweeps([RESIDUAL], 0, len(r), self.numbers(1.0), f=state.f, u=state.u, r=r)
        return r

    def array(self, name: str, members: int, shape: tuple[int, ...] | None = None) -> Array:
        """Memory of the level, for so many members."""
        key = name, members
        if key not in self.memory:
            dtype = self.runner.table.dtype
            self.memory[key] = np.empty((members, *(self.level.info.grid.shape if shape is None else shape)), dtype)
        return self.memory[key]

    def _swept(self, state: State, stages: list[int], sweeps: Sequence[Any], e: Array | None = None) -> State:
        """The state after these stages and sweeps."""
        u, members, zero = state.u, len(state.f), state.u is None and not stages
        if not (stages or sweeps):
            return state
        if u is None:
            u = self.array("u", members) if self.target is None else self.target
        for _ in sweeps:
            stages = [*stages, ALONE if zero else FIRST, SECOND]
            zero = False
        e = None if e is None else np.ascontiguousarray(e)
        turn, omega = (int(sweeps[0].reverse), sweeps[0].omega) if sweeps else (0, 1.0)
        self.runner.sweeps(stages, turn, members, self.numbers(omega), f=state.f, u=u, e=e)
        return State(u, state.f)

    def numbers(self, *values: float) -> Array:
        """Numbers in the dtype of the level."""
        return np.array([*values, 0.0], self.runner.table.dtype)
