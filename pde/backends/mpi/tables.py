"""The data of levels whose planes are in slabs, as kernels read them: `level_data` with planes beyond a seam."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mgcore import Level
from pde.backends.mpi.slabs import Slabs
from pde.backends.numba.level_data import RowMaps, Tables
from pde.backends.numba.states import Packed
from pde.backends.numba.variants import Variant
from pde.levels.hierarchy import sweep_of
from pde.levels.transfers import BilinearTransfer
from pde.problem.coefficients import Terms
from pde.problem.grid import Array, Grid


class SlabTables(Tables):
    """Records of levels; `slabs` are those of the level that is added next, None for all planes in one piece."""

    slabs: Slabs | None = None

    def add(self, grid: Grid, terms: Terms, omega: float, transfer: BilinearTransfer) -> None:
        super().add(grid, terms, omega, transfer)
        if self.slabs is not None and not self.slabs.whole:
            self._level["n"][0] += 2 * self.slabs.pad
            self._level["m"][0] += 2 * self.slabs.pad_coarse
            self._level["periodic"][0] = 0

    def _across(self, a: int, values: Array) -> int:
        return super()._across(a, self._padded(values) if a == 0 else values)

    def _ends(self, a: int, weights: Array) -> None:
        super()._ends(a, self._padded(weights) if a == 0 else weights)

    def _rows(self, a: int, rows: RowMaps) -> None:
        if a == 0 and self.slabs is not None and self.slabs.maps is not None:
            rows = self.slabs.maps
        super()._rows(a, rows)

    def _padded(self, values: Array) -> Array:
        """Values of planes, with those beyond the seam."""
        pad = 0 if self.slabs is None else self.slabs.pad
        n = values.shape[-1]
        return values[..., np.arange(-pad, n + pad) % n] if pad else values


def packed(levels: Sequence[Level], slabs: Sequence[Slabs], variant: Variant) -> Packed:
    """The tables of all levels but the coarsest, and behind them those of the same levels in one piece."""
    varying = variant.coefficients == "varying"
    tables = SlabTables(np.dtype(variant.dtype), varying)
    for level, tables.slabs in zip(levels[:-1], slabs, strict=False):
        info = level.info
        tables.add(info.grid, info.operator.terms, sweep_of(level).omega, info.to_coarse)
    fields = list(tables.faces)
    tables.slabs, tables.varying = None, False
    for level in levels[:-1]:
        grid = level.info.grid
        tables.add(grid, Terms((1.0,) * grid.ndim), 1.0, level.info.to_coarse)
    return Packed(*tables.pack(), None if variant.ndim == 2 else True, True if varying else None, fields)
