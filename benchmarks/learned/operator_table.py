"""The table of networks that learn the solution operator, from the results of the queue."""

from __future__ import annotations

from benchmarks.learned.runner import Result


def body(results: dict[str, Result], missing: dict[str, str]) -> str:
    return "nothing yet"
