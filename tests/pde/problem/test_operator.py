"""Poisson: its operator in three independent ways, control volumes and coordinates."""

from itertools import product
from math import fsum

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pde import Multigrid, Poisson
from pde.problem.compact import CompactOperator
from pde.problem.operators import StencilOperator
from tests.pde.reference import (
    EPS,
    F8,
    PROBLEMS,
    SEEDS,
    boxes,
    coordinates,
    finite_volumes,
    halvings,
    laplacian,
    nonuniform_grids,
)
from tests.pde.sides_reference import make_box, smooth
from tests.pde.sides_table import boxes_of_any_sides


def columns(apply, shape):
    identity = np.eye(int(np.prod(shape))).reshape(-1, *shape)
    return apply(identity).reshape(len(identity), -1).T


def same(A, B, n):
    """Entries are sums of 2 d quotients of coordinates, whose intervals are exact to n eps."""
    A, B = (M.toarray() if hasattr(M, "toarray") else M for M in (A, B))
    assert np.abs(A - B).max() <= (16 + 4 * n) * EPS * np.abs(B).max()


@given(boxes())
def test_apply_is_the_matrix_and_the_matrix_is_the_sum_of_kronecker_products(box):
    shape, extent = box
    problem = Poisson(shape, extent)
    same(problem.matrix(), laplacian(shape, extent), max(shape))
    same(columns(problem.apply, shape), problem.matrix(), max(shape))


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_weighted_matrix_is_symmetric(name):
    shape, extent = PROBLEMS[name]
    problem = Poisson(shape, extent)
    WA = problem.matrix(symmetric=True)
    assert abs(WA - WA.T).max() <= (16 + 4 * max(shape)) * EPS * abs(WA).max()
    volume = np.prod([L / (n + 1) for n, L in zip(shape, extent, strict=True)])
    np.testing.assert_allclose(problem.control_volumes(), np.full(shape, volume), rtol=(8 + 2 * max(shape)) * EPS)
    same(WA, laplacian(shape, extent) * volume, max(shape))


@given(nonuniform_grids())
def test_a_grid_of_any_spacing_has_the_finite_volume_operator(grid):
    reference = finite_volumes([axis.nodes for axis in grid.axes])
    A = StencilOperator(grid, F8)
    same(A.matrix(), reference, grid.ndim)
    same(columns(A, grid.shape), reference, grid.ndim)
    same(columns(CompactOperator.from_matrix(grid, A.matrix()), grid.shape), reference, grid.ndim)
    assert np.linalg.norm(reference, np.inf) <= 2 * np.max(A.diagonal) * (1 + 8 * EPS)  # what `rounding` rests on
    volumes = np.ones(1)
    for axis in grid.axes:
        assert np.isclose(axis.width.sum(), (axis.nodes[-1] + axis.nodes[-2] - axis.nodes[0] - axis.nodes[1]) / 2)
        volumes = np.multiply.outer(volumes, axis.width)
    WA = volumes.reshape(-1, 1) * reference
    assert np.abs(WA - WA.T).max() <= 32 * EPS * np.abs(WA).max()


