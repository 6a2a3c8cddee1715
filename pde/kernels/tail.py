"""The coarse grids of a cycle as one level: their passes are one program, run in one call. A small problem is coarse
already on its finest grid: then a call makes any cycle, or all cycles to a tolerance."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from mgcore import Level
from pde.grid import Array
from pde.kernels import cycles, passes
from pde.kernels.cycles import DATA, DIRECT, GIVEN, NO_NORMS, NO_SCALE, PASS, Given, step
from pde.kernels.passes import CUBIC, SPLIT, ZERO
from pde.kernels.states import Packed, Pending, Rows, State, Storage, Sweeping, as_rows

VISITS = {"V": ("V",), "W": ("W", "W"), "F": ("F", "V"), "backslash": ("backslash",)}
"""The cycles by which a level of a cycle visits the next coarser one."""

LARGEST_INVERSE = 512
"""Unknowns of the coarsest grid at most for its inverse as a matrix; a larger one is solved by its sparse factors."""


class Tail:
    """The coarse grids of a V-cycle as one level, whose smoother is a V-cycle over them in one call.

    Where it holds all grids of a solver, `cycle`, `nested` and `solve` take their f, u and `out` from the user.
    """

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
        self._shape, self._solver = grids[-1].shape, levels[-1].B[0]
        small = grids[-1].size <= LARGEST_INVERSE
        self._inverse = _inverse(levels[-1], self._order, dtype) if small else np.zeros((0, 0), dtype)
        needed = [passes.space_needed(record, sweeps) for record in packed.records[index:]]
        self._work = np.zeros(max(needed, default=1), dtype)
        self._programs: dict[str, Array] = {}

    @property
    def room(self) -> Storage:
        return self._rooms[0]

    @property
    def at_hand(self) -> bool:
        """Whether there is more than one grid: else a call for it costs more than its product with a matrix."""
        return len(self._rooms) > 1

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

    def run(self, state: State, out: Rows, f_coarse: None = None, norm: bool = False) -> float:
        """One V-cycle."""
        return self.cycle("V", state.f, state.u, out, norm)

    def cycle(self, kind: str, f: Rows, u: Any, out: Rows, norm: bool = False) -> float:
        """One cycle from u (None: zero); returns the sum of W (f - A u)^2 where `norm` asks for it."""
        return self._directly(f, out) if not self.at_hand else self._execute(self._program(kind), f, u, out, norm)[0]

    def nested(self, f: Any, out: Rows | None = None, norm: bool = False) -> float:
        """Full multigrid on these grids."""
        f, out = as_rows(f), self.room["u"] if out is None else out
        return self._directly(f, out) if not self.at_hand else self._execute(self._program(), f, None, out, norm)[0]

    def solve(self, kind: str, f: Rows, u: Any, out: Rows, norms: Array, scale: Array, tolerance: float) -> int:
        """Cycles of a kind, the first of them `nested` where it is "fmg"; for the rest see `cycles.execute`."""
        program, again = (self._program(kind), 0) if kind != "fmg" else self._then_v_cycles()
        return int(self._execute(program, f, u, out, True, again, norms, scale, tolerance)[1])

    def _execute(
        self,
        program: Array,
        f: Rows,
        u: Any,
        out: Rows,
        norm: bool,
        again: int = 0,
        norms: Array = NO_NORMS,
        scale: Array = NO_SCALE,
        tolerance: float = 0.0,
    ) -> tuple[float, int]:
        source, address = (ZERO, 0) if u is None else (u.order, u.address)
        given = np.array(Given(f.address, f.split, source, address, out.order, out.address, norm), np.int64)
        result: tuple[float, int] = cycles.execute(
            *self.packed.arguments, program, self._inverse, self._work, given, again, norms, scale, tolerance
        )
        return result

    def _program(self, kind: str = "nested") -> Array:
        if kind not in self._programs:
            self._programs[kind] = np.concatenate(self._nested() if kind == "nested" else self._cycle(kind, 0, GIVEN))
        return self._programs[kind]

    def _then_v_cycles(self) -> tuple[Array, int]:
        """`nested` with a V-cycle after it, and where that begins."""
        first = self._program()
        if "fmg" not in self._programs:
            self._programs["fmg"] = np.concatenate((first, self._program("V")))
        return self._programs["fmg"], len(first)

    def _cycle(self, kind: str, top: int, out: int, **source: int) -> list[Array]:
        """The steps of a cycle from grid `top`, which takes u from `source` (default: GIVEN) to `out`."""
        last = len(self._rooms) - 1
        if top == last:
            return [self._solve()]
        source = source or {"u": GIVEN}
        u, u_coarse = self._rooms[top]["u"].address, self._rooms[top + 1]["u"].address
        steps = [
            self._pass(
                top,
                self.sweeping.nu,
                self.sweeping.flip,
                **source,
                sink=SPLIT,
                out=u,
                f_coarse=self._rooms[top + 1]["f"].address,
            )
        ]
        for number, visit in enumerate(VISITS[kind] if top + 1 < last else VISITS[kind][:1]):
            again = {"source": SPLIT, "u": u_coarse} if number else {"source": ZERO, "u": 0}
            steps += self._cycle(visit, top + 1, u_coarse, **again)
        steps.append(
            self._pass(
                top,
                0 if kind == "backslash" else self.sweeping.nu_post,
                self.sweeping.flip_post,
                source=SPLIT,
                u=u,
                coarse=u_coarse,
                correct=True,
                sink=SPLIT,
                out=out,
                norm=GIVEN if top == 0 else 0,
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
            out, u_coarse = self._rooms[l]["u"].address if l else GIVEN, self._rooms[l + 1]["u"].address
            steps += self._cycle("V", l, out, source=CUBIC, coarse=u_coarse)
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
            copies=len(self._halos[l]) > 0,
            last=self._planes[l],
            **fields,
        )

    def _solve(self) -> Array:
        return step(DIRECT, f=self._rooms[-1]["f"].address, out=self._rooms[-1]["u"].address)

    def _directly(self, f: Rows, out: Rows) -> float:
        order = self._order
        if len(self._inverse):
            values = self._inverse @ (f.values if f.split else f.values[order])
        else:
            natural = f.values
            if f.split:
                natural = np.empty_like(natural)
                natural[order] = f.values
            values = self._solver(natural.reshape(self._shape)).ravel()[order]
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
    inverse = level.B[0](np.eye(size).reshape(size, *shape)).reshape(size, size).T
    return np.ascontiguousarray(inverse[np.ix_(order, order)], dtype=dtype)
