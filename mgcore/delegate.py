"""A level that makes the moves of another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mgcore.moves import Moves, Vector


@dataclass(frozen=True)
class Delegate:
    """The moves of `level`; a subclass does something around some of them.

    >>> class Doubled(Delegate):
    ...     def smooth(self, state):
    ...         return super().smooth(super().smooth(state))
    >>> v_cycle([Doubled(Level(A=lambda u: u, B=[lambda r: r / 2]))], 8.0)
    6.0
    """

    level: Moves[Any]

    def start(self, f: Vector, u: Vector | None = None) -> Any:
        return self.level.start(f, u)

    def start_from_residual(self, r: Vector, u: Vector | None) -> Any:
        return self.level.start_from_residual(r, u)

    def smooth(self, state: Any) -> Any:
        return self.level.smooth(state)

    def restrict(self, state: Any, coarse: Moves[Any]) -> Any:
        return self.level.restrict(state, coarse)

    def correct(self, state: Any, coarse: Moves[Any], before: Any, after: Any, *, post: bool = True) -> Any:
        return self.level.correct(state, coarse, before, after, post=post)

    def change(self, before: Any, after: Any) -> Vector | None:
        return self.level.change(before, after)

    def feature(self, state: Any) -> Vector | None:
        return self.level.feature(state)

    def data(self, state: Any) -> Vector:
        return self.level.data(state)
