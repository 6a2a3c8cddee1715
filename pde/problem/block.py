"""The planes of a grid that one rank of a communicator has, and fields that are read there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pde.common.ranks import Ranks
from pde.problem.grid import Array, Grid
from pde.problem.slab import slab_of
from pde.problem.slab_field import SlabField


@dataclass(frozen=True, eq=False)
class Block:
    """Planes n r // p, ..., n (r + 1) // p - 1 of a grid, on rank r of p; `grid` has these alone."""

    ranks: Ranks
    cuts: Array
    grid: Grid

    @classmethod
    def of(cls, grid: Grid, ranks: Ranks) -> Block:
        """The block of this rank.

        Raises:
            ValueError: the grid has fewer planes than ranks.
        """
        n, p, r = grid.shape[0], ranks.size, ranks.rank
        if n < p:
            raise ValueError(
                f"comm: {p} ranks are more than the {n} planes along axis 0 of a grid of shape {grid.shape}; each rank "
                "makes one at least. Put the longest axis first, or take fewer ranks"
            )
        cuts = np.arange(p + 1) * n // p
        return cls(ranks, cuts, slab_of(grid, int(cuts[r]), int(cuts[r + 1])))

    def field(self, values: Array) -> float | SlabField:
        """Numbers of all blocks as a field; as one number where all are equal. Collective."""
        field = SlabField(self.ranks, self.cuts, np.array(np.broadcast_to(values, self.grid.shape), float, order="C"))
        least, largest = field.extremes
        return field if least < largest else least
