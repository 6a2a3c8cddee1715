"""Nonlinear problems of every kind, drawn by hypothesis, and their laws."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import pde
from pde import NonlinearPoisson

ENDS = ["dirichlet", "neumann", ("robin", 2.0)]
CUBE = (lambda u, *x: 20 * u**3, lambda u, *x: 60 * u**2)
REACTIONS = {
    "cube": CUBE,
    "sinh, differences": (lambda u, *x: 5 * np.sinh(u), None),
    "by place": (lambda u, *x: (1 + x[0]) * u * np.exp(u), lambda u, *x: (1 + x[0]) * (1 + u) * np.exp(u)),
}

COEFFICIENTS: dict[str, dict[str, Any]] = {
    "one": {},
    "two": {"coefficient": 2.0},
    "of u": {"coefficient": lambda u, *x: 1 + u**2 + x[0] / 2},
    "rising": {"gradient_coefficient": lambda s, *x: (1 + x[0] / 2) * (1 + s) ** 0.5, "coefficient": 1.5},
    "falling": {"gradient_coefficient": lambda s, *x: (1 + s) ** -0.5},
}


@st.composite
def sides(draw: Any, ends: Any = tuple(ENDS)) -> Any:
    """(shape, boundary, centering) of a small box in one to three dimensions."""
    ndim = draw(st.sampled_from([1, 2, 2, 3]))
    boundary = [
        "periodic" if draw(st.integers(0, 3)) == 0 else (draw(st.sampled_from(ends)), draw(st.sampled_from(ends)))
        for _ in range(ndim)
    ]
    shape = [draw(st.integers(4, (60, 18, 9)[ndim - 1])) for _ in range(ndim)]
    return shape, boundary, draw(st.sampled_from(["vertex", "cell"]))


@st.composite
def problems(draw: Any, kind: str | None = None) -> pde.NonlinearPoisson:
    """Problems with reactions of every kind, and a number, a(u) or a(|grad u|^2), or that `kind` of COEFFICIENTS."""
    terms = COEFFICIENTS[draw(st.sampled_from(list(COEFFICIENTS))) if kind is None else kind]
    number = all(not callable(a) for a in terms.values())
    shape, boundary, centering = draw(sides())
    if not number and any(end[0] == "robin" for pair in boundary for end in pair):
        centering = "vertex"
    reaction, derivative = REACTIONS[draw(st.sampled_from(list(REACTIONS)))]
    return pde.NonlinearPoisson(
        shape, boundary=boundary, centering=centering, reaction=reaction, derivative=derivative, **terms
    )


def given_sides(problem: Any, rng: Any) -> Any:
    """Random data of all sides of a problem."""
    return {
        (a, s): rng.uniform(-1, 1, [n for b, n in enumerate(problem.shape) if b != a])
        for a, pair in enumerate(problem.boundary)
        for s in (0, 1)
        if pair[0].kind != "periodic"
    }


def bratu(shape, strength=1.0, **options):
    law = {"reaction": lambda u, *x: -strength * np.exp(u), "derivative": lambda u, *x: -strength * np.exp(u)}
    return NonlinearPoisson(shape, **law, **options)


def cubic(u, *x):
    return 100 * u**3


def liouville(x, y):
    r2 = (x + 1) ** 2 + (y + 1) ** 2
    return np.log(32 * r2 / (1 + r2**2) ** 2)
