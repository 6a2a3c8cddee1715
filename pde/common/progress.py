"""Progress bars: of a solve, which fills with the digits that the residual has lost, and of compiling kernels."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

from mgcore import Progress
from mgcore.common import command_line


class ProgressBar:
    """Context manager; does nothing where `shown` is False."""

    def __init__(self, shown: bool, rtol: float) -> None:
        self.shown, self.digits = shown, -math.log10(min(max(rtol, 1e-16), 0.1))

    def __enter__(self) -> ProgressBar:
        if self.shown:
            from tqdm import tqdm

            layout = "{desc} |{bar}| {n:.1f} of {total:.0f} digits [{elapsed}{postfix}]"
            self._bar = tqdm(total=round(self.digits, 1), desc="solve", bar_format=layout)
        return self

    def __exit__(self, *_: object) -> None:
        if self.shown:
            self._bar.close()

    def wrap(self, callback: Callable[[Progress], Any] | None) -> Callable[[Progress], Any] | None:
        """A callback that moves the bar, then calls the user's."""
        if not self.shown:
            return callback

        def show(progress: Progress) -> Any:
            if 0 < progress.residual < math.inf:
                self._bar.n = min(max(0.0, -math.log10(progress.residual)), self._bar.total)
            self._bar.set_postfix_str(f" cycle {progress.cycle}, residual {progress.residual:.1e}")
            return callback(progress) if callback is not None else None

        return show


FUNCTIONS = 80
"""About so many functions are compiled for one solver."""


class CompileBar:
    """Context manager; called with a number of functions, it shows a bar, or where there is no terminal says one line.

    Nothing is shown before the first call.

    Args:
        shown: show the bar even where stderr is not a terminal.
        what: is compiled.
    """

    def __init__(self, shown: bool, what: object) -> None:
        self._what, self._begun = what, False
        self._bar: Any = None
        self._shown = sys.stderr is not None and (shown or sys.stderr.isatty())

    def __enter__(self) -> CompileBar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, done: int) -> None:
        if not self._begun:
            self._begin()
        if self._bar is not None:
            self._bar.n = min(done, FUNCTIONS)
            self._bar.refresh()

    def _begin(self) -> None:
        self._begun = True
        title = f"compiling kernels, once on this machine ({self._what})"
        if self._shown:
            from tqdm import tqdm

            self._bar = tqdm(total=FUNCTIONS, desc=title, bar_format="{desc} |{bar}| {percentage:.0f} % [{elapsed}]")
        else:
            say(f"{title}, some 10 to 20 seconds")


def say(text: str) -> None:
    """Print a line of `pde` on stderr."""
    command_line.say(f"pde: {text}")
