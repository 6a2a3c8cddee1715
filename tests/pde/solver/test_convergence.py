"""Error reduction per cycle by power iteration: bounds, independence of n, semicoarsening."""

import numpy as np
import pytest

from pde import Multigrid, Poisson
from tests.pde.rounding import of_a_cycle

TWO = [(31, 31), (63, 63), (64, 64), (61, 61), (100, 100), (127, 127), (97, 96)]
THREE = [(15, 15, 15), (16, 16, 16), (23, 23, 23), (31, 31, 31), (24, 25, 23)]
BOUNDS = [
    *(("red-black", shape, 0.13) for shape in TWO),
    *(("red-black", shape, 0.24) for shape in THREE),
    *(("sor", shape, 0.06) for shape in TWO),
    *(("sor", shape, 0.10) for shape in THREE),
    *(("jacobi", shape, 0.38) for shape in TWO),
    *(("two-step jacobi", shape, 0.20) for shape in TWO),
]


def factor(shape, extent=1.0, cycle="V", **options):
    return Multigrid(Poisson(shape, extent), **options).measure_factor(cycle, cycles=18)


@pytest.mark.parametrize(("smoother", "shape", "bound"), BOUNDS)
def test_v_1_1(smoother, shape, bound):
    omega = 0.8 if smoother == "jacobi" else None
    assert factor(shape, smoother=smoother, omega=omega, nu=(1, 1)) <= bound


@pytest.mark.parametrize("smoother", ["red-black", "sor", "jacobi"])
def test_factors_do_not_depend_on_n(smoother):
    factors = [factor((n, n), smoother=smoother, levels=64) for n in (31, 32, 47, 64, 101, 128, 191)]
    assert max(factors) - min(factors) <= 0.02
    assert np.polyfit(np.arange(7), factors, 1)[0] <= 0.003
    assert max(factor((n, n), smoother=smoother) for n in (31, 64, 191)) <= max(factors) + 0.01


@pytest.mark.parametrize("transfer", ["bilinear", "linear"])
@pytest.mark.parametrize("coarse", ["rediscretised", "galerkin"])
@pytest.mark.parametrize("n", [63, 64, 61])
def test_every_transfer_and_coarse_operator(transfer, coarse, n):
    bound = {"bilinear": 0.13, "linear": 0.22}[transfer]
    assert factor((n, n), smoother="red-black", transfer=transfer, coarse=coarse) <= bound


@pytest.mark.parametrize("n", [63, 64])
def test_w_and_f_cycles_are_at_least_as_good_and_the_backslash_is_half_a_cycle(n):
    v, w, f = (factor((n, n), cycle=c, smoother="red-black") for c in "VWF")
    assert w <= v
    assert f <= v
    assert factor((n, n), cycle="backslash", smoother="red-black", nu=(2, 0)) <= 0.25


ASPECTS = (1.1, 1.25, 1.41, 1.42, 1.6, 2, 3, 5, 10, 30, 100)


@pytest.mark.parametrize("aspect", ASPECTS)
@pytest.mark.parametrize("shape", [(63, 63), (40, 57)])
def test_flat_boxes_in_2d(shape, aspect):
    assert factor(shape, (1, aspect)) <= 0.2
    assert factor(shape, (aspect, 1)) <= 0.2
    assert factor(shape, (1, aspect), smoother="red-black") <= 0.3


@pytest.mark.parametrize(
    "extent",
    [
        (1, 1, 1.3),
        (1, 1, 1.4),
        (1.4, 1, 1.4),
        (1, 1.2, 1.5),
        (1, 2, 4),
        (1, 1, 10),
        (10, 1, 10),
        (1, 10, 100),
        (100, 100, 1),
    ],
)
def test_flat_boxes_in_3d(extent):
    assert factor((16, 15, 18), extent) <= 0.3


@pytest.mark.parametrize("shape", [(3000, 1), (1, 1, 3000), (2, 400), (500, 3), (50, 1, 33), (2, 3, 200), (40, 30, 2)])
def test_thin_grids(shape):
    assert factor(shape) <= 0.2


def test_semicoarsening_halves_the_strong_axis_alone_until_the_other_has_caught_up():
    mg = Multigrid(Poisson((64, 64), (1, 8)), levels=64)
    shapes = [level.info.grid.shape for level in mg.levels]
    assert shapes == [(64, 64), (32, 64), (16, 64), (8, 64), (4, 32), (2, 16), (1, 8)]


@pytest.mark.parametrize(("shape", "levels"), [((2, 2), None), ((30, 20), 1)])
def test_a_direct_solver_reduces_the_error_to_rounding(shape, levels):
    mg = Multigrid(Poisson(shape), levels=levels)
    assert len(mg.levels) == 1
    largest = 5.0  # of an iterate whose root mean square is 1
    assert mg.measure_factor(cycles=18) <= of_a_cycle(mg, 0.0, largest)


def test_more_sweeps_reduce_more():
    factors = [factor((63, 63), smoother="red-black", nu=nu) for nu in ((1, 0), (1, 1), (2, 1), (2, 2), (3, 3))]
    assert factors == sorted(factors, reverse=True)
    assert factors[-1] < factors[0] / 4
