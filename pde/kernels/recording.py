"""Programs of cycles, recorded: a cycle of `mgcore` runs on levels that note their passes instead of making them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pde.cycles import CYCLES
from pde.kernels.cycles import DIRECT, GIVEN, Step
from pde.kernels.lazy import LastLevel, LazyLevel, full_multigrid
from pde.kernels.states import Packed, Pending, Rows, State, Storage, Sweeping

Halos = dict[tuple[int, int], Rows]
"""Room for the planes beyond both ends of a periodic axis, by level and depth."""


class GivenRows(Rows):
    """Numbers that a program is given when it is run."""

    @property
    def address(self) -> int:
        return GIVEN


GIVEN_ROWS = GivenRows(np.zeros(0), False)


class RecordedLevel(LazyLevel):
    """Notes its passes in `program`."""

    def __init__(
        self, program: list[Step], packed: Packed, index: int, sweeping: Sweeping, room: Storage, halos: Halos
    ) -> None:
        super().__init__(packed, index, sweeping, room)
        self._program, self._halos = program, halos

    def _make_pass(self, step: Step, u: Rows | None) -> float:
        step = step._replace(last=self.planes)
        if self.periodic and u is not None:
            step = step._replace(halo=self._halo(step.depth).address, copies=True)
        self._program.append(step)
        return 0.0

    def _make_data(self, step: Step) -> None:
        self._program.append(step._replace(last=self.planes_coarse))

    def _halo(self, depth: int) -> Rows:
        key = self.index, depth
        if key not in self._halos:
            plane = int(np.prod(self.packed.records[self.index]["n"][1:]))
            self._halos[key] = Rows(np.zeros(2 * depth * plane, self.packed.reals.dtype), True)
        return self._halos[key]


class RecordedSolution(LastLevel):
    """Notes the direct solution of the coarsest grid in `program`."""

    def __init__(self, program: list[Step], room: Storage) -> None:
        super().__init__(room)
        self._program = program

    def run(self, state: State, out: Rows, f_coarse: None = None, norm: int = False) -> float:
        self._program.append(Step(DIRECT, f=state.f.address, out=out.address))
        return 0.0


def record(
    kind: str, rooms: Sequence[Storage], packed: Packed, index: int, sweeping: Sweeping, halos: Halos
) -> list[Step]:
    """The steps of a cycle from and to what is given, or of "nested": full multigrid with V-cycles.

    Args:
        rooms: of its levels, which begin with number `index`.
        halos: those there are; new ones are added.
    """
    program: list[Step] = []
    levels = [
        *(RecordedLevel(program, packed, index + l, sweeping, room, halos) for l, room in enumerate(rooms[:-1])),
        RecordedSolution(program, rooms[-1]),
    ]
    u: Pending
    if kind == "nested":
        u = full_multigrid(levels, GIVEN_ROWS, CYCLES["V"])
    else:
        u = CYCLES[kind](levels, GIVEN_ROWS, GIVEN_ROWS)
    u.write(GIVEN_ROWS, GIVEN)
    return program
