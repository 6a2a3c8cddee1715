"""Solves with bounds: against independent solutions, exact ones, and the conditions of complementarity."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import pytest

import pde
from pde.levels.obstacle import made, without_contact
from pde.problem.bounds import Bounds
from pde.solver import truncated_newton
from pde.solver.active_set import ActiveSet
from pde.solver.truncated_newton import TruncatedNewton
from tests.pde.obstacles import RADIUS, ball, reference, violation

EPS = float(np.finfo(float).eps)
METHODS = ("active set", "truncated newton")

PROBLEMS = {
    "string": {"shape": 15},
    "even string": {"shape": 16, "boundary": [("neumann", "dirichlet")]},
    "plane": {"shape": (9, 12)},
    "periodic": {"shape": (8, 9), "boundary": [("dirichlet", "neumann"), "periodic"]},
    "odd period": {"shape": (7, 8), "boundary": ["periodic", "dirichlet"]},
    "robin": {"shape": (9, 9), "boundary": ("robin", 2.0)},
    "cells": {"shape": (12, 9), "centering": "cell"},
    "cells of all sides": {"shape": (9, 11), "centering": "cell", "boundary": ["periodic", ("dirichlet", "neumann")]},
    "space": {"shape": (5, 4, 6)},
    "space of all sides": {"shape": (5, 4, 5), "boundary": ["periodic", "neumann", "dirichlet"]},
    "varying": {"shape": (9, 10), "coefficient": lambda x, y: 1 + 5 * x * y},
    "jump": {"shape": (12, 12), "coefficient": lambda x, y: 1 + 99 * (x > 0.5)},
    "stretched": {"shape": (11, 9), "coordinates": [np.linspace(0, 1, 13) ** 2, None]},
    "reaction": {"shape": (10, 9), "reaction": 4.0, "boundary": "neumann"},
    "voxels": {"shape": (12, 11), "domain": lambda x, y: (x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.2},
    "level set": {"shape": (13, 11), "domain": lambda x, y: (x - 0.5) ** 2 + (y - 0.5) ** 2 - 0.17},
    "beside a side": {"shape": (9, 8), "boundary": ("robin", 1.0), "domain": lambda x, y: x + y < 1.4},
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", PROBLEMS)
def test_solutions_are_those_of_bounded_least_squares(name, method):
    problem = pde.Poisson(**PROBLEMS[name])
    rng = np.random.default_rng(3)
    g = 0.01  # of walls too
    for case in range(2):
        f = 30 * rng.standard_normal(problem.shape)
        lower, upper = -0.15 * rng.random(problem.shape) - 0.02, 0.1 * rng.random(problem.shape) + 0.02
        if case:
            lower[rng.random(problem.shape) < 0.5], upper = -np.inf, np.full(problem.shape, np.inf)
        solution = pde.Multigrid(problem).solve(f, g, lower=lower, upper=upper, method=method, rtol=1e-11)
        assert solution.converged, solution
        exact = reference(problem, f, g, lower, upper)
        # errors of u are at most cond(A) (below 1e4 here) times those of relative residuals, and eps times cond
        assert abs(solution.u - exact).max() <= 1e4 * (1e-11 + 64 * EPS) * max(1, abs(exact).max())
        assert np.all((lower <= solution.u) & (solution.u <= upper)[...])
        inside = np.ones(problem.shape, bool) if problem.domain is None else problem.domain.inside
        assert np.array_equal(solution.contact == -1, (solution.u == lower) & inside)
        assert np.array_equal(solution.contact == 1, (solution.u == upper) & inside)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(16, 16), (17, 22), (31, 31), (9, 8, 10)])
def test_residuals_are_those_of_complementarity(shape, method):
    problem = pde.Poisson(shape)
    lower, upper = -0.05, 0.02
    f = -30 * np.sin(9 * sum(problem.points()))
    solution = pde.Multigrid(problem).solve(f, lower=lower, upper=upper, method=method, rtol=1e-10)
    assert solution.converged
    assert {-1, 0, 1} == set(np.unique(solution.contact).tolist())
    scale = max(1.0, float(np.sqrt(np.mean(f**2))))  # of rows: the largest of n residuals is below sqrt(n) their rms
    assert violation(problem, solution.u, f, lower, upper) <= 1e-10 * scale * np.sqrt(solution.u.size)


def test_the_ball_has_its_contact_radius_and_order():
    sizes = np.array([31, 47, 64, 95, 127])
    errors = []
    for n in sizes.tolist():
        problem, psi, exact = ball(n)
        solution = pde.Multigrid(problem).solve(0.0, exact, lower=psi, rtol=1e-9)
        assert solution.converged
        assert solution.cycles <= 8
        errors.append(abs(solution.u - exact(*problem.points())).max())
        x, y = (z - 2 for z in problem.points())
        h = 4 / (n + 1)
        touched = np.hypot(x, y)[solution.contact == -1].max()
        assert abs(touched - RADIUS) <= np.sqrt(2) * h, (n, touched)  # a diagonal of a cell
    slope = -np.polyfit(np.log(sizes + 1), np.log(errors), 1)[0]
    assert slope >= 1.5, (slope, errors)


@pytest.mark.parametrize("method", METHODS)
def test_steps_do_not_grow_with_the_grid(method):
    def bumps(x, y):
        s = np.sin(np.pi * x) * np.sin(np.pi * y)
        return s * (0.3 + 0.2 * np.sin(9 * np.pi * x) * np.sin(7 * np.pi * y)) - 0.01

    steps = []
    for n in (31, 63, 127):
        solution = pde.Multigrid(pde.Poisson((n, n))).solve(-2.0, lower=bumps, method=method, rtol=1e-9)
        assert solution.converged
        steps.append(solution.cycles)
    assert max(steps) <= (8 if method == "active set" else 12), steps


def table(x, y, R=0.25):
    r = np.maximum(np.hypot(x - 0.5, y - 0.5), R)
    return (r**2 - R**2) / 4 - R**2 / 2 * np.log(r / R)


@pytest.mark.parametrize("n", [31, 40])
def test_a_membrane_on_a_table(n):
    """f = -1 and u >= 0: exact for boundary values from it; u'' jumps by 1 at the edge, as much as in one cell."""
    problem = pde.Poisson((n, n))
    solution = pde.Multigrid(problem).solve(-1.0, table, lower=0.0, rtol=1e-10)
    assert abs(solution.u - table(*problem.points())).max() <= (1 / (n + 1)) ** 2 / 8
    touched = np.hypot(*(z - 0.5 for z in problem.points()))[solution.contact == -1].max()
    assert abs(touched - 0.25) <= 2 * np.sqrt(2) / (n + 1)
    upside_down = pde.Multigrid(problem).solve(1.0, lambda x, y: -table(x, y), upper=0.0, rtol=1e-10)
    assert abs(upside_down.u + solution.u).max() <= 1e-8
    assert np.array_equal(upside_down.contact, -solution.contact)


def test_a_string_over_a_parabola():
    """-u'' = 0 over c - (x - 1/2)^2 on (0, 1): straight from 0 to where the tangent meets it, a distance sqrt(1/4 - c)
    from the middle point's mirror; nodal values of straight lines are exact where the contact ends at a node."""
    c = 0.25 - 0.375**2  # tangent points 1/2 +- (1/2 - 3/8)
    n = 31
    problem = pde.Poisson(n)
    x = problem.points()[0]
    solution = pde.Multigrid(problem).solve(0.0, lower=lambda x: c - (x - 0.5) ** 2, rtol=1e-12)
    distance = np.minimum(x, 1 - x)
    foot = 0.375
    exact = np.where(distance >= foot, c - (x - 0.5) ** 2, distance / foot * (c - (foot - 0.5) ** 2))
    assert abs(solution.u - exact).max() <= 64 * EPS * n
    assert np.array_equal(solution.contact == -1, distance >= foot - 1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_without_contact_it_is_the_linear_solution(method):
    problem = pde.Poisson((23, 24), boundary=[("robin", 1.0), "dirichlet"])
    mg = pde.Multigrid(problem)
    free = mg.solve(1.0, 0.5, rtol=1e-11)
    bounded = mg.solve(1.0, 0.5, lower=-10.0, upper=np.inf, method=method, rtol=1e-11)
    assert free.contact is None
    assert not bounded.contact.any()
    assert bounded.contact.dtype == np.int8
    assert abs(free.u - bounded.u).max() <= 1e-8 * abs(free.u).max()  # 1e-11 times the condition of A


@pytest.mark.parametrize("method", METHODS)
def test_all_in_contact(method):
    problem = pde.Poisson((20, 17))
    lower = np.sin(np.pi * problem.points()[0])
    solution = pde.Multigrid(problem).solve(-1e4, lower=lower, method=method)
    assert solution.converged
    assert np.array_equal(solution.u, lower)
    assert (solution.contact == -1).all()
    between = pde.Multigrid(problem).solve(5.0, lower=lower, upper=lower, method=method)  # where both bounds are equal
    assert np.array_equal(between.u, lower)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("boundary", ["neumann", "periodic"])
def test_singular_problems_are_held_by_their_bounds(boundary, method):
    problem = pde.Poisson((13, 12), boundary=boundary)
    x, y = problem.points()
    f = 20 * np.cos(2 * np.pi * x) - 1
    solution = pde.Multigrid(problem).solve(f, lower=0.1 * y, method=method, rtol=1e-11)
    assert solution.converged
    assert (solution.contact == -1).any()
    assert violation(problem, solution.u, f, 0.1 * y, np.inf) <= 1e-11 * 20 * 13
    W = problem.control_volumes()
    for wrong in (-f, f - np.sum(W * f) / W.sum()):
        with pytest.raises(ValueError, match="f: with Neumann or periodic sides alone"):
            pde.Multigrid(problem).solve(wrong, lower=0.0, method=method)
    level = pde.Multigrid(problem).solve(-f, lower=0.0, upper=0.4, method=method)  # with both any f will do
    assert level.converged


def test_members_of_a_batch_are_solved_as_alone():
    problem = pde.Poisson((15, 14))
    x, y = problem.points()
    f = np.stack([np.full(problem.shape, -5.0), 20 * np.sin(7 * x), 3.0 + 0 * x])
    lower = np.stack([0 * x - 0.05, 0 * x - 0.01, 0.2 * np.sin(np.pi * x) * np.sin(np.pi * y)])
    mg = pde.Multigrid(problem)
    batch = mg.solve(f, lower=lower, upper=0.25)
    for k in range(3):
        alone = mg.solve(f[k], lower=lower[k], upper=0.25)
        assert np.array_equal(batch.u[k], alone.u)
        assert np.array_equal(batch.members[k].contact, alone.contact)
        assert batch.members[k].residual_norms == alone.residual_norms
    assert batch.contact.shape == f.shape
    grid = mg.solve(np.stack([f, f]), lower=-0.05)  # of any batch axes
    assert grid.contact.shape == grid.u.shape == (2, 3, *problem.shape)
    assert np.array_equal(grid.contact == -1, grid.u == -0.05)


@pytest.mark.parametrize("method", METHODS)
def test_energies_do_not_rise_and_iterates_keep_the_bounds(method):
    problem = pde.Poisson((31, 30))
    x, y = problem.points()
    f, lower, upper = 40 * np.sin(7 * x * y), -0.1 - 0.1 * x, 0.15 + 0 * x
    energies = []

    def look(progress):
        assert np.all((lower <= progress.u) & (progress.u <= upper))
        energies.append(float(pde.energy(problem, progress.u, f)))

    rough = np.random.default_rng(1).standard_normal(problem.shape)
    pde.Multigrid(problem).solve(
        f, u0=rough, lower=lower, upper=upper, method=method, rtol=1e-12, max_cycles=12, callback=look
    )
    # a sum of as many terms as unknowns, each with a few roundings
    slack = 8 * EPS * problem.grid.size * max(abs(e) for e in energies)
    assert len(energies) > 2
    assert all(after <= before + slack for before, after in pairwise(energies))


def test_float32():
    problem, psi, exact = ball(31)
    fine = pde.Multigrid(problem).solve(0.0, exact, lower=psi)
    coarse = pde.Multigrid(problem, dtype="float32").solve(0.0, exact, lower=psi, rtol=1e-4)
    assert coarse.u.dtype == np.float32
    assert coarse.converged
    assert abs(coarse.u - fine.u).max() <= 1e-3
    assert pde.Multigrid(problem, dtype="float32").solve(0.0, exact, lower=psi, rtol=1e-9).reason == "rounding"


def test_the_solution_is_a_fixed_point():
    problem = pde.Poisson((15, 15))
    mg = pde.Multigrid(problem)
    first = mg.solve(-10.0, lower=-0.1, rtol=1e-13, method="active set")
    again = mg.solve(-10.0, lower=-0.1, u0=first.u, rtol=1e-10)
    assert again.cycles == 0
    assert np.array_equal(again.u, first.u)


def solver_of(kind, problem, f, lower, upper):
    grid = made(problem.grid, problem.terms, np.full(problem.shape, f), {}, Bounds(lower, upper))
    solver = kind(pde.Multigrid(problem), grid)
    solver.begin(grid.bounds.clip(np.random.default_rng(2).standard_normal(problem.shape)))
    return solver


def test_the_line_search_takes_too_long_a_step_back():
    problem = pde.Poisson((9, 10))
    solver = solver_of(TruncatedNewton, problem, -3.0, np.full(problem.shape, -4.0), np.full(problem.shape, 3.0))
    for factor in (1.0, 2.0, 5.0):  # steps along r of twice as much as brings the least energy raise it
        before = solver.contact.energy
        solver.search(factor * solver.r / solver.grid.A.diagonal)
        assert solver.contact.energy < before
        assert np.allclose(solver.r, solver.grid.rhs - solver.grid.A(solver.u), rtol=0, atol=1e-9)


def test_a_step_that_raises_the_energy_is_made_by_truncated_newton(monkeypatch):
    problem = pde.Poisson((9, 10))
    solver, other = (
        solver_of(kind, problem, -3.0, np.full(problem.shape, -0.02), np.full(problem.shape, 3.0))
        for kind in (ActiveSet, TruncatedNewton)
    )
    monkeypatch.setattr(ActiveSet, "_solved", lambda self, contact: self.grid.bounds.upper)
    before = solver.contact.energy
    solver.step()
    other.step()
    assert solver.contact.energy < before
    assert np.array_equal(solver.u, other.u)


@pytest.mark.parametrize("method", METHODS)
def test_singular_problems_without_contact_at_first_or_at_all(method):
    problem = pde.Poisson((16, 15), boundary="periodic")
    x = problem.points()[0]
    wave = 3 * np.cos(2 * np.pi * x)
    free = pde.Multigrid(problem).solve(wave - wave.mean(), lower=-1.0, upper=1.0, method=method, rtol=1e-10)
    assert free.converged
    assert not free.contact.any()
    falling = pde.Multigrid(problem).solve(wave - 1, lower=-1.0, u0=0 * x, method=method, rtol=1e-10)
    assert falling.converged
    assert falling.cycles <= 12
    assert (falling.contact == -1).any()


@pytest.mark.parametrize("method", METHODS)
def test_moves_are_told_and_results_are_where_the_user_wants_them(method):
    problem, told, out = pde.Poisson((31, 30)), io.StringIO(), np.empty((31, 30))
    mg = pde.Multigrid(problem)
    solution = mg.solve(-9.0, lower=-0.1, method=method, out=out)
    assert solution.u is out
    again = mg.solve(-9.0, lower=-0.1, method=method, verbose=told)
    assert np.array_equal(again.u, out)
    assert "level 1 (31x30)" in told.getvalue()
    assert "level 2 (15x15)" in told.getvalue()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("few", [0.0, 1.0])
def test_coarse_levels_may_be_those_of_another_contact_set(few, method, monkeypatch):
    """From a guess far away the set changes much; levels that stay for all of it slow steps down, and no more."""
    monkeypatch.setattr(truncated_newton, "FEW", few)
    builds = []
    monkeypatch.setattr(truncated_newton, "without_contact", lambda *each: builds.append(1) or without_contact(*each))
    problem, psi, exact = ball(31)
    solution = pde.Multigrid(problem).solve(0.0, exact, u0=np.ones((31, 31)), lower=psi, method=method, rtol=1e-10)
    assert solution.converged
    assert (len(builds) == 1) == (few == 1)
    nested = pde.Multigrid(problem).solve(0.0, exact, lower=psi, rtol=1e-10)
    assert abs(solution.u - nested.u).max() <= 1e-7  # 1e-10 times the scale and the condition of A
