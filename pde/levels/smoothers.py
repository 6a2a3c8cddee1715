"""Smoothers as the operators B of u <- u + B(f - A u); each is one sweep from zero on A d = r."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mgcore import chebyshev, chebyshev_weights, single_step
from mgcore.iteration import Iterate
from pde.levels.line_smoothers import Lexicographic, Zebra, alternating_zebra
from pde.problem.grid import Array, Grid
from pde.problem.operators import Operator

Make = Callable[[Operator, float], Any]


@dataclass(frozen=True, eq=False)
class PointSmoother:
    """One sweep d = B r from d = 0 with the operator A, which `to` replaces by its copy on another device."""

    A: Any
    omega: float

    def adjoint(self) -> Any:
        """The adjoint sweep in the inner product of control volumes: the unknowns in the opposite order."""
        return self

    def to(self, device: Any, dtype: Any, A: Any = None) -> Any:
        """The same sweep on tensors of a device (None: on arrays); A is its operator there, if it has been made."""
        return replace(self, A=self.A.to(device, dtype) if A is None else A)


@dataclass(frozen=True, eq=False)
class Jacobi(PointSmoother):
    """Damped Jacobi S_0 = omega D^-1 (5.6), or two steps of it as one (5.7): S_1 = S_0 + S_0 (I - A S_0)."""

    steps: int = 1

    def __call__(self, r: Array) -> Array:
        weight = self.omega / self.A.diagonal
        d = weight * r
        for _ in range(1, self.steps):
            d = d + weight * (r - self.A(d))
        return d


@dataclass(frozen=True, eq=False)
class RedBlack(PointSmoother):
    """Red-black Gauss-Seidel, SOR with omega > 1; a 3^d-point operator takes 2^d colours instead of two."""

    reverse: bool = False

    def __call__(self, r: Array) -> Array:
        return self.A.coloured_sweep(r, self.omega, self.reverse)

    def adjoint(self) -> RedBlack:
        return replace(self, reverse=not self.reverse)


def _lines(axis: int) -> Make:
    return lambda A, omega: Zebra(A, omega, (axis,))


def _planes(axis: int) -> Make:
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


SMOOTHERS: dict[str, Make] = {
    "jacobi": Jacobi,
    "two-step jacobi": lambda A, omega: Jacobi(A, omega, steps=2),
    "chebyshev": Jacobi,
    "red-black": RedBlack,
    "sor": RedBlack,
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
    "chebyshev": {1: 2 / (2 + 2 / 2), 2: 2 / (2 + 2 / 4), 3: 2 / (2 + 2 / 6)},
}
"""The relaxation parameter that suits each smoother, by the number of equally strong axes; 1 for those not named."""

OVER_RELAXATION = {1: (1.0,), 2: (1.15, 1.17, 1.19, 1.2), 3: (1.2, 1.26, 1.28, 1.3)}
"""The same of "sor" for two sweeps per cycle, three, ...; the last is for more.

Fourier analysis (`Analysis.best_omega`) has the smallest factors of V(1,1), V(2,1), V(2,2), V(3,2), V(4,4) with 1.151,
1.173, 1.189, 1.198, 1.206 in two dimensions and 1.191, 1.270, 1.279, 1.294, 1.307 in three.
"""

CHEBYSHEV_RATIO = {1: 2.0, 2: 4.0, 3: 6.0}
"""Chebyshev sweeps (3.23) damp the eigenvalues of D^-1 A from 2 / ratio to 2; the rest is the coarse grids' task."""

SWEEPS_PER_STEP = {"two-step jacobi": 2}
"""Sweeps that one step of a smoother stands for; "zebra" makes one per axis."""


def make_smoother(name: str, A: Operator, omega: float | None, nu: tuple[int, int]) -> Any:
    """The smoother `name` for A in cycles with nu sweeps; omega None takes what suits them, see `RELAXATION`."""
    if omega is None and name == "sor":
        omega = over_relaxation(A, nu, OVER_RELAXATION)
    if omega is None:
        omega = RELAXATION.get(name, {}).get(_active_axes(A), 1.0)
    return SMOOTHERS[name](A, omega)


def over_relaxation(A: Operator, nu: tuple[int, int], table: Mapping[int, tuple[float, ...]]) -> float:
    """The relaxation parameter of "sor" in a table such as `OVER_RELAXATION`; 1 where A is anisotropic."""
    if not A.grid.is_isotropic(A.terms.typical):
        return 1.0
    by_sweeps = table.get(_active_axes(A), (1.0,))
    return by_sweeps[min(max(sum(nu), 2), len(by_sweeps) + 1) - 2]


def _active_axes(A: Operator) -> int:
    return max(1, sum(n > 1 for n in A.grid.shape))


def iteration(name: str, grid: Grid, sweeps: int) -> Iterate:
    """Combine the sweeps by the Chebyshev semi-iteration for "chebyshev", one by one for the others."""
    if name != "chebyshev" or sweeps == 0:
        return single_step
    ratio = CHEBYSHEV_RATIO[max(1, sum(n > 1 for n in grid.shape))]
    return chebyshev(chebyshev_weights(sweeps, (ratio - 1) / (ratio + 1)))


def without_over_relaxation(B: Any) -> Any:
    """The sweep for cycles with adjoint post-smoothing: between adjoint coloured sweeps omega > 1 gains nothing."""
    return replace(B, omega=min(1.0, B.omega)) if isinstance(B, RedBlack) else B
