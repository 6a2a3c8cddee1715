"""Second order, and full multigrid that reaches it: manufactured solutions in the maximum norm."""

import numpy as np
import pytest

from pde import Multigrid, Poisson
from tests.pde.reference import by_sines, coordinates, eigenvalues, with_boundary

EXTENT = (1.0, 1.25, 0.8)


def zero_on_the_boundary(*x):
    """A product of sines of one and two half waves, and minus its Laplacian."""
    u, rate = 1.0, 0.0
    for a, (value, L) in enumerate(zip(x, EXTENT, strict=False)):
        k = (1 + a % 2) * np.pi / L
        u, rate = u * np.sin(k * value), rate + k**2
    return u, rate * u


def with_values_on_the_boundary(*x):
    """A wave in an oblique direction plus an exponential, and minus their Laplacian."""
    direction = (2.0, 1.0, -1.5)[: len(x)]
    phase = sum(k * value for k, value in zip(direction, x, strict=True)) + 0.3
    wave, growth = np.cos(phase), np.exp(x[0])
    return wave + growth, sum(k**2 for k in direction) * wave - growth


SOLUTIONS = {"homogeneous": zero_on_the_boundary, "with g": with_values_on_the_boundary}
SIZES = {1: [30, 61, 125, 250], 2: [16, 33, 64, 129], 3: [12, 25, 50]}


def errors(ndim, n, exact, cycle="fmg"):
    shape, extent = (n,) * ndim, EXTENT[:ndim]
    problem = Poisson(shape, extent)
    u, _ = exact(*problem.points())
    g = None if exact is zero_on_the_boundary else (lambda *x: exact(*x)[0])
    solution = Multigrid(problem).solve(lambda *x: exact(*x)[1], g, rtol=1e-9, cycle=cycle)
    assert solution.converged
    return np.abs(solution.u - u).max()


@pytest.mark.parametrize("kind", SOLUTIONS)
@pytest.mark.parametrize("ndim", SIZES)
def test_the_maximum_error_falls_with_order_two(ndim, kind):
    """Odd and even sizes. At rtol 1e-9 the algebraic error is below 1e-9 |f| / lambda_min, some 1e-9 of u."""
    sizes = SIZES[ndim]
    e = [errors(ndim, n, SOLUTIONS[kind]) for n in sizes]
    h = [1 / (n + 1) for n in sizes]
    orders = np.diff(np.log(e)) / np.diff(np.log(h))
    assert np.all(np.abs(orders[-2:] - 2) <= 0.05), orders


FULL = [
    *((1, n) for n in (31, 32, 37, 64, 100, 255, 500)),
    *((2, n) for n in (31, 32, 37, 48, 63, 64, 97, 127, 150, 200)),
    *((3, n) for n in (31, 32, 37, 64)),
]


@pytest.mark.parametrize(("ndim", "n"), FULL)
@pytest.mark.parametrize("kind", SOLUTIONS)
def test_full_multigrid_is_below_the_discretisation_error(ndim, n, kind):
    """One V(1,1) per level; the discrete solution comes from sine transforms."""
    exact = SOLUTIONS[kind]
    shape, extent = (n,) * ndim, EXTENT[:ndim]
    problem = Poisson(shape, extent)
    g = None if kind == "homogeneous" else (lambda *x: exact(*x)[0])
    u, f = exact(*coordinates(shape, extent))
    discrete = by_sines(shape, extent, f if g is None else f + faces(shape, extent, g))
    algebraic = np.abs(Multigrid(problem).full_multigrid(lambda *x: exact(*x)[1], g) - discrete).max()
    assert algebraic < np.abs(discrete - u).max()


def faces(shape, extent, g):
    """The right-hand side of `with_boundary`, face by face, for grids of a million points."""
    ends = coordinates(shape, extent, ends=True)
    folded = np.zeros(shape)
    for a, (n, L) in enumerate(zip(shape, extent, strict=True)):
        for side in (0, 1):
            outside = tuple(
                slice(-1, None) if side and b == a else slice(0, 1) if b == a else slice(1, -1)
                for b in range(len(shape))
            )
            beside = tuple(
                slice(-1, None) if side and b == a else slice(0, 1) if b == a else slice(None)
                for b in range(len(shape))
            )
            folded[beside] += g(*(x[outside] for x in ends)) * ((n + 1) / L) ** 2
    return folded


@pytest.mark.parametrize("shape", [(9,), (6, 4), (3, 4, 5)])
def test_faces_are_the_pointwise_boundary(shape):
    g = lambda *x: with_values_on_the_boundary(*x)[0]  # noqa: E731
    expected = with_boundary(shape, EXTENT[: len(shape)], g)
    np.testing.assert_allclose(faces(shape, EXTENT[: len(shape)], g), expected, rtol=1e-13)


@pytest.mark.parametrize("n", [63, 64, 97])
@pytest.mark.parametrize("smoother", ["sor", "red-black"])
def test_a_second_solution_with_boundary_layers_of_data(n, smoother):
    """A steep exponential along one side: the discretisation error sits there, and so must not full multigrid's."""
    k = 10.0
    u = lambda x, y: np.exp(-k * x) * np.sin(k * y)  # noqa: E731 - harmonic
    problem = Poisson((n, n))
    exact = u(*problem.points())
    discrete = by_sines((n, n), (1.0, 1.0), faces((n, n), (1.0, 1.0), u))
    algebraic = np.abs(Multigrid(problem, smoother=smoother).full_multigrid(np.zeros((n, n)), u) - discrete).max()
    assert algebraic < (1 if smoother == "sor" else 2) * np.abs(discrete - exact).max()


@pytest.mark.parametrize("shape", [(40,), (21, 30), (9, 10, 11)])
def test_solving_in_float32_gives_the_float64_solution_to_single_precision(shape):
    f = np.random.default_rng(1).standard_normal(shape)
    extent = (1.0,) * len(shape)
    expected = by_sines(shape, extent, f)
    solution = Multigrid(Poisson(shape), dtype="float32").solve(f, rtol=1e-5)
    assert solution.u.dtype == np.float32
    low, high = eigenvalues(shape, extent)
    residual = solution.residual_norms[-1] * np.linalg.norm(f)
    rounding = 16 * np.finfo(np.float32).eps * high / low * np.linalg.norm(expected)
    assert np.linalg.norm(solution.u - expected) <= residual / low + rounding