@given(boxes())
def test_coarse_grids_keep_every_second_point_and_the_ends(box):
    shape, extent = box
    grid = Poisson(shape, extent).grid
    for which in halvings(grid):
        coarse = grid.coarsen(which)
        for axis, other, halve, n in zip(grid.axes, coarse.axes, which, shape, strict=True):
            assert other.n == (n // 2 if halve else n)
            kept = [0, *range(2, n + 1, 2), n + 1] if halve else range(n + 2)
            assert list(other.nodes) == [axis.nodes[i] for i in kept]
            h = axis.spacing.max()
            if halve and n % 2 == 0:  # the shorter one is the last one
                np.testing.assert_allclose(other.spacing[-1], h, rtol=4 * n * EPS)
        same(StencilOperator(coarse, F8).matrix(), finite_volumes([a.nodes for a in coarse.axes]), max(shape))


@given(boxes(), SEEDS)
def test_batches_are_applied_member_by_member(box, seed):
    shape, extent = box
    problem = Poisson(shape, extent)
    u = np.random.default_rng(seed).standard_normal((2, 3, *shape))
    together = problem.apply(u)
    for i, j in product(range(2), range(3)):
        np.testing.assert_array_equal(together[i, j], problem.apply(u[i, j]))


@pytest.mark.parametrize("name", PROBLEMS)
def test_points_are_the_interior_points_and_cannot_be_written(name):
    shape, extent = PROBLEMS[name]
    points = Poisson(shape, extent).points()
    assert len(points) == len(shape)
    for x, expected, L in zip(points, coordinates(shape, extent), extent, strict=True):
        np.testing.assert_allclose(x, expected, rtol=0, atol=4 * EPS * L)
        with pytest.raises(ValueError, match="read-only"):
            x[...] = 0


@given(st.sampled_from([np.int32, np.uint8, np.float16, np.float32, np.float64, bool]))
def test_apply_in_any_real_dtype(dtype):
    u = (np.arange(35).reshape(5, 7) % 3).astype(dtype)
    expected = Poisson((5, 7)).apply(u.astype(float))
    result = Poisson((5, 7)).apply(u)
    assert result.dtype == (np.float32 if dtype in (np.float16, np.float32) else np.float64)
    np.testing.assert_allclose(result, expected, atol=8 * np.finfo(result.dtype).eps * np.abs(expected).max())


@pytest.mark.parametrize("n", [61, 1023])
@pytest.mark.parametrize("beta", [1e-3, 1.0])
def test_a_weak_side_is_not_lost_in_float32(n, beta):
    """Coefficients beside it differ from those inside by less than n roundings of float32."""
    problem = Poisson((n, 8), boundary=(("neumann", ("robin", beta)), "periodic"))
    ones = np.ones(problem.shape)
    single, double = (StencilOperator(problem.grid, np.dtype(t), problem.terms) for t in ("float32", "float64"))
    expected = double(ones)
    assert expected[-1, 0] > 0
    assert np.max(np.abs(single(ones.astype("float32")) - expected)) <= 4 * 2.0**-23 * np.max(double.diagonal)


@st.composite
def closed_problems(draw):
    """Insulated boxes of any size, centring and spacing, whose coefficient may jump by 10^6."""
    ndim = draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(SEEDS))
    kinds = [draw(st.sampled_from(["N", "P", "R0"])) for _ in range(ndim)]
    sizes = rng.integers(1, {1: 130, 2: 40, 3: 9}[ndim], ndim).tolist()
    stretch = draw(st.sampled_from([None, smooth]))
    box = make_box(kinds, sizes, draw(st.booleans()), lengths=rng.uniform(0.3, 4, ndim), stretch=stretch)
    field = draw(st.sampled_from([None, 0.7, "jumps", "tensor"]))
    if field == "jumps":
        field = 10 ** rng.uniform(-3, 3, sizes)
    elif field == "tensor":
        field = [10 ** rng.uniform(-1, 1, sizes) for _ in range(ndim)]
    return box.arguments() | {"coefficient": field}


@settings(max_examples=100)
@given(closed_problems(), st.sampled_from([1.0, 101325.3, 1e-30]))
def test_constants_flow_nowhere(arguments, level):
    problem = Poisson(**arguments)
    for dtype in ("float64", "float32"):
        ones = np.full(problem.shape, level, dtype)
        assert not StencilOperator(problem.grid, np.dtype(dtype), problem.terms)(ones).any()
    for level in Multigrid(problem, coarse="rediscretised", transfer="bilinear").levels:
        assert not level.A(np.ones(level.info.grid.shape)).any()


def row_sums(A):
    return np.array([fsum(A.data[slice(*A.indptr[i : i + 2])]) for i in range(A.shape[0])])


@settings(max_examples=100)
@given(closed_problems())
def test_rows_sum_to_zero_and_the_weighted_matrix_is_symmetric_to_the_last_bit(arguments):
    problem = Poisson(**arguments)
    A, WA = problem.matrix(), problem.matrix(symmetric=True)
    for matrix in (A, WA):
        assert np.all(np.abs(row_sums(matrix)) <= (2 * problem.ndim + 1) * EPS * matrix.diagonal())
    assert (WA != WA.T).nnz == 0
    W = problem.control_volumes().ravel()
    same(WA, W[:, None] * A.toarray(), max(problem.shape))


@given(boxes_of_any_sides())
def test_the_weighted_matrix_is_symmetric_to_the_last_bit_beside_every_side(box):
    WA = Poisson(**box.arguments()).matrix(symmetric=True)
    assert (WA != WA.T).nnz == 0
