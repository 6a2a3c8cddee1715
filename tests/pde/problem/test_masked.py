"""The operator of a box with a mask against matrices with rows and columns struck out."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pde import Poisson
from pde.problem.masked import MaskedOperator
from pde.problem.operators import StencilOperator
from tests.pde.reference import EPS, F8, SEEDS
from tests.pde.sides_reference import SIDES, make_box


@st.composite
def masked(draw):
    """A masked operator on a box of any sides, sizes and centring, with or without extra diagonal and varying a, c."""
    ndim = draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(SEEDS))
    kinds = [draw(st.sampled_from(list(SIDES))) for _ in range(ndim)]
    sizes = [draw(st.integers(1, (20, 8, 5)[ndim - 1])) for _ in range(ndim)]
    arguments = make_box(kinds, sizes, draw(st.booleans())).arguments()
    if draw(st.booleans()):
        arguments |= {"coefficient": rng.uniform(0.5, 2, sizes), "reaction": rng.uniform(0, 2, sizes)}
    problem = Poisson(**arguments)
    inside = rng.uniform(0, 1, sizes) < draw(st.sampled_from([0.3, 0.7, 1.0]))
    extra = rng.exponential(10.0, sizes) if draw(st.booleans()) else None
    box = StencilOperator(problem.grid, F8, problem.terms)
    assume(np.min(box.diagonal) > 0)  # not an unknown alone between insulated sides
    return MaskedOperator(box, inside, extra)


def struck(A, symmetric):
    box = A.box.symmetric_matrix() if symmetric else A.box.matrix()
    extra = np.zeros(A.grid.shape) if A.extra is None else A.extra
    matrix = box.toarray() + np.diag((extra * (A.volumes if symmetric else 1.0)).ravel())
    inside = A.inside.ravel()
    matrix[~inside], matrix[:, ~inside] = 0.0, 0.0
    return matrix


@given(masked(), SEEDS)
def test_apply_and_matrices_are_those_of_the_box_with_rows_and_columns_struck_out(A, seed):
    u = np.random.default_rng(seed).standard_normal((2, *A.grid.shape))
    matrix = struck(A, symmetric=False)
    bound = 32 * EPS * np.abs(matrix).sum(axis=1).max() * np.abs(u).max()
    np.testing.assert_allclose(A(u).reshape(2, -1), u.reshape(2, -1) @ matrix.T, rtol=0, atol=bound)
    assert not A(u)[:, ~A.inside].any()
    np.testing.assert_array_equal(A.matrix().toarray(), matrix)
    WA = A.symmetric_matrix()
    np.testing.assert_array_equal(WA.toarray(), struck(A, symmetric=True))
    assert (WA != WA.T).nnz == 0


@given(masked(), st.sampled_from([1.0, 1.3]), st.booleans(), SEEDS)
def test_a_sweep_relaxes_the_points_inside_colour_by_colour(A, omega, reverse, seed):
    r = np.random.default_rng(seed).standard_normal((2, *A.grid.shape))
    matrix, numbers = struck(A, symmetric=False), np.arange(A.grid.size).reshape(A.grid.shape)
    d = np.zeros((2, A.grid.size))
    for blocks in reversed(A.colours) if reverse else A.colours:
        for i in (i for block in blocks for i in numbers[block][A.inside[block]]):
            d[:, i] += omega * (r.reshape(2, -1)[:, i] - d @ matrix[i]) / matrix[i, i]
    result = A.coloured_sweep(r, omega, reverse)
    np.testing.assert_allclose(result.reshape(2, -1), d, rtol=0, atol=256 * EPS * np.abs(d).max())
    assert not result[:, ~A.inside].any()


@given(masked(), SEEDS)
def test_float32_and_tensors_give_the_same_numbers(A, seed):
    torch = pytest.importorskip("torch")
    u = np.random.default_rng(seed).standard_normal((2, *A.grid.shape))
    tensors, single = A.to("cpu", torch.float64), A.to(None, np.dtype("float32"))
    for move, size in (
        (lambda B, x: B(x), 2 * np.max(A.diagonal)),
        (lambda B, x: B.coloured_sweep(x, 1.2), 4 / np.min(A.diagonal)),
    ):
        bound = 32 * size * np.abs(u).max()
        np.testing.assert_allclose(move(tensors, torch.from_numpy(u)).numpy(), move(A, u), rtol=0, atol=EPS * bound)
        result = move(single, u.astype("float32"))
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, move(A, u), rtol=0, atol=2.0**-23 * bound)


def test_a_full_mask_gives_the_bits_of_the_box():
    problem = Poisson((9, 6), boundary=("neumann", "dirichlet"))
    box = StencilOperator(problem.grid, F8, problem.terms)
    A = MaskedOperator(box, np.ones(problem.shape, dtype=bool))
    u = np.random.default_rng(0).standard_normal(problem.shape)
    np.testing.assert_array_equal(A(u), box(u))
    np.testing.assert_array_equal(A.coloured_sweep(u, 1.0), box.coloured_sweep(u, 1.0))
