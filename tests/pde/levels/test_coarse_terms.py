"""The coefficients of coarse grids: resistances in series along an axis, side by side across it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pde
from pde.levels.coarse_coefficients import coarse_terms
from pde.levels.transfers import BilinearTransfer
from pde.problem.coefficients import grid_resistances
from pde.problem.operators import StencilOperator
from tests.pde.reference import EPS, F8, SEEDS

KINDS = st.sampled_from(["dirichlet", "neumann", "periodic", ("robin", 2.0), ("dirichlet", "neumann")])
CENTERINGS = st.sampled_from(["vertex", "cell"])


def coarsened(problem: pde.Poisson):
    which = tuple(axis.can_coarsen for axis in problem.grid.axes)
    transfer = BilinearTransfer(problem.grid, which, F8)
    return transfer.coarse, coarse_terms(problem.terms, problem.grid, which, transfer, between=True)


def line(n: int, boundary, centering: str, seed: int) -> pde.Poisson:
    a = 10 ** np.random.default_rng(seed).uniform(-3, 3, n)
    return pde.Poisson(n, boundary=[boundary], centering=centering, coefficient=a)


@given(st.integers(4, 20), KINDS, SEEDS)
def test_in_one_dimension_what_lies_between_is_eliminated(n, boundary, seed):
    """The operator on coarse points is the Schur complement of W A, twice."""
    problem = line(n, boundary, "vertex", seed)
    grid, terms, S = problem.grid, problem.terms, problem.matrix(symmetric=True).toarray()
    for _ in range(2):
        axis = grid.axes[0]
        if not axis.can_coarsen or axis.coarsen().cell or axis.coarsen().n < 3:
            return
        kept = axis.injection()[0][0]
        rest = np.setdiff1d(np.arange(axis.n), kept)
        S = S[np.ix_(kept, kept)] - S[np.ix_(kept, rest)] @ np.linalg.solve(
            S[np.ix_(rest, rest)], S[np.ix_(rest, kept)]
        )
        transfer = BilinearTransfer(grid, (True,), F8)
        grid, terms = transfer.coarse, coarse_terms(terms, grid, (True,), transfer, between=True)
        WA = StencilOperator(grid, F8, terms).matrix().toarray() * grid.volumes()[:, None]
        # a diagonal entry of S is a difference: the conductances that cancel are at most 10^3 / h
        size = np.abs(problem.matrix(symmetric=True)).max()
        np.testing.assert_allclose(WA, S, rtol=0, atol=64 * n * EPS * size)


@given(st.integers(2, 40), KINDS, CENTERINGS, SEEDS)
def test_the_resistance_of_the_whole_axis_stays(n, boundary, centering, seed):
    problem = line(n, boundary, centering, seed)
    grid, terms = problem.grid, problem.terms
    first = int(grid.axes[0].periodic)  # the seam counts once
    total = grid_resistances(grid, terms, 0)[first:].sum()
    if terms.varies and grid.axes[0].can_coarsen:
        coarse, resistances = coarsened(problem)
        assert resistances.resistances[0].shape == (coarse.shape[0] + 1,)
        assert resistances.resistances[0][first:].sum() == pytest.approx(total, rel=1e-10)  # ends may differ by 1e-12


@given(st.integers(5, 20), st.integers(5, 20), st.sampled_from(["neumann", "periodic"]), CENTERINGS, SEEDS)
def test_side_by_side_conductances_add_up(n, m, boundary, centering, seed):
    """The energy of u = x is the same on the coarse grid where a varies across x alone."""
    a = np.broadcast_to(10 ** np.random.default_rng(seed).uniform(-3, 3, m), (n, m))
    problem = pde.Poisson((n, m), boundary=["neumann", boundary], centering=centering, coefficient=a)
    energies = []
    for grid, terms in ((problem.grid, problem.terms), coarsened(problem)):
        x = np.broadcast_to(grid.points()[0], grid.shape)
        length = np.ptp(grid.axes[0].points)  # between cells less than the box
        A = StencilOperator(grid, F8, terms)
        energies.append(np.sum(grid.volumes() * x * A(x)) / length)
    assert energies[1] == pytest.approx(energies[0], rel=1e-9)  # u A u cancels to about 1/n^2 of its terms


@given(SEEDS, CENTERINGS)
def test_a_tensor_with_one_axis_that_varies(seed, centering):
    a = 10 ** np.random.default_rng(seed).uniform(-1, 1, (9, 8))
    problem = pde.Poisson((9, 8), coefficient=(a, 3.0), centering=centering)
    coarse, terms = coarsened(problem)
    assert terms.diffusion[1] == 3.0
    assert terms.resistances[1] is None
    assert terms.resistances[0].shape == (coarse.shape[0] + 1, coarse.shape[1])
    assert np.isfinite(StencilOperator(coarse, F8, terms).diagonal).all()
