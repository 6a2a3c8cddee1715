"""A progress bar for a solve: it fills with the digits that the residual has lost."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from mgcore import Progress


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
