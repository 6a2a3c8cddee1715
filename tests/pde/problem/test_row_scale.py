"""Norms in which rows beside curved walls count with the box's diagonal."""

import numpy as np
import pytest

from pde import Poisson
from pde.problem.coefficients import Terms
from pde.problem.inner_product import Volumes, row_scale
from pde.problem.masked import MaskedOperator
from pde.problem.operators import StencilOperator
from tests.pde.problem.curved import ball
from tests.pde.reference import EPS, F8


@pytest.mark.parametrize("boundary", ["dirichlet", "neumann"])
def test_rms_takes_each_row_times_its_number(boundary):
    grid, rng = Poisson((5, 6), boundary=boundary).grid, np.random.default_rng(3)
    rows, u = rng.random(grid.shape), rng.normal(size=(2, *grid.shape))
    plain = Volumes(grid)
    for scaled in (plain.with_rows(rows), Volumes(grid.volumes()).with_rows(rows)):
        assert scaled.rms(u) == pytest.approx(plain.rms(rows * u), rel=8 * EPS)
        assert scaled.rms(u.astype(np.float32)) == pytest.approx(plain.rms(rows * u), rel=1e-6)
        assert scaled.mean(u) == pytest.approx(plain.mean(u), rel=64 * EPS)
    assert np.array_equal(plain.with_rows(None).rms(u), plain.rms(u))


@pytest.mark.parametrize("boundary", ["dirichlet", "neumann"])
def test_rows_on_tensors(boundary):
    torch = pytest.importorskip("torch")
    grid, rng = Poisson((5, 6), boundary=boundary).grid, np.random.default_rng(3)
    scaled, u = Volumes(grid).with_rows(rng.random(grid.shape)), rng.normal(size=(2, *grid.shape))
    moved = scaled.to(torch.device("cpu"), F8)
    assert moved.rms(torch.from_numpy(u)) == pytest.approx(scaled.rms(u), rel=64 * EPS)


def test_rows_have_the_diagonal_of_the_box_at_most():
    problem = Poisson((6, 7), reaction=2.0)
    box, inside = StencilOperator(problem.grid, F8, problem.terms), np.ones(problem.shape, dtype=bool)
    extra = np.zeros(problem.shape)
    assert row_scale(box) is None
    assert row_scale(MaskedOperator(box, inside)) is None
    assert row_scale(MaskedOperator(box, inside, extra)) is None
    extra[2, 3], extra[4, 4] = 1e20, -1.0
    A = MaskedOperator(box, inside, extra)
    scale = row_scale(A)
    assert scale.shape == problem.shape
    assert scale.max() == 1
    assert (scale != 1).sum() == 1
    assert scale[2, 3] * A.diagonal[2, 3] == pytest.approx(box.diagonal, rel=4 * EPS)


def test_rows_of_small_control_volumes():
    problem = Poisson((9, 9), boundary="neumann", centering="cell", domain=ball, walls="neumann", reaction=1.0)
    A = problem._operator
    scale, inside = row_scale(A), problem.domain.inside
    whole = np.broadcast_to(StencilOperator(problem.grid, F8, Terms((1.0, 1.0), 1.0)).diagonal, problem.shape)
    assert (scale[inside] * A.diagonal[inside] <= whole[inside] * (1 + 4 * EPS)).all()
    assert (scale[inside] < 1).any()
    assert (scale[inside & (problem.domain.fraction == 1)] >= 1 - 8 * EPS).all()
