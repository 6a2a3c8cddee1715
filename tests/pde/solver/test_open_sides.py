"""Solves with open sides: every option of a solver gives the same potential."""

import pickle

import numpy as np
import pytest
import torch

import pde
from pde import Multigrid, Poisson

SHAPES = [(31, 22), (15, 12, 10)]


def charges(shape, batch=()):
    """Random charges, zero beside the sides."""
    f = np.zeros((*batch, *shape))
    inner = f[(..., *[slice(2, -2)] * len(shape))]
    inner[...] = np.random.default_rng(3).standard_normal(inner.shape)
    return f


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_options_give_the_same_potential(shape, centering):
    problem, f = Poisson(shape, boundary="open", centering=centering), charges(shape)
    mg = Multigrid(problem)
    exact = mg.solve(f, rtol=1e-11).u
    size = abs(exact).max()
    for options in ({"accel": "cg"}, {"cycle": "W"}, {"u0": exact + size}):
        solution = mg.solve(f, rtol=1e-11, **options)
        assert solution.converged
        np.testing.assert_allclose(solution.u, exact, atol=1e-9 * size)
    for made, tolerance in (({"dtype": "mixed"}, 1e-7), ({"dtype": "float32"}, 1e-3), ({"kernels": "numba"}, 1e-7)):
        other = Multigrid(problem, **made)
        u = other.solve(f.astype(other.dtype), rtol=max(1e-8, tolerance / 10)).u
        np.testing.assert_allclose(u, exact, atol=tolerance * size)
        assert u.dtype == other.dtype
    assert mg.solve(f, u0=exact).cycles == 0


def test_a_solver_is_used_again():
    problem, f = Poisson((20, 17), boundary="open"), charges((20, 17), (2, 3))
    mg = Multigrid(problem)
    solution = mg.solve(f, rtol=1e-11)
    assert len(solution.members) == 6
    for k in np.ndindex(2, 3):
        alone = mg.solve(f[k], rtol=1e-11)
        np.testing.assert_allclose(solution.u[k], alone.u, atol=1e-9 * abs(alone.u).max())
    again = pickle.loads(pickle.dumps(mg)).solve(f, rtol=1e-11).u
    np.testing.assert_array_equal(again, solution.u)
    mg.update(coefficient=4.0)
    np.testing.assert_allclose(mg.solve(f, rtol=1e-11).u, solution.u / 4, atol=1e-9 * abs(again).max())
    mg.update(reaction=1e5)
    np.testing.assert_allclose(mg.solve(f).u, f / 1e5, atol=0.2 * abs(f).max() / 1e5)


@pytest.mark.parametrize("shape", [(63, 63), (31, 31, 31)])
@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_full_multigrid_reaches_the_discretisation_error(shape, centering):
    problem = Poisson(shape, boundary="open", centering=centering)
    r2 = sum((x - 0.5) ** 2 for x in problem.points())
    f = np.exp(-r2 / 2 / 0.08**2)
    finer = Poisson([2 * n + (centering == "vertex") for n in shape], boundary="open", centering=centering)
    fine = Multigrid(finer).solve(np.exp(-sum((x - 0.5) ** 2 for x in finer.points()) / 2 / 0.08**2)).u
    exact = Multigrid(problem).solve(f).u
    if centering == "vertex":
        shown = fine[(slice(1, None, 2),) * len(shape)]
        discretisation = 4 / 3 * abs(exact - shown).max()
        assert abs(Multigrid(problem).full_multigrid(f) - exact).max() < discretisation
    else:  # four or eight cells about each centre: their mean has an error of the same order
        shown = fine.reshape([n for size in shape for n in (size, 2)]).mean(tuple(range(1, 2 * len(shape), 2)))
        assert abs(Multigrid(problem).full_multigrid(f) - exact).max() < 4 / 3 * abs(exact - shown).max()


def test_the_end_of_either_solve_is_told():
    mg = Multigrid(Poisson((31, 31), boundary="open"))
    f = charges((31, 31))
    solution = mg.solve(f, max_cycles=1)
    assert (solution.converged, solution.reason) == (False, "max_cycles")
    seen = []
    solution = mg.solve(f, callback=lambda progress: seen.append(progress.cycle))
    assert seen == list(range(1, solution.cycles + 1))
    assert solution.work_units > mg.work_units("fmg", solution.cycles)
    assert not np.any(mg.solve(0 * f).u)
    residual = f - mg.problem.apply(solution.u)
    assert abs(residual[1:-1, 1:-1]).max() < 1e-6 * abs(f).max()


def test_derivatives_with_open_sides():
    f = torch.tensor(charges((5, 6)), requires_grad=True)
    options = {"boundary": "open", "rtol": 1e-12, "incompatible": 1.0}
    assert torch.autograd.gradcheck(lambda f: pde.solve_poisson(f, **options).u, (f,))
    a = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    with pytest.raises(ValueError, match="coefficient, reaction: with open sides"):
        pde.solve_poisson(f, coefficient=a, **options)
