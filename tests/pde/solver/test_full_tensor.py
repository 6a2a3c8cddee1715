"""Solves with a full tensor as coefficient."""

import pickle

import numpy as np
import pytest
from scipy.sparse.linalg import spsolve

import pde
from pde.problem.boundary import fold, read_sides
from tests.pde.problem.tensors import BETA, CASES, boundary_data, manufactured, random_tensor, stretched
from tests.pde.reference import F8

R = ("robin", BETA[0])

SIDES = {  # boundary of two axes, that of a third, centering, whether axes are stretched
    "dirichlet": (["dirichlet", "dirichlet"], "dirichlet", "vertex", False),
    "neumann": ([("dirichlet", "neumann"), ("neumann", "neumann")], "neumann", "vertex", False),
    "robin": ([(R, "dirichlet"), ("neumann", R)], R, "vertex", False),
    "cells": (["dirichlet", "dirichlet"], "dirichlet", "cell", False),
    "stretched": (["dirichlet", ("neumann", R)], "dirichlet", "vertex", True),
}


def rotated(angle, ratio):
    c, s = np.cos(angle), np.sin(angle)
    return [[c**2 + s**2 / ratio, c * s * (1 - 1 / ratio)], [c * s * (1 - 1 / ratio), s**2 + c**2 / ratio]]


@pytest.mark.parametrize("kind", SIDES)
@pytest.mark.parametrize("sizes", [(15, 31, 63), (7, 15)], ids=["plane", "space"])
def test_second_order(sizes, kind):
    """One pass of full multigrid is at the discretisation error, too."""
    ndim = 2 if len(sizes) == 3 else 3
    boundary, third, centering, bent = SIDES[kind]
    boundary, exact, errors = [*boundary, third][:ndim], manufactured(ndim), []
    for n in sizes:
        options = {"boundary": boundary, "centering": centering, "coefficient": exact["A"], "reaction": 1.0}
        p = pde.Poisson((n,) * ndim, **options)
        if bent:
            nodes = [stretched(len(axis.nodes)) for axis in p.grid.axes]
            p = pde.Poisson((n,) * ndim, coordinates=nodes, **options)
        mg, g = pde.Multigrid(p), boundary_data(p, exact)
        solution = mg.solve(exact["f"], g, accel="auto", rtol=1e-7)
        assert solution.converged
        assert solution.cycles <= (14 if bent else 12)  # lines relax stretched grids
        expected = exact["u"](*p.points())
        errors.append(np.abs(solution.u - expected).max())
        assert np.abs(mg.full_multigrid(exact["f"], g) - expected).max() <= 1.2 * errors[-1]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert orders[-1] > 1.8, errors


@pytest.mark.parametrize("case", CASES)
def test_solutions_against_spsolve(case):
    shape, boundary, centering = CASES[case]
    p = pde.Poisson(shape, boundary=boundary, centering=centering, coefficient=random_tensor(shape), reaction=0.1)
    f, g = np.random.default_rng(0).standard_normal(shape), lambda *x: np.cos(3 * x[0]) + x[-1]
    if not any(side.kind != "periodic" for pair in p.boundary for side in pair):
        g = None
    rhs = fold(f, read_sides(g, p.grid, F8), p.grid, p.terms)
    expected = spsolve(p.matrix().tocsc(), rhs.ravel()).reshape(shape)
    condition = np.linalg.cond(p.matrix().toarray())
    for options in ({}, {"accel": "cg"}, {"cycle": "W"}, {"u0": f}):
        solution = pde.Multigrid(p, levels=9).solve(f, g, rtol=1e-11, max_cycles=200, **options)
        assert solution.converged, solution.message
        assert np.abs(solution.u - expected).max() <= 1e-11 * condition * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize(("ratio", "iterations"), [(4, 10), (10, 15), (100, 27)])
def test_iterations_for_rotated_anisotropy(ratio, iterations):
    for angle in (np.pi / 8, np.pi / 4):
        mg = pde.Multigrid(pde.Poisson((63, 63), coefficient=rotated(angle, ratio)))
        solution = mg.solve(np.random.default_rng(1).standard_normal((63, 63)), accel="auto")
        assert solution.converged
        assert solution.cycles <= iterations


@pytest.mark.parametrize("boundary", ["neumann", "periodic"])
def test_a_singular_problem(boundary):
    p = pde.Poisson((24, 31), boundary=boundary, coefficient=rotated(0.5, 4))
    f, W = np.random.default_rng(2).standard_normal(p.shape), p.control_volumes()
    f -= np.sum(W * f) / W.sum()
    for accel in ("none", "cg"):
        solution = pde.Multigrid(p, levels=9).solve(f, accel=accel)
        assert solution.converged
        assert np.linalg.norm(f - p.apply(solution.u)) <= 2e-8 * np.linalg.norm(f)
        assert abs(np.sum(W * solution.u)) <= 1e-12 * np.abs(solution.u).max()
    with pytest.raises(ValueError, match="f does not fit"):
        pde.Multigrid(p).solve(f + 1)


