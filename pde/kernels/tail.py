"""The coarse grids of a cycle as one level: their passes are one program, run in one call. A small problem is coarse
already on its finest grid: then a call makes any cycle, or all cycles to a tolerance."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from mgcore import Level
from pde.grid import Array
from pde.kernels import cycles
from pde.kernels.cycles import DIRECT, NO_NORMS, NO_SCALE, Given, program_of
from pde.kernels.lazy import LastLevel
from pde.kernels.passes import ZERO, space_needed
from pde.kernels.recording import Halos, record
from pde.kernels.states import Packed, Rows, State, Storage, Sweeping, as_rows

LARGEST_INVERSE = 512
"""Unknowns of the coarsest grid at most for its inverse as a matrix; a larger one is solved by its sparse factors."""


class Tail(LastLevel):
    """The coarse grids of a V-cycle as one level, whose smoother is a V-cycle over them in one call.

    Where it holds all grids of a solver, `cycle`, `nested` and `solve` take their f, u and `out` from the user.
    """

    def __init__(self, levels: Sequence[Level], packed: Packed, index: int, sweeping: Sweeping) -> None:
        dtype, grids = packed.reals.dtype, [level.info.grid for level in levels]
        self._rooms = [Storage(grid.size, dtype) for grid in grids]
        super().__init__(self._rooms[0])
        self.packed, self.index, self.sweeping = packed, index, sweeping
        self._order = _order(levels[-1])
        self._shape, self._solver = grids[-1].shape, levels[-1].B[0]
        small = grids[-1].size <= LARGEST_INVERSE
        self._inverse = _inverse(levels[-1], self._order, dtype) if small else np.zeros((0, 0), dtype)
        self._work = np.zeros(1, dtype)
        self._halos: Halos = {}
        self._programs: dict[str, Array] = {}

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
        rest.room = rest._rooms[0]
        return rest

    def run(self, state: State, out: Rows, f_coarse: None = None, norm: int = False) -> float:
        """One V-cycle."""
        return self.cycle("V", state.f, state.u, out, norm)

    def cycle(self, kind: str, f: Rows, u: Any, out: Rows, norm: int = False) -> float:
        """One cycle from u (None: zero); returns the sum of W (f - A u)^2 where `norm` asks for it."""
        return self._directly(f, out) if not self.at_hand else self._execute(self._program(kind), f, u, out, norm)[0]

    def nested(self, f: Any, out: Rows | None = None, norm: int = False) -> float:
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
        norm: int,
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
            steps = record(kind, self._rooms, self.packed, self.index, self.sweeping, self._halos)
            passes = {(step.level, max(step.sweeps, 1)) for step in steps if step.op != DIRECT}
            space = max(space_needed(self.packed.records[l], sweeps) for l, sweeps in passes)
            if len(self._work) < space:
                self._work = np.zeros(space, self._work.dtype)
            self._programs[kind] = program_of(steps)
        return self._programs[kind]

    def _then_v_cycles(self) -> tuple[Array, int]:
        """`nested` with a V-cycle after it, and where that begins."""
        first = self._program()
        if "fmg" not in self._programs:
            self._programs["fmg"] = np.concatenate((first, self._program("V")))
        return self._programs["fmg"], len(first)

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
