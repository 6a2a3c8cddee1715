"""Nonlinear solves that have no solution, a bad first guess or unusual data, and the options that they take."""

import copy
import io
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pde
from pde import Multigrid, NonlinearPoisson, Poisson
from pde.backends import full_approximation
from tests.pde.nonlinear import bratu, cubic, given_sides, liouville, problems
from tests.pde.refusals import ids, refused

EPS = float(np.finfo(float).eps)
KINDS = ("V", "W", "F", "backslash")


def test_no_solution_is_never_called_converged():
    """Bratu above the fold, 6.808."""
    for cycle in ("fmg", "V"):
        solution = Multigrid(bratu((31, 31), 8.0)).solve(0.0, cycle=cycle)
        assert not solution.converged
        assert solution.reason in ("diverged", "stalled", "non-finite", "max_cycles")
        with pytest.raises(pde.SolveError):
            Multigrid(bratu((31, 31), 8.0)).solve(0.0, cycle=cycle, strict=True)


def test_bratu_just_below_the_fold_is_solved():
    solution = Multigrid(bratu((63, 63), 6.8)).solve(0.0, max_cycles=200)
    assert solution.converged
    assert 1.2 < solution.u.max() < 1.4  # at the fold 1.3917, of the continuous equation


def test_both_solutions_of_bratu_are_found_by_the_first_guess():
    problem = bratu((31, 31), 3.0)
    x, y = problem.points()
    mg = Multigrid(problem)
    lower, upper = mg.solve(0.0), mg.solve(0.0, u0=64 * x * (1 - x) * y * (1 - y))
    assert lower.converged
    assert upper.converged
    assert lower.u.max() < 0.3
    assert 4.1 < upper.u.max() < 4.2
    assert abs(problem.apply(upper.u)).max() < 1e-6 * 3 * np.exp(4.2)


def test_a_reaction_that_overflows_ends_as_non_finite():
    problem = NonlinearPoisson((31, 31), reaction=lambda u, *x: np.exp(u))
    solution = Multigrid(problem).solve(1.0, u0=np.full((31, 31), 1e3), cycle="V")
    assert solution.reason == "non-finite"
    assert "nonlinear" in solution.message
    assert Multigrid(problem).solve(1.0).converged


def test_a_cycle_that_fails_is_made_again_with_a_shorter_step(monkeypatch):
    """Coarse-grid corrections from the guess 0 lead to sinh(100 u) of more than 1e200."""
    problem = NonlinearPoisson((31, 31), reaction=lambda u, *x: np.sinh(100 * u))
    mg = Multigrid(problem)
    solution = mg.solve(1e4, method="fas")
    assert solution.converged
    assert abs(problem.apply(solution.u) - 1e4).max() < 1e-3
    monkeypatch.setattr(full_approximation, "SHARES", ())
    assert not mg.solve(1e4, method="fas").converged


def test_a_pass_of_full_multigrid_that_fails_is_told():
    """For a function that grows fast, in one member of a batch, and one that leaves the range of numbers."""
    problem = NonlinearPoisson((31, 31), reaction=lambda u, *x: np.sinh(100 * u))
    mg, f = Multigrid(problem), np.ones((2, 31, 31))
    assert np.isfinite(mg.full_multigrid(f)).all()
    f[1] = 1e4
    for data in (1e4, f):
        with pytest.raises(ArithmeticError, match=r"full_multigrid: .* residual from 1.00e\+04 to .* solve"):
            mg.full_multigrid(data)
    steep = NonlinearPoisson((31, 31), reaction=lambda u, *x: np.exp(np.exp(1e3 * u)))
    with pytest.raises(ArithmeticError, match=r"to (nan|inf)"):
        Multigrid(steep).full_multigrid(1e4)


def test_a_first_guess_that_is_exact_makes_no_pass_fail():
    """The lifting of linear data solves the problem: all residuals are rounding."""
    problem = NonlinearPoisson((40, 40), coefficient=2.0, reaction=lambda u, *x: 0 * u)
    u = Multigrid(problem).full_multigrid(0.0, lambda x, y: 1e3 + x - 2 * y)
    assert abs(u - (1e3 + problem.points()[0] - 2 * problem.points()[1])).max() < 1e-9
    assert not Multigrid(problem).full_multigrid(0.0).any()


