"""Transfers that follow from the operator: adjoint, exact on constants, and with the coarse operators R A P."""

from functools import partial

import numpy as np
import pytest
from numpy.linalg import norm

import pde
from mgcore import checks
from pde.dendy import INTERIOR, OperatorTransfer
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


def value(point, A, shape, places, e, which, found):
    """P e at a point: e itself, or what its equation, summed up across the axes along which it does not lie between,
    makes of the points beyond."""
    if point in found:
        return found[point]
    between = [a for a, halve in enumerate(which) if halve and point[a] not in places[a]]
    if not between:
        return e[tuple(list(p).index(i) for p, i in zip(places, point, strict=True))]
    i, total, neighbours, diagonal = np.ravel_multi_index(point, shape), 0.0, 0.0, 0.0
    for j in np.flatnonzero(A[i]):
        other = np.unravel_index(j, shape)
        if all(other[a] == point[a] for a in between):
            diagonal += A[i, j]
            continue
        target = tuple(int(other[a] if a in between else point[a]) for a in range(len(shape)))
        neighbours -= A[i, j]
        total -= A[i, j] * value(target, A, shape, places, e, which, found)
    inside = neighbours > 0 and abs(diagonal - neighbours) <= INTERIOR * diagonal
    found[point] = total / (neighbours if inside else max(diagonal, neighbours))
    return found[point]


@pytest.mark.parametrize("shape", [(8,), (7, 6), (6, 5, 4)])
@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic", ("robin", 2.0)])
@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_prolongation_is_that_by_the_local_equations(shape, boundary, centering):
    rng = np.random.default_rng(7)
    a = 10 ** rng.uniform(-0.5, 0.5, shape)  # without tips
    problem = pde.Poisson(shape, boundary=boundary, centering=centering, coefficient=a, reaction=2.0)
    which = (True,) * len(shape)
    transfer = OperatorTransfer(pde.Multigrid(problem, levels=1).levels[0].A, which, np.dtype(float))
    A = problem.matrix().toarray() - 2.0 * np.eye(problem.grid.size)
    e, found = rng.standard_normal(transfer.coarse.shape), {}
    Pe = transfer.prolong(e)
    for point in np.ndindex(*shape):
        expected = value(point, A, shape, transfer.places, e, which, found)
        assert abs(Pe[point] - expected) <= 256 * EPS * abs(e).max()  # three sums of nine in a row, and theirs


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
