"""One cycle as a preconditioner, SciPy's solvers around it, and our own conjugate gradients."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse.linalg as sla
from hypothesis import given
from hypothesis import strategies as st
from numpy.linalg import norm

import pde
from mgcore import Remaining
from pde.backends.base import Backend
from pde.backends.data import Data
from tests.pde.media import blocks
from tests.pde.reference import EPS, SEEDS


@pytest.mark.parametrize("smoother", ["auto", "jacobi", "two-step jacobi", "red-black"])
@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", ("periodic", "dirichlet")])
@pytest.mark.parametrize("field", ["one", "blocks"])
def test_the_preconditioner_is_symmetric_and_positive(smoother, boundary, field):
    shape, rng = (9, 11), np.random.default_rng(6)
    problem = pde.Poisson(shape, boundary=boundary, coefficient=blocks(shape, 3, 100) if field == "blocks" else None)
    M = pde.Multigrid(problem, smoother=smoother).as_preconditioner()
    dense = M.matmat(np.eye(99))
    assert norm(dense - dense.T) <= 1e3 * EPS * norm(dense)
    eigenvalues = np.linalg.eigvalsh((dense + dense.T) / 2)
    assert eigenvalues[1 if problem.singular else 0] > 0
    y = rng.standard_normal(99)
    np.testing.assert_allclose(M.matvec(y), dense @ y, atol=1e3 * EPS * norm(dense) * norm(y))
    np.testing.assert_allclose(M.rmatvec(y), dense.T @ y, atol=1e3 * EPS * norm(dense) * norm(y))


def test_the_preconditioner_is_not_over_relaxed():
    """I - M A has eigenvalues from 0 to 0.26; with omega = 1.15, which the plain cycle takes, to 0.29."""
    problem = pde.Poisson((23, 23))
    M = pde.Multigrid(problem).as_preconditioner().matmat(np.eye(problem.grid.size))
    L = np.linalg.cholesky(problem.matrix(symmetric=True).toarray())
    eigenvalues = 1 - np.linalg.eigvalsh(L.T @ M @ L)
    assert eigenvalues.max() <= 0.275
    assert eigenvalues.min() >= -1e3 * EPS


@pytest.mark.parametrize("solver", [sla.cg, sla.minres, sla.gmres])
def test_scipy_takes_the_preconditioner(solver):
    problem = pde.Poisson((40, 31), coefficient=blocks((40, 31), 8))
    A, M = problem.matrix(symmetric=True), pde.Multigrid(problem).as_preconditioner()
    b = np.random.default_rng(0).standard_normal(A.shape[0])
    steps = []
    options = {"callback_type": "pr_norm"} if solver is sla.gmres else {}
    x, info = solver(A, b, rtol=1e-8, M=M, maxiter=40, callback=lambda _: steps.append(1), **options)
    assert info == 0
    assert norm(A @ x - b) <= 1e-5 * norm(b)
    assert len(steps) <= 25


@given(seed=SEEDS, members=st.integers(1, 3))
def test_conjugate_gradients_on_a_batch_are_those_of_each_member(seed, members):
    rng = np.random.default_rng(seed)
    problem = pde.Poisson((12, 9), coefficient=10 ** rng.uniform(0, 1, (12, 9)))
    mg = pde.Multigrid(problem)
    f = rng.standard_normal((members, 12, 9))
    together = mg.solve(f, accel="cg", rtol=1e-9).u
    for one, u in zip(f, together, strict=True):
        alone = mg.solve(one, accel="cg", rtol=1e-9).u
        assert norm(u - alone) <= 1e-6 * norm(alone)


def test_conjugate_gradients_end_where_nothing_is_left():
    """With the exact inverse one step solves; a member that is solved stays as it is."""
    A = np.diag([1.0, 2.0, 5.0])

    class Exact(Backend):
        def apply(self, u, *, level=0):
            return u @ A

        def cycle(self, kind, data, u=None, **options):
            return data.rhs @ np.linalg.inv(A), None

    backend = Exact(pde.Multigrid(pde.Poisson(3)).hierarchy, np.dtype(float))
    f = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    iteration = backend.start("V", "cg", Data(f))
    for _ in range(2):
        norms = iteration.advance([Remaining(1.0, 1.0, 0.0, 1)] * 2)
        np.testing.assert_allclose(iteration.u() @ A, f, atol=8 * EPS)
        assert np.max(norms) <= 8 * EPS


def test_automatic_acceleration_where_the_coefficient_is_rough():
    """ "auto" is "cg" to the bit where a is rough, the cycle symmetric and there is a coarse grid, and else no more."""
    shape = (127, 127)
    rough = pde.Poisson(shape, coefficient=blocks(shape, 16, 1e3))
    f = np.random.default_rng(3).standard_normal(shape)
    mg = pde.Multigrid(rough)
    assert mg.acceleration("auto") == mg.acceleration("auto", "W") == "cg"
    assert np.array_equal(mg.solve(f, accel="auto").u, mg.solve(f, accel="cg").u)
    assert mg.acceleration("auto", "F") is mg.acceleration("auto", "backslash") is mg.acceleration(None) is None
    assert np.array_equal(mg.solve(f, accel="auto", cycle="F").u, mg.solve(f, cycle="F").u)
    assert pde.Multigrid(rough, nu=(1, 2)).acceleration("auto") is None
    assert pde.Multigrid(rough, transfer="bilinear").acceleration("auto") == "cg"
    small = pde.Multigrid(pde.Poisson((31, 31), coefficient=blocks((31, 31), 8)))
    assert len(small.levels) == 1
    assert small.acceleration("auto") is None
    even = pde.Multigrid(pde.Poisson(shape, coefficient=lambda x, y: 1 + x + y))
    assert even.acceleration("auto") is None
    assert np.array_equal(even.solve(f, accel="auto").u, even.solve(f).u)
    constant = pde.Multigrid(pde.Poisson((63, 63)))
    assert constant.predict(accel="auto") == constant.predict()
    even.update(coefficient=blocks(shape, 16, 1e3))
    assert even.acceleration("auto") == "cg"


def test_a_preconditioner_says_whose_inverse_it_is():
    """And for the unweighted matrix it acts on W r; at 0.25 a step forty are many."""
    problem = pde.Poisson((9, 12), boundary=("neumann", "dirichlet"))
    M, b, W = pde.Multigrid(problem).as_preconditioner("W"), np.ones(9 * 12), problem.control_volumes().ravel()
    assert repr(M) == "<108x108 Preconditioner: one W-cycle for problem.matrix(symmetric=True), not problem.matrix()>"
    assert repr(pickle.loads(pickle.dumps(M))) == repr(copy.deepcopy(M)) == repr(M)
    weighted = sla.LinearOperator(M.shape, matvec=lambda r: M @ (W * r.ravel()), dtype=float)
    for A, P, f in ((problem.matrix(symmetric=True), M, W * b), (problem.matrix(), weighted, b)):
        _, failed = sla.gmres(A, f, rtol=1e-8, M=P, restart=20, maxiter=2)
        assert not failed
