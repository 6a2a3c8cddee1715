"""The compact operator of fourth order: an assembly by Kronecker products, and polynomials that it has exactly."""

from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from pde import Poisson
from pde.levels.transfers import BilinearTransfer
from pde.problem.coefficients import Terms
from pde.problem.mehrstellen import Mehrstellen, at_ends
from tests.pde.reference import EPS, F8, SEEDS

KINDS = ("dirichlet", "periodic")


@st.composite
def problems(draw):
    """Sizes of every parity, unequal spacings, diffusions and a reaction."""
    ndim = draw(st.integers(1, 3))
    axes = [draw(st.sampled_from(KINDS)) for _ in range(ndim)]
    shape = [draw(st.integers(1, 12 if ndim < 3 else 5)) for _ in range(ndim)]
    extent = [draw(st.sampled_from([1.0, 1.7, 0.3])) for _ in range(ndim)]
    a = [draw(st.sampled_from([1.0, 0.25, 3.0])) for _ in range(ndim)]
    return Poisson(shape, extent, axes, coefficient=a, reaction=draw(st.sampled_from([0.0, 2.5])), order=4)


def second_difference(n, periodic):
    """h^2 d^2/dx^2 on n unknowns."""
    D = sp.lil_matrix((n, n))
    for i, step in product(range(n), (-1, 1)):
        D[i, i] -= 1
        if periodic or 0 <= i + step < n:
            D[i, (i + step) % n] += 1
    return sp.csr_matrix(D)


def along(parts, shape):
    """The Kronecker product of the identity on each axis, but for the matrices in `parts`."""
    result = sp.identity(1)
    for a, n in enumerate(shape):
        result = sp.kron(result, parts.get(a, sp.identity(n)))
    return result


def assembled(problem):
    """-sum a_i D_i - sum_{i<j} (a_i h_j^2 + a_j h_i^2)/12 D_i D_j + c (1 + sum h_i^2/12 D_i)."""
    shape, h = problem.shape, [axis.spacing[0] for axis in problem.grid.axes]
    D = [second_difference(n, axis.periodic) / k**2 for n, k, axis in zip(shape, h, problem.grid.axes, strict=True)]
    a, c = problem.terms.diffusion, problem.terms.reaction
    A = c * along({}, shape)
    for i in range(len(shape)):
        A = A + (c * h[i] ** 2 / 12 - a[i]) * along({i: D[i]}, shape)
        for j in range(i):
            A = A - (a[i] * h[j] ** 2 + a[j] * h[i] ** 2) / 12 * along({i: D[i], j: D[j]}, shape)
    return A.toarray()


@given(problem=problems(), seed=SEEDS)
def test_the_operator_is_the_sum_of_kronecker_products(problem, seed):
    A = assembled(problem)
    tolerance = 64 * EPS * abs(A).sum(axis=1).max()  # a handful of roundings of each of up to 27 entries
    assert abs(problem.matrix().toarray() - A).max() <= tolerance
    u = np.random.default_rng(seed).standard_normal((2, *problem.shape))
    assert abs(problem.apply(u).reshape(2, -1) - u.reshape(2, -1) @ A.T).max() <= tolerance * abs(u).max()


def test_textbook_stencils():
    nine = np.array([[-1, -4, -1], [-4, 20, -4], [-1, -4, -1]])
    A = Poisson((3, 3), 4.0, order=4)._operator
    np.testing.assert_allclose(6 * A.coefficients.reshape(3, 3), nine, atol=64 * EPS)
    far = np.sum(np.abs(np.indices((3, 3, 3)) - 1), axis=0)
    nineteen = np.choose(far, [24, -2, -1, 0])
    A = Poisson((3, 3, 3), 4.0, order=4)._operator
    np.testing.assert_allclose(6 * A.coefficients.reshape(3, 3, 3), nineteen, atol=64 * EPS)


@given(problem=problems())
def test_the_weighted_matrix_is_symmetric_and_definite(problem):
    A = problem.matrix(symmetric=True).toarray()
    size = abs(A).sum(axis=1).max()
    assert abs(A - A.T).max() <= 8 * EPS * size
    least = np.linalg.eigvalsh((A + A.T) / 2)[0]
    assert least >= (-64 * EPS * A.shape[0] * size if problem.singular else 0)


@st.composite
def polynomials(draw, ndim, degree):
    """Random coefficients of monomials up to a total degree."""
    powers = [p for p in product(range(degree + 1), repeat=ndim) if sum(p) <= degree]
    values = np.random.default_rng(draw(SEEDS)).standard_normal(len(powers))
    return dict(zip(powers, values, strict=True))


def value(polynomial, x, derivatives=()):
    """The polynomial at x, differentiated once along each axis in `derivatives`."""
    total = np.zeros(np.broadcast_shapes(*map(np.shape, x)))
    for powers, k in polynomial.items():
        p = list(powers)
        for a in derivatives:
            k, p[a] = k * p[a], max(p[a] - 1, 0)
        total = total + k * np.prod([t**q for t, q in zip(x, p, strict=True)], axis=0)
    return total


def mean(f, grid):
    """M f, as the operator of the equation u = f."""
    M = Mehrstellen(grid, F8, Terms((0.0,) * grid.ndim, 1.0))
    return M(f(*grid.points())) - M.fold(np.zeros(grid.shape), at_ends(f, grid))


