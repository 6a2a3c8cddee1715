"""Formulas: the same values as NumPy's own, and nothing but arithmetic."""

import contextlib
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pde.problem.expression import DEEPEST, FUNCTIONS, LONGEST, Expression, ExpressionError

POINTS = np.meshgrid(np.linspace(0.1, 0.9, 4), np.linspace(-2, 3, 5), indexing="ij")
NAMESPACE = {name: function for name, (function, _) in FUNCTIONS.items()} | {
    "pi": np.float64(np.pi),
    "e": np.float64(np.e),
}
LEAVES = st.sampled_from(["x", "y", "pi", "e"]) | st.floats(0, 100).map(repr) | st.integers(0, 99).map(str)


def compound(part):
    """Every kind of operation, around smaller formulas; conditions only where one is wanted."""
    binary = st.tuples(part, st.sampled_from(["+", "-", "*", "/", "**"]), part).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
    comparison = st.tuples(part, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), part).map(" ".join)
    where = st.tuples(comparison, part, part).map(lambda t: f"where({', '.join(t)})")
    calls = [
        st.tuples(st.just(name), *[part] * wanted).map(lambda t: f"{t[0]}({', '.join(t[1:])})")
        for name, (_, wanted) in FUNCTIONS.items()
        if name != "where"
    ]
    return st.one_of(binary, part.map(lambda p: f"(-{p})"), where, *calls)


FORMULAS = st.recursive(LEAVES, compound, max_leaves=12)


@settings(max_examples=300, deadline=None)
@given(FORMULAS)
def test_formulas_have_the_values_that_numpy_gives(text):
    """Python's own evaluation of the same text, its numbers being float64; where that is not finite, an error."""
    x, y = POINTS
    typed = re.sub(r"(?<![\w.])\d+(\.\d+)?(e[+-]?\d+)?", r"F(\g<0>)", text)
    with np.errstate(all="ignore"):
        expected = eval(typed, {"__builtins__": {}}, {**NAMESPACE, "x": x, "y": y, "F": np.float64})
    if np.isfinite(np.asarray(expected, dtype=float)).all():
        np.testing.assert_allclose(
            *np.broadcast_arrays(Expression(text, "xy")(x, y), np.asarray(expected, dtype=float)),
            rtol=1e-12,
            atol=1e-300,
        )
    else:
        with pytest.raises(ExpressionError, match=r"is infinite|is not a number"):
            Expression(text, "xy")(x, y)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("exp(x*y)*sin(3*pi*x)", lambda x, y: np.exp(x * y) * np.sin(3 * np.pi * x)),
        ("-x**2", lambda x, y: -(x**2)),
        ("2**-x", lambda x, y: 2.0**-x),
        (
            "where(0.2 < x < 0.6 and not y > 0 or y == 3, 1, 2)",
            lambda x, y: np.where((x > 0.2) & (x < 0.6) & (y <= 0) | (y == 3), 1, 2),
        ),
        ("where(y > 0, 1/max(y, 0.1), 0)", lambda x, y: np.where(y > 0, 1 / np.maximum(y, 0.1), 0)),
        ("where(x > 0.5, 1/(x - x), 7)*0 + 7", None),
        ("x > 0.5", lambda x, y: (x > 0.5).astype(float)),
        ("3", lambda x, y: np.float64(3)),
    ],
)
def test_known_formulas(text, expected):
    if expected is None:
        with pytest.raises(ExpressionError, match=r"'1/\(x - x\)' is infinite at x = "):
            Expression(text, "xy", "f")(*POINTS)
    else:
        np.testing.assert_allclose(Expression(text, "xy")(*POINTS), expected(*POINTS), rtol=1e-14)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "x.real",
            "x.__class__",
            "().__class__",
            "x[0]",
            "[x][0]",
            "(x, y)",
            "{x}",
            "{x: y}",
            "lambda: x",
            "lambda x: x",
        ),
        *("[x for x in y]", "(x for x in y)", "'x'", "b'x'", "f'{x}'", "x if y else 1", "x := 1", "x = 1", "x; y"),
        *(
            "import os",
            "__import__('os')",
            "eval(x)",
            "open(x)",
            "print(x)",
            "sin.__call__(x)",
            "sin(sin)(x)",
            "foo(x)",
        ),
        *("sin", "__name__", "q", "x @ y", "x // y", "x % y", "x ^ y", "x & y", "x | y", "x << 2", "~x", "x in y"),
        *(
            "x is y",
            "True",
            "None",
            "...",
            "1j",
            "1e999",
            "9" * 400,
            "9" * 5000,
            "",
            " ",
            "x y",
            "sin(x",
            "x)",
            "await x",
        ),
        *("sin()", "sin(x, y)", "sin(*x)", "sin(x=1)", "sin(**x)", "where(x, y)", "yield", "x\0", "x\ny", "z", "1 +"),
        *("(" * 300 + "x" + ")" * 300, "-" * (LONGEST - 1) + "x", "x" + "+x" * (DEEPEST + 1), "x+" * LONGEST + "x"),
        "sin(" * (DEEPEST + 1) + "x" + ")" * (DEEPEST + 1),
    ],
)
def test_everything_else_is_refused_before_anything_is_computed(text):
    with pytest.raises(ExpressionError, match=r"^f: "):
        Expression(text, "xy", "f")


