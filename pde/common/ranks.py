"""The ranks of an MPI communicator: the few collective calls that a distributed solver makes."""

from __future__ import annotations

from functools import cache, cached_property
from typing import Any

import numpy as np

from pde.common.arrays import Array


class RankError(RuntimeError):
    """Another rank failed; the message is that rank's."""


class Ranks:
    """All processes of an intracommunicator, one of which is this one.

    Every method but `abort` is collective: all ranks call it, in the same order.

    Args:
        comm: an mpi4py intracommunicator. It is duplicated, so that messages of the user never meet ours.

    Attributes:
        rank, size: the number of this process, from 0 on, and how many there are.
        messages, sent: point-to-point messages that this rank has sent, and their bytes.
    """

    def __init__(self, comm: Any) -> None:
        self.comm = comm.Dup()
        self.rank, self.size = int(comm.Get_rank()), int(comm.Get_size())
        self.messages, self.sent = 0, 0

    def most(self, values: Any) -> Array:
        """The largest of each number over all ranks; NaN where any of them is NaN."""
        own = np.array(values, float)  # MPI.MAX may hide a NaN
        wrong = np.isnan(own)
        both = np.stack((np.where(wrong, -np.inf, own), wrong.astype(float)))
        found = np.empty_like(both)
        self.comm.Allreduce(both, found, op=_mpi().MAX)
        return np.where(found[1] > 0, np.nan, found[0])

    def least(self, values: Any) -> Array:
        """The smallest of each number over all ranks; NaN where any of them is NaN."""
        return -self.most(-np.asarray(values, float))

    def any(self, condition: Any) -> bool:
        """Whether a condition holds on some rank."""
        return bool(self.most(1.0 if condition else 0.0) > 0)

    def every(self, value: Any) -> list[Any]:
        """The objects of all ranks, in their order."""
        found: list[Any] = self.comm.allgather(value)
        return found

    def joined(self, part: Array) -> Array:
        """The arrays of all ranks one after the other along axis 0, on all of them; the other axes are alike."""
        part = np.ascontiguousarray(part)
        counts = np.array(self.comm.allgather(part.size))
        whole = np.empty((int(counts.sum()) // max(1, int(np.prod(part.shape[1:]))), *part.shape[1:]), part.dtype)
        self.comm.Allgatherv(part, [whole, counts])
        return whole

    @cached_property
    def here(self) -> Any:
        """The communicator of the ranks on this machine."""
        return self.comm.Split_type(_mpi().COMM_TYPE_SHARED)

    @property
    def is_first_here(self) -> bool:
        """Whether this is the first rank on its machine."""
        return int(self.here.Get_rank()) == 0

    def of(self, rank: int, array: Array | None) -> Array:
        """The array that one rank has, on all of them."""
        found: Array = self.comm.bcast(array if self.rank == rank else None, root=rank)
        return found


def read_ranks(comm: Any) -> Ranks:
    """The ranks of an argument `comm`.

    Raises:
        TypeError, ValueError: it is no intracommunicator of mpi4py.
        ImportError: mpi4py is not there.
    """
    MPI = _mpi()
    if not isinstance(comm, MPI.Comm):
        raise TypeError(f"comm must be a communicator of mpi4py, such as MPI.COMM_WORLD; got {type(comm).__name__}")
    if comm == MPI.COMM_NULL:
        raise ValueError("comm must be a communicator that this process is a member of; got MPI.COMM_NULL")
    if isinstance(comm, MPI.Intercomm):
        raise ValueError("comm must be an intracommunicator, whose ranks are one group; got an intercommunicator")
    return Ranks(comm)


@cache
def _mpi() -> Any:
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise ImportError(
            f"comm needs mpi4py and an MPI library ({error}); install both with pip install 'mgnet-multigrid[mpi]'"
        ) from error
    return MPI
