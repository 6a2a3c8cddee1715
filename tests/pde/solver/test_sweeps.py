"""`nu="auto"`: which sweeps a solver takes, that they pay, and what follows them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import pde
from pde.analysis.fourier import Analysis
from pde.levels.defaults import SWEEPS
from pde.levels.fourth_order import OVER_RELAXATION as COMPACT
from tests.pde.media import blocks

CUBE = (11, 12, 13)
SHORT = {"grids": 3, "frequencies": 8}


def smooth(x, y, z):
    return 20 + x + y + z


@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic", ("robin", 1.0)])
@pytest.mark.parametrize("options", [{}, {"coefficient": smooth}, {"reaction": 5.0}])
def test_a_third_sweep_on_isotropic_grids_in_three_dimensions(boundary, options):
    spacing = [n + {"periodic": 0, "dirichlet": 1}.get(boundary, -1) for n in CUBE]
    mg = pde.Multigrid(pde.Poisson(CUBE, tuple(map(float, spacing)), boundary, **options))
    assert mg.nu == SWEEPS[3] == (2, 1)
    assert [(len(level.B), len(level.B_post)) for level in mg.levels[:-1]] == [mg.nu] * (len(mg.levels) - 1)
    assert "sor omega=1.26 (2,1)" in str(mg)
    assert "nu=(2, 1)" in repr(mg)
    assert pickle.loads(pickle.dumps(mg)).nu == mg.nu


@pytest.mark.parametrize(
    ("problem", "options"),
    [
        (pde.Poisson((33,)), {}),
        (pde.Poisson((15, 14)), {}),
        (pde.Poisson((15, 14, 1)), {}),
        (pde.Poisson((15, 15, 15), (1.0, 1.0, 4.0)), {}),
        (pde.Poisson((15, 15, 15), order=4), {}),
        (pde.Poisson((15, 15, 15), domain=blocks((15, 15, 15), 4) > 1), {}),
        (pde.Poisson((24, 24, 24), coefficient=blocks((24, 24, 24), 8)), {}),
        (pde.Poisson((15, 15, 15), coordinates=[np.linspace(0, 1, 17) ** 2] * 3), {}),
        (pde.Poisson((15, 15, 15)), {"smoother": "red-black"}),
        (pde.Poisson((15, 15, 15)), {"smoother": "jacobi"}),
        (pde.Poisson((15, 15, 15)), {"coarse": "galerkin"}),
    ],
)
def test_one_sweep_before_and_after_elsewhere(problem, options):
    assert pde.Multigrid(problem, **options).nu == (1, 1)


def test_sweeps_that_are_asked_for_stay():
    mg = pde.Multigrid(pde.Poisson(CUBE, tuple(n + 1.0 for n in CUBE)), nu=(1, 1))
    assert mg.nu == (1, 1)
    assert mg.update(coefficient=2.0).nu == (1, 1)


def test_an_update_chooses_anew():
    shape = (15, 15, 15)
    mg = pde.Multigrid(pde.Poisson(shape))
    assert mg.update(coefficient=blocks(shape, 5)).nu == (1, 1)
    assert mg.update(coefficient=np.ones(shape)).nu == (2, 1)


@pytest.mark.parametrize(("dims", "gains"), [(2, False), (3, True)])
def test_a_third_sweep_is_worth_its_work_in_three_dimensions_alone(dims, gains):
    """Digits of V-cycles per work unit; two in a hundred for the search of omega."""
    problem = pde.Poisson((32,) * dims, boundary="periodic")
    digits = {}
    for nu in ((1, 1), (2, 1)):
        mg = pde.Multigrid(problem, nu=nu, levels=64)
        digits[nu] = -np.log10(Analysis(mg).factor(**SHORT)) / mg.work_units()
    assert (digits[2, 1] > 1.02 * digits[1, 1]) == gains


@pytest.mark.parametrize(
    ("dims", "nu"),
    [*((2, nu) for nu in [(1, 1), (2, 1), (1, 2), (2, 2), (3, 2), (3, 3)]), (3, (1, 1)), (3, (2, 1)), (3, (3, 3))],
)
def test_omega_follows_nu(dims, nu):
    """Within a tenth of the digits of the best one over three grids, and no worse than the omega of V(1,1)."""
    analysis = Analysis(pde.Multigrid(pde.Poisson((32,) * dims, boundary="periodic"), nu=nu, levels=64))
    chosen, fixed = analysis.factor(**SHORT), analysis.factor(**SHORT, omega={2: 1.15, 3: 1.2}[dims])
    best = min(analysis.factor(**SHORT, omega=omega) for omega in np.arange(1.1, 1.4, {2: 0.02, 3: 0.04}[dims]))
    assert np.log(chosen) <= 0.9 * np.log(best)
    assert chosen <= fixed


@pytest.mark.parametrize(("shape", "nu"), [((63, 63), (2, 1)), ((63, 63), (2, 2)), ((15,) * 3, (2, 1))])
def test_omega_follows_nu_in_fourth_order(shape, nu):
    problem = pde.Poisson(shape, order=4)
    chosen, first = (
        pde.Multigrid(problem, nu=nu, omega=omega, levels=64).measure_factor(cycles=12)
        for omega in (None, COMPACT[len(shape)][0])
    )
    assert chosen < first


@pytest.mark.parametrize("cycle", ["V", "W"])
def test_symmetric_cycles_take_the_larger_number_twice(cycle):
    problem = pde.Poisson(CUBE, tuple(n + 1.0 for n in CUBE))
    f = np.random.default_rng(3).standard_normal(CUBE)
    mg, twice = (pde.Multigrid(problem, nu=nu, levels=64) for nu in ("auto", (2, 2)))
    solution, same = (solver.solve(f, accel="cg", cycle=cycle, rtol=1e-10) for solver in (mg, twice))
    assert solution.residual_norms == same.residual_norms
    assert solution.work_units == same.work_units == twice.work_units(cycle, solution.cycles)
    assert mg.predict(cycle, grids=2, accel="cg") == twice.predict(cycle, grids=2, accel="cg")
    M = [solver.as_preconditioner(cycle) @ f.ravel() for solver in (mg, twice)]
    np.testing.assert_array_equal(*M)
    with pytest.raises(ValueError, match=r"nu must be 'auto' or \(n, n\)"):
        pde.Multigrid(problem, nu=(2, 1)).solve(f, accel="cg")


def test_other_words_name_what_is_allowed():
    with pytest.raises(ValueError, match=r"nu must be 'auto' or two numbers of sweeps .* got 'many'"):
        pde.Multigrid(pde.Poisson((7, 7)), nu="many")


def test_solve_poisson_takes_them_too():
    one, two = (pde.solve_poisson(1.0, CUBE, extent=tuple(n + 1.0 for n in CUBE), nu=nu).u for nu in ("auto", (2, 1)))
    np.testing.assert_array_equal(one, two)
