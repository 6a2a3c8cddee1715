"""The levels of the full approximation scheme: nonlinear operators, injection, Newton-Gauss-Seidel sweeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from mgcore import Level, relaxation
from pde.levels.coarse_coefficients import at_coarse_points, coarse_terms
from pde.levels.cubic_interpolation import CubicInterpolation, coarsen_sides
from pde.levels.hierarchy import COARSEST_SIZE, Choices, Hierarchy, LevelInfo
from pde.levels.newton import Newton, NewtonGaussSeidel
from pde.levels.transfers import BilinearTransfer
from pde.problem.coefficients import DomainTerms, Terms
from pde.problem.grid import Array, Grid, Sides
from pde.problem.inner_product import Volumes
from pde.problem.lifting import lifting
from pde.problem.nonlinear_operator import MORE, Laws, NonlinearOperator

COARSEST = 300
"""Unknowns of the coarsest grid at most, if no number of levels is asked for: it is to have a solution wherever the
finest has one, near a fold too, and a Newton step costs a millisecond."""

LARGEST = 3000
"""The same where a number of levels is asked for."""

OUT_OF_SIZE = 1e12
"""A first guess with the boundary data whose residual is so many times that of 0 is left for 0."""

OVER_RELAXATION = {1: 1.0, 2: 1.15, 3: 1.2}
"""The relaxation parameter by the number of axes where the nonlinearity is weak."""


@dataclass(frozen=True)
class Average:
    """Pi: u at the points that stay, or its means over merged cells."""

    grid: Grid
    which: tuple[bool, ...]

    def __call__(self, u: Array) -> Array:
        means = at_coarse_points(u, self.grid, self.which)
        assert isinstance(means, np.ndarray)
        return means.astype(u.dtype, copy=False)


def build_nonlinear(
    grid: Grid, terms: Terms, laws: Laws, choices: Choices, limit: int | None, domain: DomainTerms | None = None
) -> Hierarchy:
    """Rediscretised levels, at most `limit`; None takes as many as leave `COARSEST` unknowns.

    On a domain there is one: coarse grids are those of linear problems in Newton's method.

    Raises:
        ValueError: the coarsest grid is too large for a direct solve.
    """
    result = Hierarchy([], [], [], [], choices)
    A: Any
    if domain is not None:
        A = NonlinearOperator(grid, choices.dtype, terms, laws, domain)
        info = LevelInfo(grid, A, "nonlinear", "Newton, GMRES, cycles", None)
        level = Level(A, [Newton(A)], iterate=relaxation, linear=False, zero=np.zeros_like, info=info)
        return replace(result, levels=[level], volumes=[Volumes(grid)])
    while True:
        A = NonlinearOperator(grid, choices.dtype, terms, laws)
        result.volumes.append(Volumes(grid))
        which = grid.axes_to_coarsen(terms.typical)
        smallest = COARSEST if limit is None else COARSEST_SIZE
        if len(result.levels) + 1 == limit or not any(which) or grid.size <= smallest:
            if grid.size > LARGEST:
                raise ValueError(
                    f"levels: the coarsest grid has {grid.size} unknowns, and Newton's method takes at most "
                    f"{LARGEST}; allow more levels, got {limit}"
                )
            info = LevelInfo(grid, A, "nonlinear", "Newton", None)
            result.levels.append(Level(A, [Newton(A)], iterate=relaxation, linear=False, zero=np.zeros_like, info=info))
            return result
        transfer = BilinearTransfer(grid, which, choices.dtype, [terms.at_sides(a) for a in range(grid.ndim)])
        result.levels.append(_level(A, transfer, which, choices))
        result.interpolations.append(CubicInterpolation(grid, which, choices.dtype))
        terms, grid = coarse_terms(terms, grid, which, transfer, between=True), transfer.coarse


def with_sides(levels: Sequence[Level], sides: Sides) -> list[Level]:
    """The same levels for these boundary data of the finest grid."""
    result = []
    for level in levels:
        A = level.A.with_values(sides)
        zero = partial(_lifted, A, sides) if sides else level.zero
        result.append(replace(_with_operator(level, A), zero=zero))
        if level.Pi is not None:
            assert isinstance(level.Pi, Average)
            sides = coarsen_sides(sides, level.Pi.grid, level.Pi.which)
    return result


def with_laws(levels: Sequence[Level], laws: Laws) -> list[Level]:
    """The same levels for other functions of the same kinds."""
    return [_with_operator(level, level.A.changed(laws=laws)) for level in levels]


def _with_operator(level: Level, A: NonlinearOperator) -> Level:
    B, B_post = ([replace(sweep, A=A) for sweep in sweeps] for sweeps in (level.B, level.B_post))
    return replace(level, A=A, B=B, B_post=B_post, info=replace(level.info, operator=A))


def _lifted(A: NonlinearOperator, sides: Sides, f: Array) -> Array:
    """The first guess that has the boundary data, of the shape of f; 0 for members whose residual is out of size there.

    Weak Robin sides may lead to a w of hundreds, and the reaction may be exp(w).
    """
    sides = {key: g for key, g in sides.items() if key != "walls"}
    w = A._inside((np.zeros_like(f) + lifting(sides, A.grid, A.terms)).astype(f.dtype))
    axes = tuple(range(f.ndim - A.grid.ndim, f.ndim))
    with np.errstate(all="ignore"):
        of_w, of_0 = (np.max(abs(f - A(u)), axis=axes, keepdims=True) for u in (w, np.zeros_like(w)))
        return np.where((of_w <= OUT_OF_SIZE * of_0) | ~np.isfinite(of_0), w, f.dtype.type(0))


def _level(A: Any, transfer: BilinearTransfer, which: tuple[bool, ...], choices: Choices) -> Level:
    grid, (pre, post) = A.grid, choices.nu
    most = OVER_RELAXATION[max(1, sum(n > 1 for n in grid.shape))] if grid.is_isotropic(A.terms.typical) else 1.0
    B: Any = NewtonGaussSeidel(A, choices.omega, most)
    top = most if A.laws.gradient is None else most + MORE
    omega = f"{choices.omega:.3g}" if choices.omega is not None else f"1..{top:.3g}" if top > 1 else "1"
    return Level(
        A,
        [B] * pre,
        R=transfer.adjoint(),
        Pi=Average(grid, which),
        P=transfer,
        B_post=[B] * post,
        iterate=relaxation,
        iterate_post=relaxation,
        linear=False,
        zero=np.zeros_like,
        info=LevelInfo(grid, A, "nonlinear", f"Newton-Gauss-Seidel omega={omega} ({pre},{post})", transfer),
    )
