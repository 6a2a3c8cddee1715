"""Compiled passes over the grid of an obstacle problem, beside those of NumPy; levels that stay below another set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import pde
from mgcore import solve_batch
from pde.backends.choice import make, passes
from pde.backends.contact import Passes
from pde.backends.data import Data
from pde.backends.numba.contact import CompiledPasses
from pde.levels.hierarchy import MAKERS, with_finest
from pde.levels.obstacle import free_terms, made, without_contact
from pde.problem.bounds import Bounds

EPS = float(np.finfo(float).eps)

PROBLEMS = {
    "odd": {"shape": (9, 13)},
    "even": {"shape": (8, 12), "boundary": [("neumann", "dirichlet"), ("robin", 2.0)]},
    "periodic": {"shape": (7, 8), "boundary": ["periodic", "dirichlet"]},
    "stretched cells": {"shape": (9, 10), "centering": "cell", "coordinates": [np.linspace(0, 1, 10) ** 2, None]},
    "varying": {"shape": (11, 9), "coefficient": lambda x, y: 1 + 5 * x * y, "reaction": 3.0},
    "space": {"shape": (5, 4, 7), "boundary": ["neumann", "dirichlet", "periodic"]},
    "domain": {"shape": (13, 11), "domain": lambda x, y: (x - 0.5) ** 2 + (y - 0.5) ** 2 - 0.17},
}


def grid_of(problem, rng):
    lower, upper = -rng.random(problem.shape), np.full(problem.shape, np.inf)
    if problem.domain is not None:
        lower[~problem.domain.inside] = -np.inf
    return made(problem.grid, problem.terms, rng.standard_normal(problem.shape), {}, Bounds(lower, upper))


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("threads", [1, 2])
def test_compiled_passes_are_those_of_numpy(name, threads, monkeypatch):
    monkeypatch.setattr("pde.backends.numba.contact.ALONE_BELOW", 0)
    rng = np.random.default_rng(5)
    grid = grid_of(pde.Poisson(**PROBLEMS[name]), rng)
    plain, compiled = Passes(grid), CompiledPasses(grid, threads)
    inside = True if grid.A.terms.domain is None else grid.A.terms.domain.inside
    u = grid.bounds.clip(rng.standard_normal(grid.f.shape)) * inside
    r, expected = compiled.residual(u), plain.residual(u)
    # a dozen operations on numbers of the size of the diagonal times u
    slack = 32 * EPS * np.max(np.abs(grid.A.diagonal)) * (1 + abs(u).max())
    assert abs(r - expected).max() <= slack
    assert np.array_equal(compiled.corrected(u, r), plain.corrected(u, r))
    one, other = compiled.contact(u, expected), plain.contact(u, expected)
    assert np.array_equal(one.held, other.held)
    assert other.held.any()
    assert np.array_equal(one.moved, other.moved)
    # sums of as many terms as unknowns, each with a few roundings; that of the energy may cancel
    share = 8 * EPS * u.size
    assert abs(one.size - other.size) <= share * other.size
    largest = np.mean(abs((grid.rhs + expected) * u)) * u.size
    assert abs(one.energy - other.energy) <= share * largest


def test_passes_of_numbers_without_squares(monkeypatch):
    grid = grid_of(pde.Poisson((9, 8)), np.random.default_rng(6))
    tiny = replace(grid, rhs=1e-200 * grid.rhs)
    r = 1e-200 * grid.f
    exact = Passes(tiny).contact(0 * r, r)
    assert exact.size > 0
    assert CompiledPasses(tiny, 1).contact(0 * r, r).size == exact.size


def test_numpy_has_no_compiled_passes():
    mg = pde.Multigrid(pde.Poisson((9, 9)), kernels="numpy")
    assert type(passes(grid_of(mg.problem, np.random.default_rng(1)), mg._options)) is Passes


@pytest.mark.parametrize("kernels", ["numpy", "numba"])
def test_levels_below_another_set_are_a_symmetric_positive_definite_preconditioner(kernels):
    """M of coarse levels made for one contact set, and a finest one for another: x M y = y M x, x M x > 0."""
    mg = pde.Multigrid(pde.Poisson((23, 26)), kernels=kernels)
    rng, A = np.random.default_rng(4), grid_of(mg.problem, np.random.default_rng(4)).A
    x, y = mg.problem.points()
    before, held = (np.hypot(x - 0.5, y - z) < 0.2 for z in (0.5, 0.54))
    first = without_contact(A, before, np.dtype(float), None, None, MAKERS)
    old = make(first, mg._options)
    old.symmetric().prepare()
    hierarchy = with_finest(first, free_terms(A, held))
    backend = (old.with_finest(hierarchy) or make(hierarchy, mg._options)).symmetric()
    plain = make(hierarchy, replace(mg._options, kernels="numpy")).symmetric()
    v, w = ~held * rng.standard_normal((2, 1, 23, 26))
    Mv, Mw = (backend.cycle("V", Data(each))[0] for each in (v, w))
    assert abs(Mv - plain.cycle("V", Data(v))[0]).max() <= 1e4 * EPS * abs(Mv).max()  # its levels times cond(A)
    assert not Mv[0][held].any()
    assert abs(np.sum(w * Mv) - np.sum(v * Mw)) <= 1e4 * EPS * np.sum(abs(w * Mv))
    assert np.sum(v * Mv) > 0
    anew = make(without_contact(A, held, np.dtype(float), None, None, MAKERS), mg._options).symmetric()
    many = []
    for each in (backend, anew):
        iteration = each.start("V", "cg", Data(v, sizes=each.norms(v)))
        many.append(solve_batch(iteration, rtol=1e-8).cycles)
    assert many[0] <= 2 * many[1]
