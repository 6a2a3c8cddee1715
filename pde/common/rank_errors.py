"""Failures under MPI: an error on one rank is raised on all, or ends all; no rank waits for one that has gone."""

from __future__ import annotations

import atexit
import errno
import os
import stat
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from math import inf
from types import TracebackType
from typing import Any

import numpy as np

PATIENCE = 10.0
"""Seconds that a rank which has failed waits for the others, where they may be waiting for it."""

CROWDED = 2e-5
"""Seconds between two polls where ranks share cores."""

ENDED, FAILED, HERE = range(3)
"""States of a rank at a meeting."""


class RankError(RuntimeError):
    """Another rank failed; the message is that rank's."""


class Meetings:
    """The calls on which all ranks tell each other that they are still there, and what failed.

    Each call begins, succeeds or fails with a meeting, and so does the end of the program, so that a rank that ends
    meets the others in their next call. They have a communicator of their own: a rank that fails meets ranks that are
    waiting for its data by none of their calls.

    Args:
        comm: the communicator.

    Attributes:
        is_crowded: whether this machine has more ranks than cores.
    """

    def __init__(self, comm: Any) -> None:
        self.comm, self.rank, self.size = comm, int(comm.Get_rank()), int(comm.Get_size())
        self.over = self.is_crowded = False

    def wait(self, requests: list[Any]) -> None:
        """Wait for requests: with a core of its own a rank polls, which is fastest, and else lets others run."""
        from mpi4py import MPI

        if not self.is_crowded:
            MPI.Request.Waitall(requests)
            return
        while not MPI.Request.Testall(requests):
            time.sleep(CROWDED)

    def agree(self, digest: int) -> bool:
        """Whether all ranks have the same digest, an integer below 2^62."""
        if self.size == 1:
            return True
        request, found = self._begin(HERE, digest)
        self.wait([request])
        self._raise(found, None)
        return bool(found[1] == -found[2])

    def settle(self, error: BaseException | None, communicates: bool) -> None:
        """Raise the error of this rank, if it has one, or that of the first rank that has."""
        if error is not None and (self.size == 1 or hasattr(error, "told_elsewhere")):  # all ranks raise one already
            raise error
        if self.size == 1:
            return
        request, found = self._begin(HERE if error is None else FAILED, 0)
        if error is None:
            self.wait([request])
        elif not _done([request], PATIENCE if communicates else inf):
            self.abort(error)
        self._raise(found, error)

    def abort(self, error: BaseException) -> None:
        """Print an error and end all ranks."""
        print(f"rank {self.rank} of {self.size}:", file=sys.stderr)
        traceback.print_exception(error)
        _abort(self.comm)

    def _begin(self, state: int, digest: int) -> tuple[Any, Any]:
        from mpi4py import MPI

        if self.over:
            raise RankError("another rank has ended, and this call would wait for it")
        own = np.array([-(state * self.size + self.rank), digest, -digest], np.int64)
        found = np.empty_like(own)
        return self.comm.Iallreduce(own, found, op=MPI.MAX), found

    def _raise(self, found: Any, error: BaseException | None) -> None:
        state, rank = divmod(-int(found[0]), self.size)
        if state == ENDED:
            self.over = True
            raise error or RankError(f"rank {rank} has ended, and this call would wait for it")
        if state == FAILED:
            told = self.comm.bcast(_packed(error) if self.rank == rank and error is not None else None, root=rank)
            error = error or _unpacked(told, rank)
            error.told_elsewhere = rank != self.rank  # type: ignore[attr-defined]
            raise error

    def end(self) -> Any:
        """Begin the meeting at the end of the program."""
        return self._begin(ENDED, 0)[0]


def _packed(error: BaseException) -> tuple[list[tuple[str, str]], str, Any]:
    kinds = [(kind.__module__, kind.__qualname__) for kind in type(error).__mro__]
    return kinds, str(error), error.code if isinstance(error, SystemExit) else None


def _unpacked(told: tuple[list[tuple[str, str]], str, Any], rank: int) -> BaseException:
    """An error of the same type, or of its nearest base that is made from one string."""
    kinds, text, code = told
    if code is not None:
        return SystemExit(code)
    for module, name in kinds:
        kind = getattr(sys.modules.get(module), name, None)
        if kind in (None, Exception, BaseException):
            continue
        with suppress(Exception):
            made = kind(f"rank {rank}: {text}")
            if isinstance(made, BaseException):
                return made
    return RankError(f"rank {rank}: {text}")


def _done(requests: list[Any], patience: float = inf) -> bool:
    """Wait for requests without keeping a processor busy; whether all of them ended in time."""
    from mpi4py import MPI

    began, pause = time.monotonic(), 1e-5
    while not MPI.Request.Testall(requests):
        if time.monotonic() - began > patience:
            return False
        time.sleep(pause)
        pause = min(2 * pause, 0.01)
    return True


def _abort(comm: Any) -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
            wait_until_read(stream.fileno())  # mpiexec drops what it has not read when it hears of the end
    comm.Abort(1)


def wait_until_read(pipe: int, patience: float = PATIENCE) -> bool:
    """Wait until the other end has read everything in a pipe; whether that was so in time.

    Raises:
        OSError, ImportError: it is no pipe, or the system does not tell.
    """
    import fcntl  # not on Windows
    import termios

    if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
        raise OSError(errno.ESPIPE, "not a pipe")
    began = time.monotonic()
    while int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder):
        if time.monotonic() - began > patience:
            return False
        time.sleep(0.001)
    return True


Hook = Callable[[type[BaseException], BaseException, TracebackType | None], Any]


class _Watch:
    """Ends all ranks where one ends by an exception, and lets them end together otherwise."""

    def __init__(self) -> None:
        self.meetings: list[Meetings] = []
        self.before: Hook | None = None

    def add(self, meetings: Meetings) -> None:
        if self.before is None:
            self.before, sys.excepthook = sys.excepthook, self.hook
            atexit.register(self.end)
        self.meetings.append(meetings)

    def discard(self, meetings: Meetings) -> None:
        self.meetings = [each for each in self.meetings if each is not meetings]

    def hook(self, kind: type[BaseException], error: BaseException, frames: TracebackType | None) -> None:
        """Print an exception that nothing has caught, where all ranks have it once, and end all of them."""
        from mpi4py import MPI

        assert self.before is not None
        world = None if MPI.Is_finalized() else MPI.COMM_WORLD
        if world is not None:
            if getattr(error, "told_elsewhere", False):
                time.sleep(PATIENCE)  # the other rank ends this one
            print(f"rank {world.Get_rank()} of {world.Get_size()}:", file=sys.stderr)
        self.before(kind, error, frames)
        if world is not None:
            _abort(world)

    def end(self) -> None:
        """Meet the other ranks at the end; they may still be at work, or about to wait for this rank."""
        from mpi4py import MPI

        if not MPI.Is_finalized():
            _done([meetings.end() for meetings in self.meetings if not meetings.over])


WATCH = _Watch()
"""The communicators of solvers on more than one rank."""
