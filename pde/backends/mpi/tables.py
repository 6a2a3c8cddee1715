"""The data of levels whose planes are in slabs, as kernels read them: `level_data` with planes beyond a seam."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
from pde.problem.slab_terms import SlabTerms


class SlabTables(Tables):
    """Records of levels.

    Attributes:
        slabs: those of the level that is added next; None for all planes in one piece.
        kept: the planes of it for which this rank stores coefficients that vary.
    """

    slabs: Slabs | None = None
    kept: tuple[int, int] = (0, 0)

    def add(self, grid: Grid, terms: Terms, omega: float, transfer: BilinearTransfer) -> None:
        if isinstance(terms, SlabTerms) and self.slabs is not None and self.slabs.whole:
            terms = terms.whole(grid)
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

    def _faces(self, grid: Grid, terms: Terms) -> tuple[Sequence[Array], Any]:
        """a/h at the faces and the reaction on the planes `kept` of this rank."""
        if self.slabs is None or self.slabs.whole:
            return super()._faces(grid, terms)
        begin, end = (plane - self.slabs.pad for plane in self.kept)
        if isinstance(terms, SlabTerms):
            return terms.faces(grid, begin, end)
        (fluxes, c), n = super()._faces(grid, terms), grid.shape[0]
        planes, faces = np.arange(begin, end) % n, np.arange(begin, end + 1) % (n + (not grid.axes[0].periodic))
        parts = [k if k.ndim == 1 else k[faces if a == 0 else planes] for a, k in enumerate(fluxes)]
        return parts, c if np.ndim(c) == 0 else np.asarray(c)[planes]

    def _padded(self, values: Array) -> Array:
        """Values of planes, with those beyond the seam."""
        pad = 0 if self.slabs is None else self.slabs.pad
        n = values.shape[-1]
        return values[..., np.arange(-pad, n + pad) % n] if pad else values


def shifts(packed: Packed, slabs: Sequence[Slabs], kept: Sequence[tuple[int, int]]) -> Array:
    """The bytes from where plane 0 would be to the first plane of each array in `fields`."""
    found = []
    for L, this, (first, _) in zip(packed.records, slabs, kept, strict=False):
        rows = np.array([0, 1, 0, 0]) + L["n"][1]
        found.append(rows * L["face_row"] * (0 if this.whole else first))
    size = packed.reals.dtype.itemsize
    return np.concatenate(found)[: len(packed.fields)] * size if packed.fields else np.zeros(0, np.int64)


def packed(
    levels: Sequence[Level], slabs: Sequence[Slabs], kept: Sequence[tuple[int, int]], variant: Variant
) -> Packed:
    """The tables of all levels but the coarsest, and behind them those of the same levels in one piece."""
    varying = variant.coefficients == "varying"
    tables = SlabTables(np.dtype(variant.dtype), varying)
    for level, tables.slabs, tables.kept in zip(levels[:-1], slabs, kept, strict=False):
        info = level.info
        tables.add(info.grid, info.operator.terms, sweep_of(level).omega, info.to_coarse)
    fields = list(tables.faces)
    tables.slabs, tables.varying = None, False
    for level in levels[:-1]:
        grid = level.info.grid
        tables.add(grid, Terms((1.0,) * grid.ndim), 1.0, level.info.to_coarse)
    return Packed(*tables.pack(), None if variant.ndim == 2 else True, True if varying else None, fields)
