"""FASCD levels: the full approximation scheme with constraint decomposition, for lower <= u <= upper.

Bueler and Farrell (2023). A cycle on them keeps every iterate between the bounds: the room that an iterate w has to a
bound is divided among the grids. The defect obstacle chi = lower - w <= 0 goes to the coarser grid by monotone
injection, so that its prolongation is not below chi; on the way down u may fall by what is left, phi = chi - P chi_c,
and the coarse grid may lower its own iterate by chi_c.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from mgcore import Level
from pde.levels.black_box import through_points
from pde.levels.interpolation_1d import as_weights, linear_matrix
from pde.levels.nonlinear import Average
from pde.levels.projected import (
    ActiveSets,
    ProjectedGaussSeidel,
    ProjectedNewtonGaussSeidel,
    complementarity,
    diagonal,
)
from pde.levels.transfers import TRANSFERS, BilinearTransfer
from pde.problem.grid import Array, Grid
from pde.problem.nonlinear_operator import NonlinearOperator

Bounds = tuple[Array, Array]
"""The lower and the upper bound of u, infinite where there is none."""

OVER_RELAXATION = {1: 1.5, 2: 1.6, 3: 1.6}
"""The relaxation parameter by the number of axes. Near a bound coarse grids have little room, and it is left to sweeps:
on 511^2 a V(2,2)-cycle takes 0.31 to 0.43 with it, and 0.68 to 0.72 with 1."""


class Bounded(NamedTuple):
    """The iterate u, the data f, the bounds of u, and the defect obstacles that the next coarser level starts with."""

    u: Array
    f: Array
    lower: Array
    upper: Array
    defects: tuple[Array, Array] | None = None


@dataclass(frozen=True)
class ConstrainedLevel:
    """The moves of a `Level` between bounds; its sweeps are (u, f, lower, upper) -> u.

    Args:
        level: with A, R, P, and Pi, the injection.
        lower, upper: the bounds of a cycle that starts on this level.
        monotone: (chi, np.maximum or np.minimum): the largest or smallest chi at the points that P leads to from each
            coarse one. None on the coarsest level.
    """

    level: Level
    lower: Array
    upper: Array
    monotone: MonotoneInjection | None = None

    def start(self, f: Array, u: Array | None = None) -> Bounded:
        zero = self.level.zero or np.zeros_like
        u = zero(f) if u is None else u
        lower, upper = (np.broadcast_to(bound, f.shape) for bound in (self.lower, self.upper))
        return Bounded(np.clip(u, lower, upper), f, lower, upper)

    def start_from_residual(self, r: Array, u: Array | None) -> Bounded:
        u = self.start(r, u).u
        return self.start(r + self.level.A(u), u)

    def smooth(self, state: Bounded) -> Bounded:
        u, _, lower, upper, _ = state
        if self.monotone is None:
            return _swept(state, self.level.B)
        chi = lower - u, upper - u
        defects = self.monotone(chi[0], np.maximum), self.monotone(chi[1], np.minimum)
        below, above = (self._prolonged(each) for each in defects)
        narrow = state._replace(lower=np.minimum(lower - below, u), upper=np.maximum(upper - above, u))  # w + phi
        return _swept(narrow, self.level.B)._replace(lower=lower, upper=upper, defects=defects)

    def restrict(self, state: Bounded, coarse: Any) -> Bounded:
        level = self.level
        assert level.R is not None
        assert level.Pi is not None
        assert state.defects is not None
        u0 = level.Pi(state.u)  # (6.5)
        f = level.R(state.f - level.A(state.u)) + coarse.level.A(u0)  # (6.6)
        return Bounded(u0, f, u0 + state.defects[0], u0 + state.defects[1])

    def correct(self, state: Bounded, coarse: Any, before: Bounded, after: Bounded, *, post: bool = True) -> Bounded:
        assert self.level.P is not None
        u = state.u + self.level.P(coarse.change(before, after), state.u)  # (6.15); between the bounds but for rounding
        state = state._replace(u=np.clip(u, state.lower, state.upper))
        return _swept(state, self.level.B_post) if post else state  # (6.16)

    def residual(self, state: Bounded) -> Array:
        """The part of the problem that is left, zero at its solution, where f - A(u) is not."""
        A, u = self.level.A, state.u
        return complementarity(state.f - A(u), diagonal(A, u), u, state.lower, state.upper)

    def change(self, before: Bounded, after: Bounded) -> Array:
        return after.u - before.u

    def feature(self, state: Bounded) -> Array:
        return state.u

    def data(self, state: Bounded) -> Array:
        return state.f

    def _prolonged(self, chi: Array) -> Array:
        """P chi; where no finite chi leads to, there is no bound."""
        assert self.level.P is not None
        finite = np.where(np.isfinite(chi), chi, chi.dtype.type(0))
        return self.level.P(finite, finite)


@dataclass(frozen=True, eq=False)
class MonotoneInjection:
    """The largest values, or the smallest, around the coarse points: over 3 x 3 vertices, or the cells that P reaches.

    Args:
        steps: (axis from behind, for each coarse point the fine ones that P leads to); None for the axis: all of them.
        shape: of the coarse grid.
    """

    steps: Sequence[tuple[int | None, Array]]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, P: Any, fine: Grid) -> MonotoneInjection:
        """The injection for a prolongation whose weights are positive and sum to 1 at most."""
        if not isinstance(P, BilinearTransfer):
            return cls([(None, _reached(P.matrix()))], P.coarse.shape)
        pairs = enumerate(zip(fine.axes, P.coarse.axes, strict=True))
        along = [(a, linear_matrix(f, c, *P.diffusion[a : a + 1])) for a, (f, c) in pairs if P.which[a]]
        return cls([(a - fine.ndim, _reached(M)) for a, M in along], P.coarse.shape)

    def __call__(self, chi: Array, largest: Any) -> Array:
        batch = chi.shape[: chi.ndim - len(self.shape)]
        for axis, reached in self.steps:
            if axis is None:
                chi, axis = chi.reshape(*batch, -1), -1
            found = np.take(chi, reached[0], axis)
            for i in reached[1:]:
                largest(found, np.take(chi, i, axis), out=found)
            chi = found
        return chi.reshape(*batch, *self.shape)


def _reached(P: Any) -> Array:
    """(k, coarse): for each column of P its rows, repeated where there are fewer than k."""
    rows, weights = as_weights(P.T.tocsr())
    return np.where(weights == 0, rows[0], rows)


def constrained_levels(
    levels: Sequence[Level], bounds: Sequence[Bounds], nu: tuple[int, int], omega: float | None = None
) -> list[ConstrainedLevel]:
    """Levels of the full approximation scheme, or of a linear hierarchy, between the bounds of each.

    Args:
        bounds: (lower, upper) of each level, which cycles that start there have.
        nu: sweeps before and after the correction.
        omega: relaxation parameter; None takes `OVER_RELAXATION`.
    """
    return [_constrained(level, *pair, nu, omega) for level, pair in zip(levels, bounds, strict=True)]


def injected(level: Level, bounds: Bounds) -> Bounds:
    """The bounds of the next coarser grid, where full multigrid begins: infinite where one that it takes is."""
    Pi = _injection(level)

    def inject(bound: Array, none: float) -> Array:
        missing = np.isinf(bound)
        size = Pi(np.where(missing, bound.dtype.type(0), bound))
        return np.where(Pi(missing.astype(bound.dtype)) > 0, bound.dtype.type(none), size)

    return inject(bounds[0], -np.inf), inject(bounds[1], np.inf)


def _injection(level: Level) -> Average:
    """Pi of a level: u at the coarse points, which may be centres of cells, or its means over merged cells."""
    fine, P = level.info.grid, level.info.to_coarse
    which = tuple(f.n != c.n for f, c in zip(fine.axes, P.coarse.axes, strict=True))
    return Average(fine if isinstance(P, tuple(TRANSFERS.values())) else through_points(fine, which), which)


def _constrained(
    level: Level, lower: Array, upper: Array, nu: tuple[int, int], omega: float | None
) -> ConstrainedLevel:
    A, (pre, post) = level.A, nu
    isotropic, axes = A.grid.is_isotropic(A.terms.typical), sum(n > 1 for n in A.grid.shape)
    most = OVER_RELAXATION[max(1, axes)] if isotropic else 1.0
    newton = isinstance(A, NonlinearOperator)
    sweep: Any = ProjectedNewtonGaussSeidel(A, omega, most) if newton else ProjectedGaussSeidel(A, omega or most)
    if level.P is None:
        return ConstrainedLevel(replace(level, B=[ActiveSets(sweep)]), lower, upper)
    sweeps = replace(level, B=[sweep] * pre, B_post=[sweep] * post, Pi=_injection(level))
    return ConstrainedLevel(sweeps, lower, upper, MonotoneInjection.of(level.info.to_coarse, level.info.grid))


def _swept(state: Bounded, B: Sequence[Any]) -> Bounded:
    """The state after sweeps that need u and its bounds."""
    for sweep in B:
        state = state._replace(u=sweep(state.u, state.f, state.lower, state.upper))
    return state