def test_large_data_of_sides_make_no_tolerance_trivial():
    """A(w) is 5e18 for the lifting w of g: residuals are not relative to that."""
    problem = NonlinearPoisson((31, 31), reaction=lambda u, *x: 5 * u**3)
    mg = Multigrid(problem)
    solution, exact = (mg.solve(0.0, 1e6, rtol=rtol, max_cycles=100) for rtol in (1e-8, 1e-11))
    assert solution.converged
    assert solution.cycles > 1
    assert abs(solution.u - exact.u).max() < 1e-6 * exact.u.max()


def test_a_solve_begins_with_a_function_that_has_the_data_of_sides():
    """-div(exp(u) grad u) = 0 between u = 0 and 3 along x: exp(u) is a straight line."""
    problem = NonlinearPoisson((63, 40), boundary=("dirichlet", "neumann"), coefficient=lambda u, *x: np.exp(u))
    solution = Multigrid(problem).solve(0.0, {(0, 1): 3.0})
    assert solution.converged
    assert solution.cycles <= 8
    assert abs(solution.u - np.log1p(np.expm1(3) * problem.points()[0])).max() < 0.02


@pytest.mark.parametrize("size", [1e-200, 1e-12, 1e6])
def test_data_of_any_size(size):
    """The squares of some of them are no numbers."""

    def scaled(size):
        law = {"reaction": lambda u, *x: u * abs(u / size), "derivative": lambda u, *x: 2 * abs(u / size)}
        return Multigrid(NonlinearPoisson((31, 31), **law)).solve(size)

    solution = scaled(size)
    assert solution.converged
    assert np.allclose(solution.u / size, scaled(1.0).u, rtol=1e-6, atol=0)


def test_one_unknown_and_one_row():
    law = {"reaction": lambda u, *x: 5 * u**3}
    assert (
        abs(Multigrid(NonlinearPoisson((1, 1), boundary="neumann", **law)).solve(1.0).u - 0.2 ** (1 / 3)).max() < 1e-8
    )
    row = NonlinearPoisson((1, 50), boundary=("periodic", "dirichlet"), **law)
    line = NonlinearPoisson(50, **law)
    assert np.allclose(Multigrid(row).solve(1.0).u[0], Multigrid(line).solve(1.0).u, rtol=1e-7)


def test_a_function_cannot_write_to_u():
    problem = NonlinearPoisson((31, 31), reaction=lambda u, *x: u**3)
    law = problem.laws.reaction
    for write in (lambda u, *x: np.multiply(u, 2, out=u),):
        refused(ValueError, ["read-only"], NonlinearPoisson, (31, 31), reaction=write)
    u = np.ones((31, 31))
    law(u, problem.points())
    assert u.flags.writeable


def test_float32():
    f = np.ones((31, 31), np.float32)
    solution = Multigrid(bratu((31, 31)), dtype="float32").solve(f, rtol=1e-4)
    assert solution.converged
    assert solution.u.dtype == np.float32
    assert abs(solution.u - Multigrid(bratu((31, 31))).solve(1.0).u).max() < 1e-4


def test_verbose_leaves_the_iterates_as_they_are():
    problem, lines = bratu((31, 31)), io.StringIO()
    said, silent = (Multigrid(problem).solve(1.0, 0.5, verbose=to) for to in (lines, False))
    assert np.array_equal(said.u, silent.u)
    assert "level 2 (15x15)" in lines.getvalue()
    assert "solve" in lines.getvalue()


def test_out_u0_and_callbacks():
    mg, out, seen = Multigrid(bratu((31, 31))), np.empty((31, 31)), []
    solution = mg.solve(1.0, out=out, callback=lambda progress: seen.append(progress.residual))
    assert solution.u is out
    assert tuple(seen) == solution.residual_norms[1:]
    again = mg.solve(1.0, u0=solution.u)
    assert again.cycles == 0


