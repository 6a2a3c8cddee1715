"""The coarse grids of a cycle as one level: their passes are one program, run in one call."""

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
from pde.kernels.cycles import DATA, DIRECT, PASS, step
from pde.kernels.passes import CUBIC, SPLIT, ZERO
from pde.kernels.states import Packed, Pending, Rows, State, Storage, Sweeping, as_rows

GIVEN = -1
"""In place of an address in a program: that of what is given when it is run."""

LARGEST_INVERSE = 512
"""Unknowns of the coarsest grid at most for its inverse as a matrix; a larger one is solved by its sparse factors."""


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
        self._shape, self._solver = grids[-1].shape, levels[-1].B[0]
        small = grids[-1].size <= LARGEST_INVERSE
        self._inverse = _inverse(levels[-1], self._order, dtype) if small else np.zeros((0, 0), dtype)
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
        if "V-cycle" not in self._programs:
            self._programs["V-cycle"] = np.concatenate(self._v_cycle(0, GIVEN, GIVEN))
        return self._execute(self._programs["V-cycle"], state.f, state.u, out, norm)

    def nested(self, f: Any, out: Rows | None = None, norm: bool = False) -> float:
        """Full multigrid on these grids."""
        if "nested" not in self._programs:
            self._programs["nested"] = np.concatenate(self._nested())
        return self._execute(self._programs["nested"], as_rows(f), None, self.room["u"] if out is None else out, norm)

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
