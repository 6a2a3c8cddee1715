"""The nonlinear operator on one grid, its Jacobian and sweeps, and the input that it refuses."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pde import NonlinearPoisson, Poisson, energy, flux, gradient
from pde.problem.boundary import fold
from pde.problem.linearised import jacobian
from tests.pde.nonlinear import given_sides, problems, sides
from tests.pde.refusals import ids, refused

EPS = float(np.finfo(float).eps)
FUNCTIONS = (None, "coefficient", "gradient_coefficient")


@given(box=sides(), seed=st.integers(0, 99), a=st.sampled_from([1.0, 2.5]), function=st.sampled_from(FUNCTIONS))
def test_without_nonlinearity_it_is_the_linear_operator(box, seed, a, function):
    """With a number for a, and a function that returns it; data of sides are folded into f of the linear problem."""
    shape, boundary, centering = box
    robin = any(isinstance(end, tuple) and end[0] == "robin" for pair in boundary for end in pair)
    if function is not None and robin and centering == "cell":
        return
    options = {"boundary": boundary, "centering": centering}
    linear = Poisson(shape, coefficient=a, reaction=3.0, **options)
    law = {"coefficient": a} if function is None else {function: lambda u, *x: a}
    problem = NonlinearPoisson(shape, reaction=lambda u, *x: 3 * u, **law, **options)
    rng = np.random.default_rng(seed)
    u, g = rng.uniform(-1, 1, (2, *shape)), given_sides(problem, rng)
    expected = linear.apply(u) - fold(np.zeros_like(u), linear.read_sides(g, u.dtype), linear.grid, linear.terms)
    largest = float(np.max(linear._operator.diagonal))
    assert abs(problem.apply(u, g) - expected).max() <= 16 * problem.ndim * EPS * largest
    for side in {False, True}:
        whole, other = (each.embed(u, g if side else None) for each in (problem, linear))
        assert np.allclose(whole, other, rtol=1e-12, atol=1e-12)


@given(problem=problems(), seed=st.integers(0, 99))
def test_the_jacobian_is_the_derivative_of_the_operator(problem, seed):
    """Along a random direction, by a central difference."""
    rng = np.random.default_rng(seed)
    u, e, A = rng.uniform(-1, 1, problem.shape), rng.uniform(-1, 1, problem.shape), problem._operator
    t = EPS ** (1 / 3)
    expected = (A(u + t * e) - A(u - t * e)) / (2 * t)
    size = float(np.max(A.slope(u))) + 100.0  # third derivatives of the laws are below 100
    if problem.laws.gradient is not None:
        size *= max(problem.shape)  # a is not that of before where u has changed by h
    assert abs((jacobian(A, u) @ e.ravel()).reshape(u.shape) - expected).max() <= 100 * EPS**0.5 * size


@given(problem=problems(), seed=st.integers(0, 99))
def test_a_sweep_is_gauss_seidel_with_newton_steps(problem, seed):
    """Held to the plain algebra: colour by colour, with the whole operator applied anew for each."""
    rng = np.random.default_rng(seed)
    g = given_sides(problem, rng)
    A = problem._operator.with_values(problem.read_sides(g, np.dtype(float)))
    u, f = (rng.uniform(-1, 1, (2, *problem.shape)) for _ in range(2))
    expected, kept = u.copy(), (u.copy(), f.copy())
    for blocks in A.colours:
        r = f - A(expected)
        slope = A.slope(expected)
        for block in blocks:
            at = (..., *block)
            expected[at] += 0.9 * r[at] / slope[at]
    got = A.sweep(u, f, omega=0.9)
    assert np.array_equal(u, kept[0])
    assert np.array_equal(f, kept[1])
    size = float(np.max(abs(expected))) + 1
    assert abs(got - expected).max() <= 1e-6 * size  # slopes by differences round by eps^(1/2)


@given(problem=problems(), seed=st.integers(0, 99))
def test_an_exact_solution_stays_under_a_sweep(problem, seed):
    rng = np.random.default_rng(seed)
    u, g = rng.uniform(-1, 1, problem.shape), given_sides(problem, rng)
    A = problem._operator.with_values(problem.read_sides(g, np.dtype(float)))
    assert np.array_equal(A.sweep(u, A(u)), u) or abs(A.sweep(u, A(u)) - u).max() <= 16 * problem.ndim * EPS


def test_over_relaxation_falls_where_the_reaction_is_strong():
    problem = NonlinearPoisson((9, 9), reaction=lambda u, x, y: np.where(x < 0.5, 0.0, 1e6) * u)
    A, f = problem._operator, np.zeros((9, 9))
    f[1, 1] = f[7, 7] = 1.0
    plain, more = A.sweep(0 * f, f, omega=1.0), A.sweep(0 * f, f, most=1.15)
    assert more[1, 1] == pytest.approx(1.15 * plain[1, 1], rel=1e-9)
    assert more[7, 7] == pytest.approx(plain[7, 7], rel=1e-6)


def cube(u, x, y):
    return u**3


def rising(s, x, y):
    return 1 + s


BAD = [
    (TypeError, ["reaction", "function", "2.0"], {"reaction": 2.0}),
    (TypeError, ["reaction", "3 arguments"], {"reaction": lambda u, x: u}),
    (ValueError, ["reaction", "shape of u", "(3,)"], {"reaction": lambda u, x, y: np.ones(3)}),
    (TypeError, ["reaction", "real", "complex"], {"reaction": lambda u, x, y: 1j * u}),
    (TypeError, ["coefficient", "function", "shape (5, 5)"], {"coefficient": np.ones((5, 5)), "reaction": cube}),
    (ValueError, ["coefficient", "positive", "-1"], {"coefficient": -1.0, "reaction": cube}),
    (ValueError, ["derivative", "reaction", "None"], {"derivative": cube}),
    (TypeError, ["derivative", "function"], {"reaction": cube, "derivative": 1.0}),
    (ValueError, ["derivative", "reaction"], {"reaction": cube, "derivative": lambda u, x, y: -3 * u**2}),
    (
        ValueError,
        ["derivative", "reaction"],
        {"reaction": lambda u, x, y: u**3 + 1e6, "derivative": lambda u, x, y: -u},
    ),
    (
        ValueError,
        ["derivative", "-0.75", "0.75"],
        {"reaction": cube, "derivative": lambda u, x, y: np.where(x < 0.5, -3, 3) * u**2},
    ),
    (TypeError, ["reaction", "3 arguments", "takes 1"], {"reaction": np.exp}),
    (TypeError, ["reaction", "default", "'k'"], {"reaction": lambda u, x, k=3.0: k * u}),
    (TypeError, ["reaction", "fails", "Python scalar"], {"reaction": lambda u, x, y: math.exp(u)}),
    (ValueError, ["coefficient", "fails", "read-only"], {"coefficient": lambda u, x, y: np.square(u, out=u)}),
    (ValueError, ["reaction", "fails", "(5,5)", "coarse"], {"reaction": lambda u, x, y: np.ones((5, 5)) * u}),
    (ValueError, ["reaction", "shape of u", "(5, 5)", "coarse"], {"reaction": lambda u, x, y: np.ones((5, 5))}),
    (ValueError, ["open"], {"reaction": cube, "boundary": "open"}),
    (ValueError, ["reaction", "periodic", "None"], {"boundary": "periodic", "coefficient": lambda u, x, y: 1 + u**2}),
    (
        ValueError,
        ["boundary", "Robin", "vertex"],
        {"boundary": ("robin", 1.0), "centering": "cell", "coefficient": lambda u, x, y: 1 + u**2},
    ),
    (TypeError, ["gradient_coefficient", "function", "2.0"], {"gradient_coefficient": 2.0}),
    (TypeError, ["gradient_coefficient", "3 arguments"], {"gradient_coefficient": lambda s, x: 1 + s}),
    (ValueError, ["gradient_coefficient", "two functions"], {"gradient_coefficient": rising, "coefficient": rising}),
    (ValueError, ["gradient_coefficient", "positive", "is 0; got 0", "eps"], {"gradient_coefficient": lambda s, *x: s}),
    (ValueError, ["gradient_coefficient", "finite", "inf"], {"gradient_coefficient": lambda s, *x: s**-0.5}),
    (ValueError, ["gradient_coefficient", "got nan"], {"gradient_coefficient": lambda s, *x: np.sqrt(s - 0.1)}),
    (
        ValueError,
        ["boundary", "Robin", "vertex", "gradient_coefficient"],
        {"boundary": ("robin", 1.0), "centering": "cell", "gradient_coefficient": rising},
    ),
    (TypeError, ["domian", "domain"], {"reaction": cube, "domian": np.ones((5, 5), bool)}),
]


@pytest.mark.parametrize(("kind", "named", "options"), BAD, ids=ids(BAD))
def test_bad_input_is_refused(kind, named, options):
    refused(kind, named, NonlinearPoisson, (5, 5), **options)


def test_a_function_of_numpy_with_an_argument_too_few_has_no_coordinates_for_output():
    refused(TypeError, ["reaction", "2 arguments", "takes 1"], NonlinearPoisson, 5, reaction=np.exp)


RIGHT = [
    ("steep", lambda u, *x: np.sinh(1e5 * u), lambda u, *x: 1e5 * np.cosh(1e5 * u)),
    ("in float32", lambda u, *x: u.astype(np.float32) ** 3, lambda u, *x: 3 * u**2),
    ("with a kink at a sample", lambda u, *x: np.maximum(u - 0.5, 0), lambda u, *x: u > 0.5),
    ("nowhere defined at the samples", lambda u, *x: np.sqrt(-u), lambda u, *x: -0.5 / np.sqrt(-u)),
    ("with a keyword", lambda u, x, y, *, k=3: k * u, lambda u, x, y, *, k=3: k),
    ("with a default of None", lambda u, x, y=None: u, None),
]


@pytest.mark.parametrize(("name", "reaction", "derivative"), RIGHT, ids=[name for name, *_ in RIGHT])
def test_right_derivatives_and_functions_are_accepted(name, reaction, derivative):
    NonlinearPoisson((5, 5), reaction=reaction, derivative=derivative)


@pytest.mark.parametrize("function", [gradient, flux, energy])
def test_functions_of_linear_problems_refuse_it(function):
    refused(TypeError, ["problem", "pde.Poisson"], function, NonlinearPoisson((5, 5), reaction=cube), np.ones((5, 5)))


def test_it_tells_what_it_is():
    problem = NonlinearPoisson((5, 7), boundary="neumann", reaction=cube)
    words = "NonlinearPoisson(shape=(5, 7), extent=(1.0, 1.0), boundary='neumann', reaction(u, x) with its derivative "
    assert repr(problem) in (f"{words}by differences)", f"{words}by autograd)")
    assert repr(NonlinearPoisson((5, 7), boundary="neumann", reaction=cube, derivative="3*u**2")) == f"{words}given)"
    other = NonlinearPoisson(5, gradient_coefficient=lambda s, x: 1 + s, reaction="u**3")
    assert "gradient_coefficient(|grad u|^2, x) with its derivative by" in repr(other)
    assert repr(other).endswith("reaction='u**3')")
    assert problem.ndim == 2
    assert problem.control_volumes().sum() == pytest.approx(1.0, rel=100 * EPS)
