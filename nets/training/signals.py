"""SIGINT, SIGTERM, and the signals of terminals and batch systems end a run between two steps, after a checkpoint."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

ALWAYS = (signal.SIGINT, signal.SIGTERM)
OTHERS = tuple(getattr(signal, name) for name in ("SIGHUP", "SIGUSR1", "SIGUSR2") if hasattr(signal, name))
"""Taken where they would end the process: of a terminal that closes, and of batch systems before their time is up."""


class TrainingInterrupted(KeyboardInterrupt):
    """A signal ended the training: `signal` is its number, and the message names the step and the last checkpoint.

    A command that ends with it exits with 128 + signal, as shells expect: 130 for Ctrl-C, 143 for SIGTERM, 129 for
    SIGHUP.

    >>> TrainingInterrupted(15).signal
    15
    """

    def __init__(self, number: int, message: str = "") -> None:
        super().__init__(message)
        self.signal = number


class Stop:
    """In a `with` block, the first signal is kept until `check`; a second one does what it did before.

    Outside the main thread, where no signal arrives, and for signals that the process ignores, as under nohup, nothing
    changes; nor for SIGHUP, SIGUSR1 and SIGUSR2 that the process handles itself.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._at_once = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (*ALWAYS, *OTHERS):
                before = signal.getsignal(number)
                # None: not set by Python
                if before == signal.SIG_DFL or (number in ALWAYS and before not in (signal.SIG_IGN, None)):
                    self._before[number] = before
                    signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()
        if kind is None and self.signal is not None:
            signal.raise_signal(self.signal)  # it came too late for a check

    def check(self) -> None:
        """Raises TrainingInterrupted where a signal has come."""
        if self.signal is not None:
            raise TrainingInterrupted(self.signal)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Let a signal end the work of this block at once, not at the next check."""
        self.check()
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        self._restore()
        if self._at_once:
            raise TrainingInterrupted(number)

    def _restore(self) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()


def name(number: int) -> str:
    """The name of a signal; Ctrl-C for SIGINT."""
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
