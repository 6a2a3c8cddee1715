"""Bounds that are refused, by name."""

from __future__ import annotations

import numpy as np
import pytest

import pde

WRONG = [
    ({"lower": 1.0, "upper": 0.5}, ValueError, r"lower must not be above upper; at index \(0, 0\)"),
    ({"lower": np.zeros((3, 3))}, ValueError, r"lower must be a number, a callable, or an array of shape \(8, 9\)"),
    ({"upper": np.full((8, 9), np.nan)}, ValueError, r"upper must be a number or inf \(no bound\).*got nan at index"),
    ({"lower": np.inf}, ValueError, "lower must be a number or -inf"),
    ({"lower": lambda x: x}, TypeError, "lower: the callable must take 2 arguments"),
    ({"lower": 1j}, TypeError, "lower must hold real numbers"),
    ({"upper": lambda x, y: np.zeros(5)}, ValueError, "upper: the callable must return an array"),
    ({"lower": 0.5}, ValueError, r"lower: obstacles against boundary values: side \(0, 0\) holds u = 0"),
    ({"upper": lambda x, y: x - 0.5}, ValueError, r"upper: obstacles against boundary values: side \(0, 0\)"),
    ({"lower": -1.0, "accel": "cg"}, ValueError, "accel must be None, 'none' or 'auto' with bounds"),
    ({"lower": -1.0, "method": "newton"}, ValueError, "method must be one of 'auto', .*'active set'"),
    ({"method": "active set"}, ValueError, "method must be one of 'auto'"),
    ({"lower": -1.0, "f": 1j}, TypeError, "bounds are not for complex f"),
    ({"lower": -1.0, "f": np.full((8, 9), np.nan)}, ValueError, "f must be finite"),
]


@pytest.mark.parametrize(("options", "error", "match"), WRONG)
def test_bounds_that_are_wrong(options, error, match, no_work):
    with pytest.raises(error, match=match):
        pde.Multigrid(pde.Poisson((8, 9))).solve(**{"f": 1.0, **options})


@pytest.mark.parametrize(
    "options",
    [{"order": 4}, {"boundary": "open"}, {"coefficient": [[2.0, 0.5], [0.5, 1.0]]}, {"reaction": -1e3}],
)
def test_problems_that_have_no_bounds(options):
    with pytest.raises(ValueError, match="lower, upper: bounds are not for"):
        pde.Multigrid(pde.Poisson((9, 9), **options)).solve(0.0, lower=-1.0)


def test_closed_faces_have_none():
    insulated = pde.Poisson((9, 9), domain=lambda x, y: x + y < 1.2, walls="neumann")
    with pytest.raises(ValueError, match="lower, upper: bounds are not for"):
        pde.Multigrid(insulated).solve(0.0, lower=-1.0)


def test_a_failure_is_told():
    solution = pde.Multigrid(pde.Poisson((31, 31))).solve(-9.0, lower=-0.2, max_cycles=1, rtol=1e-13)
    assert not solution.converged
    assert solution.reason == "max_cycles"
