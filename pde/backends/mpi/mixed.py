"""Mixed precision on slabs: cycles of `Mpi` in float32, and one pass in float64 around them."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from mgcore import Iteration
from pde.backends.data import Data, Options, Vector
from pde.backends.mpi.backend import Mpi
from pde.backends.mpi.block import OnSlabs
from pde.backends.mpi.memory import Home
from pde.backends.numba.mixed import MixedNumba
from pde.backends.plane_means import PlaneMeans
from pde.common.ranks import Ranks
from pde.levels.hierarchy import Hierarchy
from pde.problem.grid import Array


class MpiMixed(OnSlabs, MixedNumba):
    """`MixedNumba` on slabs, one of each rank; arrays hold the planes of this rank.

    Args:
        inner, double: as of `MixedNumba`.
        ranks: of the communicator.
    """

    inner: Mpi
    double: Mpi | None

    def __init__(self, hierarchy: Hierarchy, inner: Mpi, double: Mpi | None, options: Options, ranks: Ranks) -> None:
        super().__init__(hierarchy, inner, double, options)
        self.take_planes(ranks)
        self._prepared = False

    @cached_property
    def means(self) -> PlaneMeans:
        return PlaneMeans(self.hierarchy.levels[0].info.grid, slice(self.begin, self.end), self.ranks.joined)

    @property
    def correction(self) -> Any:
        if self._correction is None:
            from pde.backends.mpi.correction import SlabCorrection

            info, double = self.hierarchy.levels[0].info, self.double
            like = None if double is None else double.home.like
            parts = self._options.cores, self.ranks, self.inner.home, like
            self._correction = SlabCorrection(info.grid, info.operator.terms, *parts)
        return self._correction

    @property
    def home(self) -> Home:
        home: Home = self.correction.home
        return home

    def prepare(self, progress: bool = False) -> None:
        if self._prepared:
            return
        self.inner.prepare(progress)
        if self.double is not None:
            self.double.prepare(progress)
        self.in_turn(self.correction.prepare)
        self._prepared = True

    def mean(self, v: Array) -> np.ndarray:
        return np.asarray(self.hierarchy.volumes[0].mean(self.whole(v))) if self.is_small else super().mean(v)

    def norms(self, v: Vector, *, level: int = 0) -> np.ndarray:
        return self.hierarchy.volumes[0].rms(self.whole(v)) if self.is_small else super().norms(v)

    def residuals(self, shape: tuple[int, ...]) -> Array:
        return self.inner.home.blocks(shape[0], shape[1:])

    def space(self, like: Array, out: Array | None = None) -> Array:
        return self.home.blocks(len(like), like.shape[1:])

    def start(
        self, kind: str, accel: str | None, data: Data, u: Array | None = None, out: Array | None = None
    ) -> Iteration:
        return super().start(kind, accel, data, u, None)