@given(st.text(alphabet="xyz0189.e+-*/()<>=,'\"[]{}:_ sincoexpwr#\\\n", max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_formula_or_an_error_of_its_own_kind(text):
    with contextlib.suppress(ExpressionError):
        Expression(text, "xy")(*POINTS)


@pytest.mark.parametrize("text", ["9**9**9**9", "10**10**10", "(-8)**(1/3)", "0/0", "log(0)", "exp(exp(exp(9)))"])
def test_huge_powers_end_at_once(text):
    with pytest.raises(ExpressionError, match=r"is infinite|is not a number"):
        Expression(text, "x")(np.ones(3))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 + cosh(2) + sim(x)", r"'sim\(x\)' at column 15: unknown function \(did you mean sin\?\)"),
        ("2*xx", r"'xx' at column 3: unknown name; there are x, y, pi, e \(did you mean x\?\)"),
        ("1 + x^2", r"'x\^2' at column 5: .* powers are written x\*\*2|'1 \+ x\^2' at column 1: .* x\*\*2"),
        ("1 + 1/(y - y)", r"'1/\(y - y\)' is infinite at x = 0.1, y = -2"),
        ("x + * y", r"is no formula: .* at column 5"),
    ],
)
def test_errors_show_the_piece(text, words):
    with pytest.raises(ExpressionError, match=words):
        Expression(text, "xy")(*POINTS)


def test_as_many_coordinates_as_names():
    with pytest.raises(TypeError, match="wants 2 coordinates"):
        Expression("x", "xy", "f")(POINTS[0])
    assert repr(Expression("x + 1")) == "Expression('x + 1')"


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("abs(" * 150 + "1/(x-x)" + ")" * 150, "1/(x-x)"),
        ("abs(x) + " * 190 + "abs(log(x - 9))", "log(x - 9)"),
        ("where(abs(x) > 2, 1/abs(x-x), abs(x)) + exp(abs(x)*1e9)", "exp(abs(x)*1e9)"),
    ],
)
def test_every_piece_of_a_formula_without_a_finite_value_is_computed_twice_at_most(text, piece, monkeypatch):
    calls = []
    monkeypatch.setitem(FUNCTIONS, "abs", (lambda v: calls.append(1) or np.abs(v), 1))
    with pytest.raises(ExpressionError) as caught:
        Expression(text, ("x",))(np.array([0.5, 1.0]))
    assert f"'{piece}' is " in str(caught.value)
    assert len(calls) <= 2 * text.count("abs")
