"""Arrays of a rank's planes that kernels work in as they are: there is memory for the halo on both sides."""

from __future__ import annotations

from typing import Any

import numpy as np

from pde.backends.mpi.exchange import Planes
from pde.backends.mpi.slabs import Ranges
from pde.backends.numba.buffers import SLACK, address
from pde.problem.grid import Array


class Memory(np.ndarray):
    """The memory of members, which arrays that are views of it find as their base.

    Attributes:
        members: the `Planes` of each.
    """

    members: list[Planes]


class Home:
    """Memory for the planes of this rank and a halo, for arrays of the planes and for copies of them.

    Args:
        like: planes with the memory that arrays are to have.
        share: the planes of each rank's arrays.
        rank: this one.

    Attributes:
        own: the planes of this rank's arrays.
    """

    def __init__(self, like: Planes, share: Ranges, rank: int) -> None:
        self.like, self.share = like, share
        self.own: tuple[int, int] = (int(share[rank, 0]), int(share[rank, 1]))
        self._copies: dict[str, Planes] = {}

    def new(self) -> Planes:
        """New memory for the planes of one array."""
        return self._planes()

    def blocks(self, count: int, shape: tuple[int, ...]) -> Array:
        """An array (count, *shape) of this rank's planes in memory with a halo."""
        like, own = self.like, self.own
        length = (like.last - like.first) * like.size
        whole = np.zeros(count * length + SLACK, like.array.dtype).view(Memory)
        plain = np.asarray(whole)
        whole.members = [self._planes(plain[k * length :]) for k in range(count)]
        begin, end = ((plane - like.first) * like.size for plane in own)
        rows: Any = np.ndarray.__getitem__(whole, slice(0, count * length)).reshape(count, length)[:, begin:end]
        found: Array = rows.reshape(count, *shape)
        return found.view(np.ndarray)

    def of(self, array: Array) -> Planes | None:
        """The memory that an array of this rank's planes is in; None where that is elsewhere, or smaller."""
        owner: Any = array
        while owner is not None and not hasattr(owner, "members"):
            owner = getattr(owner, "base", None)
        if owner is None or not array.flags.c_contiguous or array.dtype != self.like.array.dtype:
            return None
        for planes in owner.members:
            part = planes.part(*self.own)
            if part.size == array.size and address(part) == address(array):
                return planes if self._fits(planes) else None
        return None

    def loaded(self, name: str, values: Array, copied: bool = True) -> Planes:
        """The planes of an array, in its own memory where that is here, else in memory of this name.

        Args:
            copied: False leaves out its numbers, which are about to be written.
        """
        planes = self.of(values)
        if planes is None:
            planes = self._copies.get(name)
            if planes is None:
                planes = self._copies[name] = self.new()
            if copied:
                planes.part(*self.own)[:] = values.ravel()
        elif not values.flags.writeable:  # nothing has changed since others were told
            return planes
        planes.written(self.share)
        return planes

    def _planes(self, array: Array | None = None) -> Planes:
        like = self.like
        planes = Planes(like.slabs, like.first, like.last, like.size, like.array.dtype, array)
        planes.written(self.share)
        return planes

    def _fits(self, planes: Planes) -> bool:
        """Whether planes are counted as here, and have the halo."""
        like = self.like
        counted = (planes.slabs.n, planes.slabs.pad, planes.size) == (like.slabs.n, like.slabs.pad, like.size)
        return counted and planes.first <= like.first and like.last <= planes.last
