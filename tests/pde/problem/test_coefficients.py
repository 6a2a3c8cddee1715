"""Coefficients that vary and jump: the matrix, the solution and the order."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as sla
from hypothesis import given
from hypothesis import strategies as st
from numpy.linalg import norm

import pde
from tests.pde.media import blocks
from tests.pde.reference import EPS, SEEDS
from tests.pde.sides_reference import Box, Line

KINDS = ("dirichlet", "neumann", "periodic", ("robin", 2.0))


@given(
    shape=st.sampled_from([(1,), (2,), (7,), (8,), (3, 4), (5, 2), (1, 6), (2, 3, 3), (4, 1, 3)]),
    sides=st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(KINDS)), min_size=3, max_size=3),
    centering=st.sampled_from(["vertex", "cell"]),
    tensor=st.booleans(),
    seed=SEEDS,
)
def test_the_matrix_is_the_balance_of_fluxes(shape, sides, centering, tensor, seed):
    boundary = [("periodic",) * 2 if "periodic" in pair else pair for pair in sides[: len(shape)]]
    rng = np.random.default_rng(seed)
    a = [10 ** rng.uniform(-3, 3, shape) for _ in shape] if tensor else [10 ** rng.uniform(-3, 3, shape)] * len(shape)
    c = rng.uniform(0, 5, shape)
    lines = [Line(n, pair, centering == "cell", 1.3) for n, pair in zip(shape, boundary, strict=True)]
    box = Box(lines, c, a)
    problem = pde.Poisson(**box.arguments() | {"coefficient": tuple(a) if tensor else a[0]})
    expected = sp.diags_array(box.volumes().ravel()) @ box.matrix().toarray()
    actual = problem.matrix(symmetric=True).toarray()
    # every entry is a few products and quotients of distances, exact to n eps; the diagonal adds 2 d + 1 of them
    np.testing.assert_allclose(actual, expected, rtol=32 * EPS, atol=64 * EPS * abs(expected).max())
    u = rng.standard_normal(shape)
    np.testing.assert_allclose(
        problem.apply(u).ravel(),
        problem.matrix() @ u.ravel(),
        atol=64 * EPS * norm(expected) * norm(u) / problem.control_volumes().min(),
    )


@pytest.mark.parametrize("centering", ["vertex", "cell"])
@pytest.mark.parametrize("boundary", ["dirichlet", ("periodic", "neumann"), (("dirichlet", "neumann"), ("robin", 1.5))])
@pytest.mark.parametrize("field", ["smooth", "blocks", "random"])
def test_the_solution_is_that_of_a_direct_solver(centering, boundary, field):
    shape, rng = (20, 17), np.random.default_rng(3)
    x, y = np.meshgrid(*(np.linspace(0, 1, n) for n in shape), indexing="ij")
    a = {"smooth": np.exp(np.sin(3 * x + y)), "blocks": blocks(shape, 5), "random": 10 ** rng.uniform(-1, 1, shape)}[
        field
    ]
    problem = pde.Poisson(shape, boundary=boundary, centering=centering, coefficient=a)
    f = rng.standard_normal(shape)
    if problem.singular:
        W = problem.control_volumes()
        f -= (W * f).sum() / W.sum()
    solution = pde.Multigrid(problem).solve(f, rtol=1e-9, accel="cg", max_cycles=80)
    assert solution.converged, solution.message
    A = problem.matrix()
    if problem.singular:
        W = problem.control_volumes().ravel()
        ones = sp.csr_matrix(np.full((A.shape[0], 1), A.diagonal().max()))
        A = sp.bmat([[A, ones], [sp.csr_matrix(W[None] / W.sum()), None]])
    u = sla.spsolve(sp.csc_matrix(A), np.append(f, np.zeros(A.shape[0] - f.size)))[: f.size].reshape(shape)
    residual = problem.apply(solution.u) - f
    assert norm(residual) <= 1.01e-9 * norm(f)  # on this grid the norm of volumes is within 1 % of the Euclidean one
    assert norm(solution.u - u) <= 1e-6 * norm(u)


@pytest.mark.parametrize("centering", ["vertex", "cell"])
@pytest.mark.parametrize("boundary", ["dirichlet", "neumann"])
def test_second_order_with_a_smooth_coefficient(centering, boundary):
    """u = cos(pi x) cos(2 pi y) has no flux through the sides; a = exp(x y)."""
    errors = []
    for k in (5, 6, 7):
        n = 2**k + (0 if centering == "cell" else -1 if boundary == "dirichlet" else 1)

        def u(x, y):
            return np.cos(np.pi * x) * np.cos(2 * np.pi * y)

        def f(x, y):
            a, s, c = np.exp(x * y), np.sin, np.cos
            u_x = -np.pi * s(np.pi * x) * c(2 * np.pi * y)
            u_y = -2 * np.pi * c(np.pi * x) * s(2 * np.pi * y)
            return a * (5 * np.pi**2 * u(x, y) - y * u_x - x * u_y)

        problem = pde.Poisson((n, n), boundary=boundary, centering=centering, coefficient=lambda x, y: np.exp(x * y))
        g = u if boundary == "dirichlet" else None
        found = pde.Multigrid(problem).solve(f, g, rtol=1e-10, strict=True).u
        exact = u(*problem.points())
        W = problem.control_volumes()
        shift = (W * exact).sum() / W.sum() if boundary == "neumann" else 0.0
        errors.append(abs(found - exact + shift).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(abs(orders - 2) < 0.12), orders
