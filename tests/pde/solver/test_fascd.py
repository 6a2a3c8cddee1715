"""Solves between bounds by FASCD, linear and nonlinear: other methods, exact solutions, bounds that always hold."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import spsolve

import pde
from pde import Multigrid, NonlinearPoisson, Poisson

EPS = float(np.finfo(float).eps)
LAWS = {
    "cube": {"reaction": lambda u, *x: 100 * u**3},
    "a(u)": {"coefficient": lambda u, *x: 1 + 10 * u**2},
    "a(grad)": {"gradient_coefficient": lambda s, *x: (0.1 + s) ** 0.5},
}
BOUNDS = {"lower": lambda x, y: 0.1 - 3 * (x - 0.4) ** 2 - 2 * (y - 0.5) ** 2, "upper": lambda x, y: 0.15 + 0.3 * x}


def f(x, y):
    return 60 * np.sin(5 * x) * np.cos(3 * y) - 10


def jacobian(problem, u):
    """The derivative of problem.apply by central differences, column by column."""
    step, size = 1e-6, u.size
    shifts = step * np.eye(size).reshape(size, *u.shape)
    rows = (problem.apply(u + shifts) - problem.apply(u - shifts)) / (2 * step)
    return rows.reshape(size, size).T


@pytest.mark.parametrize("name", LAWS)
def test_a_nonlinear_problem_has_the_solution_of_a_semismooth_newton_method(name):
    problem = NonlinearPoisson((13, 11), **LAWS[name])
    x = problem.points()
    lower, upper, data = BOUNDS["lower"](*x), BOUNDS["upper"](*x), f(*x)
    found = Multigrid(problem, levels=3).solve(f, **BOUNDS, rtol=1e-11)
    assert found.converged
    u, c = np.clip(np.zeros(problem.shape), lower, upper), 2 * (14**2 + 12**2)
    for _ in range(40):  # steps are halved until the residual falls
        r, J, size = data - problem.apply(u), jacobian(problem, u), left(problem, data, u, lower, upper, c)
        held = ((u + r / c <= lower) | (u + r / c >= upper)).ravel()
        rows = np.where(held[:, None], np.eye(u.size), J)
        side = np.where(held, (np.clip(u + r / c, lower, upper) - u).ravel(), r.ravel())
        e, t = spsolve(sp.csc_matrix(rows), side).reshape(u.shape), 1.0
        while left(problem, data, u + t * e, lower, upper, c) > (1 - t / 4) * size and t > 1e-3:
            t /= 2
        u = u + t * e
        if left(problem, data, u, lower, upper, c) < 1e-10:
            break
    rest = left(problem, data, u, lower, upper, c)
    assert rest < 1e-8
    assert abs(found.u - u).max() <= 10 * (rest + 1e-11 * 100)  # |A^-1| <= 1/(8 min a) < 1/2, ||f|| < 100
    assert 0.05 < np.mean(found.contact != 0) < 0.9
    assert set(np.unique(found.contact)) == {-1, 0, 1}


def left(problem, data, u, lower, upper, c):
    r = data - problem.apply(u)
    return c * abs(u - np.clip(u + r / c, lower, upper)).max()


def rim(x, y):
    """-Laplace u = -8 outside the circle of radius r0, where u > 0, and u = 0 inside it."""
    r0, r = 0.3, np.maximum(np.hypot(x, y), 1e-9)
    return np.where(r > r0, 2 * (r**2 - r0**2) - 4 * r0**2 * np.log(r / r0), 0.0)


def with_cube(x, y):
    u = rim(x, y)
    return -8 + 100 * u**3


@pytest.mark.parametrize("nonlinear", [False, True])
def test_the_error_of_an_exact_solution_falls_as_h_squared(nonlinear):
    errors = []
    for n in (16, 32, 64):
        problem = NonlinearPoisson((n, n), reaction=lambda u, *x: 100 * u**3) if nonlinear else Poisson((n, n))
        solution = Multigrid(problem).solve(with_cube if nonlinear else -8.0, rim, lower=0.0, method="fascd")
        assert solution.converged
        assert np.all(solution.u >= 0)
        errors.append(abs(solution.u - rim(*problem.points())).max())
    assert errors[-1] < 1e-3
    assert np.polyfit(np.log([16, 32, 64]), np.log(errors), 1)[0] < -1.6


@pytest.mark.parametrize(
    ("kind", "centering", "dtype"),
    [
        ("fmg", "vertex", "float64"),
        ("fmg", "cell", "float32"),
        ("V", "cell", "float64"),
        ("W", "cell", "float32"),
        ("F", "vertex", "float64"),
        ("backslash", "vertex", "float32"),
    ],
)
def test_every_iterate_keeps_the_bounds(kind, centering, dtype):
    sides = [("neumann", "dirichlet"), ("dirichlet", ("robin", 2.0))]
    for problem in (
        Poisson((22, 15), boundary=sides, centering=centering),
        NonlinearPoisson((22, 15), boundary=sides, centering=centering, reaction=lambda u, *x: np.exp(u)),
    ):
        x, seen = problem.points(), []
        lower, upper = (BOUNDS[name](*x).astype(dtype) for name in ("lower", "upper"))
        mg = Multigrid(problem, levels=3, dtype=dtype)

        def watch(progress, lower=lower, upper=upper, seen=seen):
            seen.append(np.all(lower <= progress.u) and np.all(progress.u <= upper))

        limits = {"rtol": 1e-4, "max_cycles": 15}
        solution = mg.solve(f, lower=lower, upper=upper, method="fascd", cycle=kind, callback=watch, **limits)
        assert solution.u.dtype == dtype
        assert len(seen) == solution.cycles
        assert all(seen)
        assert solution.converged or kind == "backslash"  # without sweeps after a correction cycles may stall


def test_linear_problems_have_the_solution_of_truncated_newton_multigrid():
    problem = Poisson((31, 31), coefficient=lambda x, y: 1 + x * y, reaction=3.0)
    mg = Multigrid(problem)
    solutions = [mg.solve(f, 0.1, **BOUNDS, method=method, rtol=1e-11) for method in ("fascd", "truncated newton")]
    assert all(solution.converged for solution in solutions)
    assert abs(solutions[0].u - solutions[1].u).max() <= 1e-11 * 100  # |A^-1| < 1/8, f < 100
    np.testing.assert_array_equal(solutions[0].contact, solutions[1].contact)


@pytest.mark.parametrize(("nu", "omega", "factor"), [((1, 1), 1.0, 0.80), ((2, 2), 1.0, 0.66), ("auto", None, 0.3)])
def test_over_relaxation_halves_the_factor(nu, omega, factor):
    """Measured: 0.74, 0.60 and 0.24; of an uneven obstacle with many pieces of contact."""
    problem = Poisson((63, 63))
    x, y = problem.points()
    bumps = 0.3 * np.sin(3 * np.pi * x) * np.sin(2 * np.pi * y) * np.sin(7 * np.pi * x * y + 1) - 0.02
    solution = Multigrid(problem, nu=nu, omega=omega, levels=5).solve(-10.0, lower=bumps, method="fascd", rtol=1e-6)
    assert solution.converged
    assert solution.factor < factor


def test_members_of_a_batch_end_as_alone():
    problem = NonlinearPoisson((15, 15), reaction=lambda u, *x: u**3)
    data, mg = np.stack([np.full((15, 15), -2.0), np.full((15, 15), -20.0)]), Multigrid(problem)
    lower = np.stack([np.full((15, 15), -0.1), np.full((15, 15), -0.3)])
    both = mg.solve(data, lower=lower)
    for k, member in enumerate(both.members):
        alone = mg.solve(data[k], lower=lower[k])
        assert alone.cycles == member.cycles
        np.testing.assert_array_equal(alone.u, member.u)


def test_a_bound_gives_a_solution_where_there_is_none_without():
    mg = Multigrid(NonlinearPoisson((15, 15), reaction=lambda u, x, y: -8 * np.exp(u)))  # the fold is at 6.8
    held = mg.solve(0.0, upper=1.0)
    assert held.converged
    assert held.u.max() == 1.0
    assert np.any(held.contact == 1)
    assert not mg.solve(0.0, lower=-1.0).converged


CUBE = {"reaction": lambda u, *x: u**3}


def disk(x, y):
    return np.hypot(x - 0.5, y - 0.5) - 0.4


BAD = {
    "another method": (
        NonlinearPoisson(9, **CUBE),
        {},
        {"method": "truncated newton"},
        r"method must be.*'fascd'; got",
    ),
    "no bounds": (Poisson(9), {}, {"lower": None}, r"method must be .*got 'fascd'"),
    "lines": (Poisson((9, 9)), {"smoother": "zebra"}, {}, r"smoother must be one of .*'fascd'; got 'zebra'"),
    "domain": (Poisson((9, 9), domain=disk), {}, {}, r"'fascd' is for boxes without a domain"),
    "crossed": (NonlinearPoisson(9, **CUBE), {}, {"upper": -1.0}, r"lower must not be above upper"),
    "sides": (NonlinearPoisson(9, **CUBE), {}, {"lower": 1.0}, r"lower: obstacles against boundary values"),
    "a < 0 at the first guess": (
        NonlinearPoisson(9, coefficient=lambda u, x: 0.2 + u),
        {},
        {"lower": -0.3, "u0": np.full(9, -0.25), "cycle": "V", "max_cycles": 0},
        r"coefficient must be positive for every u that a solve meets, from u0 on",
    ),
    "a < 0 between the bounds": (
        NonlinearPoisson(9, coefficient=lambda u, x: 0.2 + u),
        {},
        {"g": -0.4, "upper": -0.3, "max_cycles": 1},
        r"coefficient must be positive .* for u between -0\.[345]\d* and -0\.[345]",
    ),
    "a < 0 and a residual of nan": (
        NonlinearPoisson(9, coefficient=lambda u, x: np.sign(0.5 - x) + 0 * u),  # the two faces in the middle cancel
        {},
        {"lower": -1.0, "max_cycles": 1},
        r"coefficient must be positive",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case):
    problem, options, arguments, message = BAD[case]
    mg = Multigrid(problem, **options)
    with pytest.raises(ValueError, match=message):
        mg.solve(-10.0, **{"lower": -0.5, "method": "fascd"} | arguments)


def test_moves_are_told():
    lines = []
    problem = NonlinearPoisson((15, 15), reaction=lambda u, *x: u**3)
    pde.Multigrid(problem, levels=3).solve(-9.0, lower=-0.2, max_cycles=2, verbose=lines.append)
    assert {event.move for event in lines} == {"smooth", "solve", "restrict", "correct", "post-smooth"}
    assert lines[-1].after < 1e-2 * lines[0].before
