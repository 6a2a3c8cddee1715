"""Levels whose state is the data r alone, or their history: networks in data space (S19 sections 7 and 8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from torch import Tensor

from mgcore import Moves

Map = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class DataLevel:
    """The moves of a grid in data space, for `mgcore.descend`.

    Args:
        steps: r -> r, one per step on this grid, such as (7.8), (7.9), (8.3).
        pool: r -> r^{l+1,0}, the data in which the next coarser grid starts; None on the coarsest.
    """

    steps: Sequence[Callable[[Any], Tensor]]
    pool: Callable[[Any], Tensor] | None = None

    def start(self, f: Tensor, u: Tensor | None = None) -> Tensor:
        if u is not None:
            raise ValueError("u must be None: a network in data space has no first guess; got a tensor")
        return f

    def start_from_residual(self, r: Tensor, u: Tensor | None) -> Tensor:
        return self.start(r, u)

    def smooth(self, state: Tensor) -> Tensor:
        for step in self.steps:
            state = step(state)
        return state

    def restrict(self, state: Tensor, coarse: Moves[Any]) -> Any:
        if self.pool is None:
            raise ValueError("pool: a level that is not the coarsest needs it; got None")
        return coarse.start_from_residual(self.pool(state), None)

    def correct(self, state: Tensor, coarse: Moves[Any], before: Any, after: Any, *, post: bool = True) -> NoReturn:
        raise TypeError("a network in data space has no way up: use mgcore.descend")

    def change(self, before: Tensor, after: Tensor) -> Tensor:
        return after - before

    def feature(self, state: Tensor) -> Tensor:
        return state

    def data(self, state: Tensor) -> Tensor:
        return state


@dataclass(frozen=True)
class HistoryLevel(DataLevel):
    """The moves of a grid whose state is the tuple of its past iterates: DenseNet (7.10), LM-ResNet (3.24).

    Args:
        steps: (f^0, ..., f^{i-1}) -> f^i, one per step on this grid.
        pool: (f^0, ..., f^nu) -> f^{l+1,0}, the data in which the next coarser grid starts; None on the coarsest.
        keep: how many of the last iterates the state holds; None is all.
    """

    keep: int | None = None

    def start(self, f: Tensor, u: Tensor | None = None) -> Any:
        return (super().start(f, u),)

    def smooth(self, state: Any) -> Any:
        for step in self.steps:
            state = (*state, step(state))
            state = state if self.keep is None else state[-self.keep :]
        return state

    def change(self, before: Any, after: Any) -> Tensor:
        return super().change(before[-1], after[-1])

    def feature(self, state: Any) -> Tensor:
        return super().feature(state[-1])

    def data(self, state: Any) -> Tensor:
        return super().data(state[-1])