def test_it_is_printed_copied_and_pickled():
    mg = Multigrid(NonlinearPoisson((63, 63), reaction=cubic))
    assert "Newton-Gauss-Seidel" in str(mg)
    assert "reaction(u, x)" in repr(mg)
    assert np.array_equal(pickle.loads(pickle.dumps(mg)).solve(1.0).u, mg.solve(1.0).u)
    unnamed = Multigrid(NonlinearPoisson((63, 63), reaction=lambda u, *x: cubic(u)))
    assert np.array_equal(copy.deepcopy(unnamed).solve(1.0).u, mg.solve(1.0).u)


def test_a_tensor_comes_back_as_one():
    torch = pytest.importorskip("torch")
    solution = Multigrid(bratu((31, 31))).solve(torch.ones(31, 31, dtype=torch.float64))
    assert isinstance(solution.u, torch.Tensor)


REFUSED = [
    (ValueError, ["smoother", "nonlinear", "zebra"], {"smoother": "zebra"}),
    (ValueError, ["coarse", "nonlinear"], {"coarse": "galerkin"}),
    (ValueError, ["transfer", "nonlinear"], {"transfer": "operator"}),
    (ValueError, ["kernels", "nonlinear"], {"kernels": "torch"}),
    (ValueError, ["dtype", "nonlinear", "mixed"], {"dtype": "mixed"}),
    (ValueError, ["levels", "16129", "got 1"], {"levels": 1}),
]


@pytest.mark.parametrize(("kind", "named", "options"), REFUSED, ids=ids(REFUSED))
def test_options_of_linear_problems_are_refused(kind, named, options):
    refused(kind, named, Multigrid, bratu((127, 127)), **options)


def test_methods_and_data_of_linear_problems_are_refused():
    mg = Multigrid(bratu((15, 15)))
    for call in (mg.predict, mg.measure_factor, mg.as_preconditioner):
        refused(TypeError, ["linear"], call)
    refused(ValueError, ["accel", "nonlinear", "'cg'"], mg.solve, 1.0, accel="cg")
    refused(TypeError, ["f", "real"], mg.solve, 1j * np.ones((15, 15)))
    refused(TypeError, ["g", "real"], mg.solve, 1.0, 1j)
    refused(TypeError, ["problem", "pde.Poisson", "pde.NonlinearPoisson"], Multigrid, "problem")


def test_a_coefficient_that_is_not_positive_is_named():
    problem = NonlinearPoisson((31, 31), coefficient=lambda u, *x: 1 - u)
    refused(ValueError, ["coefficient", "positive"], Multigrid(problem).solve, 100.0)


@settings(max_examples=10)
@given(problem=problems(), seed=st.integers(0, 99))
def test_solves_of_every_kind_converge(problem, seed):
    rng = np.random.default_rng(seed)
    solution = Multigrid(problem).solve(rng.uniform(-1, 1, problem.shape), given_sides(problem, rng), max_cycles=100)
    assert solution.converged


def test_a_coefficient_that_vanishes_at_the_first_guess_is_named_and_another_guess_helps():
    """Flow in porous media: -div(u^2 grad u) = 1 between sides u = 0."""
    problem = NonlinearPoisson((31, 31), coefficient=lambda u, *x: u**2)
    mg = Multigrid(problem)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refused(ValueError, ["coefficient", "positive", "u0", "down to 0"], mg.solve, 1.0)
    solution = mg.solve(1.0, u0=np.ones((31, 31)))
    assert solution.converged
    assert abs(problem.apply(solution.u) - 1).max() < 1e-5


def test_a_reaction_that_is_infinite_at_zero_is_solved_from_a_first_guess():
    """Residuals are relative to that of u0 where A(0) is no number, of each member of a batch."""
    problem = NonlinearPoisson((31, 31), reaction=lambda u, *x: np.log(u))
    f = np.stack([np.ones((31, 31)), np.full((31, 31), 5.0)])
    solution = Multigrid(problem).solve(f, u0=np.ones_like(f))
    assert solution.converged
    assert [member.residual_norms[0] for member in solution.members] == [1.0, 1.0]
    assert abs(problem.apply(solution.u) - f).max() < 1e-4
    assert Multigrid(problem).solve(1.0).reason == "non-finite"


