"""Record plans for the slabs of one rank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pde.backends.mpi.slabs import Ranges, Slabs
from pde.backends.numba.boundary_terms import offsets
from pde.backends.numba.buffers import Buffer
from pde.backends.numba.interpreter import COMBINE, FOLD, HALO, OUTER, PASS, RHS, SUBTRACT, SUM, Step
from pde.backends.numba.recording import Recorder
from pde.backends.numba.states import Packed, Rows

VECTORS = (SUM, SUBTRACT, OUTER)
"""Steps that read no plane but the one that they are at."""


class SlabRecorder(Recorder):
    """Steps over the planes of this rank, with buffers that hold them and their halo.

    Args:
        levels: of how many levels `packed` has the tables twice.
        kept: the planes of each level that there is memory for.
        level_of: takes the level of each buffer of planes.
    """

    def __init__(
        self,
        packed: Packed,
        sizes: Sequence[int],
        direct_size: int,
        threads: int,
        singular: bool,
        slabs: Sequence[Slabs],
        rank: int,
        kept: Sequence[tuple[int, int]],
        level_of: dict[Buffer, int],
    ) -> None:
        count = len(packed.records) // 2
        super().__init__(packed, sizes, direct_size, threads, singular)
        self.slabs, self._rank, self._kept, self._level_of = slabs, rank, kept, level_of
        records = packed.records[:count]
        shapes = [*records["n"].tolist(), records["m"][-1].tolist()]
        self.offsets = offsets(shapes, packed.is_3d is not None)

    def rows(self, name: str, level: int) -> Rows:
        first, last = self._kept[level]
        size = self._sizes[level] // self.slabs[level].n
        buffer = Buffer(f"{name}{level}", (last - first) * size)
        self._level_of[buffer] = level
        return Rows(self._index(buffer), True)

    def add(self, step: Step, overwrites: bool = False) -> None:
        begin, end = self.range_of(step)
        super().add(step._replace(begin=begin, planes=end - begin), overwrites)

    def range_of(self, step: Step) -> tuple[int, int]:
        """The planes of a step on this rank."""
        found = self.ranges_of(step)
        return (0, step.planes) if found is None else (int(found[self._rank, 0]), int(found[self._rank, 1]))

    def ranges_of(self, step: Step) -> Ranges | None:
        """The planes of a step on each rank; None for steps that have none."""
        return ranges_of(step, self.slabs)

    def _planes(self, level: int) -> int:
        return self.slabs[level].n

    def _needs_halo(self, step: Step, blocks: int) -> bool:
        return super()._needs_halo(step, blocks) or not self.slabs[step.level].whole


def ranges_of(step: Step, slabs: Sequence[Slabs]) -> Ranges | None:
    """The planes of a step on each rank, those of the coarse level where it makes these; None: it has no planes."""
    this = slabs[step.level]
    if step.op in (PASS, HALO):
        return this.restricting if step.f_coarse else this.made
    if step.op in VECTORS:
        return this.made - this.pad
    if step.op == COMBINE:
        return this.made
    if step.op in (RHS, FOLD):
        coarse = slabs[step.level + 1]
        if not coarse.whole:
            return coarse.made
        cuts = np.arange(this.ranks + 1) * coarse.n // this.ranks
        return np.stack((cuts[:-1], cuts[1:]), axis=1) if not this.whole else coarse.made
    return None
