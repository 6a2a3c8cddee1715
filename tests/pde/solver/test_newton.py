"""Newton-multigrid: against the full approximation scheme, sparse Newton steps, and what it is to do by itself."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import spsolve

from pde import Multigrid, NonlinearPoisson, Poisson
from pde.levels import newton_step
from pde.problem.linearised import Linearised
from tests.pde.nonlinear import bratu, cubic, given_sides, problems
from tests.pde.refusals import refused

EPS = float(np.finfo(float).eps)
SURFACE = {"gradient_coefficient": lambda s, *x: (1 + s) ** -0.5}


def ring(x, y):
    return 3 * np.sin(np.pi * x) * np.cos(2 * np.pi * y)


@settings(max_examples=10)
@given(problem=problems(), seed=st.integers(0, 99))
def test_both_methods_find_the_same_solution(problem, seed):
    rng = np.random.default_rng(seed)
    f, g = rng.uniform(-1, 1, problem.shape), given_sides(problem, rng)
    mg = Multigrid(problem)
    fas, newton = (mg.solve(f, g, method=name, rtol=1e-10, max_cycles=100) for name in ("fas", "newton"))
    if not fas.converged or abs(fas.u).max() > 5:  # fluxes that no surface has
        return
    assert newton.converged
    assert (fas.method, newton.method) == ("fas", "newton")
    assert newton.work_units is None
    assert abs(fas.u - newton.u).max() < 1e-6


@settings(max_examples=10)
@given(problem=problems(), seed=st.integers(0, 99))
def test_the_exact_discrete_solution_is_a_fixed_point(problem, seed):
    rng = np.random.default_rng(seed)
    u, g = rng.uniform(-1, 1, problem.shape), given_sides(problem, rng)
    solution = Multigrid(problem).solve(problem.apply(u, g), g, u0=u, method="newton", rtol=0.0, max_cycles=2)
    assert solution.reason in ("rounding", "max_cycles", "converged")
    assert abs(solution.u - u).max() <= 1e-9  # the norm of J^-1, a few hundred at most, times eps ||J||, some 1e4


@pytest.mark.parametrize("name", ["cube", "a(u)", "surface"])
def test_sparse_newton_steps_agree(name):
    law, g = {
        "cube": ({"reaction": cubic}, 0.5),
        "a(u)": ({"coefficient": lambda u, x, y: 1 + 10 * u**2 + x}, 0.5),
        "surface": (SURFACE, lambda x, y: ring(x, y) / 10),
    }[name]
    problem = NonlinearPoisson((63, 63), **law)
    f = 20 * np.cos(3 * problem.points()[0]) * (name != "surface")
    A, u = (
        problem._operator.with_values(problem.read_sides(g, np.dtype(float))),
        Multigrid(problem).full_multigrid(f, g),
    )
    u += 1e-3 * np.random.default_rng(1).standard_normal(u.shape)
    for _ in range(9):
        u = u + spsolve(Linearised(A, u).matrix.tocsc(), (f - A(u)).ravel()).reshape(63, 63)
    solution = Multigrid(problem).solve(f, g, rtol=1e-12, method="newton")
    assert solution.reason in ("converged", "rounding")
    assert abs(solution.u - u).max() < 1e-10


def test_the_last_steps_square_the_residual():
    """min(0.1, |r|^0.5) leaves an order of 1.5 by theory, and that many digits here."""
    for law, g, f in (({"reaction": cubic}, 0.0, 1e3), ({"coefficient": lambda u, *x: 1 + 10 * u**2}, 1.0, 50.0)):
        norms = Multigrid(NonlinearPoisson((63, 63), **law)).solve(f, g, method="newton", rtol=1e-11).residual_norms
        assert len(norms) <= 7
        assert all(b <= a**1.3 for a, b in pairwise(norms[1:-1]))


def test_steep_surfaces_take_few_steps_at_any_size():
    """-div(grad u / (1 + |grad u|^2)^0.5) = 0 with |grad u| to 19, where cycles of the other method take 0.9."""
    for n in (23, 47):
        solution = Multigrid(NonlinearPoisson((n, n), **SURFACE)).solve(0.0, ring, method="newton")
        assert solution.converged
        assert solution.cycles <= 12
    mg = Multigrid(NonlinearPoisson((23, 23), **SURFACE))
    solution = mg.solve(0.0, ring)
    assert solution.converged
    assert solution.cycles <= 15
    assert "by fas, then newton at" in solution.message
    assert not mg.solve(0.0, ring, method="fas", max_cycles=20).converged


def test_without_a_solution_it_says_so():
    for cycle, method in (("fmg", "newton"), ("V", "newton"), ("fmg", "auto")):
        solution = Multigrid(bratu((31, 31), 8.0)).solve(0.0, cycle=cycle, method=method)
        assert not solution.converged
        assert solution.reason == "stalled"
        assert solution.cycles <= 20


def test_a_line_search_shortens_steps(monkeypatch):
    """sinh(100 u): a full step from 0 leads to sinh(300)."""
    problem = NonlinearPoisson((31, 31), reaction=lambda u, *x: np.sinh(100 * u))
    mg = Multigrid(problem)
    solution = mg.solve(1e4, method="newton", cycle="V")
    assert solution.converged
    norms = solution.residual_norms
    assert all(b < a for a, b in pairwise(norms))
    monkeypatch.setattr(newton_step, "SHORTEST", 1.0)
    assert mg.solve(1e4, method="newton", cycle="V").reason == "stalled"


def test_members_of_a_batch_are_those_alone():
    """One of them goes over to Newton steps, the others do not."""
    mg = Multigrid(NonlinearPoisson((23, 23), **SURFACE))
    sides = {(a, s): np.stack([h * np.linspace(0, 1, 23) ** (1 + a + s) for h in (0.1, 5.0, 0.3)]) for a, s in SIDES}
    together = mg.solve(np.zeros((3, 23, 23)), sides)
    methods = [member.method for member in together.members]
    assert methods == ["fas", "fas, then newton", "fas"]
    assert together.method == "fas, then newton"
    for k, member in enumerate(together.members):
        alone = mg.solve(np.zeros((23, 23)), {key: g[k] for key, g in sides.items()})
        assert (alone.cycles, alone.method) == (member.cycles, member.method)
        assert np.allclose(alone.u, together.u[k], rtol=1e-10, atol=1e-12)


SIDES = [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_float32_callbacks_and_first_guesses():
    mg, seen = Multigrid(bratu((31, 31))), []
    solution = mg.solve(1.0, method="newton", callback=lambda progress: seen.append(progress.residual))
    assert tuple(seen) == solution.residual_norms[1:]
    assert mg.solve(1.0, u0=solution.u, method="newton").cycles == 0
    single = Multigrid(bratu((31, 31)), dtype="float32").solve(1.0, method="newton", rtol=1e-4)
    assert single.converged
    assert single.u.dtype == np.float32
    assert abs(single.u - solution.u).max() < 1e-4
    lowest = Multigrid(bratu((31, 31)), dtype="float32").solve(1.0, method="newton", rtol=1e-9)
    assert lowest.reason == "rounding"


def test_methods_are_named():
    refused(ValueError, ["method", "'newton'", "'gmres'"], Multigrid(bratu((15, 15))).solve, 1.0, method="gmres")
    refused(ValueError, ["method", "'newton'"], Multigrid(Poisson((15, 15))).solve, 1.0, method="newton")


def test_other_functions_on_the_same_levels():
    problem = NonlinearPoisson((31, 31), coefficient=lambda u, *x: 1 + u**2, reaction=cubic)
    mg = Multigrid(problem)
    transfers = [level.P for level in mg.levels]
    before = mg.solve(5.0).u
    law = {"reaction": lambda u, *x: 7 * u, "derivative": lambda u, *x: 7.0}
    assert mg.update(**law) is mg
    assert [level.P for level in mg.levels] == transfers
    new = NonlinearPoisson((31, 31), coefficient=lambda u, *x: 1 + u**2, **law)
    assert np.array_equal(mg.solve(5.0).u, Multigrid(new).solve(5.0).u)
    assert np.array_equal(mg.update(reaction=cubic).solve(5.0).u, before)
    u = mg.update(coefficient=lambda u, *x: 2 + u).solve(5.0).u
    assert abs(mg.problem.apply(u) - 5).max() < 1e-5
    refused(ValueError, ["gradient_coefficient", "place"], mg.update, gradient_coefficient=lambda s, *x: 1 + s)
    refused(ValueError, ["derivative"], mg.update, derivative=lambda u, *x: 1.0)
    assert np.array_equal(mg.solve(5.0).u, u)


def test_a_member_whose_coefficient_turns_negative_does_not_end_the_others():
    """a = 1 - u/2 has no solution that stays below 2 for a large f."""
    mg = Multigrid(NonlinearPoisson((15, 15), coefficient=lambda u, x, y: 1 - 0.5 * u))
    f = np.stack([np.full((15, 15), value) for value in (1.0, 60.0, -10.0)])
    solution = mg.solve(f)
    assert [member.converged for member in solution.members] == [True, False, True]
    np.testing.assert_array_equal(solution.members[2].u, mg.solve(f[2]).u)
