"""Moves that only note what there is to do; a pass is made when its result is needed: sweeps, correction, residual and
restriction that follow each other on a level are one pass over its planes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import mgcore
from pde.kernels.cycles import DATA, PASS, Step
from pde.kernels.passes import CUBIC, ZERO
from pde.kernels.states import Interpolated, Packed, Pending, Rows, State, Storage, Sweeping, as_rows


class LazyLevel:
    """The moves of a level that is not the coarsest. Subclasses say what becomes of a pass."""

    def __init__(self, packed: Packed, index: int, sweeping: Sweeping, room: Storage) -> None:
        self.packed, self.index, self.sweeping, self.room = packed, index, sweeping, room
        record = packed.records[index]
        self.planes, self.planes_coarse = int(record["n"][0]), int(record["m"][0])
        self.periodic = bool(record["periodic"][0])

    def start(self, f: Any, u: Any = None) -> State:
        return State(as_rows(f), u if u is None or isinstance(u, Interpolated) else as_rows(u))

    def start_from_residual(self, r: Rows, u: Any) -> State:
        return State(r, u)

    def smooth(self, state: State) -> State:
        return self._sweep(state, self.sweeping.nu, self.sweeping.flip)

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
        self._make_data(Step(DATA, self.index, f=f.address, f_split=f.split, out=out.address))
        return out

    def run(self, state: State, out: Rows, f_coarse: Rows | None = None, norm: int = False) -> float:
        """Do what there is to do, in one pass; returns the sum of W r^2 where `norm` asks for it."""
        u, coarse = state.u, state.correction
        source, values = ZERO, None
        if isinstance(u, Interpolated):
            source, coarse = CUBIC, u.coarse
        elif u is not None:
            source, values = u.order, u
        step = Step(
            PASS,
            self.index,
            sweeps=state.sweeps,
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
        return self._make_pass(step, values)

    def _make_pass(self, step: Step, u: Rows | None) -> float:
        """Make a pass over all planes, from u."""
        raise NotImplementedError

    def _make_data(self, step: Step) -> None:
        """Restrict data to all planes of the coarse grid."""
        raise NotImplementedError

    def _sweep(self, state: State, count: int, flip: bool) -> State:
        if state.sweeps and count and state.flip != flip:
            state = State(state.f, self.stored(state))
        return replace(state, sweeps=state.sweeps + count, flip=flip if count else state.flip)


def full_multigrid(levels: Sequence[Any], f: Any, cycle: Callable[..., Pending]) -> Pending:
    """Full multigrid for zero boundary data on such levels, with this cycle on each."""
    u: Pending = mgcore.full_multigrid(
        levels,
        f,
        interpolate=[lambda u: Interpolated(u.stored())] * (len(levels) - 1),
        restrict_data=[partial(a.restrict_data, coarse=b) for a, b in pairwise(levels)],
        cycle=cycle,
    )
    return u


class LastLevel:
    """The moves of the coarsest level of a cycle: to smooth it, however often, is to `run` once what it is.

    Args:
        room: for u and f.
    """

    def __init__(self, room: Storage) -> None:
        self.room = room

    def start(self, f: Any, u: Any = None) -> State:
        return State(as_rows(f), None if u is None else as_rows(u))

    def start_from_residual(self, r: Rows, u: Any) -> State:
        return State(r, u)

    def smooth(self, state: State) -> State:
        return replace(state, sweeps=1)

    def feature(self, state: State) -> Pending:
        return Pending(self, state)

    def stored(self, state: State) -> Rows:
        if state.sweeps:
            self.run(state, self.room["u"])
        return self.room["u"]

    def run(self, state: State, out: Rows, f_coarse: None = None, norm: int = False) -> float:
        """What it is to smooth the level, from the u and f of `state` to `out`."""
        raise NotImplementedError
