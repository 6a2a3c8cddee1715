"""The kernels of a solver's levels on the planes of one rank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mgcore import Level
from pde.backends.mpi.executor import SlabExecutor
from pde.backends.mpi.slabs import Slabs
from pde.backends.numba.kernels import Kernels, _sweeping
from pde.backends.numba.thread_pool import Turns
from pde.backends.numba.variants import Variant
from pde.common.ranks import Ranks
from pde.levels.direct import DirectStart


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
        self._krylov = {}
        self._lock = Turns()
