"""Transfers that follow from the operator: adjoint, exact on constants, and with the coarse operators R A P."""

from collections.abc import Iterator
from functools import partial
from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from numpy.linalg import norm

import pde
from mgcore import checks
from pde.levels.black_box import INTERIOR, OperatorTransfer
from pde.levels.galerkin import nearest
from pde.problem.compact import CompactOperator
from pde.problem.operators import Operator, StencilOperator
from tests.pde.reference import EPS, SEEDS, weighted

SIDES = ["periodic", *product(["dirichlet", "neumann", ("robin", 2.0)], repeat=2)]


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
        expected = value(point, A, shape, transfer.kept, e, which, found)
        assert abs(Pe[point] - expected) <= 256 * EPS * abs(e).max()  # three sums of nine in a row, and theirs


@pytest.mark.parametrize("axis", [0, 1])
def test_transfers_keep_an_inclusion_with_a_tip_constant(axis):
    """The tip lies between two coarse points outside: from them alone it had the value 0."""
    a = np.ones((15, 15))
    a[6:9, 5:10] = a[9, 8] = 1e6
    a = a if axis == 0 else a.T
    problem = pde.Poisson((15, 15), coefficient=a)
    transfer = OperatorTransfer(pde.Multigrid(problem).levels[0].A, (True, True), np.dtype(float))
    inside = a[np.ix_(*transfer.kept)] > 1
    assert np.ptp(transfer.prolong(np.where(inside, 1.0, 0.0))[a > 1]) <= 1e-5  # ten times the contrast


def test_operator_transfers_that_are_asked_for_bring_their_coarse_operators():
    mg = pde.Multigrid(pde.Poisson((33, 20)), transfer="operator")
    assert (mg.coarse, mg.transfer) == ("galerkin", "operator")
    assert mg.solve(lambda x, y: x).converged
    assert mg.update(coefficient=2.0).coarse == "galerkin"
    with pytest.raises(ValueError, match="coarse='galerkin'"):
        pde.Multigrid(pde.Poisson((33, 20)), transfer="operator", coarse="rediscretised")


def coarsenings(problem: pde.Poisson, most: int) -> Iterator[tuple[Operator, OperatorTransfer]]:
    """A of up to `most` levels with its transfer, all axes coarsened as far as they go."""
    A: Operator = StencilOperator(problem.grid, np.dtype(float), problem.terms)
    for _ in range(most):
        which = tuple(axis.can_coarsen for axis in A.grid.axes)
        if not any(which):
            return
        transfer = OperatorTransfer(A, which, np.dtype(float))
        yield A, transfer
        product_ = sp.csr_matrix(transfer.restriction() @ (A.matrix() @ transfer.matrix()))
        product_ = nearest(product_, transfer.coarse, transfer.volumes)
        A = CompactOperator.from_matrix(transfer.coarse, product_, problem.terms, transfer.volumes)


def check_row_sums(problem: pde.Poisson, most: int) -> None:
    """P 1 = 1 wherever A 1 = 0 in a point and in those around it, on every level; one unknown at most between two.

    A 1 and P 1 carry the roundings of products of three matrices per level, relative to the couplings; a sum of weak
    couplings beside strong ones that cancel has them relative to the strong ones.
    """
    contrast = max(float(np.ptp(np.log(a))) for a in map(np.asarray, problem.terms.diffusion))
    for l, (A, transfer) in enumerate(coarsenings(problem, most)):
        matrix, rounding = A.matrix(), 4.0 ** (l + 3) * 3**problem.ndim * EPS
        leaks = abs(matrix @ np.ones(A.grid.size)) > rounding * matrix.diagonal()
        near = (abs(matrix) > 0).astype(float)
        for _ in range(problem.ndim):
            leaks |= near @ leaks.astype(float) > 0
        sums = transfer.matrix() @ np.ones(transfer.coarse.size)
        assert abs(sums - 1)[~leaks].max(initial=0.0) <= rounding * np.exp(contrast)
        for places, axis, fine in zip(transfer.kept, transfer.coarse.axes, A.grid.axes, strict=True):
            around = np.append(places, places[0] + fine.n) if axis.periodic else places
            assert np.diff(around).max(initial=0) <= 2
            assert axis.n < fine.n or fine.n == 1


