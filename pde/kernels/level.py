"""Levels whose moves are fused passes. A move only notes what there is to do; a pass is made when its result is needed:
sweeps, correction, residual and restriction that follow each other on a level are one pass over its planes."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from mgcore import Level
from pde.grid import Array
from pde.kernels import cycles, passes
from pde.kernels.cycles import DATA, DIRECT, PASS, step
from pde.kernels.passes import CUBIC, NATURAL, SPLIT, ZERO

GIVEN = -1
"""In place of an address in a program: that of what is given when it is run."""

PARALLEL = 1 << 17
"""Unknowns from which on a pass is worth more than one thread."""

SHARES, LONG = 4, 16
"""Blocks per thread at most, so that no thread waits long for a slower one; a block has LONG times its seam, if so."""


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

    @contextmanager
    def lend(self, name: str, values: Array) -> Iterator[None]:
        """Room in an array of the size of the level for a while."""
        own = self._arrays.get(name)
        self._arrays[name] = Rows(values.reshape(-1), True)
        try:
            yield
        finally:
            del self._arrays[name]
            if own is not None:
                self._arrays[name] = own

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


class Packed(NamedTuple):
    """What `cycles.execute` reads of all levels; the numbers of `records` among them are addresses in `faces`."""

    records: Array
    reals: Array
    integers: Array
    deep: Any
    varying: Any
    faces: Sequence[Array]

    @property
    def arguments(self) -> tuple[Any, ...]:
        return self[:5]


class FusedLevel:
    """The moves of a plain `Level` of two or three dimensions, in passes over its planes."""

    def __init__(self, level: Level, packed: Packed, index: int, sweeping: Sweeping, threads: int) -> None:
        self.level, self.packed, self.index, self.sweeping, self.threads = level, packed, index, sweeping, threads
        self.shape, self.dtype, self.size = level.info.grid.shape, packed.reals.dtype, level.info.grid.size
        self.periodic = bool(packed.records[index]["periodic"][0])
        self.room = Storage(self.size, self.dtype)
        self._work: list[Array] = []
        self._needed: dict[int, int] = {}

    def start(self, f: Any, u: Any = None) -> State:
        return State(_rows(f), u if u is None or isinstance(u, Interpolated) else _rows(u))

    def start_from_residual(self, r: Rows, u: Any) -> State:
        return State(r, u)

    def smooth(self, state: State) -> State:
        return self._sweep(state, self.sweeping.nu, self.sweeping.flip)

    def working_in(self, out: Array) -> AbstractContextManager[None]:
        """Keep u in `out`, split, until it is written there in natural order: no room besides is needed."""
        return self.room.lend("u", out)

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
        m0 = int(self.packed.records[self.index]["m"][0])
        self._in_blocks(
            m0,
            lambda first, last, w: self._execute(
                step(DATA, level=self.index, f=f.address, f_split=f.split, out=out.address, first=first, last=last), w
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

        common = step(
            PASS,
            level=self.index,
            count=state.sweeps,
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

        def block(first: int, last: int, w: Array) -> float:
            program, halo = common.copy(), halos.get(first)
            program["halo"] = 0 if halo is None else Rows(halo, True).address
            program["first"], program["last"] = first, last
            return self._execute(program, w)

        def before(ends: Sequence[int]) -> None:
            """The planes beside each block as they are before any block is overwritten."""
            if values is None or (len(ends) == 2 and not self.periodic):
                return
            planes = values.values.reshape(n0, -1)
            for a, b in pairwise(ends):
                halos[a] = planes[np.concatenate((np.arange(a - depth, a), np.arange(b, b + depth))) % n0]

        return sum(self._in_blocks(n0, block, before, 4 * state.sweeps + 8, state.sweeps))

    def _execute(self, program: Array, w: Array) -> float:
        return cycles.execute(*self.packed.arguments, program, _NOTHING[self.dtype], w)

    def _sweep(self, state: State, count: int, flip: bool) -> State:
        if state.sweeps and count and state.flip != flip:
            state = State(state.f, self.stored(state))
        return replace(state, sweeps=state.sweeps + count, flip=flip if count else state.flip)

    def _in_blocks(self, planes: int, run: Any, before: Any = None, least: int = 8, sweeps: int = 2) -> list[float]:
        threads = max(1, min(self.threads, planes // least)) if self.size >= PARALLEL else 1
        count = threads * max(1, min(SHARES, planes // (LONG * least * threads))) if threads > 1 else 1
        ends = [planes * k // count for k in range(count + 1)]
        if before is not None:
            before(ends)
        left, results = deque(range(count)), [0.0] * count

        def work(w: Array) -> None:
            while left:
                with suppress(IndexError):  # another thread has taken the last one
                    k = left.popleft()
                    results[k] = run(ends[k], ends[k + 1], w)

        waiting = [_pool(threads).submit(work, self._space(k, sweeps)) for k in range(1, threads)]
        work(self._space(0, sweeps))
        for each in waiting:
            each.result()
        return results

    def _space(self, k: int, sweeps: int) -> Array:
        if sweeps not in self._needed:
            self._needed[sweeps] = passes.space_needed(self.packed.records[self.index], sweeps)
        needed = self._needed[sweeps]
        while len(self._work) <= k:
            self._work.append(np.zeros(0, self.dtype))
        if len(self._work[k]) < needed:
            self._work[k] = np.zeros(needed, self.dtype)
        return self._work[k]


class Tail:
    """The coarse grids of a V-cycle as one level, whose smoother is a V-cycle over them in one call."""

    def __init__(self, levels: Sequence[Level], packed: Packed, index: int, sweeping: Sweeping) -> None:
        self.packed, self.index, self.sweeping = packed, index, sweeping
        dtype, grids = packed.reals.dtype, [level.info.grid for level in levels]
        self._rooms = [Storage(grid.size, dtype) for grid in grids]
        self._planes = [grid.shape[0] for grid in grids]
        sweeps = max(sweeping.nu, sweeping.nu_post, 1)
        self._halos = [
            np.zeros((4 * sweeps + 8) * (grid.size // grid.shape[0]) * int(record["periodic"][0]), dtype)
            for grid, record in zip(grids, packed.records[index:], strict=False)
        ]
        self._order = _order(levels[-1])
        self._inverse = _inverse(levels[-1], self._order, dtype)
        needed = [passes.space_needed(record, sweeps) for record in packed.records[index:]]
        self._work = np.zeros(max(needed, default=1), dtype)
        self._programs: dict[str, Array] = {}

    @property
    def room(self) -> Storage:
        return self._rooms[0]

    def working_in(self, out: Array) -> AbstractContextManager[None]:
        """Programs hold the addresses of their own room."""
        return nullcontext()

    def coarser(self, count: int) -> Tail:
        """The same without its `count` finest grids."""
        rest = copy.copy(self)
        rest.index, rest._rooms, rest._programs = self.index + count, self._rooms[count:], {}
        rest._planes, rest._halos = self._planes[count:], self._halos[count:]
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
        if "V-cycle" not in self._programs:
            self._programs["V-cycle"] = np.concatenate(self._v_cycle(0, GIVEN, GIVEN))
        return self._execute(self._programs["V-cycle"], state.f, state.u, out, norm)

    def nested(self, f: Any, out: Rows | None = None, norm: bool = False) -> float:
        """Full multigrid on these grids."""
        if "nested" not in self._programs:
            self._programs["nested"] = np.concatenate(self._nested())
        return self._execute(self._programs["nested"], _rows(f), None, self.room["u"] if out is None else out, norm)

    def _execute(self, program: Array, f: Rows, u: Any, out: Rows, norm: bool) -> float:
        """A program in which f, u and `out` of the finest of these grids are those that are given."""
        if len(self._rooms) == 1:
            return self._directly(f, out)
        program = program.copy()
        for name, order, rows in (("f", "f_split", f), ("u", "source", u), ("out", "sink", out)):
            here = program[name] == GIVEN
            program[name][here] = 0 if rows is None else rows.address
            program[order][here] = ZERO if rows is None else rows.split if name == "f" else rows.order
        program["copies"] &= program["source"] != ZERO
        program["norm"][-1] = norm
        return cycles.execute(*self.packed.arguments, program, self._inverse, self._work)

    def _v_cycle(self, top: int, source: int, out: int) -> list[Array]:
        """The steps of a V-cycle from grid `top`; `source` and `out` are GIVEN, or CUBIC and an address."""
        last = len(self._rooms) - 1
        steps = []
        for l in range(top, last):
            first_guess = (
                {"u": GIVEN} if source == GIVEN else {"source": CUBIC, "coarse": self._rooms[l + 1]["u"].address}
            )
            steps.append(
                self._pass(
                    l,
                    self.sweeping.nu,
                    self.sweeping.flip,
                    **(first_guess if l == top else {}),
                    sink=SPLIT,
                    out=self._rooms[l]["u"].address,
                    f_coarse=self._rooms[l + 1]["f"].address,
                )
            )
        steps.append(self._solve())
        for l in range(last - 1, top - 1, -1):
            u = self._rooms[l]["u"].address
            steps.append(
                self._pass(
                    l,
                    self.sweeping.nu_post,
                    self.sweeping.flip_post,
                    source=SPLIT,
                    u=u,
                    coarse=self._rooms[l + 1]["u"].address,
                    correct=True,
                    sink=SPLIT,
                    out=out if l == top else u,
                )
            )
        return steps

    def _nested(self) -> list[Array]:
        """The steps of full multigrid: data down, then a V-cycle from each grid."""
        last = len(self._rooms) - 1
        steps = [
            step(
                DATA,
                level=self.index + l,
                f=self._rooms[l]["f"].address if l else GIVEN,
                f_split=True,
                out=self._rooms[l + 1]["f"].address,
                last=self._planes[l + 1],
            )
            for l in range(last)
        ]
        steps.append(self._solve())
        for l in range(last - 1, -1, -1):
            steps += self._v_cycle(l, CUBIC, self._rooms[l]["u"].address if l else GIVEN)
        return steps

    def _pass(self, l: int, count: int, flip: bool, **fields: int) -> Array:
        return step(
            PASS,
            level=self.index + l,
            count=count,
            flip=flip,
            f=self._rooms[l]["f"].address if l else GIVEN,
            f_split=True,
            halo=Rows(self._halos[l], True).address,
            copies=len(self._halos[l]) > 0 and fields.get("source") != CUBIC,
            last=self._planes[l],
            **fields,
        )

    def _solve(self) -> Array:
        return step(DIRECT, f=self._rooms[-1]["f"].address, out=self._rooms[-1]["u"].address)

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


_NOTHING = {np.dtype(name): np.zeros((0, 0), name) for name in ("float64", "float32")}


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads - 1, thread_name_prefix="pde")
