"""Obstacles with forces and bounds of all sizes, coefficients that jump, and grids that coarsen to centres of cells."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import pde
from tests.pde.obstacles import reference

METHODS = "active set", "truncated newton", "fascd"
EPS = float(np.finfo(float).eps)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("force", [1e10, 1e30])
def test_forces_that_press_all_of_u_on_its_bounds(method, force):
    """Any u between the bounds is near the solution beside f; the tolerance is not relative to f alone."""
    mg = pde.Multigrid(pde.Poisson((12, 13)))
    signs = np.sign(np.random.default_rng(0).standard_normal((12, 13)))
    for f, bounds in ((-force, {"lower": -1.0}), (force * signs, {"lower": -1.0, "upper": 1.0})):
        solution = mg.solve(f, **bounds, method=method)
        assert solution.converged
        assert np.array_equal(solution.u, np.sign(f) * np.ones((12, 13)))
        assert np.array_equal(solution.contact, solution.u)
    cubic = pde.NonlinearPoisson((12, 13), reaction=lambda u, x, y: u**3)
    assert (pde.Multigrid(cubic).solve(force, upper=1.0).u == 1.0).all()


@pytest.mark.parametrize("method", METHODS)
def test_where_f_and_g_give_u_alone_a_guess_does_not_make_the_tolerance(method):
    mg = pde.Multigrid(pde.Poisson((12, 13)))
    u0 = 1e12 * np.random.default_rng(0).standard_normal((12, 13))
    zero = mg.solve(0.0, lower=-1.0, u0=u0, method=method)
    assert zero.converged
    assert not zero.u.any()
    three = mg.solve(0.0, 3.0, lower=-1.0, u0=u0, method=method)
    assert three.converged
    assert abs(three.u - 3).max() <= 3e-8 * 12**2  # the tolerance times the condition of A


@pytest.mark.parametrize("options", [{"domain": lambda x, y: np.hypot(x - 0.5, y - 0.5) - 0.4}, {"centering": "cell"}])
@pytest.mark.parametrize("shape", [(16, 15), (3, 4)])
def test_u_is_in_the_type_of_the_solver(options, shape):
    mg = pde.Multigrid(pde.Poisson(shape, **options), dtype="float32")
    assert mg.solve(-1.0, lower=np.full(shape, -0.01), rtol=1e-4, method="active set").u.dtype == np.float32


@pytest.mark.parametrize("shape", [(9, 16), (3, 5, 4)])
def test_fascd_where_coarse_points_are_centres_of_cells(shape):
    rng = np.random.default_rng(1)
    problem = pde.Poisson(shape, centering="cell", reaction=1000 * rng.random(shape))
    f, lower, upper = 100 * rng.standard_normal(shape), -0.02 - 0.1 * rng.random(shape), 0.05
    solution = pde.Multigrid(problem).solve(f, lower=lower, upper=upper, method="fascd", rtol=1e-10)
    assert solution.converged
    exact = reference(problem, f, None, lower, np.full(shape, upper))
    assert {-1, 0, 1} == set(np.unique(solution.contact).tolist())
    # errors are at most cond(A), below 1e4 here, times those of residuals
    assert abs(solution.u - exact).max() <= 1e4 * (1e-10 + 64 * EPS) * abs(exact).max()


def test_active_sets_where_clipping_raises_the_energy():
    """Stiff grains touch bounds at single points, which clipping lets stand out; the set after it finds the others."""
    rng, shape, energies = np.random.default_rng(2), (40, 41), []
    problem = pde.Poisson(shape, coefficient=np.where(rng.random(shape) < 0.4, 1.0, 1e5))
    f, lower = 1e4 * rng.standard_normal(shape), -1e-2 * rng.random(shape)
    upper = np.where(rng.random(shape) < 0.5, np.inf, 1e-2 * rng.random(shape))
    solution = pde.Multigrid(problem).solve(
        f,
        lower=lower,
        upper=upper,
        callback=lambda progress: energies.append(float(pde.energy(problem, progress.u, f))) and False,
    )
    assert solution.converged
    assert solution.cycles <= 12
    slack = 8 * EPS * f.size * abs(energies[-1])
    assert all(b <= a + slack for a, b in pairwise(energies))


def test_energies_that_fall_while_residuals_rise_are_no_stall():
    rng = np.random.default_rng(14)
    n = int(rng.integers(20, 100))
    f, upper = 400 - 100 * rng.random(n), 3 + 30 * rng.random(n)
    upper[rng.random(n) < 0.5] = np.inf
    problem = pde.Poisson(n, boundary=[("dirichlet", "neumann")])
    solution = pde.Multigrid(problem).solve(f, upper=upper, method="truncated newton", cycle="V")
    assert solution.converged
    assert max(solution.residual_norms[1:6]) > solution.residual_norms[0]
