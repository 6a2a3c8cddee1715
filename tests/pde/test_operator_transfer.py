"""Transfers that follow from the operator: adjoint, exact on constants, and with the coarse operators R A P."""

from functools import partial

import numpy as np
import pytest
from numpy.linalg import norm

import pde
from mgcore import checks
from pde.dendy import OperatorTransfer
from tests.pde.reference import EPS, weighted


@pytest.mark.parametrize("shape", [(15,), (9, 12), (7, 6, 5)])
@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic"])
@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_operator_dependent_transfers(shape, boundary, centering):
    """R is adjoint to P; where nothing flows out P keeps constants, whatever the coefficient; the coarse A is R A P."""
    rng = np.random.default_rng(5)
    problem = pde.Poisson(shape, boundary=boundary, centering=centering, coefficient=10 ** rng.uniform(-3, 3, shape))
    A = pde.Multigrid(problem, levels=1).levels[0].info.operator
    which = (True,) * len(shape)
    transfer = OperatorTransfer(A, which, np.dtype(float))
    r, e = rng.standard_normal(shape), rng.standard_normal(transfer.coarse.shape)
    inner = partial(weighted, problem.control_volumes()), partial(weighted, transfer.volumes)
    defect = checks.adjoint_defect(transfer.restrict, transfer.prolong, r, e, *inner)
    assert defect <= 32 * EPS * r.size**0.5
    if boundary != "dirichlet":
        ones = transfer.prolong(np.ones(transfer.coarse.shape))
        assert abs(ones - 1).max() <= 64 * EPS  # weights with the sum one, three factors of them after another
    mg = pde.Multigrid(problem, levels=2, coarse="galerkin", transfer="operator")
    if len(mg.levels) == 2:
        fine, coarse = mg.levels
        assert fine.R is not None
        assert fine.P is not None
        e = rng.standard_normal(coarse.info.grid.shape)
        defect = checks.galerkin_defect(fine.A, coarse.A, fine.R, lambda e: fine.P(e, e), e, norm)
        assert defect <= 1e4 * EPS


@pytest.mark.parametrize("axis", [0, 1])
def test_transfers_keep_an_inclusion_with_a_tip_constant(axis):
    """The tip lies between two coarse points outside: from them alone it had the value 0."""
    a = np.ones((15, 15))
    a[6:9, 5:10] = a[9, 8] = 1e6
    a = a if axis == 0 else a.T
    problem = pde.Poisson((15, 15), coefficient=a)
    transfer = OperatorTransfer(pde.Multigrid(problem).levels[0].A, (True, True), np.dtype(float))
    inside = a[np.ix_(*transfer.places)] > 1
    assert np.ptp(transfer.prolong(np.where(inside, 1.0, 0.0))[a > 1]) <= 1e-5  # ten times the contrast


def test_operator_transfers_that_are_asked_for_bring_their_coarse_operators():
    mg = pde.Multigrid(pde.Poisson((33, 20)), transfer="operator")
    assert (mg.coarse, mg.transfer) == ("galerkin", "operator")
    assert mg.solve(lambda x, y: x).converged
    assert mg.update(coefficient=2.0).coarse == "galerkin"
    with pytest.raises(ValueError, match="coarse='galerkin'"):
        pde.Multigrid(pde.Poisson((33, 20)), transfer="operator", coarse="rediscretised")
