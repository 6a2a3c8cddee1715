"""Restriction, prolongation and cubic interpolation on grids of any size and spacing."""

from functools import partial

import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st

from mgcore import checks, stencils
from pde import Poisson
from pde.levels.cubic_interpolation import CubicInterpolation, coarsen_sides
from pde.levels.transfers import BilinearTransfer, LinearTransfer
from pde.problem.grid import Axis, Grid
from tests.pde.reference import EPS, F8, SEEDS, boxes, halvings, nonuniform_grids, weighted

TRANSFERS = {"bilinear": BilinearTransfer, "linear": LinearTransfer}


def volumes(grid):
    result = np.ones(())
    for axis in grid.axes:
        result = np.multiply.outer(result, (axis.nodes[2:] - axis.nodes[:-2]) / 2)
    return result


@st.composite
def any_grid(draw):
    if draw(st.booleans()):
        return draw(nonuniform_grids())
    return Poisson(*draw(boxes())).grid


def transfers(grid):
    """Every transfer that `grid` allows, with the axes that it halves."""
    result = [(BilinearTransfer(grid, which, F8), which) for which in halvings(grid)]
    if grid.ndim == 2 and min(grid.shape) > 1:
        result.append((LinearTransfer(grid, (True, True), F8), (True, True)))
    return result


@given(any_grid(), SEEDS)
def test_restriction_is_the_adjoint_of_prolongation_in_the_control_volumes(grid, seed):
    rng = np.random.default_rng(seed)
    for transfer, which in transfers(grid):
        coarse = grid.coarsen(which)
        r, e = rng.standard_normal(grid.shape), rng.standard_normal(coarse.shape)
        inner = partial(weighted, volumes(grid)), partial(weighted, volumes(coarse))
        defect = checks.adjoint_defect(transfer.restrict, transfer.prolong, r, e, *inner)
        assert defect <= 32 * EPS * np.sqrt(grid.size)  # sums of as many products


@given(any_grid(), SEEDS)
def test_the_matrix_is_the_prolongation(grid, seed):
    rng = np.random.default_rng(seed)
    for transfer, which in transfers(grid):
        coarse = grid.coarsen(which)
        e = rng.standard_normal((2, *coarse.shape))
        P = transfer.matrix()
        assert P.shape == (grid.size, coarse.size)
        expected = (P @ e.reshape(2, -1).T).T.reshape(2, *grid.shape)
        for given_e in (e, np.asfortranarray(e)):
            np.testing.assert_allclose(transfer.prolong(given_e), expected, atol=16 * EPS * np.abs(e).max())
        r = rng.standard_normal((2, *grid.shape))
        R = P.T.multiply(1 / volumes(coarse).reshape(-1, 1)).multiply(volumes(grid).reshape(1, -1)).tocsr()
        expected = (R @ r.reshape(2, -1).T).T.reshape(2, *coarse.shape)
        np.testing.assert_allclose(transfer.restrict(r), expected, atol=64 * EPS * np.abs(r).max())


