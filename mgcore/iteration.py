"""The iterations of one level: (3.20)-(3.24), (6.7)-(6.9), and sweeps that need u.

Each is written once. The `Form` knows whether a residual is computed from f and u (feature form) or carried along
(residual form).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from numbers import Real
from typing import Any, Protocol

from mgcore.moves import Vector

Iterate = Callable[["Form", Any, Sequence[Any]], Any]
"""iterate(form, x, B): the state after len(B) sweeps from the state x."""


class Form(Protocol):
    """A form of a level, by its state x: the residual of u, and how u changes."""

    def residual(self, x: Any) -> Vector:
        """r = f - A u."""

    def combine(self, weights: Sequence[Any], history: Sequence[tuple[Any, Vector]], d: Vector) -> Any:
        """The state with u = sum_j weights[j] u_j + d, from pairs (state, its residual); the weights sum to 1."""

    def add(self, x: Any, d: Vector) -> Any:
        """The state with u + d; unlike `combine` it asks for no residual."""


def single_step(form: Form, x: Any, B: Sequence[Callable[[Vector], Vector]]) -> Any:
    """Residual correction (3.20), (6.7): u <- u + B_i (f - A u).

    >>> level = Level(A=lambda u: u, B=[lambda r: r / 2] * 2, iterate=single_step)
    >>> level.feature(level.smooth(level.start(8.0)))
    6.0
    """
    for B_i in B:
        r = form.residual(x)
        x = form.combine((1,), ((x, r),), B_i(r))
    return x


def relaxation(level: Any, x: Any, B: Sequence[Callable[[Vector | None, Vector], Vector]]) -> Any:
    """Sweeps that need u: u <- B_i(u, f), for a nonlinear A, constraints, colours. In feature form only.

    A sweep returns a new u and writes neither u nor f. Its u may be None, the zero vector, unless the level has `zero`.

    >>> level = Level(A=lambda u: u**3, B=[lambda u, f: u - (u**3 - f) / (3 * u**2)], iterate=relaxation, linear=False)
    >>> level.feature(level.smooth(level.start(f=4.0, u=1.0)))  # one step of Newton's method
    2.0
    """
    for B_i in B:
        x = level.replace(x, B_i(level.feature(x), level.data(x)))
    return x


def multi_step(weights: Sequence[Sequence[Any]]) -> Iterate:
    """Semi-iteration (3.21), (6.8): u^i = sum_{j<i} a_j^i (u^j + B_j^i (f - A u^j)).

    Args:
        weights: row i (from 0) holds the i + 1 weights of sweep i; non-negative, with sum 1. Entries that are
            not plain numbers (trainable ones) are taken as they are.

    In the sweeps, B[i] is one operator for every j, or a sequence of i + 1 operators B_j^i.

    >>> level = Level(A=lambda u: u, B=[lambda r: r / 2] * 2, iterate=multi_step([[1], [0.5, 0.5]]))
    >>> level.feature(level.smooth(level.start(8.0)))
    5.0
    """
    for i, row in enumerate(weights):
        _check_convex(i, row)

    return partial(_multi_step, weights)


def chebyshev(weights: Sequence[Any]) -> Iterate:
    """Chebyshev semi-iteration (3.23), (6.9): u^i = w_i (u^{i-1} + B_i (f - A u^{i-1})) + (1 - w_i) u^{i-2}.

    The residual obeys r^i = w_i (r^{i-1} - A B_i r^{i-1}) + (1 - w_i) r^{i-2}; (3.24) prints A B_i r without w_i.

    Args:
        weights: w_1, w_2, ...; there is no u^{-1}, so w_1 must be 1.

    >>> level = Level(A=lambda u: u, B=[lambda r: r / 2] * 2, iterate=chebyshev([1, 1.25]))
    >>> level.feature(level.smooth(level.start(8.0)))
    7.5
    """
    if len(weights) and isinstance(weights[0], Real) and weights[0] != 1:
        raise ValueError(f"weights[0] must be 1, since the first sweep has no predecessor; got {weights[0]}")

    return partial(_chebyshev, weights)


def chebyshev_weights(sweeps: int, rho: float) -> tuple[float, ...]:
    """The weights w_i of (3.23) that are best where I - B A has a real spectrum in [-rho, rho], 0 <= rho < 1.

    >>> chebyshev_weights(3, 0.0)
    (1.0, 1.0, 1.0)
    """
    if not 0 <= rho < 1:
        raise ValueError(f"rho must lie in [0, 1), got {rho}")
    weights: list[float] = []
    for i in range(sweeps):
        weights.append(1.0 if i == 0 else 1 / (1 - rho**2 * weights[-1] / (2 if i == 1 else 4)))
    return tuple(weights)


def scaled(w: Any, v: Vector | None) -> Vector | None:
    """w v, without a pass over v where w is the integer 1."""
    return v if v is None or (isinstance(w, int) and w == 1) else w * v


def total(terms: Sequence[Vector | None]) -> Vector | None:
    """The sum of the terms, None being zero."""
    result = None
    for term in terms:
        if term is not None:
            result = term if result is None else result + term
    return result


def mixture(weights: Sequence[Any], vectors: Sequence[Vector | None]) -> Vector | None:
    """The sum of the vectors times their weights."""
    return total([scaled(w, v) for w, v in zip(weights, vectors, strict=True)])


def _multi_step(weights: Sequence[Sequence[Any]], form: Form, x: Any, B: Sequence[Any]) -> Any:
    _check_length("multi_step", len(weights), len(B))
    history: list[tuple[Any, Vector]] = []
    for a, B_i in zip(weights, B, strict=True):
        history.append((x, form.residual(x)))
        row = [B_i] * len(history) if callable(B_i) else B_i
        _check_length("multi_step: B[i]", len(history), len(row))
        x = form.combine(a, history, mixture(a, [B_ij(r) for B_ij, (_, r) in zip(row, history, strict=True)]))
    return x


def _chebyshev(weights: Sequence[Any], form: Form, x: Any, B: Sequence[Callable[[Vector], Vector]]) -> Any:
    _check_length("chebyshev", len(weights), len(B))
    older = None
    for w, B_i in zip(weights, B, strict=True):
        r = form.residual(x)
        if older is None:
            new = form.combine((1,), ((x, r),), B_i(r))
        else:
            new = form.combine((w, 1 - w), ((x, r), older), scaled(w, B_i(r)))
        older, x = (x, r), new
    return x


def _check_convex(i: int, row: Sequence[Any]) -> None:
    if len(row) != i + 1:
        raise ValueError(f"weights[{i}] must hold {i + 1} numbers (u^0 ... u^{i}), got {len(row)}")
    if all(isinstance(a, Real) for a in row) and not (min(row) >= 0 and abs(sum(row) - 1) <= 1e-12 * len(row)):
        raise ValueError(f"weights[{i}] must be non-negative with sum 1, got {tuple(row)}")


def _check_length(name: str, expected: int, got: int) -> None:
    if expected != got:
        raise ValueError(f"{name}: {expected} operators are needed, one per sweep or predecessor; got {got}")
