"""Passes over the grid of an obstacle problem: residuals, and what active sets ask of an iterate."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pde.backends.choice import makers
from pde.backends.data import Options
from pde.levels.hierarchy import MAKERS
from pde.levels.obstacle import ObstacleGrid
from pde.problem.grid import Array
from pde.problem.inner_product import Volumes, row_scale


class Contact(NamedTuple):
    """An iterate beside its bounds, r its residual and D the diagonal.

    Attributes:
        held: where u + r / D is at or beyond a bound.
        moved: u, and at points that are held their bound.
        size: the norm of the residual of complementarity.
        energy: (A u, u)/2 - (f, u).
    """

    held: Array
    moved: Array
    size: float
    energy: float


class Passes:
    """The passes in NumPy."""

    def __init__(self, grid: ObstacleGrid) -> None:
        self.grid, self.volumes = grid, Volumes(grid.A.volumes).with_rows(row_scale(grid.A))

    def residual(self, u: Array) -> Array:
        """f - A u."""
        r: Array = self.grid.rhs - self.grid.A(u)
        return r

    def corrected(self, u: Array, e: Array) -> Array:
        """u + e, clipped."""
        return self.grid.bounds.clip(u + e)

    def contact(self, u: Array, r: Array) -> Contact:
        """See `Contact`."""
        grid = self.grid
        v = r / grid.A.diagonal
        v += u
        clipped = grid.bounds.clip(v)
        held = clipped != v
        moved = np.where(held, clipped, u)
        size = float(self.volumes.rms((grid.A.diagonal * (clipped - u))[None])[0])
        return Contact(held, moved, size, -float(self.volumes.mean((grid.rhs + r) * u)) / 2)


def passes(grid: ObstacleGrid, options: Options) -> Passes:
    """Passes by compiled kernels where a solver may use them for such a grid, else those of NumPy."""
    A: Any = grid.A
    if A.grid.ndim == 1 or makers(A.grid, options) is MAKERS:
        return Passes(grid)
    from pde.backends.numba.contact import CompiledPasses

    return CompiledPasses(grid, options.cores)
