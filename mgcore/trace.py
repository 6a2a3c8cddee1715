"""Levels that report every move, with the residual before and after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mgcore.delegate import Delegate
from mgcore.level import Level, ResidualLevel
from mgcore.moves import Vector


@dataclass(frozen=True)
class Event:
    """One move on one level.

    Attributes:
        level: the level that it was made on, 1 the finest.
        move: "smooth" (5.12), "solve" (the same on the coarsest level), "restrict" (6.6), "correct" (6.15) or
            "post-smooth" (6.16).
        before: norm of the residual f - A u before the move.
        after: the same after it; of "restrict", on the next coarser level.
        cycle: the number of the cycle that the move belongs to, where `report` counts them.

    >>> Event(level=1, move="smooth", before=8.0, after=4.0)
    Event(level=1, move='smooth', before=8.0, after=4.0, cycle=0)
    """

    level: int
    move: str
    before: float
    after: float
    cycle: int = 0


@dataclass(frozen=True)
class TracedLevel(Delegate):
    """The moves of `level`, each reported; the iterates are the same to the last bit. `traced` makes them.

    An event costs one residual or two. Post-smoothing is no move of its own: the correction before it is made twice.

    >>> level = TracedLevel(Level(A=abs, B=[abs]), 1, coarsest=True, norm=lambda number, r: abs(r), report=print)
    >>> level.feature(level.smooth(level.start(8.0)))
    Event(level=1, move='solve', before=8.0, after=0.0, cycle=0)
    8.0
    """

    level: Level | ResidualLevel
    number: int
    coarsest: bool
    norm: Callable[[int, Vector], float]
    report: Callable[[Event], Any]

    def smooth(self, state: Any) -> Any:
        after = self.level.smooth(state)
        self._tell("solve" if self.coarsest else "smooth", self._size(state), self._size(after))
        return after

    def restrict(self, state: Any, coarse: Any) -> Any:
        below = self.level.restrict(state, coarse.level)
        self._tell("restrict", self._size(state), coarse._size(below))
        return below

    def correct(self, state: Any, coarse: Any, before: Any, after: Any, *, post: bool = True) -> Any:
        corrected = self.level.correct(state, coarse.level, before, after, post=False)
        self._tell("correct", self._size(state), self._size(corrected))
        if not post:
            return corrected
        smoothed = self.level.correct(state, coarse.level, before, after)
        self._tell("post-smooth", self._size(corrected), self._size(smoothed))
        return smoothed

    def _size(self, state: Any) -> float:
        return self.norm(self.number, self.level.residual(state))

    def _tell(self, move: str, before: float, after: float) -> None:
        self.report(Event(self.number, move, before, after))


def traced(
    levels: Sequence[Level | ResidualLevel], report: Callable[[Event], Any], norm: Callable[[int, Vector], float]
) -> list[TracedLevel]:
    """The same levels, finest first, calling report(event) for every move.

    norm(number, r) is the size of a residual on level `number`, 1 the finest.

    >>> level = Level(A=lambda u: u, B=[lambda r: r / 2])
    >>> backslash_cycle(traced([level], print, lambda number, r: abs(r)), 8.0)
    Event(level=1, move='solve', before=8.0, after=4.0, cycle=0)
    4.0
    """
    numbers = range(1, len(levels) + 1)
    return [TracedLevel(level, l, l == len(levels), norm, report) for l, level in zip(numbers, levels, strict=True)]
