"""Cycles to a tolerance, and what came of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, NamedTuple

from mgcore.moves import Vector

REASONS = {  # from good to bad
    "converged": "the residual reached the tolerance",
    "max_cycles": "the residual still falls: allow more cycles, or more smoothing per cycle",
    "stopped": "the callback asked to stop",
    "rounding": "the residual is at the rounding error of f - A u; a smaller tolerance cannot be reached in this dtype",
    "stalled": "the residual no longer falls: the smoother or the coarse operators do not fit the problem",
    "diverged": "the residual grows: omega is outside the stable range, or the coarse operators do not fit",
    "non-finite": "the residual is infinite or NaN: check f, the first guess and the range of the dtype",
}
"""Why a solve ended, and what usually lies behind it."""


@dataclass(frozen=True)
class Progress:
    """What a callback is told after each cycle.

    Attributes:
        cycle: cycles made so far.
        residual: norm of f - A u relative to the scale of the solve, which is that of f if no other is given.
        factor: this residual over the one before.
        seconds: since the start of the solve.
        u: the current iterate; read it, do not change it.
        residuals: of every member of a batch, those that have ended with their last one; `residual` is the largest.
    """

    cycle: int
    residual: float
    factor: float
    seconds: float
    u: Vector
    residuals: tuple[float, ...] = ()


@dataclass(frozen=True)
class Solution:
    """The result of a solve. Failure is a value here: see `converged` and `reason`, one of `REASONS`.

    Attributes:
        u: the last iterate; None if it is the zero vector that no cycle had to change.
        residual_norms: of the true residual f - A u, relative to the scale of the solve (that of f if no other is
            given); the first before any cycle, then one per cycle.
        tolerance: the relative residual that was asked for.
        attainable: an estimate of the relative residual that rounding lets through, where one was asked for.
        work_units: cost in evaluations of the finest residual, where the solver counts it.
        removed: of a singular problem, the share of f that no u can give and that was removed.
        members: of a batch, a Solution for each member, as a solve of its own would give it. The whole is then
            converged where all are, ends for the worst of their reasons, and has the largest of their residuals after
            each cycle (a member that has ended keeps its last), of their cycles, tolerances, `attainable` and
            `removed`, and the mean of their work units.
    """

    u: Vector
    converged: bool
    reason: str
    residual_norms: tuple[float, ...]
    cycles: int
    seconds: float
    tolerance: float
    attainable: float | None = None
    work_units: float | None = None
    removed: float | None = None
    members: tuple[Solution, ...] = field(default=(), repr=False)

    def changed(self, **values: Any) -> Solution:
        """`dataclasses.replace` at a tenth of its cost, which counts where a solve takes less than a millisecond."""
        other = object.__new__(Solution)
        vars(other).update(vars(self), **values)
        return other

    @property
    def factor(self) -> float:
        """Mean residual reduction per cycle, the geometric mean over all cycles; 0 if none was needed."""
        first, last = self.residual_norms[0], self.residual_norms[-1]
        return (last / first) ** (1 / self.cycles) if self.cycles and first > 0 else 0.0

    @property
    def message(self) -> str:
        """One sentence: what happened, in how many cycles, and what it means."""
        cycles = f"{self.cycles} cycle{'s' * (self.cycles != 1)}"
        text = f"{self.reason} after {cycles} at relative residual {self.residual_norms[-1]:.2e}"
        if self.removed is not None and self.removed > self.tolerance:
            text += f", {self.removed:.1e} of f removed"
        if self.members and not self.converged:
            text += f", {sum(member.converged for member in self.members)} of {len(self.members)} members converged"
        if not self.converged:
            text += f" (asked for {self.tolerance:.1e}"
            text += ")" if self.attainable is None else f", attainable about {self.attainable:.1e})"
        return f"{text}: {REASONS[self.reason]}"


class SolveError(ArithmeticError):
    """A solve that did not converge, raised on request; `solution` holds what was reached."""

    def __init__(self, solution: Solution) -> None:
        super().__init__(solution.message)
        self.solution = solution


def solve(
    cycle: Callable[[Vector, Vector | None], Vector],
    residual: Callable[[Vector, Vector | None], Vector],
    norm: Callable[[Vector], float],
    f: Vector,
    u: Vector | None = None,
    *,
    rtol: float = 1e-8,
    atol: float = 0.0,
    max_cycles: int = 50,
    callback: Callable[[Progress], Any] | None = None,
    rounding: Callable[[Vector], float] | None = None,
    work_units: Callable[[int], float] | None = None,
    patience: int = 5,
    scale: float | None = None,
    doubt: bool = False,
) -> Solution:
    """Repeat u <- cycle(f, u) until norm(f - A u) <= max(rtol scale, atol).

    Args:
        cycle: cycle(f, u) -> u, with u = None for the zero vector.
        residual: residual(f, u) -> f - A u.
        norm: the norm in which f and the residual are measured.
        u: first guess; None is zero.
        callback: called with a `Progress` after each cycle; a true result stops the solve.
        rounding: rounding(u) is an estimate of norm(f - A u) for the u nearest to the solution in the dtype.
        work_units: work_units(cycles) is the cost of so many cycles.
        patience: how many cycles without progress make a solve "stalled" or "diverged". Cycles lower the residual one
            by one; conjugate gradients lower another norm, and need more patience.
        scale: what residuals are relative to; None is norm(f), or the norm of the first residual where that is 0.
        doubt: ask for `rounding` before a small residual is believed: u may be so large that all of f is lost in it.

    Raises:
        TypeError, ValueError: naming the tolerance or number that is none, or is negative.
    """
    return solve_batch(
        cycle,
        residual,
        lambda r: (norm(r),),
        f,
        u,
        select=lambda v, members: v,
        stack=lambda vectors: vectors[0],
        rtol=rtol,
        atol=atol,
        max_cycles=max_cycles,
        callback=callback,
        rounding=None if rounding is None else lambda u: (rounding(u),),
        work_units=work_units,
        patience=patience,
        scales=None if scale is None else (scale,),
        doubt=doubt,
    ).members[0]


def solve_batch(
    cycle: Callable[[Vector, Vector | None], Vector],
    residual: Callable[[Vector, Vector | None], Vector],
    norms: Callable[[Vector], Sequence[float]],
    f: Vector,
    u: Vector | None = None,
    *,
    select: Callable[[Vector, Any], Vector],
    stack: Callable[[Sequence[Vector | None]], Vector],
    keep: Callable[[list[int]], Any] | None = None,
    several: Callable[[Vector, Vector | None, list[Remaining]], tuple[Vector, list[list[float]]] | None] | None = None,
    rtol: float = 1e-8,
    atol: float = 0.0,
    max_cycles: int = 50,
    callback: Callable[[Progress], Any] | None = None,
    rounding: Callable[[Vector], Sequence[float]] | None = None,
    work_units: Callable[[int], float] | None = None,
    patience: int = 5,
    scales: Sequence[float] | None = None,
    doubt: bool = False,
) -> Solution:
    """`solve` for many f at once, each as if alone: a member that ends is left out of the cycles that follow.

    Args as in `solve`, besides:
        norms: the norm of each member. `rounding` and `scales` too have a number for each.
        select: select(v, i) is member i of v, and select(v, [i, j, ...]) a batch of these members.
        stack: stack([v, w, ...]) is the batch of these members; None is the zero vector.
        keep: keep([i, j, ...]) is called where only these members of the last cycle go on, for a cycle that remembers.
        several: several(f, u, [Remaining, ...]) makes the cycles of each member, one at least, for as long as its
            residual is above the tolerance and halves, and returns u with the norms after each; None where it cannot.
            It is not asked where there is a callback.
        callback: after each cycle that any member needed; a true result stops those that go on.

    Returns:
        A `Solution` of the whole, with `members`.
    """
    _check_number("rtol", rtol, float, least=0)
    _check_number("atol", atol, float, least=0)
    _check_number("max_cycles", max_cycles, int, least=0)
    _check_number("patience", patience, int, least=1)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable or None, got {callback!r}")
    began = time.perf_counter()
    first = [float(norm) for norm in norms(residual(f, u))]
    given = norms(f) if scales is None else scales
    every = [float(scale) or norm or 1.0 for scale, norm in zip(given, first, strict=True)]
    records = [_Record(scale, max(rtol, atol / scale)) for scale in every]
    active, results = list(range(len(records))), [u] * len(records)

    def look(measured: Sequence[Sequence[float]] | None = None) -> None:
        """Take down the residuals of the active members, and which of them end here."""
        here = [records[i] for i in active]
        if measured is None:
            new = zip(here, norms(residual(f, u)), strict=True)
            measured = [[float(norm) / record.scale] for record, norm in new]
        for record, values in zip(here, measured, strict=True):
            record.norms += values
        asked = [_stagnates(r.norms, patience) or (doubt and r.norms[-1] <= r.tolerance) for r in here]
        if rounding is not None and u is not None and any(asked):
            for record, estimate, ask in zip(here, rounding(u), asked, strict=True):
                if ask:
                    record.attainable = float(estimate) / record.scale
        for record in here:
            record.reason = _reason(record.norms, record.tolerance, record.attainable, max_cycles, patience)

    look([[norm / record.scale] for norm, record in zip(first, records, strict=True)])
    while True:
        going = [place for place, i in enumerate(active) if records[i].reason is None]
        if len(going) < len(active):
            for place in set(range(len(active))) - set(going):
                results[active[place]] = None if u is None else select(u, place)
            if not going:
                break
            f, u = select(f, going), None if u is None else select(u, going)
            active = [active[place] for place in going]
            if keep is not None:
                keep(going)
        made = None
        if several is not None and callback is None:
            made = several(f, u, [records[i].remaining(max_cycles) for i in active])
        if made is None:
            u = cycle(f, u)
            look()
        else:
            u, measured = made
            look(measured)
        if callback is not None:
            whole = u if len(active) == len(records) else stack(_placed(results, active, u, select))
            if callback(_progress(records, time.perf_counter() - began, whole)):
                for i in active:
                    records[i].reason = records[i].reason or "stopped"
        for i in active:
            records[i].seconds = time.perf_counter() - began
    members = tuple(record.solution(v, work_units) for record, v in zip(records, results, strict=True))
    return _summary(stack(results), members, time.perf_counter() - began)


class Remaining(NamedTuple):
    """What is left to do for a member: norms relative to `scale`, the last one and that to reach; so many cycles."""

    last: float
    scale: float
    tolerance: float
    cycles: int


@dataclass
class _Record:
    """The residuals of one member so far, relative to its scale, and why it ends."""

    scale: float
    tolerance: float
    norms: list[float] = field(default_factory=list)
    attainable: float | None = None
    reason: str | None = None
    seconds: float = 0.0

    def remaining(self, max_cycles: int) -> Remaining:
        return Remaining(self.norms[-1], self.scale, self.tolerance, max_cycles + 1 - len(self.norms))

    def solution(self, u: Vector, work_units: Callable[[int], float] | None) -> Solution:
        cycles, reason = len(self.norms) - 1, self.reason or ""
        return Solution(
            u,
            reason == "converged",
            reason,
            tuple(self.norms),
            cycles,
            self.seconds,
            self.tolerance,
            self.attainable,
            None if work_units is None else work_units(cycles),
        )


def _placed(results: Sequence[Vector], active: Sequence[int], u: Vector, select: Callable[..., Vector]) -> list[Vector]:
    """The iterate of every member: of the active ones from u, of the others what they ended with."""
    whole = list(results)
    for place, i in enumerate(active):
        whole[i] = select(u, place)
    return whole


def _progress(records: Sequence[_Record], seconds: float, u: Vector) -> Progress:
    cycle = max(len(record.norms) for record in records) - 1
    last, before = (_largest([record.norms[: c + 1][-1] for record in records]) for c in (cycle, cycle - 1))
    residuals = tuple(record.norms[-1] for record in records)
    return Progress(cycle, last, last / before if before > 0 else 0.0, seconds, u, residuals)


def _summary(u: Vector, members: tuple[Solution, ...], seconds: float) -> Solution:
    """What to say of a batch as a whole."""
    if len(members) == 1:
        return members[0].changed(u=u, members=members)
    cycles = max(member.cycles for member in members)
    norms = [_largest([m.residual_norms[: c + 1][-1] for m in members]) for c in range(cycles + 1)]
    attainable = [m.attainable for m in members if m.attainable is not None]
    units = [m.work_units for m in members if m.work_units is not None]
    return Solution(
        u,
        all(m.converged for m in members),
        max((m.reason for m in members), key=list(REASONS).index),
        tuple(norms),
        cycles,
        seconds,
        max(m.tolerance for m in members),
        max(attainable, default=None),
        sum(units) / len(units) if units else None,
        members=members,
    )


def _largest(values: Sequence[float]) -> float:
    """The largest value; NaN where there is one."""
    return math.nan if any(math.isnan(value) for value in values) else max(values)


def _check_number(name: str, value: Any, kind: Any, least: int) -> None:
    wanted = Integral if kind is int else Real
    if type(value) is not kind and (isinstance(value, bool) or not isinstance(value, wanted)):
        raise TypeError(f"{name} must be {'an integer' if kind is int else 'a real number'}, got {value!r}")
    if not value >= least:
        raise ValueError(f"{name} must be {'zero or positive' if least == 0 else f'at least {least}'}, got {value}")


def _reason(
    norms: list[float], tolerance: float, attainable: float | None, max_cycles: int, patience: int
) -> str | None:
    last, cycles = norms[-1], len(norms) - 1
    if not math.isfinite(last):
        return "non-finite"
    if last <= tolerance:
        return "converged" if attainable is None or attainable < 1 else "rounding"
    if cycles > 0:
        if attainable is not None and last <= attainable and _stagnates(norms, patience):
            return "rounding"
        # \-cycles of a convergent method let the residual rise at first, by a factor like h^(-1/2)
        if last > 1e6 * norms[0]:
            return "diverged"
        if cycles >= patience and last > 0.99 * norms[-1 - patience] and last > 0.9 * norms[-2]:
            rises = last > norms[-2] and last > 1.01 * norms[-1 - patience]
            steadily = all(b > a for a, b in pairwise(norms[-1 - patience :]))  # rounding makes it go up and down
            return "diverged" if rises and (steadily or last > norms[0]) else "stalled"
    return "max_cycles" if cycles >= max_cycles else None


def _stagnates(norms: list[float], patience: int) -> bool:
    """Whether the residual has not halved lately: in one cycle, or with more patience than usual in a few."""
    back = max(1, patience // 5)
    return len(norms) > back and norms[-1] > 0.5 * norms[-1 - back]
