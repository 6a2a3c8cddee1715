"""Transfers between the grids of boxes with any sides: adjoint, exact on constants and cubics, and their order."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given

from mgcore import checks
from pde import Poisson
from pde.levels.cubic_interpolation import CubicInterpolation, data_restriction
from pde.levels.transfers import BilinearTransfer
from pde.problem.grid import Axis, Grid, Side
from tests.pde.reference import EPS, F8, SEEDS, halvings, weighted
from tests.pde.sides_reference import SIDES, Manufactured, make_box, smooth
from tests.pde.sides_table import boxes_of_any_sides


@given(boxes_of_any_sides(), SEEDS)
def test_restriction_is_the_adjoint_of_prolongation(box, seed):
    grid, rng = Poisson(**box.arguments()).grid, np.random.default_rng(seed)
    for which in usable(grid):
        transfer, coarse = BilinearTransfer(grid, which, F8), grid.coarsen(which)
        r, e = rng.standard_normal(grid.shape), rng.standard_normal(coarse.shape)
        dots = [partial(weighted, g.volumes()) for g in (grid, coarse)]
        assert checks.adjoint_defect(transfer.restrict, transfer.prolong, r, e, *dots) <= 64 * EPS * grid.size**0.5


def usable(grid):
    return [w for w in halvings(grid) if all(axis.can_coarsen or not h for axis, h in zip(grid.axes, w, strict=True))]


@given(boxes_of_any_sides())
def test_constants_are_kept_where_nothing_leaves_the_axis(box):
    grid = Poisson(**box.arguments()).grid
    closed = [not any(kind in ("dirichlet", "robin") for kind in line.kinds) for line in box.lines]
    for which in usable(grid):
        if not all(c or not h for c, h in zip(closed, which, strict=True)):
            continue
        coarse = grid.coarsen(which)
        for up in (BilinearTransfer(grid, which, F8).prolong, lambda e: CubicInterpolation(grid, which, F8)(e, {})):  # noqa: B023
            np.testing.assert_allclose(up(np.ones(coarse.shape)), 1, rtol=64 * EPS * max(grid.shape))
        # the sum over the control volumes is kept: a compatible f stays compatible
        f = np.random.default_rng(0).standard_normal(grid.shape)
        for down in (BilinearTransfer(grid, which, F8).restrict, data_restriction(grid, which, F8)):
            total = np.sum(coarse.volumes() * down(f))
            assert abs(total - np.sum(grid.volumes() * f)) <= 256 * EPS * grid.volumes().sum() * np.abs(f).max()


@given(boxes_of_any_sides(), SEEDS)
def test_coarse_grids_fill_the_box(box, seed):
    grid = Poisson(**box.arguments()).grid
    for which in usable(grid):
        for fine, coarse, halve in zip(grid.axes, grid.coarsen(which).axes, which, strict=True):
            assert set(coarse.nodes) <= set(fine.nodes)
            assert coarse.nodes[0] == fine.nodes[0]
            assert coarse.nodes[-1] == fine.nodes[-1]
            assert not halve or coarse.n <= fine.n // 2 + 1
            assert np.isclose(coarse.width.sum(), fine.width.sum()) or "dirichlet" in [s.kind for s in fine.sides]


@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
@pytest.mark.parametrize("kind", [k for k in SIDES if k != "P"])
@pytest.mark.parametrize("n", [8, 9, 17, 33, 40])
@pytest.mark.parametrize("stretch", [None, smooth], ids=["equal", "stretched"])
def test_cubic_interpolation_reproduces_cubics(kind, cell, n, stretch):
    box = make_box([kind], [n], cell, stretch=stretch)
    grid = Poisson(**box.arguments()).grid
    u = lambda x: 1 - 2 * x + 3 * x**2 - 1.5 * x**3  # noqa: E731
    sides = {(0, s): np.array(u(box.lines[0].ends[s])) for s in (0, 1) if box.lines[0].kinds[s] == "dirichlet"}
    result = CubicInterpolation(grid, (True,), F8, False)(u(grid.coarsen((True,)).axes[0].points), sides)
    np.testing.assert_allclose(result, u(grid.axes[0].points), rtol=0, atol=(256 + 8 * n) * 30 * EPS)


@pytest.mark.parametrize("kind", ["N", "R", "DN", "NR"])
@pytest.mark.parametrize("n", [9, 13, 18, 33, 40])
def test_cubic_interpolation_takes_finite_volumes_to_finite_volumes(kind, n):
    """Of a quadratic u every flux is exact: differences of cells are u' at their face times the distance of centres."""

    def discrete(axis):
        steps = (2 - 5 * axis.nodes[1:-1]) * np.diff(axis.points)  # of u = 3 + 2 x - 2.5 x^2
        values = np.cumsum(np.append(0, steps))
        return values + 3 + 2 * axis.points[0] - 2.5 * axis.points[0] ** 2

    axis = Poisson(**make_box([kind], [n], True).arguments()).grid.axes[0]
    ends = {(0, 0): np.array(3.0)} if kind == "DN" else {}
    while axis.coarsen().n >= 4:
        result = CubicInterpolation(Grid((axis,)), (True,), F8)(discrete(axis.coarsen()), ends)
        np.testing.assert_allclose(result, discrete(axis), rtol=0, atol=(256 + 8 * n) * 30 * EPS)
        axis = axis.coarsen()


