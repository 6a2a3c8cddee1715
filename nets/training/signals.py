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
OUT_OF_TIME = 75


class TrainingInterrupted(KeyboardInterrupt):
    """A signal, or the end of its time, stopped the training; the message names the step and the last checkpoint.

    Attributes:
        signal: the number of the signal, or None where the time of `stop_after` was over.
        exit_code: of a command that ends with it: 128 + signal, as shells expect, such as 130 for Ctrl-C, 143 for
            SIGTERM, 129 for SIGHUP; 75 for the end of the time (EX_TEMPFAIL of sysexits.h: try again later).

    >>> TrainingInterrupted(15).exit_code, TrainingInterrupted(None).exit_code
    (143, 75)
    """

    def __init__(self, number: int | None, message: str = "") -> None:
        super().__init__(message)
        self.signal = number
        self.exit_code = OUT_OF_TIME if number is None else 128 + number

    def __reduce__(self) -> tuple[type[TrainingInterrupted], tuple[int | None, str]]:
        return type(self), (self.signal, str(self))  # from another process too

    @property
    def status(self) -> str:
        """In the record of the run."""
        return "stopped" if self.signal is None else "interrupted"


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
