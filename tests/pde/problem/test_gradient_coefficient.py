"""a(|grad u|^2, x): the gradients at faces, and the operator that they make."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pde import NonlinearPoisson
from pde.problem.boundary import side_points
from pde.problem.linearised import jacobian
from tests.pde.nonlinear import problems, sides

EPS = float(np.finfo(float).eps)
HELD = ("dirichlet", "dirichlet")


class Recorder:
    """A law that keeps its arguments."""

    def __init__(self):
        self.calls = []

    def __call__(self, s, *x):
        self.calls.append((s.copy(), x))
        return np.ones_like(s)


@given(box=sides(), seed=st.integers(0, 999), stretched=st.booleans())
@example(box=([5, 6], [HELD] * 2, "vertex"), seed=1, stretched=False)
@example(box=([5, 6], [HELD] * 2, "cell"), seed=1, stretched=True)
@example(box=([4, 5, 6], [HELD] * 3, "vertex"), seed=1, stretched=True)
@example(box=([4, 5, 6], [HELD, ("neumann", "neumann"), HELD], "vertex"), seed=1, stretched=False)
def test_gradients_of_parabolas_are_exact_at_every_face(box, seed, stretched):
    """At the points that the law is told, between any two neighbours, beside all sides and at stretched axes."""
    shape, boundary, centering = box
    boundary = [("neumann", "neumann") if pair == "periodic" else pair for pair in boundary]
    if any(end[0] == "robin" for pair in boundary for end in pair):
        centering = "vertex"
    rng, law = np.random.default_rng(seed), Recorder()
    options = {"boundary": boundary, "centering": centering}
    if stretched:
        nodes = [len(axis.nodes) for axis in NonlinearPoisson(shape, reaction=np_cube, **options).grid.axes]
        options["coordinates"] = [np.append(0.0, np.cumsum(rng.uniform(0.7, 1.4, n - 1))) / n for n in nodes]
    problem = NonlinearPoisson(shape, gradient_coefficient=law, reaction=np_cube, **options)
    ndim, grid = problem.ndim, problem.grid
    linear, square = rng.uniform(-1, 1, ndim), rng.uniform(-1, 1, (ndim, ndim))

    def u(*x):
        x = np.stack(x)
        return np.tensordot(linear, x, 1) + np.einsum("i...,ij,j...", x, square, x)

    def squared(x):
        x = np.stack(x)
        slope = linear.reshape(-1, *(1,) * ndim) + np.tensordot(square + square.T, x, 1)
        return (slope**2).sum(axis=0)

    data = {
        (a, s): u(*side_points(grid, a, s))
        for a, pair in enumerate(problem.boundary)
        for s in (0, 1)
        if pair[s].kind == "dirichlet"
    }
    A = problem._operator.with_values(data)
    del law.calls[:]
    A(u(*problem.points()))
    assert len(law.calls) == 2 * ndim
    h = min(float(axis.gaps.min()) for axis in grid.axes)
    for number, (s, x) in enumerate(law.calls):
        a, side = divmod(number, 2)
        flux_end = problem.boundary[a][side].kind != "dirichlet"  # no face there
        inside = [slice(None)] * ndim
        if flux_end:
            inside[a] = slice(None, -1) if side else slice(1, None)
        at = tuple(inside)
        assert abs(s - squared(x))[at].max() <= 1e3 * EPS * (1 + ndim) ** 2 / h


def np_cube(u, *x):
    return u**3


@given(problem=problems("falling"), seed=st.integers(0, 99), axis=st.integers(0, 2))
def test_around_a_period_no_unknown_is_the_first(problem, seed, axis):
    if axis >= problem.ndim or problem.boundary[axis][0].kind != "periodic":
        return
    u = np.random.default_rng(seed).uniform(-1, 1, problem.shape)
    A = NonlinearPoisson(
        problem.shape, boundary="periodic", gradient_coefficient=lambda s, *x: (1 + s) ** -0.5, reaction=np_cube
    ).apply
    assert np.allclose(np.roll(A(u), 1, axis), A(np.roll(u, 1, axis)), rtol=1e-13, atol=1e-13 * abs(A(u)).max())


@given(shape=st.lists(st.integers(4, 8), min_size=1, max_size=3), seed=st.integers(0, 99), stretched=st.booleans())
def test_slopes_are_the_diagonal_of_the_jacobian(shape, seed, stretched):
    """Between Dirichlet sides, where u_i enters only the differences across its faces: a itself would not do."""
    rng = np.random.default_rng(seed)
    coordinates = [np.append(0.0, np.cumsum(rng.uniform(0.7, 1.4, n + 1))) / n for n in shape] if stretched else None
    problem = NonlinearPoisson(shape, coordinates=coordinates, gradient_coefficient=lambda s, *x: 0.1 + s)
    A, u = problem._operator, rng.uniform(-1, 1, shape)
    diagonal = jacobian(A, u).diagonal().reshape(shape)
    kept = A._elliptic(A._padded(u), A._whole)[2]
    assert (abs(diagonal - A.slope(u)) <= 1e-5 * diagonal.max()).all()
    assert not np.allclose(kept, diagonal, rtol=0.1)


def test_u_does_not_couple_with_the_unknowns_of_its_colour():
    """But beside Neumann sides, along which differences across them take three unknowns."""
    for shape in ((8, 7), (5, 6, 5)):
        problem = NonlinearPoisson(shape, boundary=["periodic"] + ["dirichlet"] * (len(shape) - 1), **FALLING)
        A = problem._operator
        J = abs(jacobian(A, np.random.default_rng(0).uniform(-1, 1, shape)).toarray())
        for blocks in A.colours:
            mine = np.zeros(shape, bool)
            for block in blocks:
                mine[block] = True
            among = J[np.ix_(mine.ravel(), mine.ravel())]
            assert np.count_nonzero(among - np.diag(np.diag(among))) == 0


FALLING = {"gradient_coefficient": lambda s, *x: (1 + s) ** -0.5}


def test_boundary_points_have_the_flux_that_is_given():
    """u = x^2 + y between sides with fluxes, in cells: values at the ends follow from a at the cell beside them."""
    problem = NonlinearPoisson((64, 64), boundary="neumann", centering="cell", reaction=np_cube, **FALLING)
    x, y = problem.points()
    a = (1 + 4 * x**2 + 1) ** -0.5
    g = {(0, 1): lambda x, y: 2 / np.sqrt(6), (1, 0): -a[:, 0], (1, 1): a[:, -1]}
    whole = problem.embed(x**2 + y, g)
    assert abs(whole[1:-1, -1] - (x[:, 0] ** 2 + 1)).max() < 1e-12
    assert abs(whole[-1, 1:-1] - (1 + y[0])).max() < 1 / 64**2


def test_a_coefficient_may_not_turn_negative():
    problem = NonlinearPoisson((15, 15), gradient_coefficient=lambda s, x, y: 1 - s)
    A = problem._operator
    A.check_coefficient(0.01 * problem.points()[0])
    with pytest.raises(ValueError, match="gradient_coefficient must be positive"):
        A.check_coefficient(10 * problem.points()[0])
