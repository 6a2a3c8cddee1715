"""Conjugate gradients whose iterations are compiled: a cycle, the numbers and one pass, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mgcore import Remaining
from pde.backends.data import LARGE, SMALL, Data
from pde.backends.iterations import Cycling
from pde.backends.numba.buffers import SLACK, F, address
from pde.backends.numba.executor import NO_NORMS, NO_SCALE, Executor
from pde.backends.numba.fused_sweep import NATURAL, PRODUCTS, RESIDUAL, ZERO
from pde.backends.numba.interpreter import COMBINE, FIND, Step
from pde.backends.numba.krylov_pass import DOUBT, ENERGY, FALLEN, LARGEST_RZ, NEXT_RZ, NUMBERS, RZ, STEP_LENGTH
from pde.backends.numba.plan import Plan
from pde.backends.numba.recording import record
from pde.problem.grid import Array

MOST = 16
"""Iterations in one call, during which Python sees no signal."""


class Plans(NamedTuple):
    """The plans of conjugate gradients, which share a buffer for z.

    Attributes:
        by_name: "start": r <- f - A u. "iterate": an iteration, as long as (p, A p) keeps its digits. "energy": sums
            W p A p by itself. "update": the rest of an iteration.
        f, u, v: indices of what a run is given, beside r in F; "iterate" finds the last iterate in v.
    """

    by_name: dict[str, Plan]
    f: int
    u: int
    v: int


def plans_of(executor: Executor, kind: str) -> Plans:
    """Return the plans for cycles of a kind."""
    planes, plans = executor.planes, {}
    for name in ("start", "iterate", "energy", "update"):
        recorder = executor.recorder()
        z, f, u, v = recorder.rows("z", 0), *map(recorder.given, ("data", "one iterate", "the other"))
        step = Step(COMBINE, out=u, planes=planes)
        if name == "iterate":
            record(kind, recorder, 0, len(executor.grids), executor.sweeping, PRODUCTS, z)
            recorder.steps.append(Step(FIND, u=v, out=u, planes=planes))
        if name != "start":
            step = step._replace(u=v, coarse=z.buffer, norm=PRODUCTS)
        if name != "energy":
            step = step._replace(f=f, f_coarse=F, norm=RESIDUAL, sink=NATURAL if step.u else ZERO)
        recorder.add(step, overwrites=name != "start")
        plans[name] = executor.plan_of(recorder)
    return Plans(plans, f, u, v)


class FusedConjugateGradients(Cycling):
    """Conjugate gradients with a symmetric cycle as preconditioner, as `pde.backends.krylov` makes them.

    Residuals are those of u, never updated step by step. Of a singular problem u has a mean until it is asked for:
    neither A nor its inner products see it.
    """

    def __init__(self, backend: Any, kind: str, data: Data, u: Array | None = None, out: Array | None = None) -> None:
        self._pair: list[Array] = []  # u and the iterate before
        super().__init__(backend, "V" if kind == "fmg" else kind, data, u, out)
        self._f: Array = np.ascontiguousarray(self._data.rhs)
        self._free = [True, True]  # to be written to: they are neither the user's nor given away
        self._r, self._sums = np.zeros(0), np.zeros(0)
        self._settled, self._given = True, out

    def __del__(self) -> None:
        """Leave arrays to the next solve: new ones cost as much as an iteration, when their pages are first touched."""
        if getattr(self, "_pair", None):  # not where it was interrupted before
            own = [u for u, free in zip(self._pair, self._free, strict=True) if free and u is not self._given]
            spare: dict[tuple[int, ...], list[Array]] = {}
            for each in (*own, self._r):
                spare.setdefault(each.shape, []).append(each)
            self._backend.kernels.spare = spare

    def advance(self, left: Sequence[Remaining]) -> Sequence[Sequence[float]]:
        if not self._pair:
            self._begin()
        kernels, count = self._backend.kernels, 1
        together = len(left) == 1 and kernels.fits_one_call and SMALL < left[0].scale < LARGE
        self._own(2 if together and left[0].cycles > 1 else 1)
        norms: list[list[float]] = []
        self._indefinite = np.zeros(len(left), bool)
        for k, member in enumerate(left):
            made = self._iterate(k, member, min(member.cycles, MOST) if together else 1)
            norms, count = [*norms, made], len(made)
        if count % 2:
            self._pair.reverse()
            self._free.reverse()
        self._u, self._settled = self._pair[0], not self._backend.hierarchy.choices.singular
        if all(SMALL < each[-1] * member.scale < LARGE for each, member in zip(norms, left, strict=True)):
            return norms
        exact = self.norms()
        return [[*each[:-1], norm / member.scale] for each, norm, member in zip(norms, exact, left, strict=True)]

    def attainable(self) -> Sequence[float] | None:
        self._settle()
        return super().attainable()

    def u(self) -> Array:
        self._settle()
        self._free[0] = False
        return super().u()

    def keep(self, members: Sequence[int]) -> None:
        self._settle()
        super().keep(members)
        u: Any = self._u
        self._f = np.ascontiguousarray(self._data.rhs)
        if self._pair:
            self._pair, self._free = [u, self._pair[1][members]], [True, True]
            r = self._r[:-SLACK].reshape(-1, self._f[0].size)[members]
            self._r, self._sums = np.append(r, np.zeros(SLACK, r.dtype)), self._sums[members]

    @property
    def _planes(self) -> int:
        """Planes of the grid, each of which has its sums."""
        return int(self._f.shape[1])

    def _begin(self) -> None:
        """Make the vectors, and the residual of the first guess."""
        f, out = self._f, self._take_out()
        if self._u is None:
            u = self._memory(f.shape)
            u.fill(0)
        else:
            u = np.ascontiguousarray(self._u)
        self._free = [self._u is None, True]
        self._pair = [u, out if out is not None and out.flags.c_contiguous else self._memory(f.shape)]
        self._r = self._memory((f.size + SLACK,))
        self._sums = np.zeros((len(f), 2 * self._planes + 1 + NUMBERS))
        for k in range(len(f)):
            self._numbers(k)[0] = 1
            self._run("start", k, self._pair[0], self._pair[1])

    def _memory(self, shape: tuple[int, ...]) -> Array:
        """An array that an ended solve has left, or a new one."""
        try:
            array: Array = self._backend.kernels.spare[shape].pop()
        except (KeyError, IndexError):
            array = np.empty(shape, self._f.dtype)
        return array

    def _own(self, count: int) -> None:
        """Copy what is about to be overwritten where it belongs to somebody else."""
        for k in range(2 - count, 2):
            if not self._free[k]:
                self._pair[k], self._free[k] = self._pair[k].copy(), True

    def _iterate(self, k: int, left: Remaining, most: int) -> list[float]:
        """Iterate member k at most so many times; return its relative norms."""
        numbers, scale = self._numbers(k), (self._backend.kernels.volume, left.scale)
        norms = np.empty(most + 1)
        norms[0] = left.last
        count = self._run("iterate", k, self._pair[1], self._pair[0], norms, np.array(scale), left.tolerance)
        pair = self._pair if count % 2 else self._pair[::-1]
        if numbers[DOUBT] != 0:
            self._step(k, *pair)
        norms[count] = np.sqrt(self._total(k) / scale[0]) / scale[1]
        return norms[1 : count + 1].tolist()

    def _step(self, k: int, u: Array, v: Array) -> None:
        """End an iteration of member k with (p, A p) summed by itself."""
        numbers = self._numbers(k)
        rz, length = numbers[NEXT_RZ], numbers[STEP_LENGTH]
        noise = abs(numbers[RZ]) <= abs(rz) < FALLEN * numbers[LARGEST_RZ]  # as in `ratio_of`
        change = 0.0 if noise else _ratio(_ratio(rz, numbers[RZ]), length)
        numbers[:3], numbers[DOUBT] = (0, change, 1), 0
        self._run("energy", k, u, v)
        energy = self._total(k)
        wrong = energy <= 0 and rz != 0
        if self._indefinite is not None:
            self._indefinite[k] = wrong
        alpha = 0.0 if wrong else _ratio(rz, energy)
        numbers[:3] = 1, change * alpha, alpha
        numbers[[RZ, ENERGY, STEP_LENGTH]] = rz, energy, alpha
        self._run("update", k, u, v)

    def _run(
        self,
        name: str,
        k: int,
        u: Array,
        v: Array,
        norms: Array = NO_NORMS,
        scale: Array = NO_SCALE,
        least: float = 0.0,
    ) -> int:
        kernels, size = self._backend.kernels, self._f[0].size
        plans = kernels.krylov(self._kind)
        given = {
            F: address(self._r) + k * size * self._r.itemsize,
            plans.f: address(self._f[k]),
            plans.u: address(u[k]),
            plans.v: address(v[k]),
        }
        count: int = kernels.run_on(plans.by_name[name], given, self._sums[k], (norms, scale, least))
        return count

    def _numbers(self, k: int) -> Array:
        return self._sums[k, -NUMBERS:]

    def _total(self, k: int) -> float:
        """The sum that the last step of the last call asked for."""
        return float(self._sums[k, self._planes])

    def _settle(self) -> None:
        """Take its mean from u where the problem is singular."""
        if not self._settled:
            self._u, self._settled = self._backend.project(self._u), True
            self._pair[0], self._free[0] = self._u, True


def _ratio(a: float, b: float) -> float:
    """a / b, and 0 where a member of the batch has nothing left to do."""
    return a / b if b != 0 else 0.0
