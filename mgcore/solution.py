"""The results of a solve: `Solution`, `Progress` after each cycle, `SolveError` on request."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mgcore.moves import Vector
from mgcore.stopping import REASONS


@dataclass(frozen=True)
class Progress:
    """The state of a solve after a cycle, shown to callbacks.

    Attributes:
        cycle: cycles made so far.
        residual: norm of f - A u relative to the scale of the solve, which is that of f if no other is given.
        factor: this residual over the one before.
        seconds: since the start of the solve.
        u: the current iterate; read it, do not change it.
        residuals: of every member of a batch, those that have ended with their last one; `residual` is the largest.

    >>> Progress(cycle=2, residual=0.01, factor=0.1, seconds=0.5, u=None)
    Progress(cycle=2, residual=0.01, factor=0.1, seconds=0.5)
    """

    cycle: int
    residual: float
    factor: float
    seconds: float
    u: Vector = field(repr=False)
    residuals: tuple[float, ...] = field(default=(), repr=False)


@dataclass(frozen=True, repr=False)
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
        contact: of a solve with bounds, where u meets them: -1 the lower one, 1 the upper one, else 0; None without.
        members: of a batch, a Solution for each member, as a solve of its own would give it. The whole is then
            converged where all are, ends for the worst of their reasons, and has the largest of their residuals after
            each cycle (a member that has ended keeps its last), of their cycles, tolerances, `attainable` and
            `removed`, and the mean of their work units.

    >>> solution = Solution(8.0, True, "converged", (1.0, 0.01), cycles=1, seconds=0.5, tolerance=0.1)
    >>> solution.factor, solution.message
    (0.01, 'converged after 1 cycle at relative residual 1.00e-02: the residual reached the tolerance')
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
    contact: Any = None
    members: tuple[Solution, ...] = ()

    def changed(self, **values: Any) -> Solution:
        """`dataclasses.replace` at a tenth of its cost, which counts where a solve takes less than a millisecond."""
        other = object.__new__(type(self))
        vars(other).update(vars(self), **values)
        return other

    def __repr__(self) -> str:
        """One line that tells of u its shape alone."""
        shape = getattr(self.u, "shape", None)
        parts = [f"{self.reason} after {_cycles(self.cycles)}", f"residual {self.residual_norms[-1]:.2e}"]
        parts += [f"{len(self.members)} members"] if len(self.members) > 1 else []
        parts += ["u" if shape is None else f"u of shape {tuple(shape)}", f"{self.seconds:.3g} s"]
        return f"Solution({', '.join(parts)})"

    @property
    def factor(self) -> float:
        """Mean residual reduction per cycle, the geometric mean over all cycles; 0 if none was needed."""
        first, last = self.residual_norms[0], self.residual_norms[-1]
        return (last / first) ** (1 / self.cycles) if self.cycles and first > 0 else 0.0

    @property
    def message(self) -> str:
        """One sentence: what happened, in how many cycles, and what it means."""
        text = f"{self.reason} after {_cycles(self.cycles)} at relative residual {self.residual_norms[-1]:.2e}"
        if self.removed is not None and self.removed > self.tolerance:
            text += f", {self.removed:.1e} of f removed"
        if self.members and not self.converged:
            text += f", {sum(member.converged for member in self.members)} of {len(self.members)} members converged"
        if not self.converged:
            text += f" (asked for {self.tolerance:.1e}"
            text += ")" if self.attainable is None else f", attainable about {self.attainable:.1e})"
        return f"{text}: {REASONS[self.reason]}"


class SolveError(ArithmeticError):
    """A solve that did not converge, raised on request; `solution` holds what was reached.

    >>> SolveError(Solution(8.0, False, "stalled", (1.0, 0.5), cycles=1, seconds=0.5, tolerance=0.1)).solution.reason
    'stalled'
    """

    def __init__(self, solution: Solution) -> None:
        super().__init__(solution.message)
        self.solution = solution

    def __reduce__(self) -> tuple[Any, ...]:  # an exception is unpickled from its message otherwise
        return type(self), (self.solution,), {key: v for key, v in vars(self).items() if key != "solution"}


def summary(u: Vector, members: tuple[Solution, ...], seconds: float) -> Solution:
    """Sum up the members of a batch as one solution."""
    if len(members) == 1:
        return members[0].changed(u=u, members=members)
    cycles = max(member.cycles for member in members)
    every = [m.residual_norms for m in members]
    norms = [largest([each[c] if c < len(each) else each[-1] for each in every]) for c in range(cycles + 1)]
    attainable = [m.attainable for m in members if m.attainable is not None]
    units = [m.work_units for m in members if m.work_units is not None]
    return Solution(
        u,
        all(m.converged for m in members),
        max({m.reason for m in members}, key=list(REASONS).index),
        tuple(norms),
        cycles,
        seconds,
        max(m.tolerance for m in members),
        max(attainable, default=None),
        sum(units) / len(units) if units else None,
        members=members,
    )


def largest(values: Sequence[float]) -> float:
    """The largest value; NaN where there is one."""
    return math.nan if any(map(math.isnan, values)) else max(values)


def _cycles(count: int) -> str:
    return f"{count} cycle{'s' * (count != 1)}"
