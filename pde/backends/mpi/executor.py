"""Run plans on slabs: the steps that an `Executor` runs, with messages before those that need planes of other ranks.

A message goes to a rank once for all buffers that a step lacks planes of: so there is one exchange for each leg of a
cycle on a level. Levels that every rank makes as a whole need none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from mgcore import Level
from pde.backends.mpi.exchange import Exchange, Missing, Planes, missing
from pde.backends.mpi.memory import blocks, home_of
from pde.backends.mpi.recorder import VECTORS, SlabRecorder, ranges_of
from pde.backends.mpi.slabs import Ranges, Slabs
from pde.backends.mpi.tables import packed, shifts
from pde.backends.numba.boundary_terms import NO_SIDES, SideData
from pde.backends.numba.buffers import FIELDS, NODAL, NULL, OUT, TERMS, Buffer, F, U, address
from pde.backends.numba.direct import Direct
from pde.backends.numba.executor import NO_NORMS, NO_SCALE, Executor, Rounds
from pde.backends.numba.fused_sweep import CUBIC, NOTHING, PRODUCTS, RESIDUAL, ZERO
from pde.backends.numba.interpreter import (
    COMBINE,
    DIRECT,
    FIND,
    FOLD,
    HALO,
    OUTER,
    PASS,
    RHS,
    STEP,
    SUBTRACT,
    Step,
)
from pde.backends.numba.krylov_pass import NUMBERS
from pde.backends.numba.means import SUMS
from pde.backends.numba.plan import Plan
from pde.backends.numba.states import Sweeping
from pde.backends.numba.variants import Variant
from pde.common.ranks import Ranks
from pde.levels.direct import DirectStart
from pde.problem.grid import Array


class Access(NamedTuple):
    """A buffer that a step reads, with the planes that each rank needs."""

    buffer: int
    needed: Ranges


class SlabExecutor(Executor):
    """Cycles over levels whose planes are in slabs; arrays of the user hold the planes of this rank."""

    def __init__(
        self,
        levels: Sequence[Level],
        slabs: Sequence[Slabs],
        ranks: Ranks,
        variant: Variant,
        sweeping: Sweeping,
        threads: int,
        singular: bool = False,
        start: DirectStart | None = None,
    ) -> None:
        self._kept = kept_planes(slabs, ranks.rank, 2 * (sweeping.nu + sweeping.nu_post) + 6)
        super().__init__(levels, packed(levels, slabs, self._kept, variant), sweeping, threads, singular, start)
        self.slabs, self.ranks, self._count = slabs, ranks, len(levels) - 1
        self._shifts = shifts(self.packed, slabs[: len(levels) - 1], self._kept)
        self._level_of: dict[Buffer, int] = {}
        self._own_planes: WeakKeyDictionary[Plan, dict[int, Planes]] = WeakKeyDictionary()
        self._memory: dict[Any, Planes] = {}
        self._of_buffers: dict[Buffer, Planes] = {}
        self._legs: WeakKeyDictionary[Plan, dict[tuple[int, int], Plan]] = WeakKeyDictionary()
        begin, end = self.share()[ranks.rank].tolist()
        self.like, self.own = self.memory(), (begin, end)
        self.solves_here = self.is_one_call
        self.is_one_call = False  # Python is between the steps

    @property
    def planes(self) -> int:
        return self.slabs[0].n

    def _own(self, plan: Plan) -> Array:
        addresses = super()._own(plan)
        addresses[FIELDS : FIELDS + len(self._shifts)] -= self._shifts
        return addresses

    def recorder(self) -> SlabRecorder:
        size = max(Direct(*each).work_size for each in self._directs)
        parts = self.slabs, self.ranks.rank, self._kept, self._level_of
        return SlabRecorder(self.packed, self._sizes, size, self.threads, self.singular, *parts)

    def plane(self, level: int) -> int:
        """Numbers in a plane of a level."""
        return self._sizes[level] // self.slabs[level].n

    def memory(self, level: int = 0) -> Planes:
        """New memory for the planes of a level that this rank makes, and their halo."""
        return Planes(self.slabs[level], *self._kept[level], self.plane(level), self.dtype)

    def share(self) -> Ranges:
        """The planes of each rank's arrays on the finest level, as `Planes` count them."""
        this, p = self.slabs[0], self.ranks.size
        cuts = np.arange(p + 1) * this.n // p + this.pad
        return np.stack((cuts[:-1], cuts[1:]), axis=1)

    def loaded(self, name: str, values: Array, copied: bool = True) -> Planes:
        """The planes of an array, which is where kernels can work in it, or is copied to where they can."""
        planes = home_of(values, self.own)
        if planes is None:
            planes = self._memory.get(name)
            if planes is None:
                planes = self._memory[name] = self.memory()
            if copied:
                planes.part(*self.own)[:] = values.ravel()
        elif not values.flags.writeable:  # nothing has changed since others were told
            return planes
        planes.written(self.share())
        return planes

    def blocks(self, count: int, shape: tuple[int, ...]) -> Array:
        """An array (count, *shape) of this rank's planes, which kernels take as it is."""
        return blocks(count, self.like, self.own, shape, self.share())

    def run(
        self,
        plan: Plan,
        f: Array,
        u: Array | None,
        out: Array,
        sides: SideData = NO_SIDES,
        *,
        before: Any = None,
        check: bool = False,
    ) -> float:
        given = {F: self.loaded("f", f), OUT: self.loaded("u", out if u is None else u, copied=u is not None)}
        given[NODAL] = given[F] if sides.nodal is None else self.loaded("nodal", sides.nodal)
        if u is not None:
            given[U] = given[OUT]
            own = home_of(out, self.own)
            given[OUT] = own if own is not None else given[OUT]
        total = self._run(plan, given, 0 if sides.terms is None else address(sides.terms))
        if plan.steps[-1]["out"] == OUT and home_of(out, self.own) is None:
            out[...] = given[OUT].part(*self.own).reshape(out.shape)
        return total

    def run_planes(self, plan: Plan, given: Mapping[int, Planes], sums: Array, rounds: Rounds) -> int:
        """As `run_on` for these planes; all ranks have the same `sums`."""
        self._run(plan, given, 0, sums, rounds)
        return 1

    def _run(
        self,
        plan: Plan,
        given: Mapping[int, Planes],
        terms: int = 0,
        sums: Array | None = None,
        rounds: tuple[Array, Array, float] = (NO_NORMS, NO_SCALE, 0.0),
    ) -> float:
        """Run a plan on these planes by their indices; return the sum that its last step asks for."""
        fields = {**self._planes_of(plan), **given}
        addresses = self._own(plan)
        for index, planes in fields.items():
            addresses[index] = planes.address
        addresses[TERMS] = terms
        by_address = {planes.address: planes for planes in fields.values()}
        if sums is None:
            sums = np.zeros(2 * self.slabs[plan.level].n * int(plan.steps[-1]["tiles"]) + 2)
        steps, k = plan.steps, 0
        while k < len(steps):
            step = steps[k]
            if step["op"] == FOLD and terms == 0:
                k += 1
                continue
            end = k + (2 if step["op"] == HALO else 1)
            accesses = list(self._reads(steps[end - 1], addresses))
            lacking = [
                missing(by_address[addresses[x.buffer]], x.needed)
                for x in accesses
                if by_address[addresses[x.buffer]].lacks(x.needed)
            ]
            if lacking:
                self._exchange(lacking)
            self._do(plan, k, end, addresses, sums)
            for index, made in self._writes(steps[end - 1], addresses):
                by_address[addresses[index]].written(made)
            k = end
        return self._total(plan, addresses, sums, rounds)

    def _exchange(self, lacking: list[Missing]) -> None:
        for each in (each for each in lacking if each.planes.slabs.whole):
            planes, made = each.planes, each.planes.made
            self.ranks.fill(planes.part(0, planes.slabs.n), (made[:, 1] - made[:, 0]) * planes.size)
            planes.valid = each.needed
        between = [each for each in lacking if not each.planes.slabs.whole]
        if between:
            Exchange(self.ranks, between).wait()

    def _reads(self, step: Any, addresses: Array) -> Iterator[Access]:
        """The buffers of planes that a step reads."""
        op, level = int(step["op"]), int(step["level"])
        this = self.slabs[level]
        if op == PASS:
            restricted, norm = step["f_coarse"] != NULL, int(step["norm"])
            window = this.window(int(step["sweeps"]), restricted, restricted or norm in (RESIDUAL, PRODUCTS))
            window = this.every if this.whole else window
            yield Access(int(step["f"]), window)
            if step["source"] not in (ZERO, CUBIC) and addresses[step["u"]] != 0:
                yield Access(int(step["u"]), window)
            if step["source"] == CUBIC or step["correct"]:
                coarse = self.slabs[level + 1]
                yield Access(
                    int(step["coarse"]),
                    coarse.every if this.whole else this.parents(window, step["source"] == CUBIC),
                )
        elif op == COMBINE:
            beside = this.every if this.whole else this.beside(1)
            for name in ("out", "u", "coarse"):
                if step[name] != NULL and addresses[step[name]] != 0:
                    yield Access(int(step[name]), beside)
            if step["f"] != NULL and addresses[step["f"]] != 0:
                yield Access(int(step["f"]), this.made)
        elif op == RHS:
            made = ranges_of(_step(step), self.slabs)
            assert made is not None
            yield Access(int(step["f"]), this.every if this.whole else this.data_of(made))
        elif op == DIRECT:
            yield Access(int(step["f"]), self.slabs[self._level_of_direct(step)].every)
        elif op in VECTORS:
            yield Access(int(step["f"]), this.made)

    def _writes(self, step: Any, addresses: Array) -> Iterator[tuple[int, Ranges]]:
        """(index, planes) of the buffers of planes that a step makes."""
        op, level = int(step["op"]), int(step["level"])
        this = self.slabs[level]
        if op == PASS:
            if step["sink"] != ZERO:
                yield int(step["out"]), this.made
            if step["f_coarse"] != NULL:
                yield int(step["f_coarse"]), this.coarse
        elif op == COMBINE:
            if step["sink"] != ZERO:
                yield int(step["u"]), this.made
            if step["f_coarse"] != NULL and addresses[step["f_coarse"]] != 0:
                yield int(step["f_coarse"]), this.made
        elif op in (RHS, FOLD):
            made = ranges_of(_step(step), self.slabs)
            assert made is not None
            yield int(step["out"]), made
        elif op == DIRECT:
            level = self._level_of_direct(step)
            yield int(step["out"]), self.slabs[level].every
        elif op in (SUBTRACT, OUTER):
            yield int(step["out"]), this.made

    def _level_of_direct(self, step: Any) -> int:
        return int(step["level"]) if step["start"] else self._count

    def _do(self, plan: Plan, begin: int, end: int, addresses: Array, sums: Array) -> None:
        """Make steps begin, ..., end - 1: one, or a pass with the copy of its halo."""
        step = plan.steps[end - 1]
        op, level = int(step["op"]), int(step["level"])
        this, leg = self.slabs[level], self._leg(plan, begin, end)
        if op == DIRECT and not self.solves_here and not step["start"]:
            self._solve_coarsest(leg)
            return
        if op in (FIND, DIRECT):
            self._execute(leg, addresses, sums=sums if op == FIND else None)
            return
        if op in VECTORS:
            shifted = addresses.copy()  # tables of the level in one piece count from its first plane
            shifted[[step["f"], step["out"]]] += this.pad * self.plane(level) * self.dtype.itemsize
            self._execute(leg, shifted)
            if op != OUTER and not this.whole:
                self._gather_moments(plan, step, addresses)
            return
        norm = int(step["norm"]) if op in (PASS, COMBINE) else NOTHING
        if norm == NOTHING or this.whole:
            if leg.steps["planes"].max(initial=0) > 0 or this.whole:
                self._execute(leg, addresses, sums=sums if norm != NOTHING else None)
            return
        self._sum(leg, step, addresses, sums)

    def _sum(self, leg: Plan, step: Any, addresses: Array, sums: Array) -> None:
        """Make a pass that sums planes; `sums` takes those of all ranks."""
        this, tiles = self.slabs[int(step["level"])], int(step["tiles"])
        n, all_planes = this.n, this.planes
        end_of_sums = 2 * all_planes * tiles + 1 + NUMBERS  # there the total goes, which is of no use yet
        local = np.zeros(end_of_sums + 1)
        if step["op"] == COMBINE:
            local[2 * all_planes + 1 : 2 * all_planes + 1 + NUMBERS] = sums[2 * n + 1 : 2 * n + 1 + NUMBERS]
        begin, end = this.made[self.ranks.rank]
        if begin < end:
            steps = np.append(leg.steps, nothing(end_of_sums))
            self._execute(replace(leg, steps=steps), addresses, sums=local)
        parts = [local[begin * tiles : end * tiles]]
        if step["norm"] == PRODUCTS and step["op"] == PASS:
            parts.append(local[all_planes + 1 + begin : all_planes + 1 + end])
        whole = self.ranks.joined(np.stack(parts, axis=1), tiles * (this.made[:, 1] - this.made[:, 0]))
        sums[: n * tiles] = whole[:, 0]
        if len(parts) > 1:
            sums[n + 1 : 2 * n + 1] = whole[:, 1]

    def _gather_moments(self, plan: Plan, step: Any, addresses: Array) -> None:
        """Complete the sums of planes of a vector, and of a vector less its mean behind them."""
        this = self.slabs[int(step["level"])]
        begin, end = this.made[self.ranks.rank] - this.pad
        buffer = plan.buffers[step["sums"]]
        planes = self._buffers[buffer].view(float).reshape(2, this.n, SUMS)
        half = planes[1 if step["op"] == SUBTRACT else 0]
        half[:] = self.ranks.joined(half[begin:end], this.made[:, 1] - this.made[:, 0])

    def _total(self, plan: Plan, addresses: Array, sums: Array, rounds: tuple[Array, Array, float]) -> float:
        """The sum over all planes of the last step, by the kernel that adds them."""
        last = plan.steps[-1]
        if last["op"] not in (PASS, COMBINE) or last["norm"] == NOTHING:
            return 0.0
        steps = nothing(self.slabs[last["level"]].n * int(last["tiles"]))
        total, _ = self._execute(replace(plan, steps=steps, again=0), addresses, *rounds, sums)
        return total

    def _leg(self, plan: Plan, begin: int, end: int) -> Plan:
        """Steps of a plan, as kernels find their tables: steps on vectors those of the level in one piece."""
        known = self._legs.setdefault(plan, {})
        if (begin, end) not in known:
            steps = plan.steps[begin:end].copy()
            for step in steps:
                if step["op"] in VECTORS:
                    step["level"] += self._count
            steps["blocks"] = np.maximum(steps["blocks"], 1)
            known[begin, end] = replace(plan, steps=steps, again=0)
        return known[begin, end]

    def _planes_of(self, plan: Plan) -> dict[int, Planes]:
        """The planes of a plan's own buffers, by their indices."""
        if plan not in self._own_planes:
            found = {}
            for index, buffer in enumerate(plan.buffers):
                if buffer in self._level_of:
                    if buffer not in self._of_buffers:
                        level = self._level_of[buffer]
                        array = self._buffers._whole(buffer)
                        self._of_buffers[buffer] = Planes(
                            self.slabs[level], *self._kept[level], self.plane(level), self.dtype, array
                        )
                    found[index] = self._of_buffers[buffer]
            self._own_planes[plan] = found
        return self._own_planes[plan]


def nothing(planes: int) -> Array:
    """A step that does nothing, after which so many sums are added."""
    return np.array([Step(HALO, planes=planes)], STEP)


def _step(step: Any) -> Any:
    """A step as its attributes."""
    return Step(*(int(x) for x in step.item()))


def kept_planes(slabs: Sequence[Slabs], rank: int, reach: int) -> list[tuple[int, int]]:
    """The planes of each level that a rank has memory for: those it makes or needs, and `reach` more on either side."""
    found: list[tuple[int, int]] = []
    for l, this in enumerate(slabs):
        if this.whole:
            found.append((0, this.n))
            continue
        ranges = [tuple(this.made[rank])]
        if l > 0:
            above, (low, high) = slabs[l - 1], found[-1]
            ranges.append(tuple(above.coarse[rank]))
            ranges += [tuple(above.parents(np.array([[low, high]]), cubic)[0]) for cubic in (False, True)]
        ranges = [(a, b) for a, b in ranges if a < b]
        low, high = (min(a for a, _ in ranges) - reach, max(b for _, b in ranges) + reach) if ranges else (0, 0)
        found.append((max(low, 0), min(high, this.planes)))
    return found
