"""The pass of `pde.backends.numba.correction` on the planes of one rank."""

from __future__ import annotations

from typing import Any

import numpy as np

from pde.backends.mpi.exchange import Exchange, Planes, missing
from pde.backends.mpi.memory import Home
from pde.backends.numba.correction import Correction, Tables, tables
from pde.common.ranks import Ranks
from pde.problem.coefficients import Terms, grid_fluxes
from pde.problem.grid import Array, Grid
from pde.problem.slab import slab_of
from pde.problem.slab_terms import SlabTerms


class SlabCorrection(Correction):
    """`Correction` on the planes of this rank and one on either side, of which only the new u is right.

    Args:
        grid, terms: of all planes.
        single: the memory of arrays in float32.
        double: planes in float64 with the memory that arrays are to have; None takes the least.
    """

    def __init__(
        self, grid: Grid, terms: Terms, threads: int, ranks: Ranks, single: Home, double: Planes | None = None
    ) -> None:
        like = single.like
        self._ranks, self._slabs, self._needed = ranks, like.slabs, like.slabs.beside(1)
        self._begin, self._end = (int(plane) for plane in self._needed[ranks.rank])
        if double is None:
            double = Planes(like.slabs, self._begin, self._end, like.size, np.dtype(float))
        self.single, self.home = single, Home(double, single.share, ranks.rank)
        super().__init__(grid, terms, threads)

    def __call__(
        self, f: Array, u: Array | None, d: Array | None, s: float, out: Array | None, r: Array | None, t: float
    ) -> float:
        """As of `Correction`, with messages for the planes of u and d beside those of this rank."""
        home, single = self.home, self.single
        given = (
            home.loaded("f", f),
            None if u is None else home.loaded("u", u),
            None if d is None else single.loaded("d", d),
            None if out is None else home.loaded("out", out, copied=False),
            None if r is None else single.loaded("r", r, copied=False),
        )
        lacking = [missing(each, self._needed) for each in given[1:3] if each is not None and each.lacks(self._needed)]
        if lacking:
            Exchange(self._ranks, lacking).wait()
        parts: Any = [None if each is None else each.part(self._begin, self._end) for each in given]
        f, u, d, *made = parts
        norm = super().__call__(f, u, d, s, made[0], made[1], t)
        for array, planes, own in ((out, given[3], home.own), (r, given[4], single.own)):
            if array is not None and planes is not None:
                planes.written(home.share)
                part = planes.part(*own)
                if not np.may_share_memory(part, array):
                    array[...] = part.reshape(array.shape)
        return norm

    def _total(self) -> float:
        begin, end = (plane - self._begin for plane in self.home.own)
        return float(self._ranks.joined(self._sums[begin:end]).sum())

    def _tables(self, grid: Grid, terms: Terms) -> Tables:
        this = self._slabs
        begin, end = self._begin - this.pad, self._end - this.pad
        around = grid.axes[0].periodic
        planes, faces = np.arange(begin, end) % this.n, np.arange(begin, end + 1) % (this.n + (not around))
        if isinstance(terms, SlabTerms):
            fluxes, c = terms.faces(grid, begin, end)
            fluxes[0] = fluxes[0] if fluxes[0].ndim > 1 else fluxes[0][faces]
        else:
            every = [grid_fluxes(grid, terms, a) for a in range(grid.ndim)]
            fluxes = [k[faces] if a == 0 else k if k.ndim == 1 else k[planes] for a, k in enumerate(every)]
            c = terms.reaction if np.ndim(terms.reaction) == 0 else np.asarray(terms.reaction)[planes]
        return tables(grid if this.whole else slab_of(grid, begin, end), fluxes, c)
