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


def blocks(count: int, like: Planes, own: tuple[int, int], shape: tuple[int, ...], share: Ranges) -> Array:
    """An array (count, *shape) of the planes own[0], ..., own[1] - 1 of so many members, in memory with a halo.

    Args:
        share: those of every rank.
    """
    length = (like.last - like.first) * like.size
    whole = np.zeros(count * length + SLACK, like.array.dtype).view(Memory)
    plain = np.asarray(whole)
    whole.members = [
        Planes(like.slabs, like.first, like.last, like.size, plain.dtype, plain[k * length :]) for k in range(count)
    ]
    for planes in whole.members:
        planes.written(share)
    begin, end = ((plane - like.first) * like.size for plane in own)
    rows: Any = np.ndarray.__getitem__(whole, slice(0, count * length)).reshape(count, length)[:, begin:end]
    found: Array = rows.reshape(count, *shape)
    return found.view(np.ndarray)


def home_of(array: Array, own: tuple[int, int]) -> Planes | None:
    """The memory with a halo that an array of the planes own[0], ..., own[1] - 1 is in; None where it is elsewhere."""
    owner: Any = array
    while owner is not None and not hasattr(owner, "members"):
        owner = getattr(owner, "base", None)
    if owner is None or not array.flags.c_contiguous:
        return None
    for planes in owner.members:
        part = planes.part(*own)
        if part.size == array.size and address(part) == address(array):
            return planes
    return None