def test_large_boundary_values_cost_no_accuracy():
    p = pde.Poisson((31, 31), boundary=[("dirichlet", "neumann"), "dirichlet"], coefficient=rotated(0.5, 4))
    g = {(0, 0): 1e8, (1, 0): 1e8, (1, 1): 1e8}
    f = np.random.default_rng(3).standard_normal(p.shape)
    mg = pde.Multigrid(p)
    plain, raised = mg.solve(f).u, mg.solve(f, g).u - 1e8
    assert np.abs(raised - plain).max() <= 1e-7 * np.abs(plain).max() + 4e-8  # eps of 1e8
    assert not np.any(mg.solve(0.0, g).u - 1e8)


@pytest.mark.parametrize("kernels", ["numba", "torch", "mixed", "float32"])
@pytest.mark.parametrize("shape", [(20, 31), (9, 8, 10)])
def test_dtypes_and_tensors(shape, kernels):
    if kernels == "torch":
        pytest.importorskip("torch")
    options = {"kernels": kernels} if kernels in ("numba", "torch") else {"dtype": kernels}
    p = pde.Poisson(shape, coefficient=0.3 * np.ones((len(shape),) * 2) + np.eye(len(shape)))
    f = np.random.default_rng(4).standard_normal(shape)
    expected = pde.Multigrid(p).solve(f, 1.0, rtol=1e-10).u
    rtol = 1e-4 if kernels == "float32" else 1e-8
    for accel in ("none", "cg"):
        solution = pde.Multigrid(p, **options).solve(f, 1.0, rtol=rtol, accel=accel)
        assert solution.converged
        assert np.abs(solution.u - expected).max() <= 1e2 * rtol * np.abs(expected).max()


def test_batches_complex_data_and_pickles():
    p = pde.Poisson((20, 21), coefficient=rotated(0.7, 5), boundary=["dirichlet", ("neumann", "dirichlet")])
    rng = np.random.default_rng(5)
    f = rng.standard_normal((3, 20, 21)) + 1j * rng.standard_normal((3, 20, 21))
    g = {(0, 1): rng.standard_normal((3, 21)), (1, 1): 1j}
    mg = pickle.loads(pickle.dumps(pde.Multigrid(p)))
    batch = mg.solve(f, g)
    for k, u in enumerate(batch.u):
        alone = mg.solve(f[k], {(0, 1): g[0, 1][k], (1, 1): 1j})
        assert np.abs(u - alone.u).max() <= 1e-12 * np.abs(u).max()
    preconditioner = mg.as_preconditioner()
    A = p.matrix(symmetric=True)
    x, y = rng.standard_normal((2, 420))
    assert x @ (preconditioner @ y) == pytest.approx(y @ (preconditioner @ x), rel=1e-10)
    assert 0.3 < x @ (preconditioner @ (A @ x)) / (x @ x) < 1.5


def test_update():
    f = np.random.default_rng(6).standard_normal((31, 20))
    mg = pde.Multigrid(pde.Poisson((31, 20)))
    for coefficient in (rotated(0.3, 3), 2.0, [1.0, 2.0], random_tensor((31, 20)), rotated(0.3, 3)):
        expected = pde.Multigrid(pde.Poisson((31, 20), coefficient=coefficient, reaction=1.0)).solve(f, 1.0).u
        np.testing.assert_array_equal(mg.update(coefficient=coefficient, reaction=1.0).solve(f, 1.0).u, expected)
    tensor = mg.problem.terms.tensor
    mg.update(reaction=2.0)
    assert mg.problem.terms.tensor is tensor
    assert mg.acceleration("auto") == "cg"


def test_derivatives_in_data():
    torch = pytest.importorskip("torch")
    f = torch.ones((4, 5), dtype=torch.float64, requires_grad=True)
    g = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    options = {"coefficient": rotated(0.7, 5), "boundary": ["dirichlet", ("neumann", "dirichlet")], "rtol": 1e-13}
    assert torch.autograd.gradcheck(lambda f, g: pde.solve_poisson(f, g=g, **options).u, (f, g))
    a = torch.eye(2, dtype=torch.float64, requires_grad=True)
    with pytest.raises(ValueError, match="coefficient: a full tensor has no derivatives"):
        pde.solve_poisson(f, **{**options, "coefficient": a + 0.1})


def test_reports():
    mg = pde.Multigrid(pde.Poisson((31, 31), coefficient=rotated(0.7, 5)))
    assert "Galerkin" in str(mg)
    assert "full tensor" in repr(mg.problem)
