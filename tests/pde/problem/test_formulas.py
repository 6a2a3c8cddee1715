"""Formulas of u: values and derivatives against differences, and against functions with derivatives given."""

import re

import numpy as np
import pytest

from pde import Multigrid, NonlinearPoisson
from pde.problem.expression import CONSTANTS, FUNCTIONS, Expression
from pde.problem.formulas import Formula

U, X = np.linspace(0.15, 0.87, 8), np.linspace(0.9, 0.2, 8)
ARGUMENTS = {
    1: "(0.2 + u*x + u**2/2)",
    2: "(1.1*u + x, 2.3*u**2 - x)",
    3: "(u < 0.5 or u > 0.8, u**3 + x, exp(u))",
}
FORMULAS = [f"{name}{ARGUMENTS[count]}" for name, (_, count) in FUNCTIONS.items() if "cosh" not in name]
FORMULAS += ["cosh(u)", "arccosh(2 + u)", "acosh(2 + u)", "u**3 - exp(x)*u", "-exp(u)", "u/(1 + u**2)", "(1 + u)/x - u"]
FORMULAS += ["u**x", "x**u", "u**u", "u**2.7", "(1 + u)**-0.5", "(1 + u)**-3", "u**0 - 2*u", "u**20", "pi*u + e", "7"]
FORMULAS += ["(u > 0.31)*u", "-(u > x) + u", "not u > 2", "(u > 0.2) + (u > 0.3) + u", "where(x > 2, log(-u), u)"]


@pytest.mark.parametrize("text", FORMULAS)
def test_derivatives_are_those_of_the_formula(text):
    """By central differences of step t; their error is t^2/6 times a third derivative, below 6000 here."""
    formula, t = Formula(text, ("u", "x"), "reaction"), 1e-5
    with np.errstate(invalid="ignore"):
        (values, slopes), alone = formula.with_slope(U, X), formula(U, X)
        found = (formula(U + t, X) - formula(U - t, X)) / (2 * t)
    assert np.max(abs(slopes - found)) <= 1000 * t**2 + 1e-10  # rounding of differences: eps/t times values below 5
    assert np.array_equal(np.broadcast_to(values, 8), np.broadcast_to(alone, 8))


@pytest.mark.parametrize("text", [each for each in FORMULAS if " + (u > 0.3)" not in each and "-(u" not in each])
def test_values_are_those_of_the_expression(text):
    """But for rounding: powers are products here."""
    with np.errstate(invalid="ignore"):
        found = Formula(text, ("u", "x"), "c")(U, X)
    np.testing.assert_allclose(found, Expression(text, ("u", "x"))(U, X), rtol=1e-13)


def test_nothing_is_computed_twice_and_float32_stays():
    calls = []
    formula = Formula("-6.5*exp(u)", ("u", "x"), "reaction")
    spied = np.frompyfunc(lambda v: calls.append(v) or np.exp(v), 1, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FUNCTIONS, "exp", (spied, 1))
        one = Formula("-6.5*exp(u)", ("u", "x"), "reaction")
    one(np.zeros(3), np.zeros(3))
    assert len(calls) == 3
    value, slope = formula.with_slope(U.astype(np.float32), X.astype(np.float32))
    assert value is slope
    assert value.dtype == np.float32


def test_what_does_not_depend_on_u_has_no_slope():
    assert Formula("x*exp(x)", ("u", "x"), "reaction").with_slope(U, X)[1] == 0
    assert set(CONSTANTS) == {"pi", "e"}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_roots_have_finite_slopes_where_powers_of_zero_meet_them(dtype):
    """Products of 0 and an infinite derivative of a root were NaN, and a solve that begins with u = 0 ended there."""
    for text in ("u**1.5", "(u**2)**0.75", "sqrt(u**2)", "abs(u)**0.3", "hypot(u, x)", "cbrt(u**4)", "u**x"):
        with np.errstate(all="ignore"):  # as laws do
            _, slopes = Formula(text, ("u", "x"), "reaction").with_slope(np.zeros(2, dtype), np.zeros(2))
        assert (np.asarray(slopes) == 0).all(), text
    assert (
        Multigrid(NonlinearPoisson((9, 9), reaction="abs(u)**1.5*sign(u)"), dtype=dtype).solve(5.0, rtol=1e-4).converged
    )


def test_a_solve_with_formulas_is_that_with_functions():
    """The derivative by hand: the same steps but for rounding, which cycles do not amplify."""
    by_text = NonlinearPoisson((20, 17), reaction="x*u**3 - 2*u", gradient_coefficient="(1 + s)**0.5")
    by_hand = NonlinearPoisson(
        (20, 17),
        reaction=lambda u, x, y: x * u**3 - 2 * u,
        derivative=lambda u, x, y: 3 * x * u**2 - 2,
        gradient_coefficient=lambda s, x, y: (1 + s) ** 0.5,
    )
    one, other = (Multigrid(each).solve(lambda x, y: 50 * x, rtol=1e-10) for each in (by_text, by_hand))
    assert one.converged
    assert one.cycles == other.cycles
    assert abs(one.u - other.u).max() <= 1e-8 * abs(one.u).max()  # both are at rtol of the discrete solution


@pytest.mark.parametrize(
    ("named", "options"),
    [
        (["reaction: 'v'", "u, x, y"], {"reaction": "v"}),
        (["reaction", "z"], {"reaction": "u*z"}),
        (["gradient_coefficient: 'u'", "s, x, y"], {"gradient_coefficient": "1 + u"}),
        (["derivative: '__import__(1)'"], {"reaction": "u**3", "derivative": "__import__(1)"}),
        (["derivative", "reaction", "-0.75"], {"reaction": lambda u, x, y: u**3, "derivative": "-3*u**2"}),
        (["derivative", "reaction", "0.75"], {"reaction": "u**3", "derivative": "u"}),
        (["coefficient", "x**2"], {"coefficient": "1 + u^2"}),
    ],
)
def test_wrong_formulas_are_named(named, options):
    with pytest.raises(ValueError, match=re.escape(named[0])) as caught:
        NonlinearPoisson((5, 5), **options)
    assert all(word in str(caught.value) for word in named)