def test_full_multigrid_alone_returns_no_rubbish():
    log = NonlinearPoisson((31, 31), reaction=lambda u, *x: np.log(u))
    with pytest.raises(ArithmeticError, match="nan"):
        Multigrid(log).full_multigrid(1.0)
    below = NonlinearPoisson((31, 31), coefficient=lambda u, *x: -1.0 + 0 * u)
    refused(ValueError, ["coefficient", "positive", "-1"], Multigrid(below).full_multigrid, 1.0)


def test_classes_derived_from_the_problem_are_solved_as_it_is():
    class Cube(NonlinearPoisson):
        pass

    problem = Cube((15, 15), reaction=cubic)
    assert np.array_equal(
        Multigrid(problem).solve(1.0).u, Multigrid(NonlinearPoisson((15, 15), reaction=cubic)).solve(1.0).u
    )


EXACT = {
    "a constant": (0.7, {"reaction": lambda u, *x: (u - 0.7) ** 3}),
    "a constant, a(u)": (0.7, {"coefficient": lambda u, *x: 1 + u**2}),
    "a linear function": (lambda x, y: x + 0.3 * y, {}),
    "a linear function, c(u)": (lambda x, y: x, {"reaction": lambda u, x, y: np.sin(u - x)}),
}


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_data_of_sides_that_the_first_guess_solves_for(name, centering):
    """The lifting of g is the solution: the residual is 0, or what rounding leaves, before any cycle."""
    g, law = EXACT[name]
    problem = NonlinearPoisson((24, 25), centering=centering, **law)
    exact = problem.read("exact", g if callable(g) else np.full((24, 25), g))
    for guess in (None, np.zeros((24, 25))):
        solution = Multigrid(problem).solve(0.0, g, u0=guess)
        assert solution.converged
        assert abs(solution.u - exact).max() < 1e-6
    batch = Multigrid(problem).solve(np.stack([np.zeros((24, 25)), np.ones((24, 25))]), g)
    assert batch.converged
    assert abs(batch.u[0] - exact).max() < 1e-12
    assert abs(batch.u[1] - Multigrid(problem).solve(1.0, g).u).max() < 1e-12


def test_without_a_cycle_a_solve_returns_the_u_whose_residual_it_tells():
    problem = bratu((31, 31))
    solution = Multigrid(problem).solve(1.0, liouville, max_cycles=0)
    r = 1 - problem.apply(solution.u, liouville)
    assert solution.residual_norms == (1.0,)
    assert abs(r).max() < 100


@pytest.mark.parametrize("beta", [0.1, 0.01])
def test_first_guesses_are_in_the_range_of_the_reaction(beta):
    """The lifting of fluxes between Neumann and weak Robin sides is 3/beta and more: sinh(5 w) is 1e67 or none."""
    problem = NonlinearPoisson(
        (32, 33), boundary=(("neumann", ("robin", beta)),) * 2, reaction=lambda u, *x: np.sinh(5 * u)
    )
    g = {(0, 0): 3.0, (1, 0): 2.0, (1, 1): 1.0}
    for cycle in ("fmg", "V"):
        solution = Multigrid(problem).solve(1.0, g, cycle=cycle)
        assert solution.converged
        assert abs(problem.apply(solution.u, g) - 1).max() < 1e-4


def test_a_number_is_a_constant_first_guess():
    """Of batches too, and of linear problems."""
    for problem in (NonlinearPoisson((15, 9), reaction="u**3"), Poisson((15, 9))):
        mg, f = Multigrid(problem), np.ones((2, 15, 9))
        number, array = (mg.solve(f, u0=u0, max_cycles=1) for u0 in (0.25, np.full(f.shape, 0.25)))
        assert np.array_equal(number.u, array.u)


def test_a_coefficient_is_positive_at_faces_too():
    """u alternates, so that central differences at the unknowns are zero, and those at faces are not."""
    problem = NonlinearPoisson((9, 9), gradient_coefficient="1.5 - s")
    u = 0.2 * (-1.0) ** np.add.outer(np.arange(9), np.arange(9))
    A = problem._operator
    assert np.min(A.coefficient(u)[1:-1, 1:-1]) > 0
    refused(ValueError, ["gradient_coefficient", "positive"], A.check_coefficient, u)