def check_exact(A, polynomial, c, a, ends):
    """A u with the sides of u in it is M f, for u a polynomial."""

    def f(*x):
        return c * value(polynomial, x) - sum(k * value(polynomial, x, (i, i)) for i, k in enumerate(a))

    grid = A.grid
    sides, x = at_ends(lambda *x: value(polynomial, x), grid), grid.points()
    u = value(polynomial, x)
    even = all(np.ptp(axis.spacing) <= 8 * EPS for axis in grid.axes)
    M = A.right_hand_side(f(*x), at_ends(f, grid) if ends else None) if even else mean(f, grid)
    rhs = A.fold(M, sides)
    size = A.diagonal.max() * sum(map(abs, polynomial.values()))
    assert abs(A(u) - rhs).max() <= 256 * EPS * size
    assert abs(A.unlifted(u, sides) + M).max() <= 256 * EPS * size


@pytest.mark.parametrize("shape", [(5,), (6,), (5, 7), (6, 5), (5, 6, 7)])
@pytest.mark.parametrize("ends", [True, False])
@given(data=st.data())
@settings(max_examples=10)
def test_polynomials_of_degree_four_are_exact(shape, ends, data):
    """Corners and, without their values, f at the sides are extrapolated through five points."""
    a, c = (1.0, 0.5, 2.0)[: len(shape)], data.draw(st.sampled_from([0.0, 3.0]))
    extent = (1.0, 0.8, 1.1)[: len(shape)]
    A = Poisson(shape, extent, coefficient=list(a), reaction=c, order=4)._operator
    check_exact(A, data.draw(polynomials(len(shape), 4)), c, a, ends)


@pytest.mark.parametrize("which", [(True, False), (False, True), (True, True)])
@given(data=st.data())
@settings(max_examples=10)
def test_shorter_last_intervals_keep_the_order(which, data):
    """The grid below one with an even number of unknowns: degree 4, and 3 where both axes end in such an interval."""
    problem = Poisson((12, 14), reaction=2.0)
    A = Mehrstellen(problem.grid.coarsen(which), F8, problem.terms)
    assert np.ptp(A.grid.axes[0 if which[0] else 1].spacing) > 0
    check_exact(A, data.draw(polynomials(2, 3 if all(which) else 4)), 2.0, (1.0, 1.0), ends=True)


@pytest.mark.parametrize("which", [(True, True), (True, False)])
@pytest.mark.parametrize("n", [14, 15, 16])
@pytest.mark.parametrize("kind", KINDS)
def test_restriction_takes_m_f_to_that_of_the_coarse_grid(kind, n, which):
    """On sums of quadratics in each axis the adjoint of bilinear interpolation is exact."""
    problem = Poisson((n, n), boundary=["dirichlet", kind])
    R = BilinearTransfer(problem.grid, which, F8).adjoint()
    coarse = problem.grid.coarsen(which)

    def f(x, y):
        return 1 + 2 * x - 3 * x**2 + (0 if kind == "periodic" else y - y**2)

    M = [mean(f, grid) for grid in (problem.grid, coarse)]
    own = Poisson((n, n), boundary=["dirichlet", kind], order=4)._operator.right_hand_side
    assert abs(own(f(*problem.points()), at_ends(f, problem.grid)) - M[0]).max() <= 64 * EPS * 6
    assert abs(R(M[0]) - M[1]).max() <= 64 * EPS * 6


REFUSED = {
    "neumann": ({"boundary": "neumann"}, "order=4 needs Dirichlet or periodic sides, got neumann"),
    "cells": ({"centering": "cell"}, 'order=4 needs centering "vertex", got "cell"'),
    "coefficient": ({"coefficient": lambda x, y: 1 + x}, "order=4 needs a constant coefficient"),
    "reaction": ({"reaction": lambda x, y: x}, "order=4 needs a constant reaction"),
    "coordinates": ({"coordinates": [np.arange(7.0) ** 2, None]}, "order=4 needs equal spacing"),
    "domain": ({"domain": np.eye(5) == 0}, "order=4 needs a box, got a domain"),
    "open": ({"boundary": "open"}, "order=4 needs Dirichlet or periodic sides, got open"),
    "tensor": ({"coefficient": [[2.0, 1.0], [1.0, 2.0]]}, "order=4 needs a diagonal coefficient, got a full tensor"),
    "faces": ({"face_coefficients": [np.ones((6, 5)), np.ones((5, 6))]}, "order=4 needs a constant coefficient"),
    "order": ({"order": 3}, "order must be 2 or 4, got 3"),
    "orders": ({"order": np.array([2, 4])}, "order must be 2 or 4, got array"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_compact_operator_is_refused_by_name(name):
    arguments, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        Poisson((5, 5), **{"order": 4, **arguments})


def test_new_terms_are_checked_too():
    problem = Poisson((5, 5), order=4)
    assert problem.with_terms(reaction=2.0).order == 4
    with pytest.raises(ValueError, match="order=4 needs a constant reaction"):
        problem.with_terms(reaction=lambda x, y: x)
    assert "order=4" in repr(problem)
    assert "order" not in repr(Poisson(5))
