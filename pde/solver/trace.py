"""`verbose`: what a solve does on every level, as lines of text or as events for a function of the user."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TextIO

import numpy as np

from mgcore import Event, Progress
from pde.backends.base import Backend

Verbose = bool | TextIO | Callable[[Event], Any]
"""False: silent. True: lines on stdout. A stream: lines there. A function: called with every `mgcore.Event`."""


class Trace:
    """A report of the moves of a backend, whose residuals are relative to the size of the data.

    Of a batch the largest residual counts.
    """

    def __init__(self, verbose: Verbose) -> None:
        self._tell, self._write = _reader(verbose)
        self._shapes: list[str] = []
        self._scale, self._cycle, self._told = 1.0, 1, 0

    @property
    def watches(self) -> bool:
        """Whether moves are reported."""
        return self._tell is not None

    def watch(self, backend: Backend, sizes: Callable[[], Any]) -> Backend:
        """The backend that reports its moves, with residuals relative to the largest of sizes().

        Without a report it is the same backend.
        """
        if self._tell is None:
            return backend
        self._shapes = ["x".join(map(str, level.info.grid.shape)) for level in backend.hierarchy.levels]
        self._scale = float(np.max(sizes())) or 1.0
        return backend.traced(self._report)

    def wrap(self, callback: Callable[[Progress], Any] | None) -> Callable[[Progress], Any] | None:
        """A callback that ends a cycle of the trace, then calls the user's."""
        if self._tell is None:
            return callback

        def end(progress: Progress) -> Any:
            if self._write is not None:
                self._write(f"  residual {progress.residual:.2e}, factor {progress.factor:.3f}\n")
            self._cycle = progress.cycle + 1
            return callback(progress) if callback is not None else None

        return end

    def _report(self, event: Event) -> None:
        before, after = event.before / self._scale, event.after / self._scale
        event = replace(event, before=before, after=after, cycle=self._cycle)
        if self._write is None:
            assert self._tell is not None
            self._tell(event)
            return
        if self._told < event.cycle:
            self._told = event.cycle
            self._write(f"cycle {event.cycle}\n")
        self._write(self._line(event) + "\n")

    def _line(self, event: Event) -> str:
        title = f"{'  ' * (event.level - 1)}level {event.level} ({self._shapes[event.level - 1]})"
        width = max(len(shape) + 2 * l for l, shape in enumerate(self._shapes)) + 10
        return f"  {title:{width}} {event.move:11} {event.before:.2e} -> {event.after:.2e}"


def _reader(verbose: Any) -> tuple[Callable[[Event], Any] | None, Callable[[str], Any] | None]:
    """(function of events, function of lines); both None for verbose=False."""
    if isinstance(verbose, bool):
        verbose = sys.stdout if verbose else None
    if verbose is None:
        return None, None
    if hasattr(verbose, "write"):
        return lambda event: None, verbose.write
    if callable(verbose):
        return verbose, None
    raise TypeError(f"verbose must be True, False, a stream, or a function of an event; got {verbose!r}")
