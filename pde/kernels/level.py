"""Levels whose moves are fused passes. A move only notes what there is to do; a pass is made when its result is needed:
sweeps, correction, residual and restriction that follow each other on a level are one pass over its planes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from mgcore import Level
from pde.grid import Array
from pde.kernels import cycles, passes
from pde.kernels.passes import CUBIC, NATURAL, SPLIT, ZERO

PARALLEL = 1 << 17
"""Unknowns from which on a pass is worth more than one thread."""


@dataclass(frozen=True)
class Rows:
    """Numbers on a grid: flat, in natural order, or each row split into its even and its odd points."""

    values: Array
    split: bool

    @property
    def address(self) -> int:
        return int(self.values.__array_interface__["data"][0])

    @property
    def order(self) -> int:
        return SPLIT if self.split else NATURAL


@dataclass(frozen=True)
class Interpolated:
    """The first guess of full multigrid: cubic interpolation of the next coarser grid's u."""

    coarse: Rows


@dataclass(frozen=True)
class State:
    """u as it was last stored (None: zero), f, and what is still to be done: P e, then so many sweeps."""

    f: Rows
    u: Rows | Interpolated | None
    correction: Rows | None = None
    sweeps: int = 0
    flip: bool = False


@dataclass(frozen=True)
class Pending:
    """The u of a state, not yet computed."""

    level: Any
    state: State

    def stored(self) -> Rows:
        """u in the storage of its level."""
        return self.level.stored(self.state)

    def write(self, out: Array, norm: bool = False) -> float:
        """u in natural order to `out`; returns the sum of W (f - A u)^2 where `norm` asks for it."""
        return self.level.run(self.state, Rows(out.reshape(-1), False), norm=norm)


class Storage:
    """Room for u and f of a level, made when it is first needed."""

    def __init__(self, size: int, dtype: np.dtype) -> None:
        self._size, self._dtype = size, dtype
        self._arrays: dict[str, Rows] = {}

    def __getitem__(self, name: str) -> Rows:
        if name not in self._arrays:
            self._arrays[name] = Rows(np.zeros(self._size, self._dtype), True)
        return self._arrays[name]


@dataclass(frozen=True)
class Sweeping:
    """Red-black sweeps of a level before and after the correction; `flip` where they begin with the second colour."""

    nu: int
    nu_post: int
    flip: bool = False
    flip_post: bool = False

    def numbers(self) -> tuple[int, int, int, int]:
        return self.nu, self.nu_post, int(self.flip), int(self.flip_post)


