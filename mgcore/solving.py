"""Cycles to a tolerance: the loop that drives an `Iteration`, for one right-hand side or a batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from mgcore.common.arguments import integer, number
from mgcore.moves import Vector
from mgcore.solution import Progress, Solution, largest, summary
from mgcore.stopping import History, Remaining, Rule


class Iteration(Protocol):
    """One solve of A u = f for a batch: owns u and whatever its cycles remember.

    A member takes part until `keep` leaves it out; each method but `u` is about the members that still do, in order.

    It may have a method `methods`, asked at the end: of all members what made their cycles, and whether `work_units`
    counts these.

    Attributes:
        scale: of each member, what its residuals are relative to; 0 takes the norm of its first residual.

    >>> class Halving:
    ...     scale, r = (8.0,), 8.0
    ...     def norms(self): return (self.r,)
    ...     def advance(self, left): self.r /= 2; return ((self.r / 8.0,),)
    ...     def attainable(self): return None
    ...     def u(self): return (8.0 - self.r,)
    ...     def keep(self, members): pass
    >>> solve_batch(Halving(), rtol=0.3).members[0].residual_norms
    (1.0, 0.5, 0.25)
    """

    scale: Sequence[float]

    def norms(self) -> Sequence[float]:
        """The norm of f - A u of each member."""

    def advance(self, left: Sequence[Remaining]) -> Sequence[Sequence[float]]:
        """Make at least one cycle of each member, and more only while its residual halves and is above the tolerance.

        Returns:
            The norms after each cycle, relative to the scale that `left` has.
        """

    def attainable(self) -> Sequence[float] | None:
        """An estimate of the norm of f - A u for the u nearest to the solution in the dtype; None where there is none.

        It is asked where a residual stagnates.
        """

    def failures(self) -> Sequence[str | None]:
        """Of each member the one of `REASONS` why it cannot go on, if there is one; an iteration may lack this method.

        It is asked after each `advance`, and counts where the residual is above the tolerance.
        """

    def u(self) -> Vector:
        """The iterates of all members, which u[i] selects, those that have ended with their last one.

        They are safe to keep: `advance` does not change them.
        """

    def keep(self, members: Sequence[int]) -> None:
        """Continue with these members alone."""


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

    >>> level = Level(A=lambda u: u, B=[lambda r: r / 2])
    >>> def residual(f, u): return f if u is None else f - u
    >>> solve(lambda f, u: v_cycle([level], f, u), residual, norm=abs, f=8.0, rtol=0.1).residual_norms
    (1.0, 0.5, 0.25, 0.125, 0.0625)
    """

    first = norm(f) if scale is None else scale
    told = callback
    if callable(callback):
        told = lambda progress: callback(replace(progress, u=progress.u[0]))  # noqa: E731
    return solve_batch(
        _Single(cycle, residual, norm, rounding, f, u, (first,)),
        rtol=rtol,
        atol=atol,
        max_cycles=max_cycles,
        callback=told,
        work_units=work_units,
        patience=patience,
        doubt=doubt,
    ).members[0]


def solve_batch(
    iteration: Iteration,
    *,
    rtol: float = 1e-8,
    atol: float = 0.0,
    max_cycles: int = 50,
    callback: Callable[[Progress], Any] | None = None,
    work_units: Callable[[int], float] | None = None,
    patience: int = 5,
    doubt: bool = False,
) -> Solution:
    """`solve` for many f at once, each as if alone: a member that ends is left out of the cycles that follow.

    Args as in `solve`, besides:
        iteration: makes the cycles.
        callback: after each cycle that any member needed; a true result stops those that go on.

    Returns:
        A `Solution` of the whole, with `members`.

    >>> from types import SimpleNamespace
    >>> norms, u = lambda: (0.0, 0.0), lambda: (3.0, 4.0)
    >>> solved = SimpleNamespace(scale=(1.0, 1.0), norms=norms, u=u, attainable=lambda: None)
    >>> [member.u for member in solve_batch(solved).members]
    [3.0, 4.0]
    """
    number("rtol", rtol, least=0)
    number("atol", atol, least=0)
    integer("max_cycles", max_cycles, least=0)
    integer("patience", patience, least=1)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable or None, got {callback!r}")
    began, rule, single = time.perf_counter(), Rule(max_cycles, patience, doubt), callback is not None
    histories = _begin(iteration, rule, rtol, atol)
    active = histories
    while True:
        going = [k for k, history in enumerate(active) if history.reason is None]
        if not going:
            break
        if len(going) < len(active):
            iteration.keep(going)
            active = [active[k] for k in going]
        norms = iteration.advance([history.remaining(max_cycles, single) for history in active])
        _judge(iteration, rule, active, norms)
        if callback is not None and callback(_progress(histories, time.perf_counter() - began, iteration.u())):
            for history in active:
                history.reason = history.reason or "stopped"
        seconds = time.perf_counter() - began
        for history in active:
            history.seconds = seconds
    u = iteration.u()
    units = None if work_units is None else {n: work_units(n) for n in {len(each.norms) - 1 for each in histories}}
    members = [_solution(history, u[i], units) for i, history in enumerate(histories)]
    methods: Sequence[tuple[str, bool]] = getattr(iteration, "methods", list)()
    for i, (method, counted) in enumerate(methods):
        members[i] = members[i].changed(method=method, **({} if counted else {"work_units": None}))
    return summary(u, tuple(members), time.perf_counter() - began)


