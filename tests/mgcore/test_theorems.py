"""Theorems 6.1 and 8.1 (4.1 of the 2023 paper) for random operators, and that the checks can fail."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mgcore import Level, chebyshev, checks, descend, multi_step, residual_form, v_cycle, w_cycle
from mgcore.level import State
from tests.helpers import PI_KINDS, Counted, Hierarchy, hierarchies, nonlinear_map, norm
from tests.mgcore.choices import every_backend

every_pi = pytest.mark.parametrize("pi", PI_KINDS)


@every_backend
@every_pi
@given(data=st.data())
def test_theorem_6_1(backend, pi, data):
    """For linear B as printed; nonlinear B too, since only the linearity of A and R is used."""
    h = data.draw(hierarchies(backend, pi=[pi], nonlinear_B=None))
    assert checks.theorem_6_1(h.levels(), h.grids[0].data(), norm) <= h.tolerance()


@every_backend
@every_pi
@given(data=st.data())
def test_theorem_6_1_on_the_way_up(backend, pi, data):
    h = data.draw(hierarchies(backend, pi=[pi], post=True, nonlinear_B=None))
    assert checks.theorem_6_1_v(h.levels(), h.grids[0].data(), norm) <= h.tolerance()


def two_grids_with_pi(data, backend) -> Hierarchy:
    """At least two sweeps: with one, A u^{l,0} cancels whatever A is."""
    options = {"max_levels": 2, "min_sweeps": 2, "pi": ["nodal", "transposed P", "random"], "post": True}
    h = data.draw(hierarchies(backend, **options))
    assume(len(h.A) > 1)
    return h


@every_backend
@given(data=st.data())
def test_theorem_6_1_fails_for_nonlinear_A(backend, data):
    h = two_grids_with_pi(data, backend)
    h.A = [nonlinear_map(A) for A in h.A]
    f = h.grids[0].data()
    levels = h.levels()  # they say linear=True, and it is not so
    assert checks.theorem_6_1(levels, f, norm) > 10 * h.tolerance()
    with pytest.raises(ValueError, match=r"levels\[0\].*linear=False"):
        checks.theorem_6_1(h.levels(linear=False), f, norm)
    with pytest.raises(ValueError, match=r"levels\[0\].*linear=False"):
        checks.theorem_6_1_v(h.levels(linear=False), f, norm)


class WrongSign(Level):
    """(6.6) with a minus."""

    def start_from_residual(self, r, u):
        return State(u, r if u is None else r - self.A(u))


@every_backend
@given(data=st.data())
def test_theorem_6_1_fails_for_a_wrong_sign(backend, data):
    h = two_grids_with_pi(data, backend)
    f = h.grids[0].data()
    assert checks.theorem_6_1(h.levels(WrongSign), f, norm) > 10 * h.tolerance()
    assert checks.theorem_6_1_v(h.levels(WrongSign), f, norm) > 10 * h.tolerance()
    h.B[-1] = []  # u^J = u^{J,0} is right now, whatever f^J
    assert checks.theorem_6_1(h.levels(WrongSign), f, norm) > 10 * h.tolerance()
    assert checks.theorem_6_1(h.levels(), f, norm) <= h.tolerance()


# ---- the iterations ------------------------------------------------------------------------------------------------


def convex(rng: np.random.Generator, sweeps: int) -> list[list[float]]:
    return [[float(a) for a in rng.dirichlet(np.ones(i + 1))] for i in range(sweeps)]


def iterated(h: Hierarchy, kind: str, rng: np.random.Generator) -> list[Level]:
    """The levels of h with another iteration; its weights, and B_j^i of multi-step, are random."""
    if kind == "single":
        return h.levels()
    result = []
    for level, grid in zip(h.levels(), h.grids, strict=True):
        parts = {}
        for B_name, iterate_name in (("B", "iterate"), ("B_post", "iterate_post")):
            B = list(getattr(level, B_name))
            if kind == "chebyshev":
                parts[iterate_name] = chebyshev([1, *rng.uniform(0.8, 1.5, max(len(B) - 1, 0))][: len(B)])
            else:
                parts[iterate_name] = multi_step(convex(rng, len(B)))
                variable = rng.integers(2) == 1
                B = [[b, *(grid.extractor() for _ in range(i))] if variable else b for i, b in enumerate(B)]
            parts[B_name] = B
        result.append(
            Level(level.A, parts["B"], level.R, level.Pi, level.P, parts["B_post"], *list(parts.values())[::2])
        )
    return result


KINDS = ("single", "multi", "chebyshev")
every_kind = pytest.mark.parametrize("kind", KINDS)


@every_backend
@every_kind
@given(data=st.data(), guess=st.booleans())
def test_theorem_8_1(backend, kind, data, guess):
    h = data.draw(hierarchies(backend, nonlinear_B=None))
    levels = iterated(h, kind, np.random.default_rng(data.draw(st.integers(0, 10**6))))
    u = h.grids[0].features() if guess else None
    # Chebyshev weights up to 1.5 have |w| + |1 - w| <= 2: three sweeps on four grids double the earlier errors each
    growth = 2**12 if kind == "chebyshev" else 1
    assert checks.theorem_8_1(levels, h.grids[0].data(), norm, u) <= growth * h.tolerance()


@every_backend
@every_kind
@pytest.mark.parametrize("cycle", [v_cycle, w_cycle], ids=["V", "W"])
@given(data=st.data(), guess=st.booleans())
def test_theorem_8_1_for_cycles(backend, kind, cycle, data, guess):
    h = data.draw(hierarchies(backend, max_levels=3, max_sweeps=2, post=True, nonlinear_B=None))
    levels = iterated(h, kind, np.random.default_rng(data.draw(st.integers(0, 10**6))))
    f, u = h.grids[0].data(), h.grids[0].features() if guess else None
    growth = 2**14 if kind == "chebyshev" else 1  # at most 14 second sweeps in a W-cycle on three grids
    a, b = cycle(levels, f, u), cycle(residual_form(levels), f, u)
    assert checks.deviation(norm, a, b) <= growth * h.tolerance(visits=2)


@every_backend
@given(data=st.data())
def test_theorem_8_1_fails_for_nonlinear_A(backend, data):
    h = data.draw(hierarchies(backend, max_levels=2, min_sweeps=3))  # u^2 is still the same in both forms
    h.A = [nonlinear_map(A) for A in h.A]
    assert checks.theorem_8_1(h.levels(), h.grids[0].data(), norm) > 10 * h.tolerance()
    with pytest.raises(ValueError, match="linear=False"):
        residual_form(h.levels(linear=False))


# ---- applications of A ---------------------------------------------------------------------------------------------


def counted(h: Hierarchy, kind: str, seed: int) -> tuple[list[Counted], list[Level]]:
    h.A = [Counted(A) for A in h.A]
    return h.A, iterated(h, kind, np.random.default_rng(seed))


def applications(A: list[Counted], run: Callable) -> list[int]:
    before = [a.count for a in A]
    run()
    return [a.count - b for a, b in zip(A, before, strict=True)]


@every_backend
@every_kind
@given(data=st.data(), guess=st.booleans(), seed=st.integers(0, 10**6))
def test_applications_of_A_in_a_descent(backend, kind, data, guess, seed):
    """Residual form: one per sweep but the very last; feature form: one per residual of a u that is not zero."""
    h = data.draw(hierarchies(backend))
    A, levels = counted(h, kind, seed)
    f, u = h.grids[0].data(), h.grids[0].features() if guess else None
    nu, J = [len(B) for B in h.B], len(h.A)

    residual = [*nu[:-1], max(nu[-1] - 1, 0)]
    residual[0] += guess and (J > 1 or nu[0] > 0)
    assert applications(A, lambda: descend(residual_form(levels), f, u)) == residual

    feature, nonzero = [], guess  # whether u is other than None
    for l in range(J):
        first = nonzero and l > 0  # A u^0 of (6.6)
        sweeps = nu[l] if nonzero else max(nu[l] - 1, 0)
        nonzero = nonzero or nu[l] > 0
        last = nonzero and l < J - 1  # the residual that is restricted
        feature.append(first + sweeps + last)
        nonzero = nonzero and h.Pi[l] is not None
    assert applications(A, lambda: descend(levels, f, u)) == feature
    assert sum(residual) <= sum(feature)


@every_backend
@every_kind
@given(data=st.data(), seed=st.integers(0, 10**6))
def test_applications_of_A_in_a_v_cycle(backend, kind, data, seed):
    """From u = 0: one per sweep and way. The coarse-grid correction and the sweep before it share an A d."""
    h = data.draw(hierarchies(backend, min_sweeps=1, post=True))
    A, levels = counted(h, kind, seed)
    f, J = h.grids[0].data(), len(h.A)
    residual = [len(B) + len(C) for B, C in zip(h.B, h.B_post, strict=True)]
    residual[-1] = len(h.B[-1]) - 1
    assert applications(A, lambda: v_cycle(residual_form(levels), f)) == residual

    feature = []
    for l, (B, C) in enumerate(zip(h.B, h.B_post, strict=True)):
        first = l > 0 and h.Pi[l - 1] is not None  # A u^0 of (6.6)
        sweeps = len(B) if first else len(B) - 1
        feature.append(first + sweeps + (1 + len(C) if l < J - 1 else 0))
    assert applications(A, lambda: v_cycle(levels, f)) == feature
