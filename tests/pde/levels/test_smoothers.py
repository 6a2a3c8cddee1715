"""(5.7): two Jacobi steps are one operator, and on a uniform grid one kernel; smoothers leave the solution alone."""

import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st

from mgcore import Level, checks, stencils
from pde import Multigrid, Poisson
from pde.levels.smoothers import Jacobi
from pde.paper.convolution import correlate, correlate_2, correlation_matrix, restriction_matrix, spread_2
from pde.problem.operators import StencilOperator
from tests.pde.reference import COARSE, EPS, F8, PROBLEMS, SEEDS, SMOOTHERS, nonuniform_grids

OMEGAS = st.floats(0.05, 1.95)
UNSYMMETRIC = ((0.1, -0.2, 0.3), (0.4, 0.5, -0.6), (0.7, 0.8, 0.9))
KERNELS = {
    "none of these": UNSYMMETRIC,
    "(4.13)": stencils.BILINEAR,
    "(4.14)": stencils.LINEAR,
    "(5.4)": stencils.POISSON,
}


@given(nonuniform_grids(), SEEDS, OMEGAS)
def test_two_steps_of_jacobi_are_one_of_the_two_step_smoother(grid, seed, omega):
    rng = np.random.default_rng(seed)
    A = StencilOperator(grid, F8)
    u, f = rng.standard_normal(grid.shape), rng.standard_normal(grid.shape)
    twice = Level(A, [Jacobi(A, omega)] * 2)
    once = Level(A, [Jacobi(A, omega, steps=2)])
    results = [level.smooth(level.start(f, u)).u for level in (twice, once)]
    # a step multiplies by at most 1 + 2 omega < 5, and adds a few rounding errors of A u / diag
    size = np.abs(u).max() + np.abs(f / A.diagonal).max()
    np.testing.assert_allclose(*results, rtol=0, atol=512 * EPS * size)


@given(st.integers(1, 30), st.integers(1, 30), SEEDS, OMEGAS)
def test_on_a_uniform_grid_they_are_the_kernel_with_zero_padding(m, n, seed, omega):
    r = np.random.default_rng(seed).standard_normal((m, n))
    h = 0.01
    A = StencilOperator(Poisson((m, n), ((m + 1) * h, (n + 1) * h)).grid, F8)
    K = np.array(stencils.two_step_jacobi(omega))
    expected = h**2 * scipy.signal.correlate2d(r, K, mode="same")
    bound = (64 + 8 * max(m, n)) * EPS * h**2 * np.abs(K).sum() * np.abs(r).max()
    np.testing.assert_allclose(Jacobi(A, omega, steps=2)(r), expected, rtol=0, atol=bound)
    np.testing.assert_allclose(h**2 * correlate(stencils.two_step_jacobi(omega), r), expected, rtol=0, atol=bound)
    expected = h**2 * scipy.signal.correlate2d(r, np.array(stencils.jacobi(omega)), mode="same")
    np.testing.assert_allclose(Jacobi(A, omega)(r), expected, rtol=0, atol=bound)


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("smoother", SMOOTHERS)
@pytest.mark.parametrize("coarse", COARSE)
def test_smoothers_leave_the_solution_alone(name, smoother, coarse):
    mg = Multigrid(Poisson(*PROBLEMS[name]), smoother=smoother, coarse=coarse, nu=(2, 1))
    rng = np.random.default_rng(0)
    for level in mg.levels:
        u = rng.standard_normal(level.info.grid.shape)
        assert checks.fixed_point_defect(level, level.A, u, np.linalg.norm) <= EPS  # the residual is exactly zero


@given(st.sampled_from(list(KERNELS)), st.integers(1, 12), st.integers(1, 12), SEEDS)
def test_convolutions_and_their_matrices(name, m, n, seed):
    K = KERNELS[name]
    rng = np.random.default_rng(seed)
    g = rng.standard_normal((2, m, n))
    expected = np.stack([scipy.signal.correlate2d(v, np.array(K), mode="same") for v in g])
    bound = 64 * EPS * np.abs(g).max()
    np.testing.assert_allclose(correlate(K, g), expected, rtol=0, atol=bound)
    np.testing.assert_allclose(correlate_2(K, g), expected[:, ::2, ::2], rtol=0, atol=bound)
    flat = g.reshape(2, -1).T
    np.testing.assert_allclose((correlation_matrix(K, (m, n)) @ flat).T.reshape(2, m, n), expected, rtol=0, atol=bound)
    R = restriction_matrix(K, (m, n))
    np.testing.assert_allclose((R @ flat).T, expected[:, ::2, ::2].reshape(2, -1), rtol=0, atol=bound)
    e = rng.standard_normal((2, (m + 1) // 2, (n + 1) // 2))
    np.testing.assert_allclose(spread_2(K, e, (m, n)).reshape(2, -1), (R.T @ e.reshape(2, -1).T).T, rtol=0, atol=bound)


@pytest.mark.parametrize(("shape", "coarse"), [((5, 5), (2, 3)), ((6, 5), (3, 2)), ((4, 4), (3, 3))])
def test_spreading_to_a_grid_of_another_size_is_refused(shape, coarse):
    with pytest.raises(ValueError, match="shape"):
        spread_2(stencils.BILINEAR, np.ones(coarse), shape)
