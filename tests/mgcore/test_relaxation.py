"""Sweeps that need u: nonlinear Gauss-Seidel in the full approximation scheme, colours, and what the levels say."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgcore import Level, checks, descend, relaxation, residual_form, single_step, traced, v_cycle
from tests.helpers import EPS, norm
from tests.mgcore.choices import every_cycle

REACTIONS = {
    "cubic": (lambda u: u**3, lambda u: 3 * u**2),
    "exponential": (math.exp, math.exp),
    "none": (lambda u: 0.0, lambda u: 0.0),
}
every_reaction = pytest.mark.parametrize("reaction", ["cubic", "exponential"])


class Equation:
    """-u'' + c(u) = f on n interior points of (0, 1) with u = 0 at the ends."""

    def __init__(self, n, reaction):
        self.n, self.h = n, 1 / (n + 1)
        self.c, self.derivative = REACTIONS[reaction]

    def row(self, u, i):
        left, right = (u[i - 1] if i > 0 else 0.0), (u[i + 1] if i < self.n - 1 else 0.0)
        return (2 * u[i] - left - right) / self.h**2 + self.c(u[i])

    def A(self, u):
        return np.array([self.row(u, i) for i in range(self.n)])

    def sweep(self, u, f, order):
        """One step of Newton's method for each unknown in turn."""
        u = np.zeros(self.n) if u is None else u.copy()
        for i in order:
            u[i] -= (self.row(u, i) - f[i]) / (2 / self.h**2 + self.derivative(u[i]))
        return u

    def lexicographic(self, u, f):
        return self.sweep(u, f, range(self.n))

    def red_black(self, u, f):
        return self.sweep(u, f, [*range(0, self.n, 2), *range(1, self.n, 2)])

    def exact(self, seed):
        x = np.linspace(0, 1, self.n + 2)[1:-1]
        return np.random.default_rng(seed).uniform(0.5, 2.5) * np.sin(np.pi * x)


def R(r):
    return (r[:-2:2] + 2 * r[1:-1:2] + r[2::2]) / 4


def Pi(u):
    return u[1::2].copy()


def P(e, like):
    padded, fine = np.pad(e, 1), np.zeros(like.shape)
    fine[1::2], fine[::2] = e, (padded[:-1] + padded[1:]) / 2
    return fine


def hierarchy(reaction, sweep="lexicographic", sizes=(31, 15, 7, 3), Pi=Pi, **options):
    """Levels whose sweeps are of `Equation`; 20 of them solve on the coarsest grid."""
    levels = []
    for n in sizes:
        equation = Equation(n, reaction)
        B, last = getattr(equation, sweep), n == sizes[-1]
        transfers = (None, None, None) if last else (R, Pi, P)
        options = {"iterate": relaxation, "iterate_post": relaxation, "linear": False, "zero": np.zeros_like} | options
        levels.append(Level(equation.A, [B] * (20 if last else 1), *transfers, [] if last else [B], **options))
    return levels


@every_reaction
@given(seed=st.integers(0, 10**6))
def test_nonlinear_gauss_seidel_solves_by_the_full_approximation_scheme(reaction, seed):
    """V(1,1) with injection converges as Gauss-Seidel does for the Laplacian, factor 0.1 in one dimension or less."""
    exact = Equation(31, reaction).exact(seed)
    levels = hierarchy(reaction)
    f, u, errors = levels[0].A(exact), None, [norm(exact)]
    for _ in range(6):
        u = v_cycle(levels, f, u)
        errors.append(norm(u - exact))
    assert errors[-1] <= 0.2**6 * errors[0]
    assert errors[-1] > 0  # not because of where it began


@every_reaction
@every_cycle
@given(seed=st.integers(0, 10**6))
def test_the_solution_stays_where_it_is(reaction, cycle, seed):
    levels = hierarchy(reaction)
    exact = Equation(31, reaction).exact(seed)
    assert (cycle(levels, levels[0].A(exact), exact) == exact).all()


@every_cycle
@given(seed=st.integers(0, 10**6), guess=st.booleans())
def test_colours_with_u_are_residual_correction_for_linear_A(cycle, seed, guess):
    """u + B (f - A u) with B r the sweep from zero on A d = r: both forms, and sweeps of one kind down, one up."""
    rng = np.random.default_rng(seed)
    swept = hierarchy("none", "red_black", linear=True, zero=None)
    corrected = [
        Level(
            level.A,
            [lambda r, B=B: B(None, r) for B in level.B],
            *(level.R, level.Pi, level.P),
            [lambda r, B=B: B(None, r) for B in level.B_post],
        )
        for level in swept
    ]
    mixed = [
        Level(a.A, b.B, a.R, a.Pi, a.P, a.B_post, iterate=single_step, iterate_post=relaxation)
        for a, b in zip(swept, corrected, strict=True)
    ]
    f, u = rng.standard_normal(31), rng.standard_normal(31) if guess else None
    expected = cycle(corrected, f, u)
    # A has the condition number 4 / (pi h)^2 = 415, of a residual that cancels; a hundred sweeps and moves
    for levels in (swept, mixed, residual_form(corrected)):
        assert checks.deviation(norm, cycle(levels, f, u), expected) <= 100 * 415 * EPS


def test_a_sweep_takes_none_for_zero_and_its_result_is_u():
    """Without `zero` it is handed None; what it returns is the iterate, to the last bit, None too."""
    handed = []

    def clip(u, f):
        handed.append(u)
        return None if u is None and f is None else np.maximum(0.0 if u is None else u, f)

    f, u = np.array([-0.1, 0.3]), np.array([0.7, 0.1])
    level = Level(lambda u: u, [clip, clip], iterate=relaxation)
    assert (descend([level], f)[0].u == [0, 0.3]).all()
    assert handed[0] is None
    assert (descend([level], f, u)[0].u == [0.7, 0.3]).all()
    assert level.smooth(level.start(None)).u is None
    handed.clear()
    with_zero = Level(lambda u: u, [clip], iterate=relaxation, zero=np.zeros_like)
    descend([with_zero], f)
    assert (handed[0] == 0).all()


def test_steps_are_counted_for_a_sequence_of_maps():
    applied = []
    A = [lambda u, i=i: applied.append(i) or u for i in range(4)]
    level = Level(A, [lambda u, f: f] * 2, iterate=relaxation)
    state = level.smooth(level.start(np.ones(2), np.ones(2)))
    level.residual(state)
    assert applied == [2]


@pytest.mark.parametrize("name", ["iterate", "iterate_post"])
def test_residual_form_refuses_sweeps_that_need_u(name):
    with pytest.raises(ValueError, match=r"level: the residual form keeps no f, .* \(u, f\) -> u need it"):
        residual_form([Level(lambda u: u, [], **{name: relaxation})])


def test_traced_levels_and_visits():
    levels, events = hierarchy("cubic"), []
    f = levels[0].A(Equation(31, "cubic").exact(5))
    told = traced(levels, events.append, lambda number, r: norm(r))
    assert (v_cycle(told, f) == v_cycle(levels, f)).all()
    moves = [(event.level, event.move) for event in events]
    down = [(l, move) for l in (1, 2, 3) for move in ("smooth", "restrict")]
    up = [(l, move) for l in (3, 2, 1) for move in ("correct", "post-smooth")]
    assert moves == [*down, (4, "solve"), *up]
    assert events[-1].after < 0.5 * events[0].before
    for a, b in zip(descend(told, f), descend(levels, f), strict=True):
        assert (a.u == b.u).all()
        assert (a.f == b.f).all()