@given(any_grid(), SEEDS)
def test_prolongation_reproduces_linear_functions_away_from_the_ends(grid, seed):
    """Wherever the coarse neighbours of a point are unknowns, not boundary points."""
    rng = np.random.default_rng(seed)
    slopes, constant = rng.standard_normal(grid.ndim), rng.standard_normal()
    linear = lambda g: constant + sum(s * x for s, x in zip(slopes, g.points(), strict=True))  # noqa: E731
    for transfer, which in transfers(grid):
        coarse = grid.coarsen(which)
        inside = tuple(
            slice(1, 2 * (n // 2)) if halve else slice(None) for n, halve in zip(grid.shape, which, strict=True)
        )
        u = linear(grid)
        np.testing.assert_allclose(
            transfer.prolong(linear(coarse))[inside], u[inside], atol=(32 + 4 * max(grid.shape)) * EPS * np.abs(u).max()
        )


@given(any_grid())
def test_prolongation_reproduces_functions_that_are_linear_between_coarse_nodes_and_zero_at_the_ends(grid):
    """The multilinear hat of the whole box, whose kink is at a coarse node: ends included, even sizes included."""
    for which in halvings(grid):
        coarse, hats = grid.coarsen(which), []
        for g in (grid, coarse):
            hat = np.ones(())
            for a, axis in enumerate(g.axes):
                kink = coarse.axes[a].points[coarse.axes[a].n // 2]
                x, end = axis.points, axis.nodes[-1]
                hat = np.multiply.outer(hat, np.minimum(x / kink, (end - x) / (end - kink)))
            hats.append(hat)
        prolonged = BilinearTransfer(grid, which, F8).prolong(hats[1])
        np.testing.assert_allclose(prolonged, hats[0], atol=(32 + 4 * max(grid.shape)) * EPS)


@pytest.mark.parametrize("kind", TRANSFERS)
@pytest.mark.parametrize("k", [2, 3, 4, 6])
def test_lemma_4_1_restriction_is_the_correlation_with_stride_two(kind, k):
    """On (2^k - 1)^2 points R = K_R / 4 centred on the points 2, 4, ..., and P its transpose times 4."""
    n = 2**k - 1
    K = np.array({"bilinear": stencils.BILINEAR, "linear": stencils.LINEAR}[kind])
    transfer = TRANSFERS[kind](Poisson((n, n)).grid, (True, True), F8)
    rng = np.random.default_rng(k)
    r, e = rng.standard_normal((n, n)), rng.standard_normal((n // 2, n // 2))
    correlation = scipy.signal.correlate2d(r, K / 4, mode="same")[1::2, 1::2]
    np.testing.assert_allclose(transfer.restrict(r), correlation, atol=(16 + 2 * n) * EPS * np.abs(r).max())
    spread = np.zeros((n, n))
    spread[1::2, 1::2] = e
    expected = scipy.signal.convolve2d(spread, K, mode="same")
    np.testing.assert_allclose(transfer.prolong(e), expected, atol=(16 + 2 * n) * EPS * np.abs(e).max())


@pytest.mark.parametrize("n", [4, 5, 8, 9])
@pytest.mark.parametrize("kind", TRANSFERS)
def test_constants_are_restricted_to_constants_inside(n, kind):
    transfer = TRANSFERS[kind](Poisson((n, n)).grid, (True, True), F8)
    restricted = transfer.restrict(np.ones((n, n)))
    np.testing.assert_allclose(restricted[:-1, :-1] if n % 2 == 0 else restricted, 1, rtol=(16 + 4 * n) * EPS)


@given(nonuniform_grids(), SEEDS)
def test_restriction_of_one_has_the_mass_of_the_hats(grid, seed):
    """Along an axis W_c R 1 = P^T W 1 holds cell by cell on any spacing, also beside the shorter last interval."""
    for which in halvings(grid):
        coarse = grid.coarsen(which)
        mass = volumes(coarse) * BilinearTransfer(grid, which, F8).restrict(np.ones(grid.shape))
        P = BilinearTransfer(grid, which, F8).matrix()
        np.testing.assert_allclose(mass.ravel(), P.T @ volumes(grid).ravel(), rtol=32 * EPS)


def cubic(rng, ndim):
    """A random product of cubics (tensor-product interpolation is exact for it)."""
    coefficients = rng.standard_normal((ndim, 4))

    def u(*x):
        result = 1.0
        for c, value in zip(coefficients, x, strict=True):
            result = result * np.polynomial.polynomial.polyval(value, c)
        return result

    return u


def sides_of(grid, u):
    result = {}
    for a in range(grid.ndim):
        for side in (0, 1):
            axes = [axis.nodes[[-side]] if b == a else axis.points for b, axis in enumerate(grid.axes)]
            result[a, side] = u(*np.meshgrid(*axes, indexing="ij")).squeeze(a)
    return result


@given(
    st.one_of(
        nonuniform_grids(smallest=4),
        st.builds(lambda n, m: Poisson((n, m)).grid, st.integers(4, 40), st.integers(4, 40)),
    ),
    SEEDS,
)
def test_cubic_interpolation_reproduces_cubics_up_to_the_boundary(grid, seed):
    grid = Grid(tuple(Axis(axis.nodes / axis.nodes[-1]) for axis in grid.axes))
    u = cubic(np.random.default_rng(seed), grid.ndim)
    sides = sides_of(grid, u)
    size = max(np.abs(u(*grid.points())).max(), *(np.abs(v).max() for v in sides.values()))
    for which in halvings(grid):
        result = CubicInterpolation(grid, which, F8)(u(*grid.coarsen(which).points()), sides)
        # Lagrange weights of four nodes whose intervals differ by up to 8: each below 30 in all, per axis
        np.testing.assert_allclose(
            result, u(*grid.points()), rtol=0, atol=(64 + 4 * max(grid.shape)) * 30**grid.ndim * EPS * size
        )


def test_cubic_interpolation_is_centred_inside():
    """(-1, 9, 9, -1) / 16 of the two nodes on either side; one-sided at the ends only."""
    e = np.zeros(10)
    e[4] = 1
    result = CubicInterpolation(Poisson(21).grid, (True,), F8)(e, {})
    np.testing.assert_allclose(result[5:14] * 16, [0, -1, 0, 9, 16, 9, 0, -1, 0], atol=256 * EPS)


@given(st.integers(2, 3), SEEDS)
def test_two_or_three_unknowns_are_interpolated_through_all_nodes(n, seed):
    """One coarse unknown and two ends: a parabola."""
    grid = Poisson(n).grid
    c = np.random.default_rng(seed).standard_normal(3)
    u = lambda x: np.polynomial.polynomial.polyval(x, c)  # noqa: E731
    result = CubicInterpolation(grid, (True,), F8)(u(grid.coarsen((True,)).axes[0].points), sides_of(grid, u))
    np.testing.assert_allclose(result, u(grid.axes[0].points), atol=64 * EPS * np.abs(c).sum())


@given(any_grid(), SEEDS)
def test_boundary_values_of_the_coarse_grid_are_those_of_its_points(grid, seed):
    u = cubic(np.random.default_rng(seed), grid.ndim)
    sides = sides_of(grid, u)
    for which in halvings(grid):
        coarse = coarsen_sides(sides, grid, which)
        expected = sides_of(grid.coarsen(which), u)
        for key in expected:
            assert coarse[key].shape == expected[key].shape
            np.testing.assert_allclose(coarse[key], expected[key], rtol=1e-12)


def test_missing_sides_are_zero():
    grid = Poisson(9).grid
    x = grid.points()[0]
    result = CubicInterpolation(grid, (True,), F8)((x * (1 - x))[1::2], {})
    np.testing.assert_allclose(result, x * (1 - x), atol=32 * EPS)


def test_float32_stays_float32():
    grid = Poisson((9, 12)).grid
    for kind in TRANSFERS.values():
        transfer = kind(grid, (True, True), np.dtype("float32"))
        assert transfer.restrict(np.ones((9, 12), np.float32)).dtype == np.float32
        assert transfer.prolong(np.ones((4, 6), np.float32)).dtype == np.float32
    cubic_32 = CubicInterpolation(grid, (True, True), np.dtype("float32"))
    assert cubic_32(np.ones((4, 6), np.float32), {}).dtype == np.float32
