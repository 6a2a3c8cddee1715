"""A level that makes the moves of another one; a subclass does something around some of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mgcore import Moves


@dataclass(frozen=True)
class Delegate:
    """The moves of `level`."""

    level: Moves[Any]

    def start(self, f: Tensor, u: Tensor | None = None) -> Any:
        return self.level.start(f, u)

    def start_from_residual(self, r: Tensor, u: Tensor | None) -> Any:
        return self.level.start_from_residual(r, u)

    def smooth(self, state: Any) -> Any:
        return self.level.smooth(state)

    def restrict(self, state: Any, coarse: Moves[Any]) -> Any:
        return self.level.restrict(state, coarse)

    def correct(self, state: Any, coarse: Moves[Any], before: Any, after: Any, *, post: bool = True) -> Any:
        return self.level.correct(state, coarse, before, after, post=post)

    def change(self, before: Any, after: Any) -> Any:
        return self.level.change(before, after)

    def feature(self, state: Any) -> Any:
        return self.level.feature(state)

    def data(self, state: Any) -> Any:
        return self.level.data(state)


@dataclass(frozen=True)
class Watched(Delegate):
    """Shows `keep` the feature after each of its own sweeps, the last time where its visit ends."""

    keep: Callable[[Any], None]

    def smooth(self, state: Any) -> Any:
        state = super().smooth(state)
        self.keep(self.feature(state))
        return state

    def correct(self, state: Any, coarse: Moves[Any], before: Any, after: Any, *, post: bool = True) -> Any:
        state = super().correct(state, coarse, before, after, post=post)
        self.keep(self.feature(state))
        return state
