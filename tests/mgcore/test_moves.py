"""The loop sees moves only: levels with other state, None as zero, and what is recorded."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgcore import (
    Level,
    ResidualLevel,
    backslash_cycle,
    checks,
    descend,
    residual_form,
    v_cycle,
)
from tests.helpers import BACKENDS, EPS, Counted, hierarchies, norm
from tests.mgcore.choices import every_backend, every_cycle, every_form

# ---- another state -------------------------------------------------------------------------------------------------


class Buffers:
    """The state of an `InPlaceLevel`; no name is as in `mgcore.level.State`."""

    def __init__(self, solution, rhs):
        self.solution, self.rhs = solution, rhs
        self.began = 1 * solution


@dataclass
class InPlaceLevel:
    """The moves of a `Level` with one state per visit, overwritten by every move, and an explicit zero for None."""

    level: Level
    zero: Any

    def start(self, f, u):
        return Buffers(1 * (self.zero if u is None else u), f)

    def start_from_residual(self, r, u):
        state = self.start(r, u)
        state.rhs = r + self.level.A(state.solution)
        return state

    def sweep(self, state, Bs):
        for B in Bs:
            state.solution += B(state.rhs - self.level.A(state.solution))
        return state

    def smooth(self, state):
        return self.sweep(state, self.level.B)

    def restrict(self, state, coarse):
        u0 = None if self.level.Pi is None else 1 * self.level.Pi(state.solution)  # Pi may be a view
        return coarse.start_from_residual(self.level.R(state.rhs - self.level.A(state.solution)), u0)

    def correct(self, state, coarse, before, after, *, post=True):
        e = coarse.change(before, after)
        if e is not None:  # a `Level` may have nothing to add
            state.solution += self.level.P(e, state.solution)
        return self.sweep(state, self.level.B_post if post else ())

    def change(self, before, after):
        assert before is after  # there is but one state per visit
        return after.solution - after.began

    def feature(self, state):
        return 1 * state.solution

    def data(self, state):
        return state.rhs


@every_backend
@every_cycle
@given(data=st.data(), guess=st.booleans())
def test_cycles_never_look_into_a_state(backend, cycle, data, guess):
    h = data.draw(hierarchies(backend, max_levels=3, max_sweeps=2, post=True, nonlinear_B=None))
    f, u = h.grids[0].data(), h.grids[0].features() if guess else None
    u_before = None if u is None else 1 * u
    plain, in_place = h.levels(), [InPlaceLevel(level, h.zero(l)) for l, level in enumerate(h.levels())]
    mixed = [other if l % 2 else level for l, (level, other) in enumerate(zip(plain, in_place, strict=True))]
    expected = cycle(plain, f, u)
    for levels in (in_place, mixed, [*residual_form(plain[:1]), *in_place[1:]]):
        assert checks.deviation(norm, cycle(levels, f, u), expected) <= h.tolerance(visits=2)
    assert checks.deviation(norm, u, u_before) == 0


@every_backend
@given(data=st.data(), guess=st.booleans())
def test_descent_never_looks_into_a_state(backend, data, guess):
    h = data.draw(hierarchies(backend))
    f, u = h.grids[0].data(), h.grids[0].features() if guess else None
    in_place = [InPlaceLevel(level, h.zero(l)) for l, level in enumerate(h.levels())]
    for a, b in zip(descend(in_place, f, u), descend(h.levels(), f, u), strict=True):
        for x, y in ((a.u0, b.u0), (a.u, b.u), (a.f, b.f)):
            assert checks.deviation(norm, x, y) <= h.tolerance()


@every_backend
@given(data=st.data(), guess=st.booleans())
def test_same_moves(backend, data, guess):
    h = data.draw(hierarchies(backend, min_sweeps=1, max_levels=2, post=True).filter(lambda h: len(h.A) == 2))
    fine, coarse = h.levels()
    f, u = h.grids[0].data(), h.grids[0].features() if guess else None
    moves = {"smooth: u", "restrict: u", "restrict: f", "correct: u"}
    for other in (InPlaceLevel(fine, h.zero(0)), *residual_form([fine])):
        for coarse_level in (coarse, InPlaceLevel(coarse, h.zero(1))):
            result = checks.same_moves(fine, other, coarse_level, f, u, norm)
            assert set(result) == moves
            assert max(result.values()) <= h.tolerance()
    broken = Level(fine.A, fine.B, fine.R, fine.Pi, lambda e, like: -fine.P(e, like), fine.B_post)
    result = checks.same_moves(fine, broken, coarse, f, u, norm)
    assert result["correct: u"] > 1e-6
    assert max(result[move] for move in moves - {"correct: u"}) == 0


@every_backend
@given(data=st.data())
def test_fixed_point_defect(backend, data):
    h = data.draw(hierarchies(backend, max_levels=1, min_sweeps=1))
    grid = h.grids[0]
    u, (level,) = grid.features(), h.levels()
    assert checks.fixed_point_defect(level, level.A, u, norm) == 0
    wrong_map = grid.extractor()
    broken = Level(lambda v: level.A(v) + level.A(wrong_map(level.A(v))), level.B)
    assert checks.fixed_point_defect(broken, level.A, u, norm) > 1e3 * EPS


# ---- None ----------------------------------------------------------------------------------------------------------


@every_backend
@every_form
@every_cycle
@given(data=st.data())
def test_no_operator_is_applied_to_none(backend, form, cycle, data):
    """`Counted` refuses None. Sweeps may be missing everywhere, and then u stays None."""
    h = data.draw(hierarchies(backend, max_sweeps=1, post=True))
    h.A = [Counted(A) for A in h.A]
    levels = form(
        [
            Level(
                level.A,
                [Counted(B) for B in level.B],
                level.R and Counted(level.R),
                level.Pi and Counted(level.Pi),
                None if level.P is None else Prolongation(level.P),
                [Counted(B) for B in level.B_post],
            )
            for level in h.levels()
        ]
    )
    f = h.grids[0].data()
    result = cycle(levels, f)
    no_sweeps = not any(h.B) and (cycle is backslash_cycle or not any(h.B_post[:-1]))
    assert (result is None) == no_sweeps
    visits = descend(levels, f)
    assert visits[0].u0 is None
    for l, visit in enumerate(visits):
        if l > 0 and (h.Pi[l - 1] is None or visits[l - 1].u is None):
            assert visit.u0 is None
        assert (visit.u is None) == (visit.u0 is None and not h.B[l])


class Prolongation(Counted):
    def __call__(self, e, like):
        assert e is not None
        assert like is not None
        return self.operator(e, like)


@every_form
@every_cycle
@given(data=st.data(), backend=st.sampled_from(list(BACKENDS)))
def test_none_is_zero(form, cycle, data, backend):
    """A cycle from None is the cycle from a vector of zeros."""
    h = data.draw(hierarchies(backend, max_levels=3, max_sweeps=2, post=True))
    f = h.grids[0].data()
    expected = cycle(form(h.levels()), f, h.zero(0))
    assert checks.deviation(norm, cycle(form(h.levels()), f), expected) <= h.tolerance(visits=2)


@pytest.mark.parametrize("Pi", [None, lambda u: u[::2]], ids=["zero", "nodal"])
def test_zero_of_an_affine_A(Pi):
    """A(0) = c is not 0: with `zero` A is applied to a vector of zeros wherever u would be None."""
    rng = np.random.default_rng(23)
    M, M_coarse, c, c_coarse = rng.random((4, 4)) / 4, rng.random((2, 2)) / 4, rng.random(4), rng.random(2)
    f = rng.random(4)

    def B(r):
        return r / 8

    fine = Level(
        lambda u: M @ u + c, [B], lambda r: r[::2], Pi, lambda e, u: np.repeat(e, 2), linear=False, zero=np.zeros_like
    )
    coarse = Level(lambda u: M_coarse @ u + c_coarse, [B, B], linear=False, zero=np.zeros_like)

    u = B(f - c)
    u0 = u[::2] if Pi else np.zeros(2)
    f_coarse = (f - M @ u - c)[::2] + M_coarse @ u0 + c_coarse
    u_coarse = u0 + B(f_coarse - M_coarse @ u0 - c_coarse)
    u_coarse = u_coarse + B(f_coarse - M_coarse @ u_coarse - c_coarse)
    first, second = descend([fine, coarse], f)
    for ours, theirs in ((first.u, u), (second.u0, u0), (second.f, f_coarse), (second.u, u_coarse)):
        np.testing.assert_allclose(ours, theirs, rtol=16 * EPS)
    expected = u + np.repeat(u_coarse - u0, 2)
    np.testing.assert_allclose(v_cycle([fine, coarse], f), expected, rtol=16 * EPS)
    with pytest.raises(ValueError, match=r"needs A\(0\) = 0"):
        residual_form([Level(fine.A, [B], zero=np.zeros_like)])


# ---- records -------------------------------------------------------------------------------------------------------


@every_backend
@given(data=st.data(), guess=st.booleans())
def test_residual_form_computes_f_when_it_is_read(backend, data, guess):
    h = data.draw(hierarchies(backend))
    f, u = h.grids[0].data(), h.grids[0].features() if guess else None
    expected = descend(h.levels(), f, u)
    h.A = [Counted(A) for A in h.A]
    visits = descend(residual_form(h.levels()), f, u)
    before = [A.count for A in h.A]
    for visit, other in zip(visits, expected, strict=True):
        assert checks.deviation(norm, visit.f, other.f) <= h.tolerance()
    for l, A in enumerate(h.A):
        pending = len(h.B[l]) > 0 or (l == 0 and guess)
        assert A.count - before[l] == pending + (visits[l].u is not None)


def test_smooth_restrict_and_correct_are_written_once():
    for move in ("smooth", "restrict", "correct", "change", "feature"):
        assert getattr(Level, move) is getattr(ResidualLevel, move)
