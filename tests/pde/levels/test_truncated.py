"""Truncated transfers and their coarse operators against sparse matrices, on every kind of box."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given
from hypothesis import strategies as st

from pde import Poisson
from pde.levels.black_box import through_points
from pde.levels.truncated import TruncatedTransfer, product, scaling
from pde.problem.compact import CompactOperator
from pde.problem.masked import MaskedOperator
from pde.problem.operators import StencilOperator
from tests.pde.reference import EPS, F8, SEEDS
from tests.pde.sides_reference import SIDES, make_box, smooth


@st.composite
def pairs(draw):
    """An operator on a domain (stencil, masked, with cut walls, or compact) and a transfer that coarsens some axes."""
    ndim = draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(SEEDS))
    kinds = [draw(st.sampled_from(list(SIDES))) for _ in range(ndim)]
    sizes = [draw(st.integers(1, (24, 9, 6)[ndim - 1])) for _ in range(ndim)]
    box = make_box(kinds, sizes, draw(st.booleans()), stretch=draw(st.sampled_from([None, smooth])))
    arguments = box.arguments()
    if draw(st.booleans()):
        arguments |= {"coefficient": 10 ** rng.uniform(-1, 1, sizes), "reaction": rng.uniform(0, 2, sizes)}
    problem = Poisson(**arguments)
    grid, inside = problem.grid, rng.uniform(0, 1, sizes) < draw(st.sampled_from([0.4, 0.8, 1.0]))
    A = StencilOperator(grid, F8, problem.terms)
    kind = draw(st.sampled_from(["stencil", "masked", "cut", "compact"]))
    if kind in ("masked", "cut"):
        A = MaskedOperator(A, inside, rng.exponential(10.0, sizes) if kind == "cut" else None)
    elif kind == "compact":
        coefficients = rng.uniform(-1, 1, (3**ndim, *sizes))
        coefficients[3**ndim // 2] += 3.0**ndim
        A = CompactOperator(grid, coefficients, problem.terms)
    which = tuple(draw(st.booleans()) and axis.at_points().can_coarsen for axis in grid.axes)
    assume(any(which))
    assume(np.min(A.diagonal) > 0)  # not an unknown alone between insulated sides
    rows = rng.uniform(0.1, 1, sizes) * inside if kind == "compact" else scaling(A) if kind != "stencil" else inside
    transfer = TruncatedTransfer(grid, which, F8, rows, A.volumes)
    assume(transfer.inside.any())
    return A, transfer, rng


@given(pairs())
def test_the_transfer_is_its_matrix_and_restriction_is_its_adjoint(pair):
    A, transfer, rng = pair
    e, r = rng.standard_normal((2, *transfer.coarse.shape)), rng.standard_normal((2, *A.grid.shape))
    P, R = transfer.matrix(), transfer.restriction()
    np.testing.assert_allclose(transfer(e).reshape(2, -1), e.reshape(2, -1) @ P.T, atol=16 * EPS * np.abs(e).max())
    bound = 64 * EPS * np.abs(r).max() * transfer.weights.max()
    np.testing.assert_allclose(transfer.adjoint()(r).reshape(2, -1), r.reshape(2, -1) @ R.T, rtol=0, atol=bound)
    expected = (P.T @ sp.diags(A.volumes.ravel()) / transfer.volume).toarray()
    np.testing.assert_allclose(R.toarray(), expected, rtol=0, atol=16 * EPS * transfer.weights.max())


@given(pairs())
def test_the_product_on_coefficients_is_the_product_of_matrices(pair):
    A, transfer, _ = pair
    coarse = product(A, transfer, F8)
    matrix = A.matrix()
    expected = (transfer.restriction() @ matrix @ transfer.matrix()).toarray()
    size = (abs(transfer.restriction()) @ abs(matrix) @ abs(transfer.matrix())).max()
    found, inside = coarse.matrix().toarray(), transfer.inside.ravel()
    np.testing.assert_allclose(found[inside], expected[inside], rtol=0, atol=64 * EPS * size)
    outside = found[~inside]
    assert not outside[:, inside].any()
    assert np.count_nonzero(outside) == len(outside)
    assert outside.min(initial=0) == 0
    assert coarse.volumes.max() == coarse.volumes.min() == transfer.volume
    if isinstance(A, MaskedOperator):
        np.testing.assert_allclose(found, found.T, rtol=0, atol=64 * EPS * size)


@given(pairs(), SEEDS)
def test_single_precision_and_tensors_give_the_same_transfers(pair, seed):
    torch = pytest.importorskip("torch")
    A, transfer, _ = pair
    rng = np.random.default_rng(seed)
    e, r = rng.standard_normal((2, *transfer.coarse.shape)), rng.standard_normal((2, *A.grid.shape))
    tensors, single = transfer.to("cpu", torch.float64), transfer.to(None, np.dtype("float32"))
    bound = 64 * np.abs(r).max() * transfer.weights.max()
    for move, x in ((lambda T, x: T(x), e), (lambda T, x: T.adjoint()(x), r)):
        np.testing.assert_allclose(move(tensors, torch.from_numpy(x)).numpy(), move(transfer, x), atol=EPS * bound)
        result = move(single, x.astype("float32"))
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, move(transfer, x), rtol=0, atol=2.0**-23 * (bound + 64 * np.abs(e).max()))


def test_a_coarse_point_is_inside_where_the_fine_point_at_its_place_is():
    grid = Poisson((7, 6), boundary=("dirichlet", "neumann")).grid
    rng = np.random.default_rng(3)
    inside = rng.uniform(0, 1, grid.shape) < 0.5
    transfer = TruncatedTransfer(grid, (True, True), F8, inside, grid.volumes())
    places = np.stack(through_points(grid, (True, True)).coarsen((True, True)).points())
    points = np.stack(grid.points())
    for index in np.ndindex(*transfer.coarse.shape):
        here = np.all(points == places[(slice(None), *index)][:, None, None], axis=0)
        assert transfer.inside[index] == inside[here].item()
