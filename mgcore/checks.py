"""Public checks of levels: each returns a relative deviation, which rounding alone should explain.

Vectors are whatever the levels act on; `norm` (vector -> float) and `dot` (two vectors -> float) come from the caller.

>>> checks.galerkin_defect(lambda u: 2 * u, lambda u: 4 * u, R=lambda r: 2 * r, P=lambda e: e, e=1.0, norm=abs)
0.0
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mgcore.cycle import descend, mg0, mgnet, v_cycle
from mgcore.level import Level, difference, residual_form
from mgcore.moves import Moves, Vector

Norm = Callable[[Vector], float]
Dot = Callable[[Vector, Vector], float]
Operator = Callable[[Vector], Vector]


def deviation(norm: Norm, a: Vector | None, b: Vector | None) -> float:
    """|a - b| / (|a| + |b|), None being zero; 0 where both vanish."""
    return _relative(norm, difference(a, b), a, b)


def adjoint_defect(R: Operator, P: Operator, r: Vector, e: Vector, dot_fine: Dot, dot_coarse: Dot) -> float:
    """Compare (R r, e)_coarse with (r, P e)_fine, relative to the sizes of r and P e: Lemma 4.1, (4.11)."""
    Pe = P(e)
    size = (dot_fine(r, r) * dot_fine(Pe, Pe)) ** 0.5
    return abs(dot_coarse(R(r), e) - dot_fine(r, Pe)) / size if size > 0 else 0.0


def galerkin_defect(A: Operator, A_coarse: Operator, R: Operator, P: Operator, e: Vector, norm: Norm) -> float:
    """Compare A_coarse e with R A P e (5.11)."""
    return deviation(norm, A_coarse(e), R(A(P(e))))


def fixed_point_defect(level: Moves[Any], A: Operator, u: Vector, norm: Norm) -> float:
    """Compare u with its smoothed iterate where f = A u: a smoother must leave the solution alone."""
    return deviation(norm, level.feature(level.smooth(level.start(A(u), u))), u)


def same_moves(
    a: Moves[Any], b: Moves[Any], coarse: Moves[Any], f: Vector, u: Vector | None, norm: Norm
) -> dict[str, float]:
    """Compare two levels, such as a fused and a plain one, move by move from the same f and u."""
    ends = []
    for level in (a, b):
        smoothed = level.smooth(level.start(f, u))
        result = {"smooth: u": level.feature(smoothed)}
        before = level.restrict(smoothed, coarse)
        result["restrict: u"], result["restrict: f"] = coarse.feature(before), coarse.data(before)
        after = coarse.smooth(before)
        result["correct: u"] = level.feature(level.correct(smoothed, coarse, before, after))
        ends.append(result)
    return {key: deviation(norm, ends[0][key], ends[1][key]) for key in ends[0]}


def theorem_6_1(levels: Sequence[Level], f: Vector, norm: Norm) -> float:
    """Theorem 6.1: the largest deviation from (6.10) on any level, for linear A and R and any Pi and B.

    MgNet's f~ is f + A u~^0 and its u~ - u~^0 is u, with f and u of MG0.
    """
    _check_linear(levels)
    worst = 0.0
    for level, plain, net in zip(levels, mg0(levels, f), mgnet(levels, f), strict=True):
        expected = plain.f if net.u0 is None else plain.f + level.A(net.u0)
        shift = difference(difference(net.u, net.u0), plain.u)  # it may cancel: relative to all three
        worst = max(worst, deviation(norm, net.f, expected), _relative(norm, shift, plain.u, net.u, net.u0))
    return worst


def theorem_6_1_v(levels: Sequence[Level], f: Vector, norm: Norm) -> float:
    """Theorem 6.1 carried to the way up: V-MgNet (Algorithm 4) with any Pi gives the u^1 of the V-cycle."""
    _check_linear(levels)
    without = [replace(level, Pi=None) for level in levels]
    return deviation(norm, v_cycle(levels, f), v_cycle(without, f))


def theorem_8_1(levels: Sequence[Level], f: Vector, norm: Norm, u: Vector | None = None) -> float:
    """Theorem 8.1 (4.1 of the 2023 paper): largest deviation of u, f and f - A u between feature and residual form."""
    worst = 0.0
    feature, residual = descend(levels, f, u), descend(residual_form(levels), f, u)
    for level, a, b in zip(levels, feature, residual, strict=True):
        worst = max(worst, deviation(norm, a.u, b.u))
        if a.u is None or b.u is None:
            worst = max(worst, deviation(norm, a.f, b.f))
            continue
        Aa, Ab = level.A(a.u), level.A(b.u)
        size = norm(a.f) + norm(Aa)  # in residual form f is r + A u: where f = 0, rounding has the size of A u
        for gap in (a.f - b.f, (a.f - Aa) - (b.f - Ab)):
            worst = max(worst, float(norm(gap) / size) if size > 0 else 0.0)
    return worst


def _relative(norm: Norm, gap: Vector | None, *parts: Vector | None) -> float:
    """|gap| relative to the sum of the sizes of `parts`."""
    size = sum(0.0 if v is None else float(norm(v)) for v in parts)
    return 0.0 if gap is None or size == 0 else float(norm(gap)) / size


def _check_linear(levels: Sequence[Level]) -> None:
    for index, level in enumerate(levels):
        if not level.linear:
            raise ValueError(f"levels[{index}]: Theorem 6.1 needs a linear A, and this level says linear=False")
