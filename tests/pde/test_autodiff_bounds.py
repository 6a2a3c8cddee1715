"""Derivatives of solutions with bounds: gradcheck, at data where no point touches a bound without pressing."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import pde  # noqa: E402

SHAPE = (5, 6)
MASK = np.ones(SHAPE, bool)
MASK[2, 3] = MASK[0, :2] = False
X, Y = pde.Poisson(SHAPE).points()

STEP = 1e-6
"""Of gradcheck's differences: their error is about (1e-12 of the solves) / STEP, and STEP^2 of smooth functions."""

LINEAR = {
    "box": {},
    "cells": {"boundary": ["neumann", ("dirichlet", "neumann")], "centering": "cell"},
    "reaction alone": {"boundary": "neumann", "reaction": 1.5},
    "voxels": {"domain": MASK},
    "level set": {"domain": np.hypot(X - 0.5, Y - 0.5) - 0.42},
}
NONLINEAR = {
    "c(u)": {"reaction": lambda u, x, y: 3 * u**3},
    "a(u)": {"coefficient": lambda u, x, y: 1 + u**2},
    "a(|grad u|^2)": {"gradient_coefficient": lambda s, x, y: (1 + s) ** -0.25},
}


def tensors(*shapes, seed=0):
    """Random data, bounds on both sides of 0, and positive numbers, all with gradients."""
    rng = np.random.default_rng(seed)
    data = 40 * rng.standard_normal(shapes[0]), -0.1 - 0.1 * rng.random(SHAPE), 0.1 + 0.1 * rng.random(SHAPE)
    return [torch.tensor(x, requires_grad=True) for x in (*data, 1 + rng.random(SHAPE))]


def is_gradient(solve, *arguments):
    """Whether the derivatives along random directions are right, and the solution has points of every kind."""
    contact = solve(*arguments).contact
    assert set(np.unique(contact)) == {-1, 0, 1}
    return torch.autograd.gradcheck(lambda *x: solve(*x).u, arguments, eps=STEP, atol=1e-5, rtol=1e-4, fast_mode=True)


@pytest.mark.parametrize("name", LINEAR)
def test_of_linear_problems(name):
    def solve(f, lower, upper, a):
        return pde.solve_poisson(f, SHAPE, lower=lower, upper=upper, coefficient=a, rtol=1e-12, **LINEAR[name])

    assert is_gradient(solve, *tensors(SHAPE))


def test_of_a_batch_and_of_boundary_values():
    f, lower, upper, _ = tensors((2, *SHAPE))
    g = torch.tensor(0.02, dtype=torch.float64, requires_grad=True)

    def solve(f, lower, upper, g):
        return pde.solve_poisson(f, SHAPE, lower=lower, upper=upper, g={(0, 0): g}, rtol=1e-12)

    assert is_gradient(solve, f, lower, upper, g)


@pytest.mark.parametrize("name", NONLINEAR)
def test_of_nonlinear_problems(name):
    def solve(f, lower, upper):
        return pde.solve_nonlinear(f, SHAPE, lower=lower, upper=upper, rtol=1e-11, max_cycles=99, **NONLINEAR[name])

    assert is_gradient(solve, *tensors(SHAPE)[:3])


def test_in_contact_u_is_the_bound():
    f, lower, upper, _ = tensors(SHAPE)
    u = pde.solve_poisson(f - 1e5, lower=lower, upper=upper).u
    assert bool((u == lower).all())
    of_f, of_lower = torch.autograd.grad(u.sum(), (f, lower))
    assert bool((of_f == 0).all())
    assert bool((of_lower == 1).all())


def test_bounds_alone_may_be_tensors():
    lower = torch.full(SHAPE, -0.01, dtype=torch.float64, requires_grad=True)
    solution = pde.solve_poisson(np.full(SHAPE, -9.0), lower=lower)
    (gradient,) = torch.autograd.grad(solution.u.sum(), lower)
    touched = torch.from_numpy(solution.contact == -1)
    assert bool((gradient[~touched] == 0).all())
    assert gradient.sum() > touched.sum() / 2  # u moves with the bound beside the contact set too, less and less


def test_complex_data_are_refused():
    f = torch.ones(SHAPE, dtype=torch.complex128, requires_grad=True)
    with pytest.raises(TypeError, match="bounds are not for complex f"):
        pde.solve_poisson(f, lower=-1.0)
