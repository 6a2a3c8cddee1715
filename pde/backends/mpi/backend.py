"""The backend of many machines: compiled cycles on slabs, and sums that do not depend on the number of ranks."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from time import sleep
from typing import Any

import numpy as np

from mgcore import Event, Iteration
from pde.backends.base import Backend, Moments
from pde.backends.data import Data, Norms, Options, Vector
from pde.backends.iterations import Cycling
from pde.backends.mpi.operator import SlabOperator, fold_into, sum_of
from pde.backends.mpi.slabs import Slabs, divide
from pde.backends.numba.backend import LARGE_VECTOR, Numba, exact
from pde.backends.numba.variants import Variant, variant_of
from pde.common.ranks import Ranks
from pde.levels.hierarchy import Hierarchy
from pde.problem.grid import Array, Sides
from pde.problem.lifting import Products
from pde.problem.slab import slab_of


class Mpi(Numba):
    """Cycles on slabs of planes along axis 0, one of each rank; arrays hold the planes of this rank.

    Args:
        ranks: of the communicator.
    """

    def __init__(self, hierarchy: Hierarchy, options: Options, variant: Variant, ranks: Ranks) -> None:
        super().__init__(hierarchy, options, variant)
        self.ranks = ranks
        start = hierarchy.start
        first_whole = len(hierarchy.levels) - 1 if start is None else min(start.level, len(hierarchy.levels) - 1)
        nu = hierarchy.choices.nu
        reach = 2 * max(sum(nu), 2 * max(nu)) + 6
        first_whole = 0 if ranks.size == 1 else first_whole
        self.slabs: list[Slabs] = divide(hierarchy.levels, ranks.size, first_whole, reach)
        grid = hierarchy.levels[0].info.grid
        n = grid.shape[0]
        self.begin, self.end = n * ranks.rank // ranks.size, n * (ranks.rank + 1) // ranks.size
        self.block = slab_of(grid, self.begin, self.end)
        self.is_small = grid.size < LARGE_VECTOR

    @property
    def kernels(self) -> Any:
        if self._kernels is None:
            from pde.backends.mpi.kernels import SlabKernels

            choices, start = self.hierarchy.choices, self.hierarchy.start
            parts = self.variant, self._options.cores, choices.singular, start
            self._kernels = SlabKernels(self.hierarchy.levels, self.slabs, self.ranks, *parts)
        return self._kernels

    def describe(self) -> str:
        return f"{super().describe()} on each of {self.ranks.size} ranks"

    def prepare(self, progress: bool = False) -> None:
        """Compile by one rank of each machine, while the others wait and then find it in the cache."""
        if self._prepared:
            return
        if self.ranks.is_first_here:
            super().prepare(progress and self.ranks.rank == 0)
        self._wait(self.ranks.here)
        super().prepare()
        self._wait(self.ranks.comm)

    @cached_property
    def operator(self) -> SlabOperator:
        """A of the finest level on the planes of this rank."""
        return SlabOperator(self.hierarchy.levels[0].A, self.ranks, self.begin, self.end)

    def vector(self, x: Array, *, level: int = 0) -> Vector:
        if x.flags.writeable or not self._is_home(x):
            v = self._space(x)
            v[...] = x
            v.flags.writeable = False
            return v
        return x

    def cycle(
        self, kind: str, data: Data, u: Vector = None, *, level: int = 0, out: Vector = None, **_: Any
    ) -> tuple[Vector, Norms]:
        f, space = data.rhs, self._space(data.rhs)
        guesses = [None] * len(f) if u is None else np.ascontiguousarray(u)
        norms = [self.kernels.cycle(kind, *each, level) for each in zip(f, guesses, space, strict=True)]
        return space, exact(norms, f)

    def full_multigrid(self, data: Data, *, out: Vector = None, measure: str | None = None) -> tuple[Vector, Norms]:
        f, space = self.complete(data), self._space(data.rhs)
        sides = self.kernels.side_data(np.ascontiguousarray(data.nodal), data.sides)
        norms = [self.kernels.full_multigrid(g, v, measure, side) for g, v, side in zip(f, space, sides, strict=True)]
        return space, exact(norms, f)

    def complete(self, data: Data) -> Array:
        if data.f is not None or data.sizes is not None:
            return data.rhs
        return np.ascontiguousarray(self.project(self.fold(data.rhs, data.sides)))

    def apply(self, u: Vector, *, level: int = 0) -> Vector:
        return self.operator(u)

    def fold(self, f: Vector, sides: Sides, *, level: int = 0) -> Vector:
        if not sides:
            return f
        info = self.hierarchy.levels[0].info
        return self.fold_into(f.copy(), sides, info.operator.terms)

    def fold_into(self, f: Array, sides: Sides, terms: Any) -> Array:
        """`boundary.fold_into` for the sides that the planes of this rank have."""
        return fold_into(f, sides, self.hierarchy.levels[0].info.grid, terms, self.begin, self.end)

    def rounding(self, u: Vector, sizes: np.ndarray) -> np.ndarray:
        eps = np.finfo(self.dtype).eps
        return np.asarray(eps * (2 * self.norms(self.operator.diagonal * u) + sizes))

    def project(self, v: Vector, *, level: int = 0, out: Vector = None) -> Vector:
        if not self.hierarchy.choices.singular:
            return v
        return self._centre(v, np.empty(v.shape, v.dtype))[0]

    def moments(self, v: Array) -> Moments:
        if self.is_small:
            return Backend.moments(self, self._whole(v))
        found = np.array([self.kernels.moments(each) for each in np.ascontiguousarray(v)]).reshape(-1, 3)
        return Moments(found[:, 0], found[:, 1], self._rms(found[:, 2], v))

    def centred(self, v: Array) -> tuple[Array, np.ndarray, np.ndarray]:
        if self.is_small:
            out, before, after = Backend.centred(self, self._whole(v))
            return self._own(out), before, after
        return self._centred(v)

    def norms(self, v: Vector, *, level: int = 0) -> np.ndarray:
        if self.is_small:
            return self.hierarchy.volumes[0].rms(self._whole(v))
        return self.moments(v).rms

    def sizes(self, v: Array) -> np.ndarray:
        return self.norms(v)

    def add_products(self, v: Array, products: Products, out: Array | None = None) -> Array:
        if self.is_small or v.dtype != float or self.dtype != float:
            return np.asarray(v + sum_of(products, self.begin, self.end)).astype(v.dtype, copy=False)
        v = np.ascontiguousarray(v)
        made = np.empty_like(v) if out is None or not out.flags.c_contiguous else out
        for k in range(len(v)):
            self.kernels.add_products(v[k], products.packed(k), made[k])
        return made

    def noise(self, seed: int) -> np.ndarray:
        stream, plane = np.random.default_rng(seed), self._shape[1:]
        for _ in range(self.begin):  # the numbers of a plane are those that they are in the whole grid
            stream.standard_normal(plane)
        return np.stack([stream.standard_normal(plane) for _ in range(self.begin, self.end)])[None]

    def largest(self, v: Array) -> np.ndarray:
        return self.ranks.most(super().largest(v))

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

    def traced(self, report: Callable[[Event], Any]) -> Backend:
        raise ValueError("verbose is not for ranks of a communicator: moves are not traced there; leave it False")

    def _space(self, like: Array) -> Array:
        return self.kernels.executor.blocks(len(like), like.shape[1:])

    def _is_home(self, x: Array) -> bool:
        from pde.backends.mpi.memory import home_of

        return all(home_of(each, self.kernels.executor.own) is not None for each in x)

    def _whole(self, v: Array) -> Array:
        """The whole arrays of members, on every rank: those of a small grid."""
        lengths = np.diff(np.arange(self.ranks.size + 1) * self._shape[0] // self.ranks.size)
        whole = [self.ranks.joined(each, lengths) for each in v]
        return np.stack(whole) if len(v) else np.zeros((0, *self._shape), v.dtype)

    @property
    def _shape(self) -> tuple[int, ...]:
        return self.hierarchy.levels[0].info.grid.shape

    def _own(self, v: Array) -> Array:
        return np.ascontiguousarray(v[:, self.begin : self.end])

    def _wait(self, comm: Any) -> None:
        """Wait for the other ranks without keeping a core busy."""
        request = comm.Ibarrier()
        while not request.Test():
            sleep(0.002)


def make(hierarchy: Hierarchy, options: Options, ranks: Ranks) -> Mpi:
    """The backend for these levels on the ranks of a communicator.

    Raises:
        ValueError: the levels are not among those that can be in slabs; says why.
    """
    grid, choices = hierarchy.levels[0].info.grid, hierarchy.choices
    reason = ""
    if grid.ndim == 1:
        reason = f"in one dimension there are no planes to divide among ranks; got shape {grid.shape}"
    elif choices.coarse != "rediscretised":
        reason = f"levels with coarse='galerkin' are not divided among ranks; got smoother={choices.smoother!r}, "
        reason += f"transfer={choices.transfer!r}. Rough coefficients and strong reactions take them"
    if not reason:
        variant = variant_of(hierarchy.levels, options.dtype)
        if not isinstance(variant, str):
            return Mpi(hierarchy, options, variant, ranks)
        reason = f"levels are divided among ranks for compiled kernels, and {variant}"
    raise ValueError(f"comm: {reason}")
