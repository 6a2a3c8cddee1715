"""One level as plain callables. Smooth, restrict and correct are written here once, for feature and residual form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mgcore.iteration import Form, Iterate, mixture, relaxation, single_step, total
from mgcore.moves import Moves, Vector


class State(NamedTuple):
    """Feature form: the iterate u = u^{l,i} (None is zero), the data f, and i."""

    u: Vector | None
    f: Vector
    i: int = 0


class ResidualState(NamedTuple):
    """Residual form: the iterate u, and its residual r - A d; A d is not computed until the residual is asked for."""

    u: Vector | None
    r: Vector
    d: Vector | None = None


class Algebra(Form):
    """The moves that are the same in both forms: smooth, restrict, correct. `level` has A, B, R, Pi and P."""

    level: Any

    def smooth(self, state: Any) -> Any:
        return self.level.iterate(self, state, self.level.B)

    def restrict(self, state: Any, coarse: Moves[Any]) -> Any:
        R, Pi = _transfer(self.level.R, "R"), self.level.Pi
        u0 = None if Pi is None or state.u is None else Pi(state.u)  # (6.5)
        return coarse.start_from_residual(R(self.residual(state)), u0)  # (6.6)

    def correct(self, state: Any, coarse: Moves[Any], before: Any, after: Any, *, post: bool = True) -> Any:
        e = coarse.change(before, after)
        if e is not None:
            u, data, *_ = state
            state = self.add(state, _transfer(self.level.P, "P")(e, data if u is None else u))  # (6.15)
        return self.level.iterate_post(self, state, self.level.B_post) if post else state  # (6.16)

    def change(self, before: Any, after: Any) -> Vector | None:
        return difference(after.u, before.u)

    def feature(self, state: Any) -> Vector | None:
        return state.u


@dataclass(frozen=True)
class Level(Algebra):
    """The operators of one grid; u lives in its feature space, f and residuals in its data space.

    Args:
        A: u -> f, the data-feature map (6.1); or a sequence, A[i] for u^{l,i}, the correction of a cycle counting as a
            step: a map whose batch norm differs from iterate to iterate.
        B: one smoother or extractor r -> u per pre-smoothing sweep, (5.12), (6.4); () means none. With
            `iterate=relaxation`, one sweep (u, f) -> u each.
        R: restriction of residuals to the next coarser level, (6.6). None on the coarsest.
        Pi: map of features to the next coarser level, (6.5); None is the zero map, which is MG0.
        P: P(e, like) prolongs e from the next coarser level to the grid of `like`, (6.15); `like` is u, or f where
            u is zero.
        B_post: as B, for post-smoothing, (6.16); () gives the backslash cycle.
        iterate: how the sweeps B are made: `single_step`, `multi_step(...)`, `chebyshev(...)` or `relaxation`.
        iterate_post: the same for B_post.
        linear: whether A is linear. Residual form and the theorems that need it refuse a nonlinear A.
        zero: where A(0) is not 0: zero(f) makes the zero vector of u, so that A is applied to it.
        info: anything that describes the level (shape, channels); the algebra does not read it.

    >>> level = Level(A=lambda u: 2 * u, B=[lambda r: r / 4])
    >>> level.feature(level.smooth(level.start(8.0)))
    2.0
    """

    A: Any
    B: Sequence[Any]
    R: Callable[[Vector], Vector] | None = None
    Pi: Callable[[Vector], Vector] | None = None
    P: Callable[[Vector, Vector], Vector] | None = None
    B_post: Sequence[Any] = ()
    iterate: Iterate = single_step
    iterate_post: Iterate = single_step
    linear: bool = True
    zero: Callable[[Vector], Vector] | None = None
    info: Any = None

    @property
    def level(self) -> Level:
        return self

    def start(self, f: Vector, u: Vector | None = None) -> State:
        return State(self.zero(f) if u is None and self.zero is not None else u, f)

    def start_from_residual(self, r: Vector, u: Vector | None) -> State:
        u = self.start(r, u).u
        return State(u, r if u is None else r + self._A(0)(u))  # (6.6)

    def residual(self, state: State) -> Vector:
        u, f, i = state
        return f if u is None else f - self._A(i)(u)

    def _A(self, i: int) -> Callable[[Vector], Vector]:
        A: Callable[[Vector], Vector] = self.A if callable(self.A) else self.A[i]
        return A

    def combine(self, weights: Sequence[Any], history: Sequence[tuple[State, Vector]], d: Vector) -> State:
        u = mixture(weights, [x.u for x, _ in history])
        return State(total((u, d)), history[0][0].f, 1 + max(x.i for x, _ in history))

    def add(self, state: State, d: Vector) -> State:
        return self.replace(state, total((state.u, d)))

    def replace(self, state: State, u: Vector | None) -> State:
        """The state after one more step, whose iterate is u."""
        return State(u, state.f, state.i + 1)

    def data(self, state: State) -> Vector:
        return state.f


@dataclass(frozen=True)
class ResidualLevel(Algebra):
    """The moves of a linear `Level` with the residual carried along, (8.1): u <- u + d, r <- r - A d.

    It makes the same iterates to rounding with fewer applications of A: the residual R r of (6.6) is known where the
    coarse level starts (A Pi u cancels), and the last A d of a level that nothing restricts is never computed.

    >>> level = ResidualLevel(Level(A=lambda u: 2 * u, B=[lambda r: r / 4, lambda r: r / 2]))
    >>> state = level.smooth(level.start(8.0))
    >>> level.feature(state), level.residual(state), level.data(state)
    (4.0, 0.0, 8.0)
    """

    level: Level

    def __post_init__(self) -> None:
        for refused, reason in (
            (not self.level.linear, "needs a linear A, and this level says linear=False"),
            (self.level.zero is not None, "needs A(0) = 0, and this level has a zero(f)"),
            (not callable(self.level.A), "needs one A, and this level has a sequence of them"),
            (relaxation in (self.level.iterate, self.level.iterate_post), "keeps no f, and sweeps (u, f) -> u need it"),
        ):
            if refused:
                raise ValueError(f"level: the residual form {reason}")

    def start(self, f: Vector, u: Vector | None = None) -> ResidualState:
        return ResidualState(u, f, u)

    def start_from_residual(self, r: Vector, u: Vector | None) -> ResidualState:
        return ResidualState(u, r)  # f - A u = R r + A Pi u - A Pi u

    def residual(self, state: ResidualState) -> Vector:
        return state.r if state.d is None else state.r - self.level.A(state.d)  # (8.1)

    def combine(self, weights: Sequence[Any], history: Sequence[tuple[ResidualState, Vector]], d: Vector) -> Any:
        u, r = mixture(weights, [x.u for x, _ in history]), mixture(weights, [r for _, r in history])
        return ResidualState(total((u, d)), r, d)  # (3.22), (3.24)

    def add(self, state: ResidualState, d: Vector) -> ResidualState:
        return ResidualState(total((state.u, d)), state.r, total((state.d, d)))  # one A d for both changes

    def data(self, state: ResidualState) -> Vector:
        r = self.residual(state)
        return r if state.u is None else r + self.level.A(state.u)


def residual_form(levels: Sequence[Level]) -> list[ResidualLevel]:
    """The same levels in residual form (Theorems 4.1 and 8.1): same iterates to rounding, fewer applications of A.

    >>> level = Level(A=lambda u: u, B=[lambda r: r / 2], R=lambda r: r, P=lambda e, u: e)
    >>> v_cycle(residual_form([level, level]), 8.0)
    6.0
    """
    return [ResidualLevel(level) for level in levels]


def difference(a: Vector | None, b: Vector | None) -> Vector | None:
    """a - b, None being zero."""
    if b is None:
        return a
    return -b if a is None else a - b


def _transfer(operator: Callable[..., Vector] | None, name: str) -> Callable[..., Vector]:
    if operator is None:
        raise ValueError(f"{name}: a level that is not the coarsest needs it for this cycle; got None")
    return operator
