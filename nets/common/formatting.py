"""Write numbers of a run in words, for tables and cards."""

from __future__ import annotations

from math import isnan

EMPTY = "–"


def duration(seconds: float) -> str:
    """ "45 s", "12.3 min" or "2.1 h"; a dash where it is not known."""
    if isnan(seconds):
        return EMPTY
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def counted(count: int, one: str) -> str:
    """ "1 sweep", "2 sweeps"."""
    return f"{count} {one}{'' if count == 1 else 's'}"


def threads(count: int | None) -> str | None:
    """ "2 threads"; None where it is not known."""
    return counted(count, "thread") if count else None
