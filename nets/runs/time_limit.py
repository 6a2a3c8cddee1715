"""The time that a process may take, for batch systems that grant so much of it."""

from __future__ import annotations

import re
import time
from typing import Any

SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600}


class TimeLimit:
    """So much time from now on, by the clock on the wall.

    Args:
        text: such as "50m": a number > 0 of s, m, min or h; None is no limit.

    >>> TimeLimit("1.5 h").seconds
    5400.0
    """

    def __init__(self, text: Any) -> None:
        self.text, self.seconds, self._began = text, float("inf"), time.monotonic()
        if text is None:
            return
        allowed = f"stop_after must be a time > 0 such as '50m', '90 s' or '1.5 h'; got {text!r}"
        if not isinstance(text, str):
            raise TypeError(allowed)
        match = re.fullmatch(rf"(\d+(?:\.\d+)?) *({'|'.join(SECONDS)})", text.strip())
        self.seconds = float(match[1]) * SECONDS[match[2]] if match else 0.0
        if not self.seconds:
            raise ValueError(allowed)

    @property
    def over(self) -> bool:
        return time.monotonic() - self._began >= self.seconds
