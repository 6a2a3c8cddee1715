"""Derivatives by autograd of functions that take tensors: told, exact, and only where torch is loaded."""

import subprocess
import sys

import numpy as np
import pytest

from pde import Multigrid, NonlinearPoisson

torch = pytest.importorskip("torch")


def law(problem):
    return problem.laws.reaction


def both(problem, u):
    return law(problem).with_slope(u, [x[: len(u)] for x in problem.points()])


def test_functions_of_tensors_have_their_derivatives_by_autograd():
    problem = NonlinearPoisson((5, 5), reaction=lambda u, x, y: torch.exp(u) * x + u**3)
    assert "by autograd" in repr(problem)
    u = np.random.default_rng(0).uniform(-1, 1, (5, 5))
    x = problem.points()[0]
    value, slope = both(problem, u)
    assert type(value) is type(slope) is np.ndarray
    assert np.allclose(value, np.exp(u) * x + u**3, rtol=1e-14)
    assert np.allclose(slope, np.exp(u) * x + 3 * u**2, rtol=1e-14)
    solution = Multigrid(problem).solve(1.0)
    other = Multigrid(NonlinearPoisson((5, 5), reaction="exp(u)*x + u**3")).solve(1.0)
    assert abs(solution.u - other.u).max() < 1e-8


def test_functions_of_arrays_that_take_tensors_too_stay_on_arrays():
    kinds = []
    problem = NonlinearPoisson((5, 5), reaction=lambda u, x, y: kinds.append(type(u)) or abs(u) ** 3 * x)
    assert "by autograd" in repr(problem)
    kinds.clear()
    law(problem)(np.ones((5, 5)), problem.points())
    assert kinds == [np.ndarray]


def test_others_have_differences():
    for reaction in (
        lambda u, x, y: np.exp(u),  # refuses tensors that need a gradient
        lambda u, x, y: u.detach() ** 3 if torch.is_tensor(u) else u**3,  # has none
        lambda u, x, y: u + (u.detach() ** 3 if torch.is_tensor(u) else u**3),  # has a wrong one
    ):
        assert "by differences" in repr(NonlinearPoisson((5, 5), reaction=reaction))


def test_torch_is_not_loaded_for_it():
    code = "import sys, pde; print(pde.NonlinearPoisson(5, reaction=lambda u, x: u**3)); print('torch' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "by differences" in printed
    assert printed.endswith("False\n")
