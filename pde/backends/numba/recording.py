"""Programs of cycles, recorded: a cycle of `mgcore` runs on levels whose moves only note what there is to do.

Sweeps, correction, residual and restriction that follow each other on a level become one pass over its planes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

import mgcore
from mgcore import CYCLES
from pde.backends.numba.fused_sweep import CUBIC, ZERO
from pde.backends.numba.interpreter import DATA, DIRECT, GIVEN, HALO, PASS, ROOM, Step
from pde.backends.numba.states import Interpolated, Packed, Pending, Rows, State, Storage, Sweeping, as_rows

PARALLEL = 1 << 13
"""Unknowns from which on a pass is worth more than one thread."""

SHARES, LONG = 4, 16
"""Blocks per thread at most, so that no thread waits long for a slower one; a block has LONG times its seam, if so."""


@dataclass(frozen=True)
class Known(Rows):
    """Numbers whose address is known when a program is run, and what stands for it until then."""

    place: int

    @property
    def address(self) -> int:
        return self.place


GIVEN_ROWS, LENT = Known(np.zeros(0), False, GIVEN), {"u": Known(np.zeros(0), True, ROOM)}
"""What a program is given; and room for u on its finest level, which is in its `out` until that is written."""


class Recorder:
    """The steps of a program.

    Args:
        halos: room for planes beside blocks, by level and number; new ones are added.
    """

    def __init__(self, packed: Packed, threads: int, halos: dict[tuple[int, int], Rows]) -> None:
        self.packed, self.steps = packed, list[Step]()
        self._threads, self._halos = threads, halos

    def add(self, step: Step, overwrites: bool = False) -> None:
        """Add a step over its planes in as many blocks as suit it; `overwrites`: it may leave u where it comes from."""
        n = self.packed.records[step.level]["n"]
        least = 4 * step.sweeps + 8  # planes: fewer are not worth what a block computes again of its neighbours
        many = int(np.prod(n)) >= PARALLEL and step.op != DIRECT
        threads = max(1, min(self._threads, step.planes // least)) if many else 1
        blocks = threads * max(1, min(SHARES, step.planes // (LONG * least * threads))) if threads > 1 else 1
        step = step._replace(blocks=blocks)
        if overwrites and (blocks > 1 or self.packed.records[step.level]["periodic"][0]):
            beside = 2 * step.sweeps + 4
            step = step._replace(beside=beside, halo=self._halo(step.level, 2 * beside * blocks, n))
            self.steps.append(step._replace(op=HALO))
        self.steps.append(step)

    def _halo(self, level: int, planes: int, n: Any) -> int:
        key = level, planes
        if key not in self._halos:
            self._halos[key] = Rows(np.zeros(planes * int(n[1] * n[2]), self.packed.reals.dtype), True)
        return self._halos[key].address


class RecordedLevel:
    """The moves of a level that is not the coarsest."""

    def __init__(self, recorder: Recorder, index: int, sweeping: Sweeping, room: Any) -> None:
        self.recorder, self.index, self.sweeping, self.room = recorder, index, sweeping, room
        record = recorder.packed.records[index]
        self.planes, self.planes_coarse = int(record["n"][0]), int(record["m"][0])

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
        step = Step(DATA, self.index, f=f.address, f_split=f.split, out=out.address, planes=self.planes_coarse)
        self.recorder.add(step)
        return out

    def run(self, state: State, out: Rows, f_coarse: Rows | None = None, norm: int = False) -> None:
        """Do what there is to do, in one pass that leaves the sum of W r^2 where `norm` asks for it."""
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
            planes=self.planes,
        )
        self.recorder.add(step, overwrites=values is not None)

    def _sweep(self, state: State, count: int, flip: bool) -> State:
        if state.sweeps and count and state.flip != flip:
            state = State(state.f, self.stored(state))
        return replace(state, sweeps=state.sweeps + count, flip=flip if count else state.flip)


class RecordedSolution:
    """The moves of the coarsest level: to smooth it, however often, is to solve it once."""

    def __init__(self, recorder: Recorder, room: Storage) -> None:
        self.recorder, self.room = recorder, room

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
            self.recorder.add(Step(DIRECT, f=state.f.address, out=self.room["u"].address))
        return self.room["u"]


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


def record(kind: str, recorder: Recorder, rooms: Sequence[Storage], index: int, sweeping: Sweeping) -> list[Step]:
    """The steps of a cycle from and to what is given, or of "nested": full multigrid with V-cycles.

    Args:
        rooms: of its levels, which begin with number `index`; the first is not needed.
    """
    levels = [
        *(RecordedLevel(recorder, index + l, sweeping, room if l else LENT) for l, room in enumerate(rooms[:-1])),
        RecordedSolution(recorder, rooms[-1]),
    ]
    u: Pending
    if kind == "nested":
        u = full_multigrid(levels, GIVEN_ROWS, CYCLES["V"])
    else:
        u = CYCLES[kind](levels, GIVEN_ROWS, GIVEN_ROWS)
    u.write(GIVEN_ROWS, GIVEN)
    return recorder.steps
