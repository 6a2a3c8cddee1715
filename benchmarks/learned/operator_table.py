"""The table of networks that learn the solution operator, from the results of the queue."""

from __future__ import annotations

from benchmarks.learned.learned_table import not_measured
from benchmarks.learned.runner import Result


def body(results: dict[str, Result], missing: dict[str, str]) -> str:
    """All rows, then what has not been measured."""
    return "\n\n".join(["", *not_measured(missing)])
