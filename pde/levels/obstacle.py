"""Grids of an obstacle problem: projected sweeps, and levels without the contact set.

lower <= u <= upper, and with r = f - A u: r <= 0 where u = lower, r >= 0 where u = upper, r = 0 between.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pde.levels.coarse_coefficients import at_coarse_points, coarse_terms
from pde.levels.cubic_interpolation import CubicInterpolation, coarsen_sides
from pde.levels.defaults import automatic, automatic_sweeps
from pde.levels.hierarchy import Choices, Hierarchy, Makers, build_hierarchy
from pde.levels.transfers import BilinearTransfer
from pde.problem.boundary import fold
from pde.problem.bounds import Bounds
from pde.problem.coefficients import DomainTerms, Terms
from pde.problem.finest import finest_operator
from pde.problem.grid import Array, Grid, Sides, trailing


@dataclass(frozen=True, eq=False)
class ObstacleGrid:
    """The obstacle problem on one grid, of one right-hand side.

    Args:
        A: of the grid.
        f: nodal values, with the data of sides folded into `rhs`.
        sides: boundary data of this grid.
        bounds: of u.
    """

    A: Any
    f: Array
    sides: Sides
    rhs: Array
    bounds: Bounds

    def sweep(self, u: Array) -> Array:
        """Projected Gauss-Seidel by colours: u_i <- u_i + r_i / a_ii, clipped to the bounds."""
        A, bounds, u = self.A, self.bounds, u.copy()
        for colour in A.colours:
            d = (self.rhs - A(u)) / A.diagonal
            for block in map(trailing, colour):
                u[block] = np.clip(u[block] + d[block], bounds.lower[block], bounds.upper[block])
        return u


def coarser(fine: ObstacleGrid) -> tuple[ObstacleGrid, CubicInterpolation] | None:
    """The problem on the next coarser grid, whose bounds are those at its points, or the means of cells."""
    A, terms, ndim = fine.A, fine.A.terms, fine.A.grid.ndim
    grid, domain = A.grid, A.terms.domain
    which = grid.axes_to_coarsen(terms.typical)
    if not any(which):
        return None
    dtype = fine.f.dtype
    transfer = BilinearTransfer(grid, which, dtype, [terms.at_sides(a) for a in range(ndim)])
    interpolation = CubicInterpolation(grid, which, dtype)
    below = coarse_terms(replace(terms, domain=None), grid, which, transfer, between=True)
    f, sides = fine.f, fine.sides
    if domain is not None:
        f, sides = fine.rhs, {}
        inside = np.asarray(at_coarse_points(domain.inside.astype(float), grid, which)) == 1
        below = replace(below, domain=DomainTerms(inside))
    f = interpolation.restrict_data(f) if domain is None else inside * interpolation.restrict_data(f)
    sides = coarsen_sides(sides, grid, which)
    coarse = transfer.coarse
    bounds = Bounds(*(_at_coarse_points(b, grid, which, free) for b, free in _both(fine.bounds)))
    if domain is not None:
        bounds = Bounds(*(np.where(inside, b, free).astype(dtype) for b, free in _both(bounds)))
    return made(coarse, below, f, sides, bounds), interpolation


def made(grid: Grid, terms: Terms, f: Array, sides: Sides, bounds: Bounds) -> ObstacleGrid:
    """The problem on a grid from its coefficients and data."""
    typed = {key: g.astype(f.dtype, copy=False) for key, g in sides.items()}
    rhs = fold(f, typed, grid, terms)
    rhs = rhs if terms.domain is None else terms.domain.inside * rhs  # sides may lie outside
    return ObstacleGrid(finest_operator(grid, f.dtype, terms), f, typed, rhs, bounds)


def without_contact(
    A: Any,
    held: Array,
    dtype: np.dtype,
    sweeps: tuple[int, int] | None,
    omega: float | None,
    makers: Makers,
    singular: bool = False,
) -> Hierarchy:
    """The levels of A on the unknowns that are not held: truncated Galerkin operators, see `levels.truncated`."""
    grid, terms = A.grid, free_terms(A, held)
    names = automatic(grid, terms, "auto", "auto", "auto")
    nu = sweeps or automatic_sweeps(grid, terms, *names[:2], 2)
    choices = Choices(names[0], omega, nu, *names[1:], dtype, singular)
    return build_hierarchy(grid, terms, choices, None, makers=makers)


def free_terms(A: Any, held: Array) -> Terms:
    """The terms of A on the unknowns that are not held."""
    domain, inside = A.terms.domain, ~held
    domain = DomainTerms(inside) if domain is None else replace(domain, inside=domain.inside & inside)
    return replace(A.terms, domain=domain)


def _at_coarse_points(bound: Array, grid: Grid, which: tuple[bool, ...], free: float) -> Array:
    with np.errstate(invalid="ignore"):
        values = np.asarray(at_coarse_points(bound, grid, which))
    return np.where(np.isnan(values), free, values).astype(bound.dtype)  # infinite ones times a weight of 0


def _both(bounds: Bounds) -> tuple[tuple[Array, float], tuple[Array, float]]:
    return (bounds.lower, -np.inf), (bounds.upper, np.inf)
