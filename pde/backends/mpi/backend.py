"""The backend of many machines: compiled cycles on slabs, and sums that do not depend on the number of ranks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from mgcore import Iteration
from pde.backends.base import Backend, Moments
from pde.backends.data import Data, Norms, Options, Vector
from pde.backends.iterations import Cycling
from pde.backends.mpi.block import OnSlabs
from pde.backends.mpi.memory import Home
from pde.backends.mpi.slabs import Slabs, divide
from pde.backends.numba.backend import Numba
from pde.backends.numba.variants import Variant
from pde.common.ranks import Ranks
from pde.levels.hierarchy import Hierarchy
from pde.problem.grid import Array
from pde.problem.lifting import Products


class Mpi(OnSlabs, Numba):
    """Cycles on slabs of planes along axis 0, one of each rank; arrays hold the planes of this rank.

    Args:
        ranks: of the communicator.
    """

    def __init__(self, hierarchy: Hierarchy, options: Options, variant: Variant, ranks: Ranks) -> None:
        super().__init__(hierarchy, options, variant)
        self.take_planes(ranks)
        start = hierarchy.start
        first_whole = len(hierarchy.levels) - 1 if start is None else min(start.level, len(hierarchy.levels) - 1)
        nu = hierarchy.choices.nu
        reach = 2 * max(sum(nu), 2 * max(nu)) + 6
        first_whole = 0 if ranks.size == 1 else first_whole
        self.slabs: list[Slabs] = divide(hierarchy.levels, ranks.size, first_whole, reach)

    @property
    def kernels(self) -> Any:
        if self._kernels is None:
            from pde.backends.mpi.kernels import SlabKernels

            choices, start = self.hierarchy.choices, self.hierarchy.start
            parts = self.variant, self._options.cores, choices.singular, start
            self._kernels = SlabKernels(self.hierarchy.levels, self.slabs, self.ranks, *parts)
        return self._kernels

    @property
    def home(self) -> Home:
        home: Home = self.kernels.executor.home
        return home

    def held(self) -> Sequence[Any]:
        """The kernels once they are made, which all ranks do together, and printing may be one's alone."""
        return [] if self._kernels is None else super().held()

    def describe(self) -> str:
        return f"{super().describe()} on each of {self.ranks.size} ranks"

    def prepare(self, progress: bool = False) -> None:
        if not self._prepared:
            _ = self.kernels  # made by all ranks together: fields come from others
            self.in_turn(partial(super().prepare, progress and self.ranks.rank == 0))

    def cycle(
        self, kind: str, data: Data, u: Vector = None, *, level: int = 0, out: Vector = None, **_: Any
    ) -> tuple[Vector, Norms]:
        f, home = data.rhs, self.home
        ready = out is not None and all(home.of(each) is not None for each in out)
        space = out if ready else home.blocks(len(f), f.shape[1:])  # new memory costs as much as a pass
        guesses = [None] * len(f) if u is None else np.ascontiguousarray(u)
        norms = [self.kernels.cycle(kind, *each, level) for each in zip(f, guesses, space, strict=True)]
        return space, self.exact(norms, f)

    def full_multigrid(self, data: Data, *, out: Vector = None, measure: str | None = None) -> tuple[Vector, Norms]:
        f, space = self.complete(data), self.home.blocks(len(data.rhs), data.rhs.shape[1:])
        sides = self.kernels.side_data(np.ascontiguousarray(data.nodal), data.sides)
        norms = [self.kernels.full_multigrid(g, v, measure, side) for g, v, side in zip(f, space, sides, strict=True)]
        return space, self.exact(norms, f)

    def complete(self, data: Data) -> Array:
        if data.f is not None or data.sizes is not None:
            return data.rhs
        return np.ascontiguousarray(self.project(self.fold(data.rhs, data.sides)))

    def project(self, v: Vector, *, level: int = 0, out: Vector = None) -> Vector:
        if not self.hierarchy.choices.singular:
            return v
        return self._centre(v, np.empty(v.shape, v.dtype))[0]

    def moments(self, v: Array) -> Moments:
        if self.is_small:
            return Backend.moments(self, self.whole(v))
        found = np.array([self.kernels.moments(each) for each in np.ascontiguousarray(v)]).reshape(-1, 3)
        return Moments(found[:, 0], found[:, 1], self._rms(found[:, 2], v))

    def centred(self, v: Array) -> tuple[Array, np.ndarray, np.ndarray]:
        if self.is_small:
            out, before, after = Backend.centred(self, self.whole(v))
            return np.ascontiguousarray(out[:, self.begin : self.end]), before, after
        return self._centred(v)

    def norms(self, v: Vector, *, level: int = 0) -> np.ndarray:
        if self.is_small:
            return self.hierarchy.volumes[0].rms(self.whole(v))
        return self.moments(v).rms

    def sizes(self, v: Array) -> np.ndarray:
        return self.norms(v)

    def add_products(self, v: Array, products: Products, out: Array | None = None) -> Array:
        if self.is_small or v.dtype != float or self.dtype != float:
            return super().add_products(v, products, out)
        v = np.ascontiguousarray(v)
        made = np.empty_like(v) if out is None or not out.flags.c_contiguous else out
        for k in range(len(v)):
            self.kernels.add_products(v[k], products.packed(k), made[k])
        return made

    def start(
        self, kind: str, accel: str | None, data: Data, u: Array | None = None, out: Array | None = None
    ) -> Iteration:
        if accel is not None:
            from pde.backends.mpi.krylov import SlabConjugateGradients

            return SlabConjugateGradients(self, kind, data, u, None)
        return Cycling(self, kind, data, u, None)

    has_one_call = False

    def symmetric(self) -> Backend:
        if self._symmetric is None:
            self._symmetric = Mpi(self.hierarchy.symmetric(), self._options, self.variant, self.ranks)
        return self._symmetric
