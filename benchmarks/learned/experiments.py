"""The queue: every experiment with its budget, most informative first."""

from __future__ import annotations

from benchmarks.learned.classical import tune
from benchmarks.learned.families import FAMILIES
from benchmarks.learned.runner import Clock, Experiment, Result


def slug(family: str) -> str:
    """A family in the name of an experiment."""
    return family.replace(", ", "-").replace(" ", "")


def _tuned(family: str, smoother: str, seconds: float) -> Experiment:
    def run(clock: Clock, results: dict[str, Result]) -> Result:
        return tune(family, smoother, clock)

    return Experiment(f"classical/{slug(family)}/{smoother}", seconds, run)


POINTS = [_tuned(family, "sor", 500) for family in FAMILIES]
LINES = [_tuned(family, "zebra", 1000) for family in FAMILIES]
REFERENCES = [_tuned(family, smoother, 300) for smoother in ("chebyshev", "jacobi") for family in FAMILIES]

EXPERIMENTS = [*POINTS, *LINES, *REFERENCES]
