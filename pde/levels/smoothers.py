"""Smoothers as the operators B of u <- u + B(f - A u); each is one sweep from zero on A d = r."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mgcore import chebyshev, chebyshev_weights, single_step
from mgcore.iteration import Iterate
from pde.levels.line_smoothers import Lexicographic, Zebra, alternating_zebra
from pde.problem.grid import Array, Grid
from pde.problem.operators import Operator

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


def _lines(axis: int) -> Callable[[Operator, float], Smoother]:
    return lambda A, omega: Zebra(A, omega, (axis,))


def _planes(axis: int) -> Callable[[Operator, float], Smoother]:
    return lambda A, omega: Zebra(A, omega, tuple(a for a in range(A.grid.ndim) if a != axis))


def axis_of(name: str, grid: Grid) -> int | None:
    """The axis that a smoother's name ends with.

    Raises:
        ValueError: the grid has no such axis.
    """
    axis = int(name[-1]) if name[-1].isdigit() else None
    if axis is not None and axis >= grid.ndim:
        raise ValueError(f"smoother {name!r} needs an axis {axis}; the grid has shape {grid.shape}")
    return axis


SMOOTHERS: dict[str, Callable[[Operator, float], Smoother]] = {
    "jacobi": partial(partial, jacobi),
    "two-step jacobi": partial(partial, two_step_jacobi),
    "chebyshev": partial(partial, jacobi),
    "red-black": partial(partial, red_black),
    "sor": partial(partial, red_black),
    "gauss-seidel": Lexicographic,
    "zebra": alternating_zebra,
    **{f"zebra {axis}": _lines(axis) for axis in range(3)},
    **{f"planes {axis}": _planes(axis) for axis in range(3)},
}
"""name -> make(A, omega) -> B."""

RELAXATION = {
    "jacobi": {1: 2 / 3, 2: 0.8, 3: 6 / 7},
    "two-step jacobi": {1: 2 / 3, 2: 0.8, 3: 6 / 7},
    "red-black": {1: 1.0, 2: 1.0, 3: 1.0},
    "sor": {1: 1.0, 2: 1.15, 3: 1.2},
    "chebyshev": {1: 2 / (2 + 2 / 2), 2: 2 / (2 + 2 / 4), 3: 2 / (2 + 2 / 6)},
}
"""The relaxation parameter that suits each smoother, by the number of equally strong axes; 1 for those not named."""

CHEBYSHEV_RATIO = {1: 2.0, 2: 4.0, 3: 6.0}
"""Chebyshev sweeps (3.23) damp the eigenvalues of D^-1 A from 2 / ratio to 2; the rest is the coarse grids' task."""

SWEEPS_PER_STEP = {"two-step jacobi": 2}
"""Sweeps that one step of a smoother stands for; "zebra" makes one per axis."""


def make_smoother(name: str, A: Operator, omega: float | None) -> Smoother:
    """The smoother `name` for A; omega None takes `RELAXATION`, without over-relaxation where A is anisotropic."""
    if omega is None:
        axes = max(1, sum(n > 1 for n in A.grid.shape))
        omega = RELAXATION.get(name, {}).get(axes, 1.0)
        if name == "sor" and not A.grid.is_isotropic(A.terms.typical):
            omega = 1.0
    return SMOOTHERS[name](A, omega)


def iteration(name: str, grid: Grid, sweeps: int) -> Iterate:
    """How the sweeps are combined: the Chebyshev semi-iteration for "chebyshev", one by one for the others."""
    if name != "chebyshev" or sweeps == 0:
        return single_step
    ratio = CHEBYSHEV_RATIO[max(1, sum(n > 1 for n in grid.shape))]
    return chebyshev(chebyshev_weights(sweeps, (ratio - 1) / (ratio + 1)))


def symmetric_pair(B: Smoother) -> tuple[Smoother, Smoother]:
    """A smoother and its adjoint in the inner product of control volumes: the order of the unknowns is turned around.

    Over-relaxation of red and black is left out: between adjoint sweeps it gains nothing.
    """
    if isinstance(B, partial) and B.func is red_black:
        A, omega = B.args
        return partial(red_black, A, min(1.0, omega)), partial(red_black, A, min(1.0, omega), reverse=True)
    return B, B.adjoint() if hasattr(B, "adjoint") else B
