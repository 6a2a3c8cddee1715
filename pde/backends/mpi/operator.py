"""A, boundary data and sums of products on the planes of one rank."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from pde.common.arrays import cast, expand, like
from pde.common.ranks import Ranks
from pde.problem.coefficients import Terms, side_weights
from pde.problem.grid import ENDS, Array, Grid, Sides, window
from pde.problem.lifting import Products
from pde.problem.operators import StencilOperator
from pde.problem.slab import slab_of
from pde.problem.slab_stencil import SlabStencil
from pde.problem.slab_terms import within

TAG = 21
"""Of messages to the ranks on both sides."""


class SlabOperator:
    """A u on the planes begin, ..., end - 1 of a grid, for u on the same planes; all ranks call it together.

    It makes the arithmetic of `StencilOperator` on every plane, and so its bits.

    Args:
        A: the operator of the whole grid, whose coefficients are numbers or vary along single axes.
    """

    def __init__(self, A: StencilOperator, ranks: Ranks, begin: int, end: int) -> None:
        self._A, self._ranks, self.begin, self.end = A, ranks, begin, end

    def __call__(self, u: Array) -> Array:
        return self._applied(self._wider[0], u)

    def without_ends(self, u: Array) -> Array:
        """A u less the terms of u beside the sides."""
        operator = self._wider[0]
        return self._applied(operator.changed(ends=[(0.0, 0.0)] * len(operator.ends)), u)

    def _applied(self, operator: StencilOperator, u: Array) -> Array:
        below, above = self._beside(u)
        parts = [part for part in (below, u, above) if part is not None]
        axis, ndim = u.ndim - self._A.grid.ndim, self._A.grid.ndim
        whole = np.concatenate(parts, axis=axis)
        if self._goes_around:
            whole = np.roll(whole, -1, axis)  # of plane 0 the neighbour above counts before that around the axis
        found, first = operator(whole), self._wider[1]
        return np.ascontiguousarray(found[window(0, ndim, slice(first, first + self.end - self.begin))])

    @cached_property
    def diagonal(self) -> Any:
        """The diagonal of A on these planes."""
        if isinstance(self._A, SlabStencil):
            return self._A.diagonal_on(self.begin, self.end)
        parts = [self._A._centre(a) for a in range(self._A.grid.ndim)]
        parts[0] = self._along(parts[0], self.begin, self.end)
        total: Any = sum(parts, self._A.reaction)
        return total

    @property
    def _goes_around(self) -> bool:
        return self._A.grid.axes[0].periodic and self.begin == 0

    @cached_property
    def _wider(self) -> tuple[StencilOperator, int]:
        """The operator on these planes and those beside them, and the number of those below."""
        if self._goes_around:
            return self._window(0, self.end + 2, around=True), 0
        low, high = within(self._A.grid, self.begin - 1, self.end + 1)
        return self._window(low, high), self.begin - low

    def _window(self, begin: int, end: int, around: bool = False) -> StencilOperator:
        """The operator on these planes, right on all but the outermost; `around`: the last is before the first."""
        A = self._A
        if isinstance(A, SlabStencil):
            part = A.on_planes(begin, end)
            return part.changed(grid=_around(part.grid)) if around else part
        n = A.grid.shape[0]
        low, high = A.ends[0]
        ends = [(low if begin == 0 else 0.0, high if end == n else 0.0), *A.ends[1:]]
        grid = slab_of(A.grid, begin, end)
        if around:
            grid = _around(grid)
        return A.changed(
            grid=grid,
            lower=[self._along(A.lower[0], begin, end), *A.lower[1:]],
            upper=[self._along(A.upper[0], begin, end), *A.upper[1:]],
            ends=ends,
        )

    def _along(self, values: Any, begin: int, end: int) -> Any:
        """Coefficients of planes begin, ..., end - 1, around a periodic axis too."""
        if isinstance(values, float) or np.ndim(values) == 0 or np.ndim(values) < self._A.grid.ndim:
            return values
        return values[np.arange(begin, end) % values.shape[0]] if values.shape[0] > 1 else values

    def _beside(self, u: Array) -> tuple[Array | None, Array | None]:
        """The planes below and above those of this rank; None where there are none."""
        ranks, around = self._ranks, self._A.grid.axes[0].periodic
        axis = u.ndim - self._A.grid.ndim
        first, last = np.take(u, [0], axis), np.take(u, [-1], axis)
        rank, size = ranks.rank, ranks.size
        low = (rank - 1) % size if rank > 0 or around else None
        high = (rank + 1) % size if rank + 1 < size or around else None
        below = None if low is None else np.empty_like(first)
        above = None if high is None else np.empty_like(last)
        requests = []
        for peer, array, tag in ((low, below, TAG), (high, above, TAG + 1)):
            if peer is not None:
                requests.append(ranks.comm.Irecv(array, source=peer, tag=tag))
        for peer, array, tag in ((high, last, TAG), (low, first, TAG + 1)):
            if peer is not None:
                requests.append(ranks.send(np.ascontiguousarray(array), peer, tag))
        ranks.wait(requests)
        return below, above


def _around(grid: Grid) -> Grid:
    return Grid((_Around(grid.shape[0]), *grid.axes[1:]))  # type: ignore[arg-type]


class _Around:
    """An axis whose last unknown is beside the first."""

    def __init__(self, n: int) -> None:
        self.n, self.periodic = n, True

    def neighbours(self) -> list[tuple[slice, slice]]:
        return [(slice(None, -1), slice(1, None)), (slice(-1, None), slice(0, 1))]


def fold_into(f: Array, sides: Sides, grid: Grid, terms: Terms, begin: int, end: int) -> Array:
    """`boundary.fold_into` on planes begin, ..., end - 1; `sides` are whole."""
    n, ndim = grid.shape[0], grid.ndim
    for (a, side), g in sides.items():
        data = cast(np.asarray(side_weights(grid, terms, a, side)) * g, f.dtype)
        if a > 0:
            data = data[window(0, ndim - 1, slice(begin, end))]
        elif (begin if side == 0 else n - end) > 0:
            continue
        f[window(a, ndim, ENDS[side])] += expand(data, a - ndim)
    return f


def sum_of(products: Products, begin: int, end: int) -> Array:
    """A sum of products on planes begin, ..., end - 1."""
    w: Any = 0.0
    planes = window(0, products.grid.ndim, slice(begin, end))
    for a, along, across in products.terms:
        along, across = (along[begin:end], across) if a == 0 else (along, across[planes])
        w = w + across * like(along, across)
    return np.asarray(w)
