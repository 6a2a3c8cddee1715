"""The energy: a minimum at the solution, exact where u is linear, of second order."""

import numpy as np
import pytest
import torch

from pde import Multigrid, Poisson, energy
from tests.pde.reference import EPS
from tests.pde.refusals import refused
from tests.pde.sides_reference import Manufactured, make_box, quadrature, smooth
from tests.pde.sides_table import NAMES, TABLE, random_box

KINDS = [
    ("D",),
    ("DN",),
    ("P",),
    ("R",),
    ("D", "D"),
    ("N", "DN"),
    ("R", "P"),
    ("DN", "RD"),
    ("D", "N", "P"),
    ("R0", "D", "D"),
]


@pytest.mark.parametrize("kinds", TABLE, ids=NAMES)
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
@pytest.mark.parametrize("varies", [False, True], ids=["constant", "varies"])
def test_it_is_a_parabola_around_the_solution(kinds, cell, varies):
    """energy(u + d) - energy(u) = (W (A u - f), d) + (d, W A d) / 2, where f has the data; for any u, d, f and g."""
    box, rng = random_box(3 * len(kinds) + cell, kinds, cell)
    if varies:
        box.fields = [10 ** rng.uniform(-2, 2, box.shape) for _ in kinds]
    problem = Poisson(**box.arguments())
    u, d, f = rng.standard_normal((3, *box.shape))
    g = {key: rng.standard_normal(box.side_coordinates(*key)[0].shape) for key in box.sides}
    A, W = box.matrix(), box.volumes().ravel()
    change = (A @ u.ravel() - box.fold(f, g).ravel() + A @ d.ravel() / 2) @ (W * d.ravel())
    before, after = energy(problem, np.stack((u, u + d)), f, g)
    size = abs(A).sum() * W.max() * max(1.0, abs(u).max(), abs(d).max(), *(abs(v).max() for v in g.values()), 0.0) ** 2
    np.testing.assert_allclose(after - before, change, rtol=0, atol=64 * EPS * (size + abs(before)))


def exact_energy(exact):
    box = exact.box
    x, weights = quadrature([line.ends for line in box.lines])
    density = sum(line.a * exact.derivative(a, 1, *x) ** 2 for a, line in enumerate(box.lines)) / 2
    total = np.sum(weights * (density + box.c * exact.u(*x) ** 2 / 2 - exact.f(*x) * exact.u(*x)))
    for a, side in box.sides:
        line = box.lines[a]
        if line.kinds[side] != "dirichlet":
            beta = 0.0 if isinstance(line.pair[side], str) else line.pair[side][1]
            x, weights = quadrature([other.ends for b, other in enumerate(box.lines) if b != a])
            x.insert(a, np.full(weights.shape, line.ends[side]))
            total += np.sum(weights * (beta * exact.u(*x) ** 2 / 2 - exact.g()[a, side](*x) * exact.u(*x)))
    return total


@pytest.mark.parametrize("kinds", KINDS, ids="/".join)
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
@pytest.mark.parametrize("stretch", [None, smooth], ids=["uniform", "smooth"])
def test_it_is_of_second_order(kinds, cell, stretch):
    """With data on every side: without what lies beside Dirichlet nodes it would be of first order."""
    sizes, errors = (8, 16, 32) if len(kinds) == 3 else (16, 32, 64), []
    for n in sizes:
        box = make_box(
            kinds, [n] * len(kinds), cell, c=1.0, a=(1.0, 1.5, 0.8)[: len(kinds)], stretch=stretch, by_intervals=True
        )
        exact, problem = Manufactured(box), Poisson(**box.arguments())
        errors.append(abs(energy(problem, exact.u(*problem.points()), exact.f, exact.g()) - exact_energy(exact)))
    assert errors[-1] < 1e-8 or np.polyfit(np.log(sizes), -np.log(errors), 1)[0] > 1.7


@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
@pytest.mark.parametrize("shape", [(1,), (5,), (1, 4), (5, 4), (2, 3, 1)])
def test_linear_functions_between_dirichlet_sides(shape, cell):
    problem = Poisson(
        shape, extent=[0.5, 2.0, 1.0][: len(shape)], coefficient=3.0, centering="cell" if cell else "vertex"
    )
    slopes = [2.0, -1.0, 0.5][: len(shape)]

    def linear(*x):
        return 1 + sum(k * v for k, v in zip(slopes, x, strict=True))

    found = energy(problem, linear(*problem.points()), 0.0, linear)
    np.testing.assert_allclose(found, 1.5 * np.sum(np.square(slopes)) * np.prod(problem.extent), rtol=1e-12)


def test_open_space_tensors_and_errors():
    problem = Poisson((17, 12), boundary="open")
    f = np.exp(-sum((x - 0.5) ** 2 for x in problem.points()) / 2 / 0.05**2)
    u = Multigrid(problem).solve(f).u
    np.testing.assert_allclose(energy(problem, u, f), -np.sum(problem.control_volumes() * f * u) / 2, rtol=1e-14)
    box = Poisson((4, 3), boundary=["dirichlet", ("robin", 1.0)], coefficient=lambda x, y: 1 + x)
    t = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    g = {(0, 0): 1.0, (1, 1): 2.0}
    value = energy(box, t, 1.0, g)
    np.testing.assert_allclose(value.detach().numpy(), energy(box, t.detach().numpy(), 1.0, g), rtol=1e-14)
    (slope,) = torch.autograd.grad(value.sum(), t)
    expected = box.apply(t.detach().numpy()) - Multigrid(box).backend.fold(
        np.ones((2, 4, 3)), box.sides(t.detach().numpy(), g)
    )
    np.testing.assert_allclose(slope.numpy() / box.control_volumes(), expected, atol=1e-11)
    refused(ValueError, ["f", "(4, 3)", "(3, 3)"], energy, box, np.ones((4, 3)), np.ones((3, 3)))
    refused(ValueError, ["u", "finite"], energy, box, np.full((4, 3), np.inf))
