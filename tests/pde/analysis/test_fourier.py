"""Local Fourier analysis: known factors, and what they do not depend on."""

import pytest

from mgcore import CYCLES
from pde import Multigrid, Poisson
from pde.analysis.fourier import Analysis
from tests.pde.periodic import cube, periodic


@pytest.mark.parametrize(
    ("dims", "sweeps", "factor"), [(2, 1, 1 / 4), (2, 2, 1 / 4), (2, 3, 0.322), (3, 1, 4 / 9), (1, 1, 1 / 8)]
)
def test_smoothing_factors_of_red_black_gauss_seidel(dims, sweeps, factor):
    assert Analysis(cube(dims, smoother="red-black")).smoothing_factor(sweeps) == pytest.approx(factor, rel=2e-3)


@pytest.mark.parametrize("omega", [0.5, 0.8, 0.9, 1.0])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_smoothing_factor_of_jacobi(dims, omega):
    """I - omega D^-1 A takes 1 - omega t for t in [1 / d, 2] on the high frequencies."""
    expected = max(abs(1 - omega / dims), abs(1 - 2 * omega))
    assert Analysis(cube(dims, smoother="jacobi", omega=omega)).smoothing_factor() == pytest.approx(expected, abs=1e-12)
    twice = Analysis(cube(dims, smoother="two-step jacobi", omega=omega)).smoothing_factor()
    assert twice == pytest.approx(expected**2, abs=1e-12)


@pytest.mark.parametrize(
    ("dims", "nu", "factor", "tolerance"),
    [
        (2, (1, 0), 0.250, 5e-4),
        (2, (1, 1), 0.074, 5e-4),
        (2, (2, 1), 0.053, 5e-4),
        (2, (2, 2), 0.041, 5e-4),
        (3, (1, 0), 0.440, 5e-3),  # from 20^3 frequencies; a finer grid is slightly higher
        (3, (1, 1), 0.194, 5e-3),
        (3, (2, 1), 0.100, 1e-3),
        (3, (2, 2), 0.077, 2e-3),
    ],
)
def test_two_grid_factors_of_red_black_gauss_seidel(dims, nu, factor, tolerance):
    assert Analysis(cube(dims, smoother="red-black", nu=nu)).two_grid_factor() == pytest.approx(factor, abs=tolerance)


@pytest.mark.parametrize(("dims", "factor"), [(1, 5**-0.5), (2, 0.5), (3, 0.567)])
def test_smoothing_factors_of_lexicographic_gauss_seidel(dims, factor):
    analysis = Analysis(cube(dims, smoother="gauss-seidel"))
    assert analysis.smoothing_factor() == pytest.approx(factor, abs=5e-4)


@pytest.mark.parametrize(("nu", "factor"), [((1, 0), 0.400), ((1, 1), 0.193), ((2, 1), 0.119), ((2, 2), 0.084)])
def test_two_grid_factors_of_lexicographic_gauss_seidel(nu, factor):
    assert Analysis(cube(2, smoother="gauss-seidel", nu=nu)).two_grid_factor() == pytest.approx(factor, abs=1e-3)


@pytest.mark.parametrize("aspect", [1 / 30, 1 / 1.4, 1.0])
def test_the_smoothing_factor_of_zebra_lines_is_a_quarter_where_they_follow_the_strong_axis(aspect):
    """Lines along x, where the spacing is not larger than across: 1/4 at any aspect ratio, both axes halved."""
    mg = periodic((32, 32), (aspect, 1.0), smoother="zebra 0")
    assert Analysis(mg, coarsen=[0, 1]).smoothing_factor() <= 0.2501


@pytest.mark.parametrize("axis", [0, 1])
def test_zebra_lines_do_not_smooth_across_strong_coupling(axis):
    factors = [
        Analysis(periodic((32, 32), (1.0, 100.0), smoother=f"zebra {a}"), coarsen=[0, 1]).smoothing_factor()
        for a in (axis, 1 - axis)
    ]
    assert (factors[0] < 0.26) == (axis == 0)
    assert (factors[1] < 0.26) == (axis == 1)


