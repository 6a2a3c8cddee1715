"""Couplings that lead further than to the 3^d nearest points, replaced by ways over these."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from pde.levels.galerkin import nearest
from pde.problem.compact import CompactOperator
from pde.problem.grid import Axis, Grid, Side
from tests.pde.reference import EPS, SEEDS


@st.composite
def matrices(draw):
    """A random W A, symmetric with row sums >= 0, whose points couple with those up to three steps away."""
    ndim = draw(st.integers(1, 3))
    kinds = [draw(st.sampled_from(["dirichlet", "periodic"])) for _ in range(ndim)]
    sizes = [draw(st.integers(1, (16, 7, 4)[ndim - 1])) for _ in range(ndim)]
    grid = Grid(tuple(Axis.uniform(n, 1.0, (Side(k),) * 2) for n, k in zip(sizes, kinds, strict=True)))
    rng = np.random.default_rng(draw(SEEDS))
    points = np.stack(np.unravel_index(np.arange(grid.size), grid.shape))
    distance = np.abs(points[:, :, None] - points[:, None])
    n = np.array(sizes)[:, None, None]
    around = np.array([k == "periodic" for k in kinds])[:, None, None]
    distance = np.where(around, np.minimum(distance, n - distance), distance).max(axis=0)
    K = -rng.exponential(1.0, (grid.size, grid.size)) * (distance <= 3) * (rng.uniform(0, 1, distance.shape) < 0.5)
    K = np.triu(K, 1) + np.triu(K, 1).T
    return grid, K - np.diag(K.sum(axis=1)) + np.diag(rng.uniform(0, 1, grid.size)), rng.uniform(0.5, 2, grid.shape)


@given(matrices())
def test_the_result_is_compact_and_keeps_row_sums_and_symmetry(case):
    grid, K, W = case
    A = K / W.reshape(-1, 1)
    result = nearest(sp.csr_matrix(A), grid, W)
    size = 64 * EPS * np.abs(K).sum(axis=1).max() * grid.size
    found = CompactOperator.from_matrix(grid, result).matrix().toarray()
    np.testing.assert_allclose(found.sum(axis=1), A.sum(axis=1), rtol=0, atol=2 * size)
    KK = W.reshape(-1, 1) * found
    np.testing.assert_allclose(KK, KK.T, rtol=0, atol=size)
    assert np.linalg.eigvalsh((KK + KK.T) / 2)[0] > -size


@given(matrices())
def test_a_compact_matrix_stays_as_it_is(case):
    grid, K, W = case
    once = nearest(sp.csr_matrix(K), grid, W)
    assert nearest(once, grid, W) is once


def test_a_coupling_over_two_steps_becomes_twice_as_strong_on_each():
    grid = Grid((Axis.uniform(4, 1.0),))
    K = np.zeros((4, 4))
    K[[0, 2], [2, 0]], K[[0, 2], [0, 2]] = -1.0, 1.0
    expected = np.array([[2.0, -2, 0, 0], [-2, 4, -2, 0], [0, -2, 2, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(nearest(sp.csr_matrix(K), grid, np.ones(4)).toarray(), expected)
    x = np.arange(4.0)
    assert x @ expected @ x == x @ K @ x
