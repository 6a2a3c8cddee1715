"""Derivatives of solutions of nonlinear problems, against difference quotients and sparse adjoints."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

import pde
from tests.pde.refusals import refused

F8 = torch.float64
CASES = {
    "c(u)": (lambda k: {"reaction": lambda u, x, y: k[0] * u**3 + k[1] * x * u}, {}),
    "a(u)": (
        lambda k: {"coefficient": lambda u, x, y: 1 + k[0] * u**2, "reaction": lambda u, x, y: k[1] * u**3},
        {"boundary": (("dirichlet", "neumann"), ("neumann", "dirichlet")), "centering": "cell"},
    ),
    "a(|grad u|^2)": (
        lambda k: {"gradient_coefficient": lambda s, x, y: (1 + k[0] * s) ** 0.5, "reaction": lambda u, x, y: k[1] * u},
        {"boundary": (("dirichlet", "neumann"), (("robin", 2.0), "dirichlet"))},
    ),
    "periodic": (
        lambda k: {"coefficient": lambda u, x, y: torch.exp(k[0] * u), "reaction": lambda u, x, y: u + k[1] * u**3},
        {"boundary": "periodic"},
    ),
}


def data(*shape, seed=0):
    return torch.randn(*shape, dtype=F8, generator=torch.Generator().manual_seed(seed)).requires_grad_()


@pytest.mark.parametrize("name", CASES)
def test_derivatives_in_data_sides_and_parameters(name):
    make, options = CASES[name]
    n = (5, 4)
    k = torch.tensor([1.5, 0.7], dtype=F8, requires_grad=True)
    keys = [] if options.get("boundary") == "periodic" else [(0, 0), (0, 1), (1, 0), (1, 1)]
    g = [data(n[1 - a], seed=a + 2 * s) for a, s in keys]

    def solve(f, k, *g):
        return pde.solve_nonlinear(f, g=dict(zip(keys, g, strict=True)) or None, rtol=1e-10, **make(k), **options).u

    assert gradcheck(solve, (data(*n, seed=9), k, *g), eps=1e-4, atol=1e-5, rtol=1e-4, fast_mode=True)


def test_members_of_a_batch_and_domains():
    inside = np.ones((5, 6), dtype=bool)
    inside[2:4, 2] = False
    k = torch.tensor(2.0, dtype=F8, requires_grad=True)

    def solve(f, k):
        law = {"coefficient": lambda u, x, y: 1 + k * u**2, "domain": inside, "walls": "neumann"}
        return pde.solve_nonlinear(f, (5, 6), rtol=1e-10, **law).u

    assert gradcheck(solve, (data(2, 5, 6), k), eps=1e-4, atol=1e-5, rtol=1e-4, fast_mode=True)


def test_a_larger_grid_agrees_with_a_sparse_adjoint():
    """The derivative of sum(w u) in f, 31^2, with cycles on two levels."""
    n = 31
    f, w = data(n, n), data(n, n, seed=1).detach()
    solution = pde.solve_nonlinear(f, coefficient=lambda u, x, y: 1 + 30 * u**2 + x, rtol=1e-11)
    (gradient,) = torch.autograd.grad((w * solution.u).sum(), f)
    problem = pde.NonlinearPoisson((n, n), coefficient=lambda u, x, y: 1 + 30 * u**2 + x)
    J = pde.problem.linearised.Linearised(problem._operator, solution.u.detach().numpy()).matrix
    exact = pde.problem.linearised.sp.linalg.spsolve(J.T.tocsc(), w.numpy().ravel()).reshape(n, n)
    assert abs(gradient.numpy() - exact).max() < 1e-8 * abs(exact).max()


def test_without_gradients_it_is_a_solve():
    f = np.ones((15, 15))
    law = {"reaction": lambda u, x, y: u**3}
    plain = pde.solve_nonlinear(f, **law)
    assert isinstance(plain.u, np.ndarray)
    with torch.no_grad():
        quiet = pde.solve_nonlinear(torch.from_numpy(f).requires_grad_(), **law)
    detached = pde.solve_nonlinear(torch.from_numpy(f), **law)
    for solution in (quiet, detached):
        assert not solution.u.requires_grad
        assert np.allclose(solution.u.numpy(), plain.u, rtol=1e-12)
    assert pde.solve_nonlinear(1.0, (15, 15), **law).converged


def test_functions_that_leave_torch_or_do_not_use_u_have_gradients_too():
    """The derivative in u is by autograd where there is one, else by differences; that in k is by autograd."""
    laws = (
        lambda k, u, x: k * x,
        lambda k, u, x: k * u.detach() ** 3,
        lambda k, u, x: k * torch.from_numpy(np.sinh(u.numpy())),
    )
    for law in laws:

        def solve(f, k, law=law):
            return pde.solve_nonlinear(f, reaction=lambda u, x, y: law(k, u, x), rtol=1e-10).u

        k = torch.tensor(2.0, dtype=F8, requires_grad=True)
        assert gradcheck(solve, (data(5, 4), k), eps=1e-4, atol=1e-5, rtol=1e-4, fast_mode=True)


def test_bad_input_is_named():
    f, law = data(7, 7), {"reaction": lambda u, x, y: u**3}
    refused(ValueError, ["out"], pde.solve_nonlinear, f, out=torch.empty(7, 7, dtype=F8), **law)
    refused(TypeError, ["reaction", "functions"], pde.solve_nonlinear, f, reaction=data(7, 7))
    refused(TypeError, ["solve_nonlinear", "shap"], pde.solve_nonlinear, f, shap=3, **law)
    refused(
        ValueError, ["reaction", "shape", "77"], pde.solve_nonlinear, f, reaction=lambda u, x, y: u @ torch.ones(77)
    )
    refused(TypeError, ["reaction", "<lambda>", "3"], pde.solve_nonlinear, f, reaction=lambda u: u)
    inside = np.ones((7, 7), dtype=bool)
    inside[3, 3] = False
    held = {"walls": torch.ones((), dtype=F8, requires_grad=True)}
    refused(ValueError, ["walls", "detach"], pde.solve_nonlinear, f, g=held, domain=inside, **law)
