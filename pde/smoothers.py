"""Smoothers as the operators B of u <- u + B(f - A u); each is one sweep from zero on A d = r."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pde.grid import Array
from pde.operators import Operator

Smoother = Callable[[Array], Array]


def jacobi(A: Operator, omega: float, r: Array) -> Array:
    """Damped Jacobi S_0 (5.6): omega D^-1 r."""
    return (omega / A.diagonal) * r


def two_step_jacobi(A: Operator, omega: float, r: Array) -> Array:
    """Two Jacobi steps as one (5.7): S_1 = S_0 + S_0 (I - A S_0)."""
    d = jacobi(A, omega, r)
    return d + jacobi(A, omega, r - A(d))


def red_black(A: Operator, omega: float, r: Array, reverse: bool = False) -> Array:
    """One red-black Gauss-Seidel sweep; omega > 1 is SOR. A 3^d-point operator takes 2^d colours instead of two."""
    return A.coloured_sweep(r, omega, reverse)


SMOOTHERS: dict[str, Callable[[Operator, float, Array], Array]] = {
    "jacobi": jacobi,
    "two-step jacobi": two_step_jacobi,
    "red-black": red_black,
    "sor": red_black,
}
RELAXATION = {
    "jacobi": {1: 2 / 3, 2: 0.8, 3: 6 / 7},
    "two-step jacobi": {1: 2 / 3, 2: 0.8, 3: 6 / 7},
    "red-black": {1: 1.0, 2: 1.0, 3: 1.0},
    "sor": {1: 1.0, 2: 1.15, 3: 1.2},
}
"""The relaxation parameter that suits each smoother, by the number of equally strong axes."""

SWEEPS_PER_STEP = {"two-step jacobi": 2}


def make_smoother(name: str, A: Operator, omega: float | None) -> Smoother:
    """The smoother `name` for A; omega None takes `RELAXATION`, without over-relaxation where A is anisotropic."""
    if omega is None:
        axes = max(1, sum(n > 1 for n in A.grid.shape))
        omega = RELAXATION[name][axes]
        if name == "sor" and not A.grid.is_isotropic(A.terms.typical):
            omega = 1.0
    return partial(SMOOTHERS[name], A, omega)


def adjoint(B: Smoother) -> Smoother:
    """The adjoint of a smoother in the inner product of control volumes: the colours in the opposite order."""
    if isinstance(B, partial) and B.func is red_black:
        A, omega = B.args
        return partial(red_black, A, omega, reverse=not B.keywords.get("reverse", False))
    return B
