"""Coarse operators R A P, and sweeps against sequential relaxation point by point."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgcore import checks, stencils
from pde import Multigrid, Poisson
from pde.levels.smoothers import SMOOTHERS as RELAXATIONS
from pde.problem.compact import CompactOperator
from pde.problem.operators import StencilOperator
from tests.pde.reference import EPS, F8, PROBLEMS, SEEDS, SMOOTHERS, boxes, finite_volumes, nonuniform_grids
from tests.pde.sides_reference import Manufactured, make_box


def dense(A):
    return np.asarray(A.matrix().toarray(), float)


@given(boxes(), SEEDS)
def test_galerkin_operators_are_r_a_p_on_every_level(box, seed):
    mg = Multigrid(Poisson(*box), coarse="galerkin", smoother="red-black")
    rng = np.random.default_rng(seed)
    for fine, coarse in pairwise(mg.levels):
        e = rng.standard_normal(coarse.info.grid.shape)
        P = lambda e, fine=fine: fine.P(e, None)  # noqa: E731
        size = np.linalg.norm(fine.R(np.abs(dense(fine.A)).dot(P(np.abs(e)).ravel()).reshape(fine.info.grid.shape)))
        defect = checks.galerkin_defect(fine.A, coarse.A, fine.R, P, e, np.linalg.norm)
        # R A P e cancels; the sums of absolute values say how much
        norms = np.linalg.norm(coarse.A(e)) + np.linalg.norm(fine.R(fine.A(P(e))))
        assert defect * norms <= 64 * len(mg.levels) * EPS * size


@pytest.mark.parametrize("name", PROBLEMS)
def test_weighted_galerkin_operators_are_symmetric_and_positive(name):
    mg = Multigrid(Poisson(*PROBLEMS[name]), coarse="galerkin")
    for level in mg.levels:
        W = np.ones(())
        for axis in level.info.grid.axes:
            W = np.multiply.outer(W, axis.width)
        WA = W.reshape(-1, 1) * dense(level.A)
        assert np.abs(WA - WA.T).max() <= 256 * max(PROBLEMS[name][0]) * EPS * np.abs(WA).max()
        assert np.linalg.eigvalsh((WA + WA.T) / 2)[0] > 0


@pytest.mark.parametrize("transfer", ["linear", "bilinear"])
@pytest.mark.parametrize("k", [3, 4, 5])
def test_on_2k_minus_1_points_every_row_is_the_galerkin_kernel(transfer, k):
    """No boundary row differs: h_1^2 A^l is 4^(1-l), for R = P^T / 4, times the zero-padded kernel of `galerkin`."""
    n = 2**k - 1
    mg = Multigrid(Poisson((n, n)), coarse="galerkin", transfer=transfer)
    K = stencils.POISSON
    K_R = {"linear": stencils.LINEAR, "bilinear": stencils.BILINEAR}[transfer]
    for number, level in enumerate(mg.levels):
        m = level.info.grid.shape[0]
        expected = np.zeros((m * m, m * m))
        for i, j, p, q in product(range(m), range(m), range(3), range(3)):
            if 0 <= i + p - 1 < m and 0 <= j + q - 1 < m:
                expected[i * m + j, (i + p - 1) * m + j + q - 1] = K[p][q]
        scaled = dense(level.A) * 4**number / (n + 1) ** 2
        np.testing.assert_allclose(scaled, expected, atol=64 * n * EPS)
        K = stencils.galerkin(K, K_R)
        if number == 0:
            assert (K == stencils.POISSON) == (transfer == "linear")
            if transfer == "bilinear":
                assert K == ((-0.25, -0.5, -0.25), (-0.5, 3, -0.5), (-0.25, -0.5, -0.25))


@given(nonuniform_grids(), SEEDS)
def test_a_sparse_operator_is_the_stencil_operator(grid, seed):
    u = np.random.default_rng(seed).standard_normal((2, *grid.shape))
    stencil = StencilOperator(grid, F8)
    matrix = CompactOperator.from_matrix(grid, stencil.matrix())
    np.testing.assert_allclose(matrix(u), stencil(u), atol=64 * EPS * np.max(stencil.diagonal) * np.abs(u).max())
    np.testing.assert_allclose(matrix.diagonal, np.broadcast_to(stencil.diagonal, grid.shape), rtol=8 * EPS)


def sequential(A, shape, u, f, omega, order):
    """u_i <- u_i + omega (f - A u)_i / A_ii, point after point in `order`, in place."""
    u, numbers = u.ravel().copy(), np.arange(u.size).reshape(shape)
    for index in order:
        i = numbers[index]
        u[i] += omega * (f.ravel()[i] - A[i] @ u) / A[i, i]
    return u.reshape(shape)


def red_black_order(shape):
    return sorted(np.ndindex(*shape), key=lambda index: (sum(index) % 2, index))


def multicolour_order(shape):
    return sorted(np.ndindex(*shape), key=lambda index: (tuple(i % 2 for i in index), index))


def tolerance(A, u, f):
    """A sweep of N updates, each a sum of at most 27 products; errors of earlier points enter with weights below 2."""
    return (
        512
        * EPS
        * (
            np.abs(u).max()
            + np.abs(f).max() / np.abs(np.diag(A)).min()
            + np.abs(A @ u.ravel()).max() / np.diag(A).min()
        )
    )


@given(nonuniform_grids(), SEEDS, st.sampled_from([0.7, 1.0, 1.15, 1.7]))
def test_a_red_black_sweep_is_sequential_relaxation_in_that_order(grid, seed, omega):
    rng = np.random.default_rng(seed)
    u, f = rng.standard_normal(grid.shape), rng.standard_normal(grid.shape)
    A = finite_volumes([axis.nodes for axis in grid.axes])
    operator = StencilOperator(grid, F8)
    for reverse in (False, True):
        order = red_black_order(grid.shape)
        if reverse:  # the other colour first; within a colour the order does not matter
            order = sorted(order, key=lambda index: (1 - sum(index) % 2, index))
        expected = sequential(A, grid.shape, u, f, omega, order)
        result = u + operator.coloured_sweep(f - operator(u), omega, reverse)
        np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance(A, u, f))


@given(boxes().filter(lambda box: np.prod(box[0]) < 150), SEEDS, st.sampled_from([0.7, 1.0, 1.15, 1.7]))
def test_a_multicolour_sweep_is_sequential_relaxation_in_that_order(box, seed, omega):
    """On every level of a Galerkin hierarchy, 3^d-point operators."""
    rng = np.random.default_rng(seed)
    for level in Multigrid(Poisson(*box), coarse="galerkin").levels:
        if not isinstance(level.A, CompactOperator):
            continue
        shape, A = level.info.grid.shape, dense(level.A)
        u, f = rng.standard_normal(shape), rng.standard_normal(shape)
        for reverse in (False, True):
            order = multicolour_order(shape)
            if reverse:
                order = sorted(order, key=lambda index: tuple(1 - i % 2 for i in index))
            expected = sequential(A, shape, u, f, omega, order)
            result = u + level.A.coloured_sweep(f - level.A(u), omega, reverse)
            np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance(A, u, f))


@given(nonuniform_grids(), SEEDS)
def test_jacobi_is_sequential_relaxation_with_the_old_values(grid, seed):
    rng = np.random.default_rng(seed)
    u, f, omega = rng.standard_normal(grid.shape), rng.standard_normal(grid.shape), 0.8
    A = finite_volumes([axis.nodes for axis in grid.axes])
    expected = u + (omega * (f.ravel() - A @ u.ravel()) / np.diag(A)).reshape(grid.shape)
    operator = StencilOperator(grid, F8)
    result = u + RELAXATIONS["jacobi"](operator, omega)(f - operator(u))
    np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance(A, u, f))


@pytest.mark.parametrize("smoother", SMOOTHERS)
@pytest.mark.parametrize("coarse", ["rediscretised", "galerkin"])
def test_the_levels_hold_these_sweeps(smoother, coarse):
    """B of a level against the dense error propagation, omega as chosen: red points first in both half-cycles."""
    mg = Multigrid(Poisson((12, 9)), smoother=smoother, coarse=coarse, nu=(1, 2), omega=0.9)
    rng = np.random.default_rng(0)
    for level in mg.levels[:-1]:
        shape, A = level.info.grid.shape, dense(level.A)
        f = rng.standard_normal(shape)
        assert (len(level.B), len(level.B_post)) == (1, 2)
        order = multicolour_order(shape) if isinstance(level.A, CompactOperator) else red_black_order(shape)
        zero, D = np.zeros(shape), np.diag(A).reshape(shape)
        once = 0.9 * f / D
        if smoother == "jacobi":
            expected = once
        elif smoother == "two-step jacobi":
            expected = once + 0.9 * (f - (A @ once.ravel()).reshape(shape)) / D
        else:
            expected = sequential(A, shape, zero, f, 0.9, order)
        for B in (*level.B, *level.B_post):
            np.testing.assert_allclose(B(f), expected, rtol=0, atol=tolerance(A, zero, f))


@pytest.mark.parametrize("boundary", ["neumann", ("robin", 2.0)])
def test_full_multigrid_on_galerkin_operators(boundary):
    """Their right-hand sides are R f with g folded in; g folded in on every grid anew left half of the error."""
    u = lambda x, y: np.exp(x) * np.cos(y - 0.3)  # noqa: E731 - harmonic
    dy = lambda x, y: -np.exp(x) * np.sin(y - 0.3)  # noqa: E731
    beta = 0.0 if boundary == "neumann" else 2.0
    g = {
        (0, 0): lambda x, y: (beta - 1) * u(x, y),
        (0, 1): lambda x, y: (beta + 1) * u(x, y),
        (1, 0): lambda x, y: beta * u(x, y) - dy(x, y),
        (1, 1): lambda x, y: beta * u(x, y) + dy(x, y),
    }
    problem = Poisson((65, 65), boundary=boundary)
    W, f = problem.control_volumes(), np.zeros((65, 65))
    mg = Multigrid(problem, coarse="galerkin")
    discrete = mg.solve(f, g, rtol=1e-11).u
    exact = u(*problem.points())
    exact = exact - np.sum(W * exact) / np.sum(W) if problem.singular else exact
    algebraic = np.abs(mg.full_multigrid(f, g) - discrete).max()
    assert algebraic <= 0.2 * np.abs(discrete - exact).max()


@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
@pytest.mark.parametrize(
    ("kinds", "n"),
    [
        *((kinds, 64) for kinds in ("D", "N", "R", "DD", "NN", "RR", "PP")),
        *((kinds, 53) for kinds in ("DN", "RD")),
        *((kinds, 24) for kinds in ("DDD", "RNP")),
    ],
)
def test_full_multigrid_on_galerkin_operators_with_any_data(kinds, n, cell):
    """R f with g folded in, and nothing of g in P, left up to 800 times the discretisation error."""
    box = make_box(tuple(kinds), [n] * len(kinds), cell, by_intervals=True)
    exact, problem = Manufactured(box), Poisson(**box.arguments())
    mg, u = Multigrid(problem, coarse="galerkin"), exact.u(*problem.points())
    discrete = mg.solve(exact.f, exact.g(), rtol=1e-11, max_cycles=100).u
    if box.singular:
        u = u - box.mean(u)
    algebraic = np.abs(mg.full_multigrid(exact.f, exact.g()) - discrete).max()
    bound = 4 if kinds == "DDD" and not cell else 1  # errors of this u nearly cancel on the finest grid
    assert algebraic <= bound * np.abs(discrete - u).max()


@pytest.mark.parametrize(("ndim", "n"), [(2, 128), (3, 28)])
def test_full_multigrid_with_data_beside_a_jump(ndim, n):
    """a changes by 1000 across the middle, where a du/dx is continuous; 9 to 14 times the error with g in f alone."""
    a = lambda *x: np.where(x[0] < 0.5, 1.0, 1000.0)  # noqa: E731
    across = lambda *x: np.cos(2 * x[1]) * (np.cos(x[2]) if ndim == 3 else 1)  # noqa: E731
    u = lambda *x: 2 + (x[0] - 0.5) / a(*x) * across(*x)  # noqa: E731
    f = lambda *x: (5 if ndim == 3 else 4) * (x[0] - 0.5) * across(*x)  # noqa: E731
    problem = Poisson((n - 1,) * ndim, coefficient=a)
    mg = Multigrid(problem)
    assert mg.transfer == "operator"
    assert len(mg.levels) > 1
    discrete = mg.solve(f, u, rtol=1e-11, accel="cg").u
    algebraic = np.abs(mg.full_multigrid(f, u) - discrete).max()
    assert algebraic <= 0.1 * np.abs(discrete - u(*problem.points())).max()


def test_full_multigrid_on_galerkin_operators_takes_data_of_each_member():
    rng = np.random.default_rng(2)
    mg = Multigrid(
        Poisson((21, 18), boundary=(("dirichlet", "neumann"), "dirichlet"), centering="cell"), coarse="galerkin"
    )
    f, g = rng.standard_normal((3, 21, 18)), {(0, 0): rng.standard_normal((3, 18)), (1, 1): 2.0}
    together = mg.full_multigrid(f, g)
    for m in range(3):
        alone = mg.full_multigrid(f[m], {(0, 0): g[0, 0][m], (1, 1): 2.0})
        np.testing.assert_allclose(together[m], alone, rtol=0, atol=256 * EPS * np.abs(alone).max())
