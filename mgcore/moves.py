"""The moves of a level, and the record of a visit.

A cycle is written in these moves alone. It never reads a level's state, so the same cycle runs on NumPy arrays, on
Torch feature maps, in residual form, or on buffers that a fused kernel owns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

Vector = Any
"""An element of a feature space (u) or a data space (f, r): it adds, subtracts and scales. None is zero."""

S = TypeVar("S")


class Moves(Protocol[S]):
    """The moves of one level; `S` is whatever state the level keeps.

    A level never writes f. It may consume the u of a state that it made itself, never the user's own u.

    >>> level: Moves = Level(A=lambda u: u, B=[lambda r: r / 2])
    >>> level.feature(level.smooth(level.start(8.0, None)))
    4.0
    """

    def start(self, f: Vector, u: Vector | None) -> S:
        """State for A u = f from the first guess u; None is the zero vector."""

    def start_from_residual(self, r: Vector, u: Vector | None) -> S:
        """State from the first guess u whose residual is r, that is f = r + A u: (6.6)."""

    def smooth(self, state: S) -> S:
        """Pre-smoothing, or feature extraction: (5.12), (6.4)."""

    def restrict(self, state: S, coarse: Moves[Any]) -> Any:
        """The state in which the next coarser level starts: (6.5), (6.6)."""

    def correct(self, state: S, coarse: Moves[Any], before: Any, after: Any, *, post: bool = True) -> S:
        """Add the prolonged change of the coarse level from `before` to `after`: (5.13), (6.15).

        Post-smoothing (6.16) follows, unless `post` is False.
        """

    def change(self, before: S, after: S) -> Vector | None:
        """u of `after` less u of `before`."""

    def feature(self, state: S) -> Vector | None:
        """u, safe to keep: later moves do not change it."""

    def data(self, state: S) -> Vector:
        """f, safe to keep."""


@dataclass(frozen=True)
class Visit:
    """The record of a descent on one level: it took u0 to u for the data f. None is zero.

    In residual form f is not kept; it is computed as r + A u when it is read.

    >>> Visit(u0=None, u=4.0, read_data=lambda: 8.0).f
    8.0
    """

    u0: Vector | None = field(repr=False)
    u: Vector | None = field(repr=False)
    read_data: Callable[[], Vector] = field(repr=False)

    @property
    def f(self) -> Vector:
        return self.read_data()
