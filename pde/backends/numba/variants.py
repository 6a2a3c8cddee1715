"""Which compiled kernels a hierarchy needs, told without importing Numba."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mgcore import Level
from pde.levels.direct import is_separable
from pde.levels.hierarchy import Hierarchy, sweep_of
from pde.levels.smoothers import RedBlack
from pde.levels.transfers import BilinearTransfer, MatrixTransfer
from pde.levels.truncated import TruncatedTransfer
from pde.problem.coefficients import Terms, grid_coefficients
from pde.problem.compact import CompactOperator
from pde.problem.grid import Array, Axis, Grid
from pde.problem.masked import MaskedOperator
from pde.problem.operators import StencilOperator

MOST_SPECIAL = 8
"""A row with more points than this where its coefficients differ from those inside is one that varies."""


class Variant(NamedTuple):
    """A kind of problem that kernels are compiled for.

    Attributes:
        ndim: 2 or 3; a grid of one dimension is a row of those with two, for all but "galerkin".
        dtype: "float64" or "float32".
        coefficients: "constant" where they are alike along a row, "varying" where they are stored point by point,
            "galerkin" where coarse grids have R A P: domains, and coefficients that jump; "batch" where many members
            are solved on a small grid, whatever the coefficients are there.
    """

    ndim: int
    dtype: str
    coefficients: str

    def __str__(self) -> str:
        kind = "batches" if self.coefficients == "batch" else f"{self.coefficients} coefficients"
        return f"{self.ndim}-D, {self.dtype}, {kind}"

    @property
    def name(self) -> str:
        """A word for names of files."""
        return f"{self.ndim}d-{self.dtype}-{self.coefficients}"


KINDS = ("constant", "varying", "galerkin", "batch")
EVERY = tuple(Variant(n, d, c) for n in (2, 3) for d in ("float64", "float32") for c in KINDS)


def variant_of(levels: Sequence[Level], dtype: np.dtype) -> Variant | str:
    """The variant that runs the cycles of these levels, or the reason why none does."""
    infos = [level.info for level in levels]
    ndim = infos[0].grid.ndim
    if len(levels) == 1:
        return "there is one level only"
    if not all(isinstance(sweep_of(level), RedBlack) for level in levels[:-1]):
        return "they make red-black sweeps, and the smoother is another"
    if is_compact(levels[0]):
        if ndim == 1:
            return "with Galerkin levels they are for two and three dimensions, and the grid has 1"
        return Variant(ndim, np.dtype(dtype).name, "galerkin")
    if infos[0].operator.terms.closed:
        return "with closed faces levels are lists of components, and run in NumPy"
    for info in infos[:-1]:
        if not isinstance(info.operator, StencilOperator) or not isinstance(info.to_coarse, BilinearTransfer):
            if has_seam(info.grid):
                return (
                    f"with Galerkin levels they are for periodic axes of even length, and the grid is {info.grid.shape}"
                )
            return "they are for rediscretised operators and bilinear transfers"
    alike = all(is_alike(info.grid, info.operator.terms) for info in infos[:-1])
    return Variant(max(2, ndim), np.dtype(dtype).name, "constant" if alike else "varying")


LARGEST_IN_BATCH, LARGEST_COARSEST = 1 << 13, 256
"""Unknowns at most of a grid on which members are solved side by side, so that a group of them stays in the cache, and
of its coarsest grid, unless that is solved axis by axis."""


def batch_variant_of(hierarchy: Hierarchy, dtype: np.dtype) -> Variant | None:
    """The variant that solves many members at once on these levels, if there is one."""
    infos = [level.info for level in hierarchy.levels]
    size, coarsest = infos[0].grid.size, infos[-1]
    if len(infos) == 1 or size > LARGEST_IN_BATCH or hierarchy.compact or hierarchy.choices.coarse != "rediscretised":
        return None
    if not is_separable(coarsest.operator) and coarsest.grid.size > LARGEST_COARSEST:
        return None
    for level, info in zip(hierarchy.levels[:-1], infos[:-1], strict=True):
        operator, sweep = info.operator, sweep_of(level)
        if not isinstance(operator, StencilOperator) or not isinstance(info.to_coarse, BilinearTransfer):
            return None
        if not isinstance(sweep, RedBlack) or operator.terms.domain is not None:
            return None
    return Variant(max(2, infos[0].grid.ndim), np.dtype(dtype).name, "batch")


def is_compact(level: Level) -> bool:
    """Whether a level is one of the variant "galerkin": any other may follow it."""
    A, transfer, grid = level.info.operator, level.info.to_coarse, level.info.grid
    return (
        isinstance(A, StencilOperator | MaskedOperator | CompactOperator)
        and isinstance(transfer, TruncatedTransfer | MatrixTransfer)
        and transfer.coarse.ndim == grid.ndim  # behind closed faces it is a list of components
        and isinstance(sweep_of(level), RedBlack)
        and not has_seam(grid)
    )


def has_seam(grid: Grid) -> bool:
    """Whether a periodic axis has an odd number of points: its first and its last one are neighbours of one colour."""
    return any(axis.periodic and axis.n % 2 for axis in grid.axes)


def is_alike(grid: Grid, terms: Terms) -> bool:
    """Whether the coefficients are alike along each row, but for a few special points."""
    if terms.varies or terms.betas or not isinstance(terms.reaction, float):
        return False
    values = line_values(grid.axes[-1], grid_coefficients(grid, terms, grid.ndim - 1))
    return len(columns_that_differ(values, grid.axes[-1].n // 2)) <= MOST_SPECIAL


def line_values(axis: Axis, c: Any) -> Array:
    """Lower, centre, upper and width along a row, whose values beyond its ends are zero."""
    return np.stack((c.lower, c.centre, c.upper, axis.width))


def columns_that_differ(values: Array, middle: int) -> Array:
    """Columns that differ from the middle one by more than the rounding of equal intervals."""
    reference = values[:, middle : middle + 1]
    tolerance = 16 * np.finfo(float).eps * values.shape[1] * abs(reference)
    return np.flatnonzero((abs(values - reference) > tolerance).any(axis=0))
