"""The queue: every experiment with its budget, most informative first."""

from __future__ import annotations

from functools import partial

from benchmarks.learned.classical import tune
from benchmarks.learned.families import FAMILIES
from benchmarks.learned.operators import MINUTES, SETTINGS, final, make_data, trial, trials, tune_at_128
from benchmarks.learned.trained import Entry, train
from benchmarks.runner import Clock, Experiment, Result


def slug(family: str) -> str:
    """A family in the name of an experiment."""
    return family.replace(", ", "-").replace(" ", "")


def _tuned(family: str, smoother: str, seconds: float) -> Experiment:
    def run(clock: Clock, results: dict[str, Result]) -> Result:
        return tune(family, smoother, clock)

    return Experiment(f"classical/{slug(family)}/{smoother}", seconds, run)


def _trained(entry: Entry, seconds: float) -> Experiment:
    def run(clock: Clock, results: dict[str, Result]) -> Result:
        return train(entry, clock)

    return Experiment(f"learned/{slug(entry.family)}/{entry.name}", seconds, run)


POISSON, MILD, STRONG = FAMILIES


def _entries(seed: int) -> list[Entry]:
    """The learned cycles, the most informative first."""
    corners = {"transfer": "symmetric", "seed": seed}
    return [
        Entry(POISSON, seed=seed),
        Entry(MILD, **corners),
        Entry(STRONG, **corners),
        Entry(MILD, symmetric=True, **corners),
        Entry(STRONG, symmetric=True, **corners),
        Entry(MILD, kernel=5, **corners),
        Entry(STRONG, kernel=5, **corners),
        Entry(POISSON, symmetric=True, seed=seed),
        Entry(STRONG, kernel=5, symmetric=True, **corners),
        Entry(STRONG, sweeps=(2, 2), symmetric=True, **corners),
        Entry(MILD, sweeps=(2, 2), **corners),
    ]


LEARNED = {seed: [_trained(entry, 250) for entry in _entries(seed)] for seed in (0, 1, 2)}
POINTS = [_tuned(family, "sor", 400) for family in FAMILIES]
LINES = [_tuned(family, "zebra", 700) for family in FAMILIES]
REFERENCES = [_tuned(family, smoother, 200) for smoother in ("chebyshev", "jacobi") for family in FAMILIES]

DATA = "operator/data"
OPERATORS = [Experiment(DATA, 300, make_data)]
OPERATORS += [
    Experiment(name, 120, partial(trial, kind, number), (DATA,))
    for kind in SETTINGS
    for number, name in enumerate(trials(kind))
]
LONG = {
    seed: [
        Experiment(f"operator/{kind}/seed{seed}", MINUTES * 60, partial(final, kind, seed), (DATA, *trials(kind)))
        for kind in SETTINGS
    ]
    for seed in (0, 1, 2)
}
TUNED_AT_128 = [
    Experiment(f"operator/MgNO/tuned-at-128-{more}-more-levels", 500, partial(tune_at_128, more), (LONG[0][0].name,))
    for more in (0, 1)
]

EXPERIMENTS = [
    *LEARNED[0][:3],
    *POINTS,
    *LEARNED[0][3:],
    *OPERATORS,
    *LONG[0],
    *TUNED_AT_128,
    *LINES,
    *LEARNED[1],
    *LEARNED[2],
    *LONG[1],
    *LONG[2],
    *REFERENCES,
]