@dataclass
class _Single:
    """The iteration of one member, made of functions; see `solve`."""

    cycle: Callable[[Vector, Vector | None], Vector]
    residual: Callable[[Vector, Vector | None], Vector]
    norm: Callable[[Vector], float]
    rounding: Callable[[Vector], float] | None
    f: Vector
    iterate: Vector | None
    scale: Sequence[float]

    def norms(self) -> Sequence[float]:
        return (self.norm(self.residual(self.f, self.iterate)),)

    def advance(self, left: Sequence[Remaining]) -> Sequence[Sequence[float]]:
        self.iterate = self.cycle(self.f, self.iterate)
        return ((float(*self.norms()) / left[0].scale,),)

    def attainable(self) -> Sequence[float] | None:
        return None if self.rounding is None or self.iterate is None else (self.rounding(self.iterate),)

    def u(self) -> Vector:
        return (self.iterate,)

    def failures(self) -> Sequence[str | None]:
        return (None,)

    def keep(self, members: Sequence[int]) -> None:
        """There is but one member."""


def _begin(iteration: Iteration, rule: Rule, rtol: float, atol: float) -> list[History]:
    """The members before any cycle."""
    norms = [float(norm) for norm in iteration.norms()]
    scales = [float(scale) or norm or 1.0 for scale, norm in zip(iteration.scale, norms, strict=True)]
    histories = [History(scale, max(rtol, atol / scale)) for scale in scales]
    _judge(iteration, rule, histories, [(norm / scale,) for norm, scale in zip(norms, scales, strict=True)])
    return histories


def _judge(iteration: Iteration, rule: Rule, active: list[History], norms: Sequence[Sequence[float]]) -> None:
    """Take down the norms of these members, and find which of them end."""
    for history, new in zip(active, norms, strict=True):
        history.norms.extend(new)  # += would add arrays up
    asked = [rule.asks_rounding(history) for history in active]
    if True in asked and (estimates := iteration.attainable()) is not None:
        for history, estimate, ask in zip(active, estimates, asked, strict=True):
            if ask:
                history.attainable = float(estimate) / history.scale
    for history in active:
        history.reason = rule.reason(history)
    failures: Sequence[str | None] = getattr(iteration, "failures", list)()
    if failures:
        for history, failure in zip(active, failures, strict=True):
            if failure is not None and len(history.norms) > 1 and history.reason != "converged":
                history.reason = failure


def _solution(history: History, u: Vector, work_units: dict[int, float] | None) -> Solution:
    cycles, reason = len(history.norms) - 1, history.reason or ""
    return _NO_SOLUTION.changed(
        u=u,
        converged=reason == "converged",
        reason=reason,
        residual_norms=tuple(history.norms),
        cycles=cycles,
        seconds=history.seconds,
        tolerance=history.tolerance,
        attainable=history.attainable,
        work_units=None if work_units is None else work_units[cycles],
    )


_NO_SOLUTION = Solution(None, False, "", (), 0, 0.0, 0.0)


def _progress(histories: Sequence[History], seconds: float, u: Vector) -> Progress:
    cycle = max(len(history.norms) for history in histories) - 1
    last, before = (largest([history.norms[: c + 1][-1] for history in histories]) for c in (cycle, cycle - 1))
    residuals = tuple(history.norms[-1] for history in histories)
    return Progress(cycle, last, last / before if before > 0 else 0.0, seconds, u, residuals)
