"""The ranks of an MPI communicator: the few collective calls that a distributed solver makes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from hashlib import blake2b
from itertools import zip_longest
from numbers import Complex
from typing import Any

import numpy as np

from mgcore.common.arguments import shown
from pde.common.arrays import Array
from pde.common.rank_errors import WATCH, Meetings
from pde.common.rank_errors import RankError as RankError


class Ranks:
    """All processes of an intracommunicator, one of which is this one.

    Every method but `send` is collective: all ranks call it, in the same order.

    Args:
        comm: an mpi4py intracommunicator. It is duplicated, so that messages of the user never meet ours; once, for
            all solvers on it.

    Attributes:
        rank, size: the number of this process, from 0 on, and how many there are.
        messages, sent: point-to-point messages that this rank has sent, and their bytes.
        collectives, shared: calls that gather or reduce numbers of all ranks, and the bytes that this rank gave them.
            Meetings, which tell failures, are not counted.
    """

    def __init__(self, comm: Any) -> None:
        self._held = _held(comm)
        self.comm, self.meetings = self._held.data, self._held.meetings
        self.rank, self.size = int(comm.Get_rank()), int(comm.Get_size())
        self.messages, self.sent = 0, 0
        self.collectives, self.shared = 0, 0

    def __reduce__(self) -> Any:
        raise TypeError("a communicator cannot be copied or pickled, nor what is divided among its ranks: make it anew")

    @contextmanager
    def together(self, communicates: bool = False) -> Iterator[None]:
        """Raise an error of one rank on all of them, so that `try` and `except` go the same way everywhere.

        At the end of the block the ranks meet, which costs one small reduction. A rank that fails raises its own
        error. Others raise one of the same type, whose message begins with the number of the first that failed.

        Args:
            communicates: the block has collective calls. Ranks may wait in one for a rank that has failed: it waits for
                them at the end for `rank_errors.PATIENCE` seconds, then prints its error and ends all ranks.

        Example:
            with ranks.together():  # on rank 2, f has a NaN
                f = real_array("f", f)
            # rank 2:  ValueError: f must be finite ...
            # others:  ValueError: rank 2: f must be finite ...
        """
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
        self.meetings.settle(error, communicates)

    def agree(self, given: Mapping[str, Any]) -> None:
        """Check that all ranks have been given the same: one small reduction where they have.

        Numbers, strings, arrays and containers of them are compared by value, functions by name, others by type.

        Raises:
            ValueError: on all ranks, naming the first argument that differs and two of its values.
        """
        if self.size == 1 or self.meetings.agree(_digest(given)):
            return
        every = self.every([(name, _digest(value), shown(value)) for name, value in given.items()])
        for entries in zip_longest(*every, fillvalue=("", 0, "nothing")):
            other = next((rank for rank, entry in enumerate(entries) if entry[:2] != entries[0][:2]), None)
            if other is not None:
                raise _differing(other, entries[0], entries[other])

    def most(self, values: Any) -> Array:
        """The largest of each number over all ranks; NaN where any of them is NaN."""
        own = np.array(values, float)  # MPI.MAX may hide a NaN
        wrong = np.isnan(own)
        both = np.stack((np.where(wrong, -np.inf, own), wrong.astype(float)))
        found = np.empty_like(both)
        self._count(both.nbytes)
        self.wait([self.comm.Iallreduce(both, found, op=_mpi().MAX)])
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

    def joined(self, part: Array, lengths: Array | None = None) -> Array:
        """The arrays of all ranks one after the other along axis 0, on all of them; the other axes are alike.

        Args:
            lengths: of each rank's array along axis 0, where they are known, which saves a call.
        """
        part = np.ascontiguousarray(part)
        if lengths is None:
            lengths = np.array(self.comm.allgather(len(part)))
            self._count(lengths.itemsize)
        whole = np.empty((int(lengths.sum()), *part.shape[1:]), part.dtype)
        self._count(part.nbytes)
        self.wait([self.comm.Iallgatherv(part, [whole, lengths * int(np.prod(part.shape[1:]))])])
        return whole

    def fill(self, whole: Array, counts: Array) -> None:
        """Complete an array of one axis, of which each rank has so many numbers, one after the other."""
        from mpi4py import MPI

        self._count(int(counts[self.rank]) * whole.itemsize)
        self.wait([self.comm.Iallgatherv(MPI.IN_PLACE, [whole, counts])])

    def wait(self, requests: list[Any]) -> None:
        """Wait for requests of this rank; where there are more ranks than cores, others run meanwhile."""
        self._held.meetings.wait(requests)

    def send(self, message: Array, target: int, tag: int) -> Any:
        """Begin to send an array to another rank; the request. This is not collective."""
        self.messages, self.sent = self.messages + 1, self.sent + message.nbytes
        return self.comm.Isend(message, dest=target, tag=tag)

    def _count(self, size: int) -> None:
        self.collectives, self.shared = self.collectives + 1, self.shared + size

    @property
    def here(self) -> Any:
        """The communicator of the ranks on this machine."""
        return self._held.here

    @property
    def is_first_here(self) -> bool:
        """Whether this is the first rank on its machine."""
        return int(self.here.Get_rank()) == 0

    @property
    def ranks_here(self) -> int:
        """How many ranks share this machine."""
        return int(self.here.Get_size())

    def of(self, rank: int, array: Array | None) -> Array:
        """The array that one rank has, on all of them."""
        found: Array = self.comm.bcast(array if self.rank == rank else None, root=rank)
        return found


def _digest(value: Any) -> int:
    """An integer below 2^62 that follows from a value, not from where it is in memory."""
    digest = blake2b(digest_size=8)
    _feed(digest, value)
    return int.from_bytes(digest.digest(), "little") >> 2


def _feed(digest: Any, value: Any) -> None:
    if isinstance(value, np.ndarray) and value.ndim and value.dtype != object:
        digest.update(f"{value.dtype.str}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value).data.cast("B") if value.size else b"")
    elif isinstance(value, str | bytes | bool | None):
        digest.update(f"{value!r};".encode())
    elif isinstance(value, Complex):
        digest.update(f"{value.real!s},{value.imag!s};".encode())
    elif isinstance(value, Mapping):
        _feed(digest, list(value.items()))
    elif isinstance(value, list | tuple):
        digest.update(f"{len(value)}:".encode())
        for entry in value:
            _feed(digest, entry)
    else:
        named = value if hasattr(value, "__qualname__") else type(value)
        digest.update(f"{named.__module__}.{named.__qualname__};".encode())


def _differing(other: int, first: tuple[str, int, str], second: tuple[str, int, str]) -> ValueError:
    (name, _, one), (second_name, _, two) = first, second
    if name != second_name:
        return ValueError(f"ranks must give the same arguments; rank 0 gives {name!r}, rank {other} {second_name!r}")
    two = f"{two} with other values" if one == two else two
    return ValueError(f"{name} must be the same on all ranks; rank 0 gives {one}, rank {other} {two}")


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


class _Held:
    """Duplicates of a communicator that are kept with it and freed with it."""

    def __init__(self, comm: Any) -> None:
        self.data, self.meetings = comm.Dup(), Meetings(comm.Dup())
        self.here = self.data.Split_type(_mpi().COMM_TYPE_SHARED)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.meetings.is_crowded = self.here.Get_size() > cores
        if self.meetings.size > 1:
            WATCH.add(self.meetings)

    def free(self) -> None:
        WATCH.discard(self.meetings)
        for each in (self.data, self.meetings.comm, self.here):
            each.Free()


def _held(comm: Any) -> _Held:
    found: _Held | None = comm.Get_attr(_key())
    if found is None:
        found = _Held(comm)
        comm.Set_attr(_key(), found)
    return found


@cache
def _key() -> int:
    return int(_mpi().Comm.Create_keyval(delete_fn=lambda comm, key, held: held.free()))


@cache
def _mpi() -> Any:
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise ImportError(
            f"comm needs mpi4py and an MPI library ({error}); install both with pip install 'mgnet-multigrid[mpi]'"
        ) from error
    return MPI