@pytest.mark.parametrize("boundary", SIDES, ids=str)
@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_rows_of_prolongation_have_the_sum_one_for_every_number_of_unknowns(boundary, centering):
    """Where an axis was left over twice, two unknowns lay between coarse ones: sums 1, 1, 1, 0.5, 0.667, 1."""
    for n in range(2, 23):
        for jump in (1.0, 1e3) if n < 10 else (1e3,):
            a = jump ** np.random.default_rng(n).integers(0, 2, n)
            check_row_sums(pde.Poisson((n,), boundary=[boundary], centering=centering, coefficient=a), 4)


@given(
    axes=st.lists(st.tuples(st.integers(2, 21), st.sampled_from(SIDES)), min_size=2, max_size=3),
    centering=st.sampled_from(["vertex", "cell"]),
    jump=st.sampled_from([1.0, 1e3, 1e6]),
    seed=SEEDS,
)
def test_rows_of_prolongation_have_the_sum_one(axes, centering, jump, seed):
    shape = tuple(n if len(axes) == 2 else 2 + n // 2 for n, _ in axes)
    a = jump ** np.random.default_rng(seed).integers(0, 2, shape)  # with tips, which make coarse stencils wider
    check_row_sums(pde.Poisson(shape, boundary=[b for _, b in axes], centering=centering, coefficient=a), 3)


@pytest.mark.parametrize("shape", [(21, 18), (20, 20), (9, 9, 9)])
@pytest.mark.parametrize("boundary", ["neumann", "periodic"])
def test_rows_of_prolongation_have_the_sum_one_behind_tips(shape, boundary):
    """Tips make coarse stencils wider: what led beyond the next coarse point was lost, and the sum fell to 0.6."""
    for seed in range(8):
        a = 1e3 ** np.random.default_rng(seed).integers(0, 2, shape)
        check_row_sums(pde.Poisson(shape, boundary=boundary, coefficient=a), 2)


def disc(problem: pde.Poisson, inside: float = 15.0) -> np.ndarray:
    """`inside` in a ball of 0.3 in units of the box, 1 outside."""
    places = [x / length - 0.5 for x, length in zip(problem.points(), problem.extent, strict=True)]
    return np.where(sum(x**2 for x in places) < 0.09, inside, 1.0)


def check_convergence(problem: pde.Poisson, cycles: int, iterations: int) -> None:
    f, W = np.random.default_rng(0).standard_normal(problem.shape), problem.control_volumes()
    if problem.singular:
        f -= (W * f).sum() / W.sum()
    mg = pde.Multigrid(problem.with_terms(coefficient=disc(problem)), levels=3)
    assert len(mg.levels) == 3
    for accel, most in ((None, cycles), ("cg", iterations)):
        solution = mg.solve(f, accel=accel)
        assert solution.converged
        assert solution.cycles <= most


@pytest.mark.parametrize("n", [126, 127, 128, 129])
@pytest.mark.parametrize("boundary", ["neumann", ("dirichlet", "neumann"), ("robin", 2.0), "periodic"], ids=str)
@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_one_axis_left_over_twice(n, boundary, centering):
    """It had 50 cycles at 3e-2 for 126 nodes between two Neumann ends, 4 for 127."""
    check_convergence(pde.Poisson((n, 100), (0.1, 1), [boundary, "dirichlet"], centering), 6, 10)


@pytest.mark.parametrize(
    ("shape", "boundary"),
    [
        ((146, 142), "neumann"),
        ((149, 145), ("dirichlet", "neumann")),
        ((147, 144), ("robin", 1.0)),
        ((38, 38, 38), "neumann"),
        ((37, 41, 42), ("dirichlet", "neumann")),
    ],
    ids=str,
)
@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_all_axes_left_over_twice(shape, boundary, centering):
    sides = [boundary] * len(shape)
    check_convergence(pde.Poisson(shape, boundary=sides, centering=centering), 9, 12)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(254, 254), (258, 258), (50, 50, 50), (54, 54, 54)], ids=str)
def test_large_grids_left_over_twice(shape):
    check_convergence(pde.Poisson(shape, boundary="neumann"), 8, 11)
