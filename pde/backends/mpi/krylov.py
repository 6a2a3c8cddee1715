"""Conjugate gradients on slabs: the compiled iterations of `pde.backends.numba.krylov`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pde.backends.mpi.exchange import Planes
from pde.backends.numba.buffers import SLACK, F
from pde.backends.numba.executor import NO_NORMS, NO_SCALE
from pde.backends.numba.krylov import FusedConjugateGradients
from pde.problem.grid import Array


class SlabConjugateGradients(FusedConjugateGradients):
    """The same iterations; u, the iterate before and the residual are in memory with a halo."""

    @property
    def _planes(self) -> int:
        """Planes of all ranks: there is a sum for each of them."""
        return int(self._backend.hierarchy.levels[0].info.grid.shape[0])

    def __del__(self) -> None:
        """Keep nothing for the next solve."""

    def _begin(self) -> None:
        self._residuals = [self._backend.kernels.executor.home.new() for _ in self._f]
        super()._begin()

    def _memory(self, shape: tuple[int, ...]) -> Array:
        if shape != self._f.shape:
            return np.empty(0, self._f.dtype)  # residuals are in `_residuals`
        array: Array = self._backend.kernels.executor.home.blocks(shape[0], shape[1:])
        return array

    def keep(self, members: Sequence[int]) -> None:
        residuals = getattr(self, "_residuals", None)
        self._r = np.broadcast_to(self._f.dtype.type(0), (self._f.size + SLACK,))  # it has no numbers of its own
        super().keep(members)
        self._r = np.empty(0, self._f.dtype)
        if residuals is not None:
            self._residuals = [residuals[k] for k in members]

    def _run(
        self,
        name: str,
        k: int,
        u: Array,
        v: Array,
        norms: Array = NO_NORMS,
        scale: Array = NO_SCALE,
        least: float = 0.0,
    ) -> int:
        kernels = self._backend.kernels
        plans, home = kernels.krylov(self._kind), kernels.executor.home
        given: dict[int, Planes] = {
            F: self._residuals[k],
            plans.f: home.loaded(f"data {k}", self._f[k]),
            plans.u: home.loaded(f"one {k}", u[k]),
            plans.v: home.loaded(f"other {k}", v[k]),
        }
        made: Any = kernels.executor.run_planes(plans.by_name[name], given, self._sums[k], (norms, scale, least))
        for planes, array in ((given[plans.u], u[k]), (given[plans.v], v[k])):
            part = planes.part(*home.own)
            if not np.may_share_memory(part, array):
                array[...] = part.reshape(array.shape)
        return int(made)
