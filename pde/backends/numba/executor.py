"""Run plans on the levels of a solver, by all threads in one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from mgcore import Level
from pde.backends.numba import interpreter
from pde.backends.numba.boundary_terms import NO_SIDES, SideData
from pde.backends.numba.buffers import NODAL, OUT, TERMS, Buffers, F, U, address
from pde.backends.numba.direct import Direct, direct, direct_at_start
from pde.backends.numba.fused_sweep import RESIDUAL
from pde.backends.numba.interpreter import DIRECT, STEP
from pde.backends.numba.jit import prepared
from pde.backends.numba.plan import Plan
from pde.backends.numba.recording import VECTORS, Recorder, record
from pde.backends.numba.states import Packed, Rows, Sweeping
from pde.backends.numba.thread_pool import thread_pool
from pde.backends.numba.work_queue import RUNS, new_counters
from pde.backends.numba.workspace import DIVISION, WorkSpace
from pde.levels.direct import DirectStart
from pde.problem.grid import Array

Rounds = tuple[Array, Array, float]
"""norms, scale and tolerance, see `interpreter.another`."""

NO_NORMS, NO_SCALE = np.zeros(0), np.ones(2)
"""For a plan that is run once."""


class Executor:
    """Cycles over levels, and full multigrid ("nested"), from and to arrays of the user."""

    def __init__(
        self,
        levels: Sequence[Level],
        packed: Packed,
        sweeping: Sweeping,
        threads: int,
        singular: bool = False,
        start: DirectStart | None = None,
    ) -> None:
        self.dtype, grids = packed.reals.dtype, [level.info.grid for level in levels]
        self.packed, self.sweeping, self.threads, self.singular = packed, sweeping, threads, singular
        self._sizes, self.grids = [grid.size for grid in grids], tuple(grid.shape for grid in grids)
        self._order, self._solver = _order(levels[-1]), levels[-1].B[0]
        self._start = start
        self._directs = (tuple(direct(levels[-1], self._order, self.dtype)),) * 2
        self.is_one_call = Direct(*self._directs[0]).exists
        """Whether a plan is one call: the host solves nothing by sparse factors in between."""
        self._buffers = Buffers(self.dtype, packed.fields)
        self._work = [WorkSpace(self.dtype, 0)]
        self._plans: dict[tuple[str, int, int], Plan] = {}
        self._addresses: WeakKeyDictionary[Plan, Array] = WeakKeyDictionary()

    @property
    def planes(self) -> int:
        """Planes of the finest level."""
        return int(self.packed.records["n"][0][0])

    def prepare(self) -> list[str]:
        """Load the kernels or compile them; as `jit.prepared`."""
        plan, rounds = (np.zeros(1, STEP), np.zeros(1, DIVISION)), (0, NO_NORMS, NO_SCALE, 0.0, np.zeros(1))
        call = (*self.packed.arguments, plan, self._directs, np.zeros(1, np.int64), rounds, new_counters(), True)
        return prepared(interpreter.execute, (*call, self._work[0].arguments))

    def plan(self, kind: str, start: int = 0, norm: int = RESIDUAL) -> Plan:
        """Return the plan of a cycle that begins on level `start`; "fmg": "nested", and V-cycles in later rounds."""
        key = kind, start, norm
        if key not in self._plans:
            if kind in ("fmg", "nested") and self._start is not None:
                self._directs = self._directs[0], tuple(direct_at_start(self._start, self.dtype))
            recorder, begin = self.recorder(), None if self._start is None else self._start.level
            for each in ("nested", "V") if kind == "fmg" else (kind,):
                again = len(recorder.steps)
                record(each, recorder, start, len(self._sizes), self.sweeping, norm, begin=begin)
            self._plans[key] = self.plan_of(recorder, again)
        return self._plans[key]

    def recorder(self) -> Recorder:
        """Return a recorder for plans of these levels."""
        size = max(Direct(*each).work_size for each in self._directs)
        return Recorder(self.packed, self._sizes, size, self.threads, self.singular)

    def plan_of(self, recorder: Recorder, again: int = 0) -> Plan:
        """Return a plan of what was recorded, in which later rounds begin with step `again`."""
        divisions, buffers = np.array(recorder.divisions), tuple(recorder.buffers)
        return Plan(recorder.program(again), divisions, buffers, self.grids, again)

    def vector_plan(self, kind: str) -> Plan:
        """Return a plan for vectors of the finest level, one of `recording.VECTORS`."""
        if (kind, 0, 0) not in self._plans:
            recorder = self.recorder()
            VECTORS[kind](recorder, 0, Rows(F, False), Rows(OUT, False))
            self._plans[kind, 0, 0] = self.plan_of(recorder)
        return self._plans[kind, 0, 0]

    def solve(
        self,
        kind: str,
        f: Array,
        u: Array | None,
        out: Array,
        norms: Array,
        scale: Array,
        tolerance: float,
        sides: SideData = NO_SIDES,
    ) -> int:
        """Make cycles of a kind in one call; return their number. For `norms` and so on see `interpreter.another`."""
        plan = self.plan(kind)
        return self._execute(plan, self._given(plan, f, u, out, sides), norms, scale, tolerance)[1]

    def run(
        self,
        plan: Plan,
        f: Array,
        u: Array | None,
        out: Array,
        sides: SideData = NO_SIDES,
        *,
        before: Callable[[Plan], Any] | None = None,
        check: bool = False,
    ) -> float:
        """Run a plan from u (None: zero) to `out`, which may be u; return the sum that its last step asks for.

        Args:
            sides: boundary data, which full multigrid takes; f has them too.
            before: called with each leg before it is run; each step is then a leg.
            check: look for numbers that are read before they are written, or written out of bounds; slow.

        Raises:
            TypeError, ValueError: an array is not contiguous or has another dtype or size; names the argument.
            RuntimeError: `check` has found something.
        """
        addresses = self._given(plan, f, u, out, sides)
        if self.is_one_call and before is None and not check:
            return self._execute(plan, addresses)[0]
        return self._run_legs(plan, addresses, before, check)

    def run_on(self, plan: Plan, given: Mapping[int, int], sums: Array, rounds: Rounds, check: bool = False) -> int:
        """Run a plan on the arrays at these addresses, by their indices in the plan; return the number of rounds.

        Args:
            sums: takes the sums of all steps, and what else these keep there.
            rounds: they count where a plan is one call.
        """
        addresses = self._own(plan)
        addresses[list(given)] = list(given.values())
        if self.is_one_call and not check:
            return self._execute(plan, addresses, *rounds, sums)[1]
        self._run_legs(plan, addresses, None, check, sums=sums)
        return 1

    def _run_legs(self, plan: Plan, addresses: Array, before: Any, check: bool, **options: Any) -> float:
        host, total = () if self.is_one_call else (DIRECT,), 0.0
        for leg in plan.legs(host, singly=check or before is not None):
            if before is not None:
                before(leg)
            if leg.steps[0]["op"] in host:
                self._solve_coarsest(leg)
            elif check:
                total = self._checked(leg, addresses, **options)
            else:
                total, _ = self._execute(leg, addresses, **options)
        return total

    def buffer(self, plan: Plan, name: str) -> Array:
        """Return the array of a buffer of a plan, as a step of the host may change it.

        Raises:
            KeyError: the plan has no buffer of this name, or is given its array for each run.
        """
        named = {buffer.name: buffer for buffer in plan.buffers if buffer.size}
        if name not in named:
            raise KeyError(f"name must be one of {', '.join(map(repr, named))}; got {name!r}")
        return self._buffers[named[name]]

    def _own(self, plan: Plan) -> Array:
        """Return the addresses of a plan's buffers, but for those that a run is given."""
        known = self._addresses.get(plan)
        if known is None:
            known = self._addresses[plan] = self._buffers.addresses(plan.buffers)
        return known.copy()

    def _given(self, plan: Plan, f: Array, u: Array | None, out: Array, sides: SideData) -> Array:
        """Return the addresses of a plan's buffers."""
        addresses, size = self._own(plan), self._sizes[plan.level]
        nodal = f if sides.nodal is None else sides.nodal
        for name, index, values in (("f", F, f), ("u", U, u), ("out", OUT, out), ("nodal f", NODAL, nodal)):
            if values is None:
                continue
            if values.dtype != self.dtype:  # kernels are given addresses alone
                raise TypeError(f"{name} must be {self.dtype} for these kernels, got {values.dtype}")
            if values.size != size or not values.flags.c_contiguous:
                raise ValueError(
                    f"{name} must be {size} contiguous numbers, got {values.shape}, strides {values.strides}"
                )
            addresses[index] = address(values)
        addresses[TERMS] = 0 if sides.terms is None else address(sides.terms)
        return addresses

    def _execute(
        self,
        plan: Plan,
        addresses: Array,
        norms: Array = NO_NORMS,
        scale: Array = NO_SCALE,
        tolerance: float = 0.0,
        sums: Array | None = None,
    ) -> tuple[float, int]:
        """Run a plan in one call; return the sum of its last step and the number of rounds."""
        work, counters = self._work_spaces(plan), new_counters()
        sums = np.zeros(plan.planes + 1) if sums is None else sums
        rounds = (plan.again, norms, scale, tolerance, sums)
        call = (*self.packed.arguments, (plan.steps, plan.divisions), self._directs, addresses, rounds, counters)
        for each in work[1:]:  # a thread that comes late finds nothing left to do
            thread_pool(self.threads - 1).ask(interpreter.execute, *call, False, each.arguments)
        interpreter.execute(*call, True, work[0].arguments)
        return float(sums[plan.planes]), int(counters[RUNS])

    def _checked(self, leg: Plan, addresses: Array, **options: Any) -> float:
        """Run a step that must not read what is in the work space, nor write beyond the ends of areas and buffers."""
        work, division = self._work_spaces(leg), leg.divisions[leg.steps["division"][0]]
        self._buffers.poison()
        for each in work:
            each.poison(division)
        total, _ = self._execute(leg, addresses, **options)
        self._buffers.check()
        for each in work:
            each.check(division)
        return total

    def _work_spaces(self, plan: Plan) -> list[WorkSpace]:
        """Return a work space for each thread that a plan may keep busy."""
        threads = min(self.threads, plan.blocks)
        for k in range(threads):
            if k >= len(self._work) or self._work[k].numbers.size < plan.work_size:
                self._work[k : k + 1] = [WorkSpace(self.dtype, plan.work_size)]
        return self._work[:threads]

    def _solve_coarsest(self, leg: Plan) -> None:
        """Solve on the coarsest level by sparse factors; its rows are split by parity."""
        f, u = (self._buffers[leg.buffers[leg.steps[name][0]]] for name in ("f", "out"))
        natural = np.empty_like(f)
        natural[self._order] = f
        u[:] = self._solver(natural.reshape(self.grids[-1])).ravel()[self._order]


def _order(level: Level) -> Array:
    """Return the unknowns in the order of rows split by parity."""
    natural = np.arange(level.info.grid.size).reshape(-1, level.info.grid.shape[-1])
    return np.concatenate((natural[:, ::2], natural[:, 1::2]), axis=1).ravel()