@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
@pytest.mark.parametrize("odd", [0, 1])
@pytest.mark.parametrize("stretch", [None, smooth], ids=["equal", "stretched"])
def test_cubic_interpolation_has_order_four_around_a_period(cell, odd, stretch):
    errors = []
    for n in (128 + odd, 256 + odd):
        grid = Poisson(**make_box(["P"], [n], cell, stretch=stretch).arguments()).grid
        u = lambda x: np.sin(2 * np.pi * x + 0.3)  # noqa: E731
        result = CubicInterpolation(grid, (True,), F8, False)(u(grid.coarsen((True,)).axes[0].points), {})
        errors.append(np.abs(result - u(grid.axes[0].points)).max())
    assert abs(np.log2(errors[0] / errors[1]) - 4) <= 0.15


@pytest.mark.parametrize("kinds", [("D",), ("N",), ("P",), ("DN",), ("NR",), ("P", "P")], ids="/".join)
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
def test_smooth_data_are_restricted_to_second_order(kinds, cell):
    """Away from the ends the error of nodes is of fourth order, and that of cells is a mean's, h^2/8 f''."""
    errors = []
    for size in (64, 128):
        box = make_box(kinds, [size] * len(kinds), cell, by_intervals=True)
        grid, which = Poisson(**box.arguments()).grid, (True,) * len(kinds)
        exact = Manufactured(box)
        gap = abs(data_restriction(grid, which, F8)(exact.u(*grid.points())) - exact.u(*grid.coarsen(which).points()))
        errors.append(gap[(slice(size // 8, -size // 8),) * len(kinds)].max())
    assert abs(np.log2(errors[0] / errors[1]) - (2 if cell else 4)) <= 0.15


@pytest.mark.parametrize("n", [3, 4, 7, 8, 32, 33])
def test_quadratic_data_are_kept_up_to_dirichlet_ends(n):
    """Beside a shorter last interval too: a term in f' there left up to 1.7 times the discretisation error."""
    axis = Axis.uniform(n, 1.0)
    f = lambda x: 1 - 2 * x + 3 * x**2  # noqa: E731
    for _ in range(2):
        if not axis.can_coarsen:
            break
        result = data_restriction(Grid((axis,)), (True,), F8)(f(axis.points))
        np.testing.assert_allclose(result, f(axis.coarsen().points), rtol=0, atol=64 * EPS)
        axis = axis.coarsen()


@pytest.mark.parametrize("beta", [0.0, 0.3, 7.0, 1e9])
def test_beyond_the_last_cell_the_correction_obeys_the_side(beta):
    """Linear functions with a u' = beta u at the low end are kept in the cells beside it."""
    a = 0.5
    fine = Grid((Axis.uniform(8, 1.0, (Side("robin", beta), Side("neumann")), cell=True),))
    transfer = BilinearTransfer(fine, (True,), F8, [(a, a)])
    e = lambda x: a + beta * x  # noqa: E731
    up = transfer.prolong(e(transfer.coarse.axes[0].points))
    np.testing.assert_allclose(up[:3], e(fine.axes[0].points[:3]), rtol=64 * EPS)
