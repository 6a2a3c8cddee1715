"""Full multigrid with boundary data: nested iteration on rediscretised or on Galerkin levels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import mgcore
from mgcore import Level
from pde.backends.base import Cycles, How, Levels, MixedCycles
from pde.backends.numba.fast import Norms
from pde.common.arrays import like, namespace, numpy_dtype
from pde.levels.cubic_interpolation import BoundaryTerm, CubicInterpolation, coarsen_sides
from pde.levels.hierarchy import Hierarchy
from pde.problem.boundary import fold
from pde.problem.grid import Array, Sides


@dataclass(frozen=True)
class NestedIteration:
    """One pass from the coarsest grid to the finest: u interpolated, then one V-cycle, on each.

    Args:
        hierarchy: that of the solver, where the cycles run.
        linear: interpolate u by P u + E g, which follows a coefficient that jumps as cubics do not.
        singular: whether constants solve A u = 0.
        cycles: what makes a cycle on these levels.
    """

    hierarchy: Hierarchy
    linear: bool
    singular: bool
    cycles: Cycles | MixedCycles

    def __call__(
        self, levels: Levels, f: Array, sides: Sides, fused: bool, out: Array | None = None, of_u: bool = False
    ) -> tuple[Array, Norms]:
        """u, and the norms of the residuals where kernels have measured them.

        Args:
            levels: those of the solver, or others that make the same moves.
            f: nodal values (..., *shape), without the boundary data.
            sides: the boundary data of the finest grid.
            fused: whether to use compiled kernels.
            out: a contiguous array where they may leave u.
            of_u: whether the norms of u itself will do, which kernels measure at less cost.
        """
        if fused and isinstance(self.cycles, Cycles) and self.cycles.fast is not None and self.is_plain(sides):
            return self.cycles.fast.full_multigrid(f, out, of_u)
        every = [sides]
        for each in self.hierarchy.interpolations:
            every.append(coarsen_sides(every[-1], each.fine, each.which))
        if self.hierarchy.boundary_terms:
            return self._galerkin(levels, f, every), None
        return self._rediscretised(levels, f, every, fused)

    def is_plain(self, sides: Sides) -> bool:
        """Whether this is full multigrid on rediscretised levels without boundary data: kernels make it as a whole."""
        return not (self.singular or self.hierarchy.boundary_terms or any(np.any(g) for g in sides.values()))

    def _rediscretised(self, levels: Levels, f: Array, sides: list[Sides], fused: bool) -> tuple[Array, Norms]:
        """Every level has the equation itself, with f and the boundary data of its grid."""
        norms: Norms = None

        def cycle(levels: Levels, f: Array, u: Array | None) -> Any:
            nonlocal norms
            l = len(self.hierarchy.levels) - len(levels)
            f = self._fold(l, f, sides[l])
            if self.singular:
                f = self.hierarchy.volumes[l].without_mean(f)
            u, norms = self.cycles("V", levels, f, u, How(fused))
            return u

        u = mgcore.full_multigrid(
            levels,
            f,
            interpolate=self._cubic(sides),
            restrict_data=[each.restrict_data for each in self.hierarchy.interpolations],
            cycle=cycle,
        )
        return u, norms

    def _galerkin(self, levels: Levels, f: Array, sides: list[Sides]) -> Array:
        """Operators R A P with right-hand sides R (f - A E g), f with g folded in; see `BoundaryTerm`."""
        f = self._fold(0, f, sides[0])
        parts = list(zip(self.hierarchy.levels, self.hierarchy.boundary_terms, sides, strict=False))
        return mgcore.full_multigrid(
            levels,
            self.hierarchy.volumes[0].without_mean(f) if self.singular else f,
            interpolate=[partial(_prolong, *each) for each in parts] if self.linear else self._cubic(sides),
            restrict_data=[partial(_restrict_without, *each) for each in parts],
            cycle=lambda levels, f, u: self.cycles("V", levels, f, u)[0],
        )

    def _fold(self, l: int, f: Array, sides: Sides) -> Array:
        info = self.hierarchy.levels[l].info
        return fold(f, sides, info.grid, info.operator.terms)

    def _cubic(self, sides: list[Sides]) -> list[Any]:
        return [partial(_call_with, each, g) for each, g in zip(self.hierarchy.interpolations, sides, strict=False)]


def _call_with(interpolation: CubicInterpolation, sides: Sides, u: Array) -> Array:
    return interpolation(u, sides)


def _restrict_without(level: Level, term: BoundaryTerm, sides: Sides, f: Array) -> Array:
    """R (f - A E g): the right-hand side of u_c where u is P u_c + E g, and g itself linear along the sides."""
    assert level.R is not None
    if not sides:
        return level.R(f)
    grid, A = level.info.grid, level.info.operator
    between = fold(namespace(f).zeros_like(f), term.between(sides), grid, A.terms)
    share = like((grid.volumes() / A.volumes).astype(numpy_dtype(f.dtype)), f)
    return level.R(f - share * between - level.A(term(f, sides)))


def _prolong(level: Level, term: BoundaryTerm, sides: Sides, u: Array) -> Array:
    """P u + E g."""
    assert level.P is not None
    return level.P(u, u) + term(u, sides) if sides else level.P(u, u)
