"""Run plans on slabs: the steps that an `Executor` runs, with messages before those that need planes of other ranks.

A message goes to a rank once for all buffers that a step lacks planes of: so there is one exchange for each leg of a
cycle on a level. Levels that every rank makes as a whole need none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from mgcore import Level
from pde.backends.mpi.exchange import Exchange, Missing, Planes, missing
from pde.backends.mpi.memory import Home
from pde.backends.mpi.overlap import COARSE, PassInParts, cuts
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
    """A buffer that a step reads or makes, with the planes of each rank."""

    buffer: int
    planes: Ranges


class Stage(NamedTuple):
    """Steps begin, ..., end - 1 of a plan, which are made together: of kind `op`, or the copy of a halo before it.

    Attributes:
        is_whole: whether every rank makes all of it.
        reads, writes: buffers of planes; some may not be there in a run.
    """

    begin: int
    end: int
    op: int
    is_whole: bool
    reads: list[Access]
    writes: list[Access]


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
        self._halos: dict[Any, Array] = {}
        self._of_buffers: dict[Buffer, Planes] = {}
        self._known_stages: WeakKeyDictionary[Plan, list[Stage]] = WeakKeyDictionary()
        self._legs: WeakKeyDictionary[Plan, dict[tuple[int, int], Plan]] = WeakKeyDictionary()
        this, p = slabs[0], ranks.size
        cuts = np.arange(p + 1) * this.n // p + this.pad
        like = Planes(this, *self._kept[0], self.plane(0), self.dtype)
        self.home = Home(like, np.stack((cuts[:-1], cuts[1:]), axis=1), ranks.rank)
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
        home = self.home
        own = home.of(out)
        given = {F: home.loaded("f", f), OUT: home.loaded("u", out if u is None else u, copied=u is not None)}
        given[NODAL] = given[F] if sides.nodal is None else home.loaded("nodal", sides.nodal)
        if u is not None:
            given[U] = given[OUT]
            given[OUT] = own if own is not None else given[OUT]
        total = self._run(plan, given, 0 if sides.terms is None else address(sides.terms))
        if plan.steps[-1]["out"] == OUT and own is None:
            out[...] = given[OUT].part(*home.own).reshape(out.shape)
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
        if sums is None:
            sums = np.zeros(2 * self.slabs[plan.level].n * int(plan.steps[-1]["tiles"]) + 2)
        stages = self._stages(plan)
        k = 0
        while k < len(stages):
            stage = stages[k]
            if stage.op == FOLD and terms == 0:
                k += 1
                continue
            lacking = self._lacking(stage, fields)
            if lacking:
                exchange = self._exchange(lacking)
                parts = self._cuts(stage, plan, addresses)
                if parts is not None:
                    leg = self._leg(plan, stage.begin, stage.end)
                    self._overlap(PassInParts(leg, parts, addresses, fields, self._halos), leg, sums, exchange)
                    self._note(stage, fields)
                    k += 1
                    continue
                exchange.wait()
            last = k + 1
            if stage.is_whole:  # all that follows on whole levels is one call
                self._note(stage, fields)
                while last < len(stages) and stages[last].is_whole:
                    if self._lacking(stages[last], fields):
                        break
                    self._note(stages[last], fields)
                    last += 1
                self._execute(self._leg(plan, stage.begin, stages[last - 1].end), addresses)
            else:
                self._do(plan, stage.begin, stage.end, addresses, sums)
                self._note(stage, fields)
            k = last
        return self._total(plan, addresses, sums, rounds)

    def _lacking(self, stage: Stage, fields: Mapping[int, Planes]) -> list[Missing]:
        """The planes that some rank has not got for a stage."""
        reads = [(fields[index], needed) for index, needed in stage.reads if index in fields]
        return [missing(each, needed) for each, needed in reads if each.lacks(needed)]

    def _exchange(self, lacking: list[Missing]) -> Exchange:
        """Gather the levels that every rank makes, and begin to send the planes of others."""
        for each in (each for each in lacking if each.planes.slabs.whole):
            planes, made = each.planes, each.planes.made
            self.ranks.fill(planes.part(0, planes.slabs.n), (made[:, 1] - made[:, 0]) * planes.size)
            planes.valid = each.needed
        return Exchange(self.ranks, [each for each in lacking if not each.planes.slabs.whole])

    def _note(self, stage: Stage, fields: Mapping[int, Planes]) -> None:
        """Note what a stage makes."""
        for index, made in stage.writes:
            if index in fields:
                fields[index].written(made)

    def _stages(self, plan: Plan) -> list[Stage]:
        """The steps of a plan, a pass with the copy of its halo as one."""
        if plan not in self._known_stages:
            found, k = list[Stage](), 0
            while k < len(plan.steps):
                end = k + (2 if plan.steps[k]["op"] == HALO else 1)
                step = plan.steps[end - 1]
                found.append(
                    Stage(k, end, int(step["op"]), self._is_whole(step), [*self._reads(step)], [*self._writes(step)])
                )
                k = end
            self._known_stages[plan] = found
        return self._known_stages[plan]

    def _is_whole(self, step: Any) -> bool:
        """Whether every rank makes all of a step by kernels, and sums nothing."""
        op, level = int(step["op"]), int(step["level"])
        if op == DIRECT:
            return self.solves_here or bool(step["start"])
        return op in (PASS, *VECTORS) and self.slabs[level].whole and (op != PASS or step["norm"] == NOTHING)

    def _reads(self, step: Any) -> Iterator[Access]:
        """The buffers of planes that a step reads."""
        op, level = int(step["op"]), int(step["level"])
        this = self.slabs[level]
        if op == PASS:
            restricted, norm = step["f_coarse"] != NULL, int(step["norm"])
            window = this.window(int(step["sweeps"]), restricted, restricted or norm in (RESIDUAL, PRODUCTS))
            window = this.every if this.whole else window
            yield Access(int(step["f"]), window)
            if step["source"] not in (ZERO, CUBIC):
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
                yield Access(int(step[name]), beside)
            yield Access(int(step["f"]), this.made)
        elif op == RHS:
            made = ranges_of(_step(step), self.slabs)
            assert made is not None
            yield Access(int(step["f"]), this.every if this.whole else this.data_of(made))
        elif op == DIRECT:
            yield Access(int(step["f"]), self.slabs[self._level_of_direct(step)].every)
        elif op in VECTORS:
            yield Access(int(step["f"]), this.made)

    def _writes(self, step: Any) -> Iterator[Access]:
        """The buffers of planes that a step makes."""
        op, level = int(step["op"]), int(step["level"])
        this = self.slabs[level]
        if op == PASS:
            if step["sink"] != ZERO:
                yield Access(int(step["out"]), this.made)
            if step["f_coarse"] != NULL:
                yield Access(int(step["f_coarse"]), this.coarse)
        elif op == COMBINE:
            if step["sink"] != ZERO:
                yield Access(int(step["u"]), this.made)
            yield Access(int(step["f_coarse"]), this.made)
        elif op in (RHS, FOLD):
            made = ranges_of(_step(step), self.slabs)
            assert made is not None
            yield Access(int(step["out"]), made)
        elif op == DIRECT:
            level = self._level_of_direct(step)
            yield Access(int(step["out"]), self.slabs[level].every)
        elif op in (SUBTRACT, OUTER):
            yield Access(int(step["out"]), this.made)

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
        local = self._local_sums(step, sums)
        if step["planes"] > 0:
            self._summing(local, leg, addresses)
        self._gather_sums(step, local, sums)

    def _cuts(self, stage: Stage, plan: Plan, addresses: Array) -> list[tuple[int, int]] | None:
        """The parts of a pass that messages are on their way for; None where it is made as one."""
        step = plan.steps[stage.end - 1]
        if stage.op != PASS or stage.is_whole or self.slabs[int(step["level"])].whole or addresses[step["u"]] == 0:
            return None
        low, high = stage.reads[0].planes[self.ranks.rank].tolist()
        made = int(step["begin"]), int(step["begin"] + step["planes"])
        reach = 2 * int(step["sweeps"]) + 1 + int(self.packed.records["span"][int(step["level"])][0])
        return cuts(made, (low, high), reach + (COARSE if step["correct"] or step["source"] == CUBIC else 0))

    def _overlap(self, parts: PassInParts, leg: Plan, sums: Array, exchange: Exchange) -> None:
        """Make a pass in parts, the first while messages are on their way."""
        step = leg.steps[-1]
        summed = step["norm"] != NOTHING
        local = self._local_sums(step, sums) if summed else None
        make = partial(self._summing, local) if local is not None else self._execute
        parts.copy(self._execute)
        parts.inside(make)
        exchange.wait()
        parts.outside(make)
        if local is not None:
            self._gather_sums(step, local, sums)

    def _local_sums(self, step: Any, sums: Array) -> Array:
        """Memory for the sums of this rank's planes, and the numbers of conjugate gradients behind them."""
        this, tiles = self.slabs[int(step["level"])], int(step["tiles"])
        local = np.zeros(2 * this.planes * tiles + 2 + NUMBERS)
        if step["op"] == COMBINE:
            begin, end = 2 * this.planes + 1, 2 * this.n + 1
            local[begin : begin + NUMBERS] = sums[end : end + NUMBERS]
        return local

    def _summing(self, local: Array, leg: Plan, addresses: Array) -> None:
        """Make a pass whose sums go to `local`; the total, of no use yet, goes behind them."""
        steps = np.append(leg.steps, nothing(len(local) - 1))
        self._execute(replace(leg, steps=steps), addresses, sums=local)

    def _gather_sums(self, step: Any, local: Array, sums: Array) -> None:
        """Put the sums of the planes of all ranks in `sums`."""
        this, tiles = self.slabs[int(step["level"])], int(step["tiles"])
        begin, end = this.made[self.ranks.rank]
        parts = [local[begin * tiles : end * tiles]]
        if step["norm"] == PRODUCTS and step["op"] == PASS:
            parts.append(local[this.planes + 1 + begin : this.planes + 1 + end])
        whole = self.ranks.joined(np.stack(parts, axis=1), tiles * (this.made[:, 1] - this.made[:, 0]))
        sums[: this.n * tiles] = whole[:, 0]
        if len(parts) > 1:
            sums[this.n + 1 : 2 * this.n + 1] = whole[:, 1]

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
