"""Passes over the grid of an obstacle problem: residuals, and what active sets ask of an iterate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pde.levels.obstacle import ObstacleGrid
from pde.problem.grid import Array
from pde.problem.inner_product import Volumes, row_scale
from pde.problem.operators import StencilOperator


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
        A = grid.A
        self.grid = grid
        self.volumes = Volumes(A.grid if isinstance(A, StencilOperator) else A.volumes).with_rows(row_scale(A))

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