def test_known_smoothing_factors_do_not_depend_on_the_transfer():
    """Frequencies of all quadrants take part where P is linear on triangles."""
    factors = [Analysis(cube(2, smoother="red-black", transfer=t)).smoothing_factor() for t in ("bilinear", "linear")]
    assert factors == pytest.approx([0.25, 0.25], rel=2e-3)


@pytest.mark.parametrize("cycle", CYCLES)
def test_red_black_gauss_seidel_solves_in_one_dimension(cycle):
    assert cube(1, smoother="red-black").predict(cycle) <= 1e-13


def test_three_grids_tell_v_from_w():
    """The V-cycle is slower than two-grid theory says, the W-cycle is not: 0.12 against 0.074."""
    mg = periodic((64, 64), smoother="red-black")
    assert mg.predict("V", grids=2) == pytest.approx(0.074, abs=1e-3)
    assert mg.predict("W") == pytest.approx(0.074, abs=1e-3)
    assert mg.predict("V") == pytest.approx(0.119, abs=2e-3)


@pytest.mark.parametrize(("dims", "omega", "factor"), [(2, 1.15, 0.047), (3, 1.19, 0.09)])
def test_best_omega(dims, omega, factor):
    best = Analysis(cube(dims, nu=(1, 1))).best_omega(frequencies=4, grids=4, bounds=(0.9, 1.4))
    assert best.omega == pytest.approx(omega, abs=0.03)
    assert best.factor == pytest.approx(factor, abs=0.004)


def test_best_omega_of_jacobi_is_the_one_that_smooths_best():
    assert Analysis(cube(2, smoother="jacobi")).best_omega("W", grids=2).omega == pytest.approx(0.8, abs=0.05)


def test_scale_and_order_of_axes_do_not_matter():
    factor = periodic((32, 64), (1.0, 16.0)).predict()
    assert periodic((64, 32), (16e3, 1e3)).predict() == pytest.approx(factor, rel=1e-6)
    scaled = Poisson((32, 64), (1.0, 16.0), "periodic", coefficient=1e6)
    assert Multigrid(scaled, levels=64).predict() == pytest.approx(factor, rel=1e-6)
    as_coefficient = Poisson((32, 64), (1.0, 2.0), "periodic", coefficient=(64.0, 1.0))
    assert Multigrid(as_coefficient, levels=64).predict() == pytest.approx(factor, rel=1e-6)


def test_semicoarsening_of_any_axes():
    mg = periodic((32, 32), smoother="jacobi", omega=0.8)
    both, one, other = (Analysis(mg, axes).two_grid_factor() for axes in (None, [0], [1]))
    assert one == pytest.approx(other, abs=1e-12)
    assert both == pytest.approx(0.36, abs=1e-12)
    assert Analysis(mg, [0, 1]).two_grid_factor() == both
    assert Analysis(mg, [0]).smoothing_factor() == pytest.approx(0.6, abs=1e-12)
    flat = Analysis(periodic((64, 32), (1000.0, 1.0), smoother="jacobi", omega=0.8), [0])
    assert flat.smoothing_factor() > 0.99  # halving the weak axis does not help


def test_axes_with_one_unknown_and_direct_solvers():
    line = Multigrid(Poisson((1, 64, 1), boundary="periodic"), smoother="jacobi", levels=64)
    assert line.predict() == pytest.approx(periodic((64,), smoother="jacobi").predict(), abs=1e-12)
    direct = periodic((8, 8), levels=1)
    assert direct.predict() == Analysis(direct).smoothing_factor() == Analysis(direct).two_grid_factor() == 0


def test_a_hierarchy_is_enough():
    mg = cube(2, smoother="zebra 0")
    assert Analysis(mg.hierarchy).factor(grids=3, frequencies=4) == Analysis(mg).factor(grids=3, frequencies=4)
