"""Threads that make calls when they are free.

No caller waits for them, and they hold no lock that a signal could leave closed, as a pool of `concurrent.futures`
does.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from queue import SimpleQueue
from threading import Thread
from typing import Any

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


def usable(threads: int | None) -> int:
    """The number of threads that was asked for, or of cores that this process may use."""
    if threads is not None:
        return threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _make_calls(calls: Calls) -> None:
    while True:
        function, arguments = calls.get()
        function(*arguments)
        del function, arguments  # arrays of a finished call


@cache
def thread_pool(count: int) -> ThreadPool:
    """Return the pool of this process."""
    return ThreadPool(count)


if hasattr(os, "register_at_fork"):  # a child does not have its parent's threads
    os.register_at_fork(after_in_child=thread_pool.cache_clear)
