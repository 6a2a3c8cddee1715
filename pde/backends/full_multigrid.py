"""The transfers of full multigrid, with boundary data, between rediscretised or Galerkin levels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from mgcore import Level
from pde.backends.data import Data, Vector
from pde.common.arrays import like, namespace, numpy_dtype
from pde.levels.cubic_interpolation import BoundaryTerm, CubicInterpolation, coarsen_sides
from pde.levels.hierarchy import Hierarchy
from pde.levels.transfers import TRANSFERS
from pde.problem.boundary import fold
from pde.problem.grid import Array, Sides

FURTHER = 2
"""V-cycles that follow a pass on a domain: linear interpolation beside its walls has an error of first order, so that
a pass alone leaves up to six times the discretisation error on 511^2, and these 3% of it.
"""


def further_cycles(hierarchy: Hierarchy) -> int:
    """V-cycles after a pass that bring the algebraic error below that of the discretisation."""
    return 0 if hierarchy.levels[0].info.operator.terms.domain is None else FURTHER


def is_homogeneous(data: Data, hierarchy: Hierarchy) -> bool:
    """Whether full multigrid needs neither boundary data nor means nor right-hand sides of Galerkin operators."""
    return not (hierarchy.choices.singular or hierarchy.boundary_terms or any(np.any(g) for g in data.sides.values()))


def sides_of_every_grid(sides: Sides, hierarchy: Hierarchy) -> list[Sides]:
    every = [sides]
    for each in hierarchy.interpolations:
        every.append(coarsen_sides(every[-1], each.fine, each.which))
    return every


def interpolations(hierarchy: Hierarchy, sides: list[Sides]) -> list[Callable[[Vector], Vector]]:
    """First guesses from the next coarser grid: cubic, or P u + E g, which follows jumps and walls."""
    if hierarchy.choices.transfer not in TRANSFERS:
        return [partial(_prolong, *each) for each in _pairs(hierarchy, sides)]
    return [partial(_cubic, each, g) for each, g in zip(hierarchy.interpolations, sides, strict=False)]


def data_restrictions(hierarchy: Hierarchy, sides: list[Sides]) -> list[Callable[[Vector], Vector]]:
    if hierarchy.choices.coarse == "galerkin":
        return [partial(_restrict_without, *each) for each in _pairs(hierarchy, sides)]
    return [each.restrict_data for each in hierarchy.interpolations]


def _pairs(hierarchy: Hierarchy, sides: list[Sides]) -> list[tuple[Level, BoundaryTerm | None, Sides]]:
    if not hierarchy.boundary_terms:
        return [(level, None, {}) for level in hierarchy.levels[:-1]]
    return list(zip(hierarchy.levels, hierarchy.boundary_terms, sides, strict=False))


def _cubic(interpolation: CubicInterpolation, sides: Sides, u: Array) -> Array:
    return interpolation(u, sides)


def _restrict_without(level: Level, term: BoundaryTerm | None, sides: Sides, f: Array) -> Array:
    """R (f - A E g): the right-hand side of u_c where u is P u_c + E g, and g itself linear along the sides."""
    assert level.R is not None
    if not sides or term is None:
        return level.R(f)
    grid, A = level.info.grid, level.info.operator
    between = fold(namespace(f).zeros_like(f), term.between(sides), grid, A.terms)
    share = like((grid.volumes() / A.volumes).astype(numpy_dtype(f.dtype)), f)
    return level.R(f - share * between - level.A(term(f, sides)))


def _prolong(level: Level, term: BoundaryTerm | None, sides: Sides, u: Array) -> Array:
    """P u + E g."""
    assert level.P is not None
    return level.P(u, u) + term(u, sides) if sides and term else level.P(u, u)
