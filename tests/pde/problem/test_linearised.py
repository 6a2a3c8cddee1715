"""J = A'(u): against differences of A, as a matrix, as nearest couplings, and its adjoint."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pde import NonlinearPoisson
from pde.problem.linearised import Linearised
from pde.problem.nonlinear_operator import Laws
from tests.pde.nonlinear import given_sides, problems

EPS = float(np.finfo(float).eps)


@settings(max_examples=25)
@given(problem=problems(), seed=st.integers(0, 99))
def test_it_is_the_derivative_of_the_operator(problem, seed):
    rng = np.random.default_rng(seed)
    u, e = rng.uniform(-1, 1, (2, *problem.shape))
    A = problem._operator.with_values(problem.read_sides(given_sides(problem, rng), np.dtype(float)))
    J, t = Linearised(A, u), 1e-5
    differences = (A(u + t * e) - A(u - t * e)) / (2 * t)
    size = abs(J.stencil).sum(axis=0).max()
    # derivatives of laws are differences with steps of root eps, and these have an error of t^2 and of eps / t
    assert abs(J(e) - differences).max() <= 64 * (EPS**0.5 + t**2 + EPS / t) * size
    assert abs(J.matrix @ e.ravel() - J(e).ravel()).max() <= 64 * EPS * size
    near = J.compact()
    if problem.laws.gradient is None:
        assert abs(near(e) - J(e)).max() <= 64 * EPS * size
    else:  # linear functions go on beyond sides as parabolas and as lines
        line = problem.points()[0] * (not problem.grid.axes[0].periodic)
        assert abs(near(line) - J(line)).max() <= 256 * EPS * size * abs(line).max() * max(problem.shape) ** 2
    v, W = rng.uniform(-1, 1, problem.shape), problem.control_volumes()
    left, right = np.sum(W * v * near(e)), np.sum(W * J.compact_adjoint()(v) * e)
    assert abs(left - right) <= 64 * EPS * size * np.sum(W) * max(1, u.size) ** 0.5


@settings(max_examples=15)
@given(walls=st.sampled_from(["dirichlet", "neumann", "some"]), seed=st.integers(0, 99), boundary=st.booleans())
def test_it_is_the_derivative_on_a_domain(walls, seed, boundary):
    rng = np.random.default_rng(seed)
    inside = rng.uniform(size=(9, 10)) < 0.8
    inside[4, 4] = True
    kind = rng.uniform(size=(9, 10)) < 0.5 if walls == "some" else walls
    problem = NonlinearPoisson(
        (9, 10),
        boundary="periodic" if boundary else "dirichlet",
        coefficient=lambda u, x, y: 1 + u**2 + x,
        reaction=lambda u, x, y: 5 * u**3,
        domain=inside,
        walls=kind,
    )
    u, e = rng.uniform(-1, 1, (2, 9, 10)) * inside
    held = {"walls": rng.uniform(-1, 1, (9, 10))} if not inside.all() and problem.domain_terms.walls else None
    A = problem._operator.with_values(problem.read_sides(held, np.dtype(float)))
    J, t = Linearised(A, u), 1e-5
    differences = (A(u + t * e) - A(u - t * e)) / (2 * t)
    size = abs(J.stencil).sum(axis=0).max()
    assert abs(J(e) - differences).max() <= 64 * (EPS**0.5 + t**2 + EPS / t) * size
    assert abs((J.matrix @ e.ravel()).reshape(9, 10) - J(e)).max() <= 64 * EPS * size + abs(e[~inside]).max(initial=0)
    assert not J(e)[~inside].any()


def test_derivatives_of_formulas_are_exact():
    """Differences would leave half of the digits: 1e-8 of the entries, and rounding leaves some 1e-15."""
    u = np.random.default_rng(0).uniform(-1, 1, (5, 6))
    for name, text in (("coefficient", "exp(-u)"), ("gradient_coefficient", "exp(-s)")):
        A = NonlinearPoisson((5, 6), **{name: text})._operator
        law = A.laws.coefficient or A.laws.gradient
        known = replace(law, function=lambda v, *x: np.exp(-v), derivative=lambda v, *x: -np.exp(-v))
        other = A.changed(laws=Laws(known) if name == "coefficient" else Laws(None, known))
        found, expected = (Linearised(each, u).stencil for each in (A, other))
        assert abs(found - expected).max() <= 1e-13 * abs(expected).max()
