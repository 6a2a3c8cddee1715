"""The table of networks that learn the solution operator, from the results of the queue."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import mean, stdev

from benchmarks import report
from benchmarks.learned.learned_table import not_measured
from benchmarks.learned.operators import MINUTES, SETTINGS
from benchmarks.runner import Result

HEADER = [
    "network",
    "setting",
    "parameters",
    "epochs",
    "error at 64², %",
    "seeds",
    "error at 128² without retraining, %",
    "CPU ms per sample, 64²",
    "validation error of the three settings, %",
]

TRIALS = ["network", "setting", "parameters", "epochs", "CPU s per epoch", "error at 64², %"]


def body(results: dict[str, Result], missing: dict[str, str]) -> str:
    """All rows, then what has not been measured."""
    rows = [*_networks(results), *_tuned(results), *_references(results)]
    table = [report.table(HEADER, rows)] if rows else []
    return "\n\n".join([NOTES.strip(), *table, *_trials(results), *not_measured(missing)])


def _networks(results: dict[str, Result]) -> Iterator[list[str]]:
    for kind in SETTINGS:
        runs = [run for name, run in results.items() if name.startswith(f"operator/{kind}/seed")]
        if runs:
            first = runs[0]
            settings = [percent([value]) for value in first["validation"]]
            yield [
                kind,
                first["setting"],
                f"{first['parameters']:,}",
                f"{first['epochs']:g}",
                percent([run["l2"] for run in runs]),
                str(len(runs)),
                percent([run["l2 at 128"] for run in runs]),
                f"{1e3 * first['seconds_per_sample']:.1f}",
                ", ".join(settings),
            ]


def _trials(results: dict[str, Result]) -> list[str]:
    """The trials as a table of their own: a comparison after a short time."""
    rows = []
    for kind in SETTINGS:
        for run in (run for name, run in results.items() if name.startswith(f"operator/{kind}/trial")):
            numbers = f"{run['parameters']:,}", f"{run['epochs']:g}", f"{run['epoch']:.0f}", percent([run["l2"]])
            rows.append([kind, run["setting"], *numbers])
    title = "## Trials: validation error within 120 CPU seconds"
    notes = "One epoch of MgNO tells how many fit into the rest of its time; the others train for all of theirs."
    return [title, notes, report.table(TRIALS, rows)] if rows else []


def _tuned(results: dict[str, Result]) -> Iterator[list[str]]:
    for name, run in results.items():
        if name.startswith("operator/MgNO/tuned"):
            yield ["MgNO, tuned at 128²", run["setting"], "", "1", "", "1", percent([run["l2 at 128"]]), "", ""]


def _references(results: dict[str, Result]) -> Iterator[list[str]]:
    if data := results.get("operator/data"):
        yield ["mean of the training solutions", "", "", "", percent([data["mean"]]), "", "", "", ""]
        small, large = (1e3 * data["seconds_per_sample"][n] for n in ("64", "128"))
        times = f"{small:.1f} (128²: {large:.1f})"
        yield ["`pde.Multigrid`, to 1e-8, set-up included", "", "", "", "0", "", "0", times, ""]


def percent(errors: list[float]) -> str:
    """The mean in percent, with the standard deviation where there are several."""
    spread = f" ± {100 * stdev(errors):.2f}" if len(errors) > 1 else ""
    return f"{100 * mean(errors):.2f}{spread}"


NOTES = f"""\
-div(a grad u) = 1 on the unit square, u = 0 on its boundary; a is 12 where a Gaussian random field with the covariance
(-Laplace + 9)^-2, Neumann sides and no mean is positive, and 3 elsewhere; values at the centres of cells. Of 1,300
fields 1,000 are for training, 100 for the choice of one of three settings, 200 for testing; solutions by
`pde.Multigrid`. The error is the mean of ||p - u|| / ||u|| over the test fields. All networks minimise it with AdamW, a
rate that rises for a tenth of the time and falls as a cosine, in float32, for {MINUTES} CPU minutes each, MgNO by
`nets.train`. A complex weight of FNO (neuraloperator 2.0) counts as two parameters. At 128² the same fields are sampled
on finer cells. With one level more the network starts from its weights, the new finest level being a copy.
"""
