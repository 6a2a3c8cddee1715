"""When a solve ends, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

REASONS = {  # from good to bad
    "converged": "the residual reached the tolerance",
    "max_cycles": "the residual still falls: allow more cycles, or more smoothing per cycle",
    "stopped": "the callback asked to stop",
    "rounding": "the residual is at the rounding error of f - A u; a smaller tolerance cannot be reached in this dtype",
    "stalled": "the residual no longer falls: the smoother or the coarse operators do not fit the problem; "
    "or a nonlinear one has no solution near u",
    "diverged": "the residual grows: omega is outside the stable range, or the coarse operators do not fit; "
    "or a nonlinear problem has no solution near u",
    "indefinite": "conjugate gradients met a p with (p, A p) <= 0: A is not positive definite",
    "non-finite": "the residual is infinite or NaN: check f, the first guess, nonlinear terms, the range of dtype",
}
"""Why a solve ended, and what usually lies behind it."""


class Remaining(NamedTuple):
    """The work left for one member: its last norm and tolerance, both relative to `scale`, and the cycles allowed.

    >>> Remaining(last=0.5, scale=2.0, tolerance=0.1, cycles=3).cycles
    3
    """

    last: float
    scale: float
    tolerance: float
    cycles: int


@dataclass(slots=True)
class History:
    """The residual norms of one member so far, relative to its scale, and why it ends."""

    scale: float
    tolerance: float
    norms: list[float] = field(default_factory=list)
    attainable: float | None = None
    reason: str | None = None
    seconds: float = 0.0

    def remaining(self, max_cycles: int, single: bool = False) -> Remaining:
        """The work left where all cycles are at most so many, or where a `single` one is wanted."""
        cycles = 1 if single else max_cycles + 1 - len(self.norms)
        return Remaining(self.norms[-1], self.scale, self.tolerance, cycles)


@dataclass(frozen=True)
class Rule:
    """The stopping rule.

    Args:
        max_cycles: cycles at most.
        patience: cycles without progress that make a solve "stalled" or "diverged".
        doubt: estimate what rounding leaves before a small residual is believed.
    """

    max_cycles: int
    patience: int = 5
    doubt: bool = False

    def asks_rounding(self, history: History) -> bool:
        """Whether the norm that rounding leaves is needed to judge this member."""
        small = self.doubt and history.norms[-1] <= history.tolerance
        return small or _stagnates(history.norms, self.patience)

    def reason(self, history: History) -> str | None:
        """Why the member ends here, one of `REASONS`; None: it goes on."""
        norms, attainable, patience = history.norms, history.attainable, self.patience
        last, cycles = norms[-1], len(norms) - 1
        if not math.isfinite(last):
            return "non-finite"
        if last <= history.tolerance:
            return "converged" if attainable is None or attainable < 1 else "rounding"
        if cycles > 0:
            if attainable is not None and last <= attainable and _stagnates(norms, patience):
                return "rounding"
            # \-cycles of a convergent method let the residual rise at first, by a factor like h^(-1/2)
            if last > 1e6 * norms[0]:
                return "diverged"
            if cycles >= patience and last > 0.99 * norms[-1 - patience] and last > 0.9 * norms[-2]:
                return _without_progress(norms, patience)
        return "max_cycles" if cycles >= self.max_cycles else None


def _without_progress(norms: list[float], patience: int) -> str:
    last = norms[-1]
    rises = last > norms[-2] and last > 1.01 * norms[-1 - patience]
    steadily = all(b > a for a, b in pairwise(norms[-1 - patience :]))  # rounding makes it go up and down
    return "diverged" if rises and (steadily or last > norms[0]) else "stalled"


def _stagnates(norms: list[float], patience: int) -> bool:
    """Whether the residual has not halved lately: in one cycle, or with more patience than usual in a few."""
    back = max(1, patience // 5)
    return len(norms) > back and norms[-1] > 0.5 * norms[-1 - back]
