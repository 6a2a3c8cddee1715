"""FASCD levels: iterates that never leave their bounds, the constraint decomposition, and its cycles without bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pde
from mgcore import CYCLES
from mgcore.delegate import Delegate
from pde.backends.base import Backend
from pde.backends.constrained import Constrained
from pde.backends.data import Data
from pde.levels import projected
from pde.levels.fascd import MonotoneInjection
from pde.levels.projected import ActiveSets, ProjectedGaussSeidel, complementarity
from tests.pde import nonlinear, problems
from tests.pde.rounding import of_a_cycle

EPS = float(np.finfo(float).eps)
KINDS = ("V", "W", "F", "backslash")


def levels_between(problem, lower, upper, nu=(2, 1), omega=None, levels=3, dtype="float64"):
    """The constrained backend of a problem with zero boundary values."""
    plain = Multigrid(problem, levels, dtype)
    if isinstance(problem, pde.Poisson):
        plain = Backend(plain.hierarchy, plain.dtype)
    return Constrained(plain, (lower[None].astype(dtype), upper[None].astype(dtype)), nu, omega)


def Multigrid(problem, levels, dtype="float64"):
    options = {"levels": levels, "dtype": dtype}
    if isinstance(problem, pde.Poisson):
        options |= {"smoother": "sor", "transfer": "bilinear", "coarse": "rediscretised", "kernels": "numpy"}
    mg = pde.Multigrid(problem, **options)
    return mg.backend if isinstance(problem, pde.NonlinearPoisson) else mg


def random_bounds(shape, rng, missing=0.3):
    """A lower and an upper bound, equal at some points, infinite at others."""
    lower = rng.uniform(-1, 0.5, shape)
    upper = lower + rng.choice([0.0, 0.1, 1.0], shape)
    lower[rng.random(shape) < missing] = -np.inf
    upper[rng.random(shape) < missing] = np.inf
    return lower, upper


class Watched(Delegate):
    """Checks every state of a level, before and after each of its moves."""

    def start(self, f, u=None):
        return self.between(super().start(f, u))

    def smooth(self, state):
        after = super().smooth(self.between(state))
        if after.defects is not None:
            chi, cap = state.lower - state.u, state.upper - state.u
            P = self.level._prolonged
            there = np.isfinite(chi) & (chi < 0)
            slack = 8 * EPS * np.maximum(abs(chi), 1)
            assert np.all((P(after.defects[0]) >= chi - slack)[there])  # so that y + P z >= phi + P chi_c = chi
            there = np.isfinite(cap) & (cap > 0)
            assert np.all((P(after.defects[1]) <= cap + 8 * EPS * np.maximum(abs(cap), 1))[there])
        return self.between(after)

    def restrict(self, state, coarse):
        return coarse.between(super().restrict(state, coarse.level))

    def correct(self, state, coarse, before, after, *, post=True):
        e = self.level.level.P(after.u - before.u, state.u)
        u, size = state.u + e, 1 + abs(state.u) + abs(e)
        assert np.all(u >= state.lower - 64 * EPS * size)
        assert np.all(u <= state.upper + 64 * EPS * size)
        corrected = self.between(super().correct(state, coarse.level, before, after, post=False))
        return self.between(super().correct(state, coarse.level, before, after)) if post else corrected

    def between(self, state):
        assert np.all(state.lower <= state.u)
        assert np.all(state.u <= state.upper)
        return state


some_problem = st.one_of(problems.problems(), nonlinear.problems("one"), nonlinear.problems("of u"))


@given(problem=some_problem, seed=st.integers(0, 99), kind=st.sampled_from(KINDS), rough=st.sampled_from([1.0, 100.0]))
def test_no_move_on_any_level_leaves_the_bounds(problem, seed, kind, rough):
    rng = np.random.default_rng(seed)
    backend = levels_between(problem, *random_bounds(problem.shape, rng))
    u, f = rng.uniform(-1, 1, (2, 1, *problem.shape))
    moves = [Watched(level) for level in backend.moves]
    assert np.isfinite(CYCLES[kind](moves, rough * f, u)).all()


@given(
    problem=problems.problems(),
    seed=st.integers(0, 99),
    kind=st.sampled_from(KINDS),
    nu=st.sampled_from([(1, 1), (0, 2)]),
)
def test_without_bounds_cycles_are_the_linear_ones(problem, seed, kind, nu):
    f, u = np.random.default_rng(seed).uniform(-1, 1, (2, *problem.shape))
    if problem.singular:
        return
    free = np.full(problem.shape, np.inf)
    backend = levels_between(problem, -free, free, nu, 1.0)
    options = {"transfer": "bilinear", "coarse": "rediscretised", "kernels": "numpy", "levels": 3}
    mg = pde.Multigrid(problem, smoother="red-black", omega=1.0, nu=nu, **options)
    found, _ = backend.cycle(kind, Data(f[None]), u[None])
    assert abs(found[0] - mg.cycle(f, u, kind)).max() <= 8 * of_a_cycle(mg, f, u)


@given(problem=some_problem, seed=st.integers(0, 99), kind=st.sampled_from(KINDS))
def test_the_solution_is_a_fixed_point_of_every_cycle(problem, seed, kind):
    rng = np.random.default_rng(seed)
    lower, upper = random_bounds(problem.shape, rng)
    backend = levels_between(problem, lower, upper)
    A, u = backend.hierarchy.levels[0].A, np.clip(rng.uniform(-1, 1, problem.shape), lower, upper)[None]
    push = rng.uniform(0, 100, u.shape)
    f = A(u) - push * (u == lower) * (u < upper) + push * (u == upper) * (u > lower)  # it solves this one
    moved, _ = backend.cycle(kind, Data(f), u)
    plain = pde.Multigrid(
        pde.Poisson(problem.shape, boundary=sides_of(problem), centering=problem.centering, reaction=1.0)
    )
    stiff = 30.0  # the largest coefficient
    assert abs(moved - u).max() <= 64 * stiff * of_a_cycle(plain, f[0] / stiff, u[0])
    assert abs(backend.residual(f, u)).max() <= 64 * EPS * abs(projected.diagonal(A, u)).max() * 2


def sides_of(problem):
    return tuple(
        "periodic"
        if pair[0].kind == "periodic"
        else tuple(("robin", 2.0) if s.kind == "robin" else s.kind for s in pair)
        for pair in problem.boundary
    )


@given(problem=problems.problems(), seed=st.integers(0, 99))
def test_monotone_injection_takes_the_largest_of_what_prolongation_leads_to(problem, seed):
    mg = Multigrid(problem, 2)
    if len(mg.levels) == 1:
        return
    P, chi = mg.levels[0].info.to_coarse, np.random.default_rng(seed).uniform(-1, 0, (2, *problem.shape))
    found = MonotoneInjection.of(P, problem.grid)(chi, np.maximum)
    reached = P.matrix().toarray() > 0
    assert np.all(P.matrix().toarray() >= 0)
    assert np.all(P.matrix().sum(axis=1) <= 1 + 8 * EPS)
    largest = [np.max(np.where(reached, member.reshape(-1, 1), -np.inf), axis=0) for member in chi]
    np.testing.assert_array_equal(found.reshape(2, -1), largest)


@given(problem=problems.problems(), seed=st.integers(0, 99))
def test_active_sets_end_where_many_sweeps_do(problem, seed):
    rng = np.random.default_rng(seed)
    lower, upper = random_bounds(problem.shape, rng, 0.0)
    f, A = 10 * rng.uniform(-1, 1, (1, *problem.shape)), Multigrid(problem, 1).levels[0].A
    data = np.zeros_like(f), f, lower[None], upper[None]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(projected, "ENOUGH", 0.0)
        u = ActiveSets(ProjectedGaussSeidel(A))(np.clip(data[0], *data[2:]), *data[1:])
    left = complementarity(f - A(u), projected.diagonal(A, u), u, *data[2:])
    assert np.all(lower <= u)
    assert np.all(u <= upper)
    assert abs(left).max() <= 64 * EPS * (abs(f) + abs(projected.diagonal(A, u) * u)).max()


def test_infinite_bounds_do_not_reach_coarse_grids_as_numbers_that_are_not():
    problem, rng = pde.Poisson((20, 14), boundary=["neumann", "dirichlet"], centering="cell"), np.random.default_rng(0)
    backend = levels_between(problem, *random_bounds(problem.shape, rng, 0.5))
    for level in backend.moves:
        assert np.all(level.lower <= level.upper)
        assert np.all(level.lower < np.inf)
        assert np.all(level.upper > -np.inf)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_members_of_a_batch_have_their_own_bounds(dtype):
    problem, rng = pde.Poisson((13, 9)), np.random.default_rng(1)
    lower, f = (
        rng.uniform(-1, 0, (2, *problem.shape)).astype(dtype),
        rng.uniform(-9, 9, (2, *problem.shape)).astype(dtype),
    )
    mg, free = Multigrid(problem, 3, dtype), np.full((1, *problem.shape), np.inf, dtype)
    plain = Backend(mg.hierarchy, mg.dtype)
    both = Constrained(plain, (lower, free), (2, 2), None)
    u, _ = both.full_multigrid(Data(f))
    assert u.dtype == dtype
    assert np.all(u >= lower)
    for k in (0, 1):
        alone, _ = both.select([k]).full_multigrid(Data(f[k : k + 1]))
        np.testing.assert_array_equal(alone[0], u[k])
