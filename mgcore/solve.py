"""Cycles to a tolerance, and what came of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from mgcore.moves import Vector

REASONS = {
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
        residual: norm of f - A u relative to that of f (absolute where f = 0).
        factor: this residual over the one before.
        seconds: since the start of the solve.
        u: the current iterate; read it, do not change it.
    """

    cycle: int
    residual: float
    factor: float
    seconds: float
    u: Vector


@dataclass(frozen=True)
class Solution:
    """The result of a solve. Failure is a value here: see `converged` and `reason`, one of `REASONS`.

    Attributes:
        u: the last iterate; None if it is the zero vector that no cycle had to change.
        residual_norms: of the true residual f - A u, relative to f; the first before any cycle, then one per cycle.
        tolerance: the relative residual that was asked for.
        attainable: an estimate of the relative residual that rounding lets through, where one was asked for.
        work_units: cost in evaluations of the finest residual, where the solver counts it.
        removed: of a singular problem, the size relative to f of the part that no u can give and that was removed.
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

    @property
    def factor(self) -> float:
        """Mean residual reduction per cycle, the geometric mean over all cycles; 0 if none was needed."""
        first, last = self.residual_norms[0], self.residual_norms[-1]
        return (last / first) ** (1 / self.cycles) if self.cycles and first > 0 else 0.0

    @property
    def message(self) -> str:
        """One sentence: what happened, in how many cycles, and what it means."""
        text = f"{self.reason} after {self.cycles} cycles at relative residual {self.residual_norms[-1]:.2e}"
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
) -> Solution:
    """Repeat u <- cycle(f, u) until norm(f - A u) <= max(rtol norm(f), atol).

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

    Raises:
        TypeError, ValueError: naming the tolerance or number that is none, or is negative.
    """
    _check_number("rtol", rtol, Real, least=0)
    _check_number("atol", atol, Real, least=0)
    _check_number("max_cycles", max_cycles, Integral, least=0)
    _check_number("patience", patience, Integral, least=1)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable or None, got {callback!r}")
    began = time.perf_counter()
    scale = float(norm(f)) or 1.0
    tolerance = max(rtol, atol / scale)
    norms = [float(norm(residual(f, u))) / scale]
    attainable, reason = None, _reason(norms, tolerance, None, max_cycles, patience)
    while reason is None:
        u = cycle(f, u)
        norms.append(float(norm(residual(f, u))) / scale)
        if rounding is not None and _stagnates(norms, patience):
            attainable = float(rounding(u)) / scale
        reason = _reason(norms, tolerance, attainable, max_cycles, patience)
        if callback is not None:
            factor = norms[-1] / norms[-2] if norms[-2] > 0 else 0.0
            progress = Progress(len(norms) - 1, norms[-1], factor, time.perf_counter() - began, u)
            if callback(progress) and reason is None:
                reason = "stopped"
    cycles = len(norms) - 1
    return Solution(
        u,
        reason == "converged",
        reason,
        tuple(norms),
        cycles,
        time.perf_counter() - began,
        tolerance,
        attainable,
        None if work_units is None else work_units(cycles),
    )


def _check_number(name: str, value: Any, kind: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, kind):
        raise TypeError(f"{name} must be {'an integer' if kind is Integral else 'a real number'}, got {value!r}")
    if not value >= least:
        raise ValueError(f"{name} must be {'zero or positive' if least == 0 else f'at least {least}'}, got {value}")


def _reason(
    norms: list[float], tolerance: float, attainable: float | None, max_cycles: int, patience: int
) -> str | None:
    last, cycles = norms[-1], len(norms) - 1
    if not math.isfinite(last):
        return "non-finite"
    if last <= tolerance:
        return "converged"
    if cycles > 0:
        if attainable is not None and last <= attainable and _stagnates(norms, patience):
            return "rounding"
        # \-cycles of a convergent method let the residual rise at first, by a factor like h^(-1/2)
        if last > 1e6 * norms[0]:
            return "diverged"
        if cycles >= patience and last > 0.99 * norms[-1 - patience] and last > 0.9 * norms[-2]:
            return "diverged" if last > norms[-2] and last > 1.01 * norms[-1 - patience] else "stalled"
    return "max_cycles" if cycles >= max_cycles else None


def _stagnates(norms: list[float], patience: int) -> bool:
    """Whether the residual has not halved lately: in one cycle, or with more patience than usual in a few."""
    back = max(1, patience // 5)
    return len(norms) > back and norms[-1] > 0.5 * norms[-1 - back]
