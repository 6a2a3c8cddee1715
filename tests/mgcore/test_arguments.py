"""Checks of plain arguments: what is allowed comes back, the rest is named."""

import math
from fractions import Fraction

import pytest

from mgcore.common.arguments import Keywords, integer, nearest, number, shown, suggestion


@pytest.mark.parametrize("value", [0, 1, 10**30])
def test_integers(value):
    assert integer("n", value, 0) == value


@pytest.mark.parametrize(
    ("value", "kind"), [(True, TypeError), (1.0, TypeError), ("1", TypeError), (None, TypeError), (-1, ValueError)]
)
def test_no_integers(value, kind):
    with pytest.raises(kind, match=r"^n must be an integer >= 0; got "):
        integer("n", value, 0)


def test_numbers():
    assert number("t", Fraction(1, 2)) == 0.5
    assert number("t", math.inf, 0) == math.inf
    assert math.isnan(number("t", math.nan))
    for least, below, finite, value, allowed in (
        (0, math.inf, False, math.nan, "a number >= 0"),
        (0, math.inf, True, math.inf, "a number >= 0"),
        (0, 1, False, 1, r"a number in \[0, 1\)"),
        (0, 1, False, -0.1, r"a number in \[0, 1\)"),
    ):
        with pytest.raises(ValueError, match=rf"^t must be {allowed}; got {value}"):
            number("t", value, least, below, finite=finite)
    for value in (True, "1", None, 1j):
        with pytest.raises(TypeError, match=r"^t must be a real number; got "):
            number("t", value)
    with pytest.raises(ValueError, match=r"^t must fit into float64; got 1000"):
        number("t", 10**400)


def test_values_are_shown_in_one_line():
    assert "\n" not in shown("a\nb" * 1000)
    assert len(shown("a" * 1000)) < 210


def test_names_that_are_near():
    known = ("batch", "epochs", "Data")
    assert nearest("BATCH", known) == "batch"
    assert nearest("bs", known, {"bs": "batch"}) == "batch"
    assert nearest("data", known) == "Data"
    assert nearest("xyz", known) is None
    assert suggestion("epoch", known) == "; did you mean 'epochs'?"
    assert suggestion("xyz", known) == ""


def test_keywords():
    check = Keywords("nets.common")

    @check
    def train(model, *, batch=1):
        return model, batch

    @check
    def load(name, size=None):
        return name, size

    assert train(1, batch=2) == (1, 2)
    with pytest.raises(TypeError, match=r"train has no argument 'batch_size'; did you mean 'batch'.; it takes b"):
        train(1, batch_size=2)
    with pytest.raises(TypeError, match=r"'size' is an argument of .*load"):
        train(1, size=2)
