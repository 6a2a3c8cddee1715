"""The planes of axis 0 in slabs, one per rank: the planes that each rank makes on every level, and those that it reads.

Planes are counted as the kernels count them: of a periodic axis in slabs, more planes are before the first one and
behind the last, so that a slab and its halo are always in one piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from pde.backends.numba.level_data import RowMaps, halved_rows, same_rows
from pde.problem.grid import Array, Axis, Grid

WHOLE = 1 << 14
"""Unknowns at most of a level below the finest that every rank makes as a whole: less work than a message."""

LEAST = 4
"""Planes of a slab at least; a level that leaves fewer goes to fewer ranks."""

Ranges = Array
"""(ranks, 2): planes begin, ..., end - 1 of each rank."""


@dataclass(frozen=True, eq=False)
class Slabs:
    """The planes of one level.

    Args:
        n: planes of the level. m: those of the next coarser one.
        pad, pad_coarse: planes beyond the seam where the level, or the next one, is periodic and in slabs, else 0.
        whole: whether every rank makes all planes.
        made: the planes that each rank makes.
        periodic: whether the last plane is beside the first.
        maps: from plane to plane of the next coarser level; None on the coarsest.
    """

    n: int
    m: int
    pad: int
    pad_coarse: int
    whole: bool
    periodic: bool
    made: Ranges
    maps: RowMaps | None

    @property
    def planes(self) -> int:
        """Planes as the kernels count them."""
        return self.n + 2 * self.pad

    @property
    def ranks(self) -> int:
        return len(self.made)

    @cached_property
    def every(self) -> Ranges:
        """All planes, for each rank."""
        return np.tile([self.pad, self.pad + self.n], (self.ranks, 1))

    @cached_property
    def restricting(self) -> Ranges:
        """The planes of passes that restrict: `made`, and those before the first of a periodic axis that coarse ones
        need."""
        found = self.made.copy()
        if self.maps is not None and self.pad and not self.whole:
            before = self.pad - int(self.maps.first[self.pad_coarse : self.pad_coarse + self.m].min())
            found[found[:, 0] == self.pad, 0] -= max(0, before)
        return found

    @cached_property
    def coarse(self) -> Ranges:
        """The coarse planes that each rank restricts to; see `coarse.coarse_begun`."""
        assert self.maps is not None
        first, made = self.maps.first, self.restricting
        if self.whole:
            return np.tile([self.pad_coarse, self.pad_coarse + self.m], (self.ranks, 1))
        cuts = np.searchsorted(first, made)
        cuts[made == 0] = 0
        cuts[made == self.planes] = len(first)
        cuts = np.clip(cuts, self.pad_coarse, self.pad_coarse + self.m)
        cuts[made[:, 0] >= made[:, 1]] = 0
        return cuts

    def window(self, sweeps: int, restricted: bool, measured: bool) -> Ranges:
        """The planes of u and f that a pass of each rank reads; as `fused_sweep.window_of`."""
        made = self.restricting if restricted else self.made
        begin, end = made[:, 0].copy(), made[:, 1].copy()
        if restricted and self.maps is not None:
            for r, (low, high) in enumerate(self.coarse):
                if low < high:
                    begin[r] = min(begin[r], self.maps.first[low:high].min())
                    end[r] = max(end[r], self.maps.last[low:high].max() + 1)
        more = 2 * sweeps + (1 if measured else 0)
        return self._clipped(begin - more, end + more, made)

    def beside(self, count: int) -> Ranges:
        """The planes of each rank with so many more on either side."""
        return self._clipped(self.made[:, 0] - count, self.made[:, 1] + count, self.made)

    def parents(self, fine: Ranges, cubic: bool) -> Ranges:
        """The coarse planes that ranges of planes are interpolated from."""
        assert self.maps is not None
        parent, weight = (self.maps.cubic_parent, self.maps.cubic) if cubic else (self.maps.parent, self.maps.prolong)
        return np.array([_hull(parent[:, a:b], weight[:, a:b]) for a, b in fine])

    def data_of(self, coarse: Ranges) -> Ranges:
        """The planes that the right-hand side of ranges of coarse planes is restricted from."""
        assert self.maps is not None
        return np.array([_hull(self.maps.data_from[:, a:b], self.maps.data[:, a:b]) for a, b in coarse])

    def _clipped(self, begin: Array, end: Array, made: Ranges) -> Ranges:
        found = np.stack((begin, end), axis=1)
        if not self.pad:
            found = np.clip(found, 0, self.planes)
        found[made[:, 0] >= made[:, 1]] = 0
        return found


def _hull(numbers: Array, weights: Array) -> tuple[int, int]:
    used = numbers[weights != 0]
    return (int(used.min()), int(used.max()) + 1) if used.size else (0, 0)


def divide(levels: Sequence[Any], ranks: int, first_whole: int, reach: int) -> list[Slabs]:
    """The slabs of all levels, finest first.

    Args:
        levels: with `info.grid` and `info.to_coarse`.
        first_whole: a level that every rank makes as a whole; finer ones, too, where they are small.
        reach: planes that a pass reads on either side of those that it makes.

    Raises:
        ValueError: the finest grid has fewer planes than ranks, or an odd number of them around.
    """
    grids: list[Grid] = [level.info.grid for level in levels]
    whole: list[Any] = [l >= first_whole or (l > 0 and grid.size <= WHOLE) for l, grid in enumerate(grids)]
    if not whole[0]:
        check(grids[0], ranks)
    beyond = 2 * reach  # an even number, so that colours stay
    found: list[Slabs] = []
    n = grids[0].shape[0]
    cuts = np.arange(ranks + 1) * n // ranks
    for l, grid in enumerate(grids):
        axis = grid.axes[0]
        whole[l] = whole[l] or (l > 0 and (found[-1].whole or (axis.periodic and axis.n % 2 == 1)))
        pad = beyond if axis.periodic and not whole[l] else 0
        made = np.stack((cuts[:-1], cuts[1:]), axis=1) + pad
        if whole[l]:
            made = np.tile([0, axis.n], (ranks, 1))
        this = Slabs(axis.n, 0, pad, 0, whole[l], axis.periodic, made, None)
        if l + 1 < len(grids):
            transfer, coarse = levels[l].info.to_coarse, grids[l + 1].axes[0]
            halved = bool(transfer.which[0])
            rows = halved_rows(axis, coarse, *transfer.diffusion[:1]) if halved else same_rows(axis.n)
            thin = not whole[l] and coarse.n < LEAST * np.count_nonzero(made[:, 1] > made[:, 0])
            whole[l + 1] = whole[l + 1] or whole[l] or (coarse.periodic and coarse.n % 2 == 1)
            pad_coarse = beyond if coarse.periodic and not whole[l + 1] else 0
            maps = rows if whole[l] else around(rows, axis, coarse, pad, pad_coarse)
            this = replace(this, m=coarse.n, pad_coarse=pad_coarse, maps=maps)
            if not whole[l + 1]:
                natural = this.coarse - pad_coarse
                cuts = np.append(np.maximum.accumulate(natural[:, 0]), coarse.n)
                cuts[:-1] = np.minimum.accumulate(
                    np.where(natural[:, 1] > natural[:, 0], natural[:, 0], coarse.n)[::-1]
                )[::-1]
                if thin:
                    cuts = _fewer(coarse.n, ranks)
        found.append(this)
    return found


def check(grid: Grid, ranks: int) -> None:
    """Refuse a grid that cannot be in slabs.

    Raises:
        ValueError: naming the shape and what is allowed.
    """
    n = grid.shape[0]
    if n < ranks:
        raise ValueError(
            f"comm: {ranks} ranks are more than the {n} planes along axis 0 of a grid of shape {grid.shape}; each rank "
            "makes one at least. Put the longest axis first, or take fewer ranks"
        )
    if grid.axes[0].periodic and n % 2:
        raise ValueError(
            f"comm: axis 0 is periodic, and its length must be even where it is divided among ranks; got {grid.shape}"
        )


def _fewer(n: int, ranks: int) -> Array:
    """Cuts of n planes among every second, fourth, ... rank, so that each slab has `LEAST` planes."""
    step = 1
    while step < ranks and n < LEAST * -(-ranks // step):
        step *= 2
    active = np.arange(0, ranks, step)
    cuts = np.full(ranks + 1, n)
    for k, r in enumerate(active):
        cuts[r] = n * k // len(active)
        cuts[r + 1 : r + step] = n * (k + 1) // len(active)
    return cuts


def around(rows: RowMaps, fine: Axis, coarse: Axis, pad: int, pad_coarse: int) -> RowMaps:
    """Maps between planes with others before the first and behind the last; entries that weigh nothing name a plane
    that is there, or -1."""
    i, j = np.arange(-pad, fine.n + pad), np.arange(-pad_coarse, coarse.n + pad_coarse)

    def near(numbers: Array, at: Array, n: int, period: int, offset: int, is_padded: bool) -> Array:
        if not is_padded:
            return numbers
        guess = at * period / n
        return numbers + period * np.round((guess - numbers) / period).astype(int) + offset

    wraps = fine.periodic

    def parents(numbers: Array, weights: Array) -> tuple[Array, Array]:
        numbers, weights = numbers[:, i % fine.n], weights[:, i % fine.n]
        numbers = near(numbers, i, fine.n, coarse.n, pad_coarse, wraps and pad_coarse > 0)
        return np.where(weights == 0, -1, numbers), weights

    parent, prolong = parents(rows.parent, rows.prolong)
    cubic_parent, cubic = parents(rows.cubic_parent, rows.cubic)
    turn = fine.n * (j // coarse.n) + pad
    first, last = rows.first[j % coarse.n] + turn, rows.last[j % coarse.n] + turn
    data_from, data = rows.data_from[:, j % coarse.n], rows.data[:, j % coarse.n]
    data_from = near(data_from, j, coarse.n, fine.n, pad, wraps and pad > 0)
    heaviest = np.argmax(abs(data), axis=0)
    data_from = np.where(data == 0, data_from[heaviest, np.arange(len(j))], data_from)
    return RowMaps(parent, prolong, first, last, rows.restrict[:, j % coarse.n], cubic_parent, cubic, data_from, data)