class FusedLevel:
    """The moves of a plain `Level` of two or three dimensions, in passes over its planes."""

    def __init__(self, level: Level, packed: Any, index: int, sweeping: Sweeping, threads: int) -> None:
        self.level, self.packed, self.index, self.sweeping, self.threads = level, packed, index, sweeping, threads
        self.shape, self.dtype, self.size = level.info.grid.shape, packed[1].dtype, level.info.grid.size
        self.deep = None if len(self.shape) == 2 else True
        self.periodic = bool(packed[0][index]["periodic"][0])
        self.room = Storage(self.size, self.dtype)
        self._work: list[Array] = []

    def start(self, f: Any, u: Any = None) -> State:
        return State(_rows(f), u if u is None or isinstance(u, Interpolated) else _rows(u))

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
        f, out = _rows(f), coarse.room["f"]
        m0 = int(self.packed[0][self.index]["m"][0])
        self._in_blocks(
            m0,
            lambda first, last, w: passes.restrict_planes(
                *self.packed, self.index, self.deep, f.address, f.split, out.address, first, last, w
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

        def block(first: int, last: int, w: Array) -> float:
            halo = halos.get(first)
            return passes.sweeps(
                *self.packed, self.index, self.deep, state.sweeps, int(state.flip), state.f.address, state.f.split,
                source, 0 if values is None else values.address, 0 if halo is None else Rows(halo, True).address,
                0 if coarse is None else coarse.address, state.correction is not None, out.order, out.address,
                0 if f_coarse is None else f_coarse.address, norm, first, last, w,
            )  # fmt: skip

        def before(ends: Sequence[int]) -> None:
            """The planes beside each block as they are before any block is overwritten."""
            if values is None or (len(ends) == 2 and not self.periodic):
                return
            planes = values.values.reshape(n0, -1)
            for a, b in pairwise(ends):
                halos[a] = planes[np.concatenate((np.arange(a - depth, a), np.arange(b, b + depth))) % n0]

        return sum(self._in_blocks(n0, block, before, 4 * state.sweeps + 8, state.sweeps))

    def _sweep(self, state: State, count: int, flip: bool) -> State:
        if state.sweeps and count and state.flip != flip:
            state = State(state.f, self.stored(state))
        return replace(state, sweeps=state.sweeps + count, flip=flip if count else state.flip)

    def _in_blocks(self, planes: int, run: Any, before: Any = None, least: int = 8, sweeps: int = 2) -> list[float]:
        count = max(1, min(self.threads, planes // least)) if self.size >= PARALLEL else 1
        ends = [planes * k // count for k in range(count + 1)]
        if before is not None:
            before(ends)
        jobs: list[Any] = [(ends[k], ends[k + 1], self._space(k, sweeps)) for k in range(count)]
        waiting = [_pool(count).submit(run, *job) for job in jobs[1:]]
        return [run(*jobs[0]), *(each.result() for each in waiting)]

    def _space(self, k: int, sweeps: int) -> Array:
        needed = passes.space_needed(self.packed[0][self.index], sweeps)
        while len(self._work) <= k:
            self._work.append(np.zeros(0, self.dtype))
        if len(self._work[k]) < needed:
            self._work[k] = np.zeros(needed, self.dtype)
        return self._work[k]


class Tail:
    """The coarse grids of a V-cycle as one level, whose smoother is a V-cycle over them in one call."""

    def __init__(self, levels: Sequence[Level], packed: Any, index: int, sweeping: Sweeping) -> None:
        self.packed, self.index, self.sweeping = packed, index, sweeping
        dtype, grids = packed[1].dtype, [level.info.grid for level in levels]
        self.deep = None if len(grids[0].shape) == 2 else True
        self._rooms = [Storage(grid.size, dtype) for grid in grids]
        self._us = np.array([0] * index + [room["u"].address for room in self._rooms], np.int64)
        self._fs = np.array([0] * index + [room["f"].address for room in self._rooms], np.int64)
        self._order = _order(levels[-1])
        self._inverse = _inverse(levels[-1], self._order, dtype)
        sweeps = max(sweeping.nu, sweeping.nu_post, 1)
        needed = [passes.space_needed(record, sweeps) for record in packed[0][index:]]
        self._work = np.zeros(max(needed, default=1), dtype)

    @property
    def room(self) -> Storage:
        return self._rooms[0]

    def coarser(self, count: int) -> Tail:
        """The same without its `count` finest grids."""
        rest = copy.copy(self)
        rest.index, rest._rooms = self.index + count, self._rooms[count:]
        return rest

    def start(self, f: Any, u: Any = None) -> State:
        return State(_rows(f), None if u is None else _rows(u))

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

    def run(self, state: State, out: Rows, f_coarse: None = None, norm: bool = False) -> float:
        """One V-cycle."""
        source, u = (ZERO, 0) if state.u is None else (state.u.order, state.u.address)  # type: ignore[union-attr]
        if len(self._rooms) == 1:
            return self._directly(state.f, out)
        return cycles.v_cycle(
            self.packed, self.deep, self.index, self._us, self._fs, self._inverse, self.sweeping.numbers(),
            state.f.address, state.f.split, source, u, out.order, out.address, norm, self._work,
        )  # fmt: skip

    def nested(self, f: Any, out: Rows | None = None, norm: bool = False) -> float:
        """Full multigrid on these grids."""
        f, out = _rows(f), self.room["u"] if out is None else out
        if len(self._rooms) == 1:
            return self._directly(f, out)
        return cycles.nested(
            self.packed, self.deep, self.index, self._us, self._fs, self._inverse, self.sweeping.numbers(), f.address,
            f.split, out.order, out.address, norm, self._work,
        )  # fmt: skip

    def _directly(self, f: Rows, out: Rows) -> float:
        order = self._order
        values = self._inverse @ (f.values if f.split else f.values[order])
        if out.split:
            out.values[:] = values
        else:
            out.values[order] = values
        return 0.0


def _order(level: Level) -> Array:
    """Which unknown stands at each place of split rows."""
    natural = np.arange(level.info.grid.size).reshape(-1, level.info.grid.shape[-1])
    return np.concatenate((natural[:, ::2], natural[:, 1::2]), axis=1).ravel()


def _inverse(level: Level, order: Array, dtype: np.dtype) -> Array:
    """A^-1 of the coarsest level as a matrix on split rows."""
    shape, size = level.info.grid.shape, level.info.grid.size
    inverse = np.stack([level.B[0](row.reshape(shape)).ravel() for row in np.eye(size)], axis=1)
    return np.ascontiguousarray(inverse[np.ix_(order, order)], dtype=dtype)


def _rows(values: Any) -> Rows:
    return values if isinstance(values, Rows) else Rows(values.reshape(-1), False)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads - 1, thread_name_prefix="pde")
