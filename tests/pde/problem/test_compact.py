"""Operators of 3^d coefficients against dense matrices and relaxation point by point."""

from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from pde.problem.compact import CompactOperator, offsets
from pde.problem.grid import Axis, Grid, Side
from tests.pde.reference import EPS, SEEDS

ROUNDINGS = 1e3
"""The diagonal outweighs the rest of a row, so that errors of a sweep stay below the roundings of 3 * 27 operations."""

PERIODIC, DIRICHLET = (Side("periodic"),) * 2, (Side(),) * 2


@st.composite
def operators(draw):
    """A compact operator with random coefficients, some zero and the diagonal at least 1, of any sizes and ends."""
    ndim = draw(st.integers(1, 3))
    sizes = [draw(st.integers(1, (12, 7, 5)[ndim - 1])) for _ in range(ndim)]
    ends = [draw(st.sampled_from([PERIODIC, DIRICHLET])) for _ in range(ndim)]
    grid = Grid(tuple(Axis.uniform(n, 1.0, pair) for n, pair in zip(sizes, ends, strict=True)))
    rng = np.random.default_rng(draw(SEEDS))
    coefficients = rng.uniform(-1, 1, (3**ndim, *sizes)) * rng.integers(0, 2, (3**ndim, *sizes))
    coefficients[3**ndim // 2] = 3.0**ndim + rng.uniform(0, 1, sizes)
    return CompactOperator(grid, coefficients)


def dense(A):
    """The matrix by the definition, entry by entry."""
    numbers = np.arange(A.grid.size).reshape(A.grid.shape)
    result = np.zeros((A.grid.size,) * 2)
    for point in np.ndindex(*A.grid.shape):
        for k, offset in enumerate(offsets(A.grid.ndim)):
            there = [i + o for i, o in zip(point, offset, strict=True)]
            there = [j % axis.n if axis.periodic else j for j, axis in zip(there, A.grid.axes, strict=True)]
            if all(0 <= j < n for j, n in zip(there, A.grid.shape, strict=True)):
                result[numbers[point], numbers[tuple(there)]] += A.coefficients[(k, *point)]
    return result


def relaxed(A, r, omega, reverse):
    """A sweep from zero point by point: by the parity of each index, the seam of an odd periodic axis after these."""
    matrix, d = dense(A), np.zeros(A.grid.size)

    def colour(point):
        seams = [x.periodic and i == 0 and x.n % 2 and x.n > 1 for i, x in zip(point, A.grid.axes, strict=True)]
        return tuple(2 if seam else i % 2 for i, seam in zip(point, seams, strict=True))

    numbers = np.arange(A.grid.size).reshape(A.grid.shape)
    for point in sorted(np.ndindex(*A.grid.shape), key=colour, reverse=reverse):
        i = numbers[point]
        d[i] += omega * (r.ravel()[i] - matrix[i] @ d) / matrix[i, i]
    return d.reshape(A.grid.shape)


@given(operators(), SEEDS)
def test_apply_matrix_and_diagonal_are_those_of_the_definition(A, seed):
    u = np.random.default_rng(seed).standard_normal((2, 3, *A.grid.shape))
    matrix = dense(A)
    bound = 3**A.grid.ndim * EPS * np.max(np.abs(matrix) @ np.abs(u.reshape(6, -1)).T)
    np.testing.assert_allclose(A(u).reshape(6, -1), u.reshape(6, -1) @ matrix.T, rtol=0, atol=bound)
    np.testing.assert_allclose(A.matrix().toarray(), matrix, atol=3**A.grid.ndim * EPS * np.abs(matrix).max())
    np.testing.assert_allclose(A.diagonal.ravel(), np.diag(matrix), rtol=3**A.grid.ndim * EPS)
    assert A.nonzeros == np.count_nonzero(A.coefficients)


@given(operators())
def test_a_matrix_of_nearest_points_becomes_the_operator(A):
    matrix = A.matrix()
    again = CompactOperator.from_matrix(A.grid, matrix, A.terms, 2.0)
    assert (again.matrix() != matrix).nnz == 0
    np.testing.assert_array_equal(again.volumes, np.full(A.grid.shape, 2.0))
    np.testing.assert_array_equal(A.volumes, A.grid.volumes())


def test_an_entry_between_distant_points_is_refused():
    grid = Grid((Axis.uniform(5, 1.0), Axis.uniform(4, 1.0)))
    with pytest.raises(ValueError, match="matrix must couple the 3\\^d nearest points"):
        CompactOperator.from_matrix(grid, sp.csr_matrix(([1.0], ([0], [2])), shape=(20, 20)))


@given(operators(), st.sampled_from([1.0, 1.3]), st.booleans(), SEEDS)
def test_a_sweep_is_relaxation_colour_by_colour(A, omega, reverse, seed):
    r = np.random.default_rng(seed).standard_normal((2, *A.grid.shape))
    for member, expected in zip(A.coloured_sweep(r, omega, reverse), r, strict=True):
        np.testing.assert_allclose(member, relaxed(A, expected, omega, reverse), atol=ROUNDINGS * EPS * np.abs(r).max())


@given(operators(), SEEDS)
def test_the_reverse_sweep_of_a_symmetric_operator_is_the_adjoint(A, seed):
    matrix = A.matrix()
    S = CompactOperator.from_matrix(A.grid, matrix + matrix.T)
    v, w = np.random.default_rng(seed).standard_normal((2, *A.grid.shape))
    left, right = np.sum(S.coloured_sweep(v, 1.0) * w), np.sum(v * S.coloured_sweep(w, 1.0, reverse=True))
    assert abs(left - right) <= ROUNDINGS * EPS * np.linalg.norm(v) * np.linalg.norm(w)


@given(operators(), SEEDS)
def test_float32_and_tensors_give_the_same_numbers(A, seed):
    torch = pytest.importorskip("torch")
    u = np.random.default_rng(seed).standard_normal((2, *A.grid.shape))
    tensors = A.to("cpu", torch.float64)
    single = A.to(None, np.dtype("float32"))
    assert A.to(None, np.dtype(float)).coefficients is A.coefficients
    for move in (lambda B, x: B(x), lambda B, x: B.coloured_sweep(x, 1.2)):
        expected = move(A, u)
        size = ROUNDINGS * max(1.0, np.abs(expected).max())
        result = move(tensors, torch.from_numpy(u)).numpy()
        np.testing.assert_allclose(result, expected, atol=EPS * size)
        result = move(single, u.astype("float32"))
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, expected, atol=np.finfo("float32").eps * size)


def test_offsets_are_in_c_order_with_the_point_in_the_middle():
    for ndim in (1, 2, 3):
        assert offsets(ndim) == list(product((-1, 0, 1), repeat=ndim))
