"""The operator of a level whose coefficients are divided among ranks."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from pde.problem.coefficients import Terms
from pde.problem.grid import Grid
from pde.problem.operators import StencilOperator
from pde.problem.slab import slab_of
from pde.problem.slab_terms import SlabTerms, varies_across, within


class SlabStencil(StencilOperator):
    """A of the whole grid for `SlabTerms`: it describes a level, and makes the coefficients of planes when asked."""

    terms: SlabTerms

    def __init__(self, grid: Grid, dtype: np.dtype, terms: SlabTerms) -> None:
        self.grid, self.terms, self._dtype = grid, terms, dtype
        self.nonzeros = grid.size * (2 * grid.ndim + 1)

    def to(self, device: Any, dtype: Any) -> SlabStencil:
        return SlabStencil(self.grid, np.dtype(dtype), self.terms)

    def on_planes(self, begin: int, end: int) -> StencilOperator:
        """The coefficients of planes begin, ..., end - 1 of each rank, counted on around the axis; collective.

        Differences across axis 0 to planes that are not among them have coefficients too.
        """
        low, high = within(self.grid, begin - 1, end + 1)
        A = StencilOperator(*self._part(low, high))
        lower, upper, ends = list(A.lower), list(A.upper), list(A.ends)
        kept, numbers = slice(begin - low, end - low), np.arange(begin, end) % self.grid.shape[0]
        for a in range(self.grid.ndim):
            alike = not varies_across(self.terms, a)  # whether numbers are equal is decided on the whole axis
            if alike:
                lower[a], upper[a] = self._alike.lower[a], self._alike.upper[a]
            lower[a], upper[a] = (self._planes(k, numbers if alike else kept) for k in (lower[a], upper[a]))
            ends[a] = ends[a] if alike or a == 0 else tuple(self._planes(k, kept) for k in ends[a])
        first, last = (begin == 0, end == self.grid.shape[0]) if not self.grid.axes[0].periodic else (False, False)
        ends[0] = tuple(k if there else 0.0 for k, there in zip(ends[0], (first, last), strict=True))
        reaction, grid = self._planes(A.reaction, kept), slab_of(self.grid, begin, end)
        return A.changed(grid=grid, lower=lower, upper=upper, ends=ends, reaction=reaction)

    def diagonal_on(self, begin: int, end: int) -> Any:
        """The diagonal on planes begin, ..., end - 1 of each rank; collective."""
        low, high = within(self.grid, begin - 1, end + 1)
        A, numbers = self.on_planes(low, high), np.arange(begin, end)
        parts: list[Any] = [
            self._planes(A._centre(a), slice(begin - low, end - low))
            if varies_across(self.terms, a)
            else self._planes(self._alike._centre(a), numbers)
            for a in range(self.grid.ndim)
        ]
        return sum(parts, self._planes(A.reaction, slice(begin - low, end - low)))

    def _part(self, low: int, high: int) -> tuple[Grid, np.dtype, Terms]:
        grid, terms = self.terms.part(self.grid, low, high)
        return grid, self._dtype, terms

    def _planes(self, k: Any, planes: Any) -> Any:
        """Coefficients of some planes, where there is one for each."""
        return k if np.ndim(k) < self.grid.ndim or len(k) == 1 else k[planes]

    @cached_property
    def _alike(self) -> StencilOperator:
        """The operator of the axes along which coefficients are numbers."""
        diffusion = tuple(a if isinstance(a, float) else 1.0 for a in self.terms.diffusion)
        return StencilOperator(self.grid, self._dtype, Terms(diffusion))

    def whole(self) -> StencilOperator:
        """The same with arrays, which every rank holds."""
        return StencilOperator(self.grid, self._dtype, self.terms.whole(self.grid))


def stencil_operator(grid: Grid, dtype: np.dtype, terms: Terms) -> StencilOperator:
    """A for these coefficients, in whole arrays or divided among ranks."""
    return SlabStencil(grid, dtype, terms) if isinstance(terms, SlabTerms) else StencilOperator(grid, dtype, terms)
