"""The kernels of a solver's levels on the planes of one rank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mgcore import Level
from pde.backends.mpi.executor import SlabExecutor
from pde.backends.mpi.slabs import Slabs
from pde.backends.numba.boundary_terms import Part, SideData, offsets
from pde.backends.numba.kernels import Kernels, _sweeping
from pde.backends.numba.simd import MOST
from pde.backends.numba.thread_pool import Turns
from pde.backends.numba.variants import Variant
from pde.common.ranks import Ranks
from pde.levels.direct import DirectStart
from pde.problem.grid import Array, Sides


class SlabKernels(Kernels):
    """Compiled cycles on slabs, for arrays that hold the planes of this rank."""

    fits_one_call = False

    def __init__(
        self,
        levels: Sequence[Level],
        slabs: Sequence[Slabs],
        ranks: Ranks,
        variant: Variant,
        threads: int,
        singular: bool = False,
        start: DirectStart | None = None,
    ) -> None:
        self.executor = SlabExecutor(levels, slabs, ranks, variant, _sweeping(levels[0]), threads, singular, start)
        self._levels = levels
        self._boundary_terms = None
        self._volumes = [float(np.prod([axis.width.sum() for axis in level.info.grid.axes])) for level in levels]
        self.volume = self._volumes[0]
        self.spare = {}
        self._around = around_terms(levels, slabs)
        self._krylov = {}
        self._lock = Turns()

    def side_data(self, nodal: Array, sides: Sides) -> list[SideData]:
        found = super().side_data(nodal, sides)
        if self._around is None:
            return found
        return [each if each.terms is None else each._replace(terms=each.terms[self._around]) for each in found]


def around_terms(levels: Sequence[Level], slabs: Sequence[Slabs]) -> Array | None:
    """For each number of the boundary data of all levels its place where there are no planes beyond seams.

    None where there are none at all.
    """
    if not any(this.pad for this in slabs):
        return None
    shapes = [(n[0], n[1] if len(n) > 2 else 1, n[-1]) for n in (level.info.grid.shape for level in levels)]
    is_3d = levels[0].info.grid.ndim == 3
    places = []
    for part, start in offsets(shapes, is_3d).items():
        if part.kind == "end":
            continue
        (planes, rows, points), pad = shapes[part.level], slabs[part.level].pad
        number = np.arange(-pad, planes + pad) % planes
        places.append(start + np.arange(2 * rows * points))
        at = start + 2 * rows * points
        for length in (points, rows) if is_3d else (rows,):
            side = np.arange(2)[:, None, None] * planes * length + number[:, None] * length + np.arange(length)
            places.append(at + side.ravel())
            at += 2 * planes * length
    last = offsets(shapes, is_3d)[Part("end", 0)]
    return np.concatenate((*places, last + np.arange(MOST)))
