"""The methods that all backends on slabs share: A, boundary data and messages for the planes of one rank."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from time import sleep
from typing import Any

import numpy as np

from mgcore import Event
from pde.backends.base import Backend
from pde.backends.data import LARGE, SMALL, Norms, Vector
from pde.backends.mpi.memory import Home
from pde.backends.mpi.operator import SlabOperator, fold_into, sum_of
from pde.backends.numba.backend import LARGE_VECTOR
from pde.common.ranks import Ranks
from pde.problem.grid import Array, Sides
from pde.problem.lifting import Products
from pde.problem.slab import slab_of


class OnSlabs(Backend):
    """A backend whose arrays hold the planes of this rank.

    Attributes:
        ranks: of the communicator.
        begin, end, block: the planes of this rank, and the grid of them.
        is_small: whether sums over the whole grid are NumPy's, of all planes on each rank.
    """

    def take_planes(self, ranks: Ranks) -> None:
        """Take the planes of this rank."""
        self.ranks = ranks
        grid = self.hierarchy.levels[0].info.grid
        n = grid.shape[0]
        self.begin, self.end = n * ranks.rank // ranks.size, n * (ranks.rank + 1) // ranks.size
        self.block = slab_of(grid, self.begin, self.end)
        self.is_small = grid.size < LARGE_VECTOR

    @property
    def home(self) -> Home:
        """The memory of arrays."""
        raise NotImplementedError

    @cached_property
    def operator(self) -> SlabOperator:
        """A of the finest level on the planes of this rank."""
        return SlabOperator(self.hierarchy.levels[0].A, self.ranks, self.begin, self.end)

    def in_turn(self, prepare: Callable[[], Any]) -> None:
        """Compile by one rank of each machine, while the others wait and then find it in the cache."""
        if self.ranks.is_first_here:
            prepare()
        _wait(self.ranks.here)
        prepare()
        _wait(self.ranks.comm)

    def exact(self, norms: list[float], f: Array) -> Norms:
        """As `numba.backend.exact`, for f of all ranks."""
        wrong = [k for k, norm in enumerate(norms) if not SMALL < norm < LARGE]
        if not wrong:
            return norms
        sizes = self.ranks.most([np.max(np.abs(f[k]), initial=0.0) for k in wrong])
        return norms if all(norms[k] == 0 and size > SMALL for k, size in zip(wrong, sizes, strict=True)) else None

    def vector(self, x: Array, *, level: int = 0) -> Vector:
        if x.flags.writeable or any(self.home.of(each) is None for each in x):
            v = self.home.blocks(len(x), x.shape[1:])
            v[...] = x
            v.flags.writeable = False
            return v
        return x

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

    def add_products(self, v: Array, products: Products, out: Array | None = None) -> Array:
        return np.asarray(v + sum_of(products, self.begin, self.end)).astype(v.dtype, copy=False)

    def rounding(self, u: Vector, sizes: np.ndarray) -> np.ndarray:
        eps = np.finfo(self.dtype).eps
        return np.asarray(eps * (2 * self.norms(self.operator.diagonal * u) + sizes))

    def noise(self, seed: int) -> np.ndarray:
        shape = self.hierarchy.levels[0].info.grid.shape
        stream, plane = np.random.default_rng(seed), shape[1:]
        for _ in range(self.begin):  # the numbers of a plane are those that they are in the whole grid
            stream.standard_normal(plane)
        return np.stack([stream.standard_normal(plane) for _ in range(self.begin, self.end)])[None]

    def largest(self, v: Array) -> np.ndarray:
        """The largest absolute value of each member over all ranks."""
        own = np.max(np.abs(v.reshape(len(v), -1)), axis=1, initial=0.0)
        return self.ranks.most(own)

    def traced(self, report: Callable[[Event], Any]) -> Backend:
        raise ValueError("verbose is not for ranks of a communicator: moves are not traced there; leave it False")

    def whole(self, v: Array) -> Array:
        """The whole arrays of members, on every rank: those of a small grid."""
        shape = self.hierarchy.levels[0].info.grid.shape
        lengths = np.diff(np.arange(self.ranks.size + 1) * shape[0] // self.ranks.size)
        return np.stack([self.ranks.joined(each, lengths) for each in v]) if len(v) else np.zeros((0, *shape), v.dtype)


def _wait(comm: Any) -> None:
    """Wait for the other ranks without keeping a core busy."""
    request = comm.Ibarrier()
    while not request.Test():
        sleep(0.002)
