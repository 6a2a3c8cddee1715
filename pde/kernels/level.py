"""Levels whose moves are fused passes. A move only notes what there is to do; a pass is made when its result is needed:
sweeps, correction, residual and restriction that follow each other on a level are one pass over its planes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mgcore import Level
from pde.grid import Array
from pde.kernels import passes, tables
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


class FusedLevel:
    """The moves of a plain `Level` of two or three dimensions, in passes over its planes.

    The moves keep u in the storage of the level, whose rows are split by parity.
    """

    def __init__(self, level: Level, packed: tuple[Array, Array, Array], index: int, threads: int) -> None:
        self.level, self.packed, self.index, self.threads = level, packed, index, threads
        self.shape, self.dtype = level.info.grid.shape, packed[1].dtype
        self.size = level.info.grid.size
        self.deep = None if len(self.shape) == 2 else True
        self.periodic = bool(packed[0][index]["periodic"][0])
        self.nu, self.nu_post = len(level.B), len(level.B_post)
        self._u: Array | None = None
        self._f: Array | None = None
        self._work: list[Array] = []

    def storage(self) -> Rows:
        if self._u is None:
            self._u = np.empty(self.size, self.dtype)
        return Rows(self._u, True)

    def data_storage(self) -> Rows:
        if self._f is None:
            self._f = np.empty(self.size, self.dtype)
        return Rows(self._f, True)

    def start(self, f: Any, u: Any = None) -> State:
        return State(_rows(f), u if u is None or isinstance(u, Interpolated) else _rows(u))

    def start_from_residual(self, r: Rows, u: Any) -> State:
        return State(r, u)

    def smooth(self, state: State) -> State:
        return replace(state, sweeps=state.sweeps + self.nu)

    def restrict(self, state: State, coarse: Any) -> State:
        data = coarse.data_storage()
        self.run(state, self.storage(), data)
        return coarse.start_from_residual(data, None)

    def correct(self, state: State, coarse: Any, before: State, after: State, *, post: bool = True) -> State:
        return State(state.f, self.storage(), coarse.stored(after), self.nu_post if post else 0)

    def stored(self, state: State) -> Rows:
        """u in the storage of the level."""
        if isinstance(state.u, Rows) and state.u.split and state.correction is None and not state.sweeps:
            return state.u
        self.run(state, self.storage())
        return self.storage()

    def feature(self, state: State) -> Rows:
        return self.stored(state)

    def run(self, state: State, out: Rows | None, f_coarse: Rows | None = None, norm: bool = False) -> float:
        """Do what there is to do, in one pass; returns the sum of W r^2 where `norm` asks for it."""
        u, coarse = state.u, state.correction
        source, values = ZERO, None
        if isinstance(u, Interpolated):
            source, coarse = CUBIC, u.coarse
        elif u is not None:
            source, values = (SPLIT if u.split else NATURAL), u.values
        n0 = self.shape[0]
        count = max(1, min(self.threads, n0 // (4 * state.sweeps + 8))) if self.size >= PARALLEL else 1
        ends = [n0 * k // count for k in range(count + 1)]
        halos = self._halos(values, ends, 2 * state.sweeps + 4)

        def block(k: int) -> float:
            return passes.sweeps(
                *self.packed, self.index, self.deep, state.sweeps, state.f.address, state.f.split, source,
                _address(values), _address(halos[k]), 0 if coarse is None else coarse.address,
                state.correction is not None, ZERO if out is None else SPLIT if out.split else NATURAL,
                0 if out is None else out.address, 0 if f_coarse is None else f_coarse.address, norm,
                ends[k], ends[k + 1], self._space(k, state.sweeps),
            )  # fmt: skip

        if count == 1:
            return block(0)
        waiting = [_pool(count).submit(block, k) for k in range(1, count)]
        return block(0) + sum(each.result() for each in waiting)

    def _halos(self, values: Array | None, ends: list[int], depth: int) -> list[Array | None]:
        """The planes beside each block as they are before any block is overwritten."""
        if values is None or (len(ends) == 2 and not self.periodic):
            return [None] * (len(ends) - 1)
        planes, n0 = values.reshape(self.shape[0], -1), self.shape[0]
        return [
            planes[np.concatenate((np.arange(a - depth, a), np.arange(b, b + depth))) % n0]
            for a, b in zip(ends[:-1], ends[1:], strict=True)
        ]

    def _space(self, k: int, sweeps: int) -> Array:
        needed = passes.space_needed(self.packed[0][self.index], sweeps)
        while len(self._work) <= k:
            self._work.append(np.zeros(0, self.dtype))
        if len(self._work[k]) < needed:
            self._work[k] = np.zeros(needed, self.dtype)
        return self._work[k]


class Coarsest:
    """Direct solution on split rows."""

    def __init__(self, level: Level, dtype: np.dtype) -> None:
        shape, size = level.info.grid.shape, level.info.grid.size
        order = np.arange(size).reshape(-1, shape[-1])
        order = np.concatenate((order[:, ::2], order[:, 1::2]), axis=1).ravel()
        inverse = np.stack([level.B[0](row.reshape(shape)).ravel() for row in np.eye(size)], axis=1)
        self._inverse = inverse[np.ix_(order, order)].astype(dtype)
        self._data = Rows(np.empty(size, dtype), True)

    def data_storage(self) -> Rows:
        return self._data

    def start(self, f: Rows, u: Any = None) -> State:
        return State(f, None)

    def start_from_residual(self, r: Rows, u: Any) -> State:
        return State(r, None)

    def smooth(self, state: State) -> State:
        return State(state.f, Rows(self._inverse @ state.f.values, True))

    def stored(self, state: State) -> Rows:
        assert isinstance(state.u, Rows)
        return state.u

    def feature(self, state: State) -> Rows:
        return self.stored(state)


def _rows(values: Any) -> Rows:
    return values if isinstance(values, Rows) else Rows(values.reshape(-1), False)


def _address(values: Array | None) -> int:
    return 0 if values is None else int(values.__array_interface__["data"][0])


_POOLS: dict[int, ThreadPoolExecutor] = {}


def _pool(threads: int) -> ThreadPoolExecutor:
    if threads not in _POOLS:
        _POOLS[threads] = ThreadPoolExecutor(threads - 1)
    return _POOLS[threads]


def fuse(mg: Any, threads: int) -> list[Any]:
    """The levels of a solver as fused levels."""
    collected = tables.Tables(mg.dtype)
    for level, interpolation in zip(mg.levels[:-1], mg._interpolations, strict=True):
        info = level.info
        if not collected.add(info.grid, info.operator.terms, level.B[0].args[1], interpolation):
            raise ValueError("rows are not alike")
    packed = collected.pack()
    fused: list[Any] = [FusedLevel(level, packed, l, threads) for l, level in enumerate(mg.levels[:-1])]
    return [*fused, Coarsest(mg.levels[-1], mg.dtype)]
