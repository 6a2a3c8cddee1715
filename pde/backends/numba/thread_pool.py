"""Threads that make calls when they are free.

No caller waits for them, and they hold no lock that a signal could leave closed, as a pool of `concurrent.futures`
does.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any
from weakref import WeakSet

Calls = SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]]]


class ThreadPool:
    """At most `count` threads; fewer, or none, where the system refuses them."""

    def __init__(self, count: int) -> None:
        self._calls: Calls = SimpleQueue()
        self._count = 0
        for k in range(count):
            try:
                Thread(target=_make_calls, args=(self._calls,), name=f"pde-{k + 1}", daemon=True).start()
            except RuntimeError:  # at the end of a process, or beyond its limits
                break
            self._count += 1

    def ask(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Have one of them make a call, unless all are behind already."""
        if self._calls.qsize() < 2 * self._count:
            self._calls.put((function, arguments))


def _make_calls(calls: Calls) -> None:
    while True:
        function, arguments = calls.get()
        function(*arguments)
        del function, arguments  # arrays of a finished call


@cache
def thread_pool(count: int) -> ThreadPool:
    """Return the pool of this process."""
    return ThreadPool(count)


class Turns:
    """A lock, which a forked child finds open: a thread that held it in the parent does not exist there.

    `with` finds methods of the lock itself: one of Python may be interrupted between taking it and entering the block.
    """

    __enter__ = property(attrgetter("_lock.__enter__"))
    __exit__ = property(attrgetter("_lock.__exit__"))

    def __init__(self) -> None:
        self._lock = Lock()
        _EVERY.add(self)

    def __reduce__(self) -> Any:
        return Turns, ()

    def open(self) -> None:
        self._lock = Lock()


_EVERY: WeakSet[Turns] = WeakSet()


def _after_fork() -> None:
    thread_pool.cache_clear()  # a child does not have its parent's threads
    for each in _EVERY:
        each.open()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
