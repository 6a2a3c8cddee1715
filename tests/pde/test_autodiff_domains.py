"""Derivatives of solutions on domains: against difference quotients, in f, g, the coefficient and the reaction."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import pde
from tests.pde.test_autodiff import random

SHAPE = (5, 4)
INSIDE = np.random.default_rng(2).random(SHAPE) < 0.7


def disc(x, y):
    return np.hypot(x - 0.5, y - 0.5) - 0.4


def check(function, *inputs):
    assert gradcheck(function, inputs, fast_mode=True)
    assert gradgradcheck(function, inputs, fast_mode=True)


@pytest.mark.parametrize("domain", [INSIDE, disc], ids=["voxels", "level set"])
def test_held_values_coefficient_and_reaction(domain):
    sides = ["dirichlet", ("robin", 2.0)]

    def u(f, held, a, c):
        options = {"domain": domain, "boundary": sides, "coefficient": a, "reaction": c, "rtol": 1e-13}
        return pde.solve_poisson(f, SHAPE, g={"walls": held, (1, 0): 0.5}, **options).u

    check(
        u, random(2, *SHAPE), random(*SHAPE, seed=1), random(*SHAPE, seed=2, low=0.5), random(*SHAPE, seed=3, low=0.1)
    )


@pytest.mark.parametrize("walls", ["neumann", INSIDE[::-1].copy()], ids=["insulated", "both"])
def test_closed_faces_have_derivatives_in_data_and_reaction(walls):
    def u(f, g, c):
        options = {"domain": INSIDE, "walls": walls, "reaction": c, "coefficient": 1.5, "rtol": 1e-13}
        return pde.solve_poisson(f, SHAPE, g={"walls": g}, **options).u

    check(u, random(*SHAPE), random(*SHAPE, seed=1), random(*SHAPE, seed=3, low=0.1))


def test_a_coefficient_behind_closed_faces_has_no_derivative():
    a = random(*SHAPE, low=0.5)
    with pytest.raises(ValueError, match="coefficient: behind closed faces"):
        pde.solve_poisson(torch.ones(SHAPE), SHAPE, domain=INSIDE, walls="neumann", coefficient=a, boundary="dirichlet")


def test_complex_data_of_walls_have_no_derivative():
    g = random(*SHAPE).to(torch.complex128).detach().requires_grad_()
    with pytest.raises(ValueError, match=r"g\['walls'\]: on a domain complex data have no derivatives"):
        pde.solve_poisson(torch.ones(SHAPE), SHAPE, domain=INSIDE, g={"walls": g})
