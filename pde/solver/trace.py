"""`verbose`: what a solve does on every level, as lines of text or as events for a function of the user."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TextIO

import numpy as np

from mgcore import Event, Level, Progress
from mgcore.trace import TracedLevel, traced
from pde.problem.grid import Array
from pde.problem.inner_product import Volumes

Verbose = bool | TextIO | Callable[[Event], Any]
"""False: silent. True: lines on stdout. A stream: lines there. A function: called with every `mgcore.Event`."""


class Trace:
    """Levels that tell of their moves, the residuals being root mean squares relative to the size of the data.

    Of a batch the largest residual counts.
    """

    def __init__(self, verbose: Verbose, levels: Sequence[Level], volumes: Sequence[Volumes]) -> None:
        self._tell, self._write = _reader(verbose)
        if self._tell is None:
            return
        self._shapes = ["x".join(map(str, level.info.grid.shape)) for level in levels]
        self._volumes, self._scale, self._cycle = volumes, 1.0, 1
        self._told = 0

    @property
    def watches(self) -> bool:
        """Whether anybody is told of the moves."""
        return self._tell is not None

    def watch(self, levels: Sequence[Level], sizes: Array) -> Sequence[Level] | list[TracedLevel]:
        """The levels, which from now on tell of their moves; residuals are relative to the largest of these sizes.

        Silent: as they are.
        """
        if self._tell is None:
            return levels
        self._scale = float(np.max(sizes)) or 1.0
        return traced(levels, self._report, self._norm)

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

    def _norm(self, number: int, r: Array) -> float:
        return float(np.max(self._volumes[number - 1].rms(r))) / self._scale

    def _report(self, event: Event) -> None:
        event = replace(event, cycle=self._cycle)
        if self._write is None:
            assert self._tell is not None
            self._tell(event)
            return
        if self._told < event.cycle:
            self._told = event.cycle
            self._write(f"cycle {event.cycle}\n")
        self._write(self._line(event) + "\n")

    def _line(self, event: Event) -> str:
        place = f"{'  ' * (event.level - 1)}level {event.level} ({self._shapes[event.level - 1]})"
        width = max(len(shape) + 2 * l for l, shape in enumerate(self._shapes)) + 10
        return f"  {place:{width}} {event.move:11} {event.before:.2e} -> {event.after:.2e}"


def _reader(verbose: Any) -> tuple[Callable[[Event], Any] | None, Callable[[str], Any] | None]:
    """(function of events, function of lines); both None where nobody listens."""
    if isinstance(verbose, bool):
        verbose = sys.stdout if verbose else None
    if verbose is None:
        return None, None
    if hasattr(verbose, "write"):
        return lambda event: None, verbose.write
    if callable(verbose):
        return verbose, None
    raise TypeError(f"verbose must be True, False, a stream, or a function of an event; got {verbose!r}")
