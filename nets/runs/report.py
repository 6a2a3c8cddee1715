"""The papers' tables from records of runs: mean, deviation and number of runs, beside what was published.

A run that failed, diverged or did not finish is in the table, and in no mean.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from math import isnan
from statistics import mean, stdev
from typing import Any

from nets.common.formatting import EMPTY, duration
from nets.papers.accuracies import PublishedAccuracy, all_published, plain
from nets.runs.model_card import initial_weights
from nets.runs.records import Group
from nets.training.objective import FIGURES

HEADINGS = ("data", "network", "parameters", "recipe", "epochs", "accuracy in %", "runs", "published in %", "time")
CHOSEN = "On the test set, by which no epoch was chosen, as mean ± standard deviation of the sample over n runs."


def table(found: Sequence[Group], form: str = "text", *, not_run: bool = False) -> str:
    """The table of runs, as `nets.runs.records.runs` gives them.

    Args:
        form: "text", "markdown", "csv" or "json"; the last two have a row per group of repeated runs, in full digits.
        not_run: whether published networks on the same data sets have a row too where no run is given.
    """
    if form not in FORMS:
        raise ValueError(f"form must be one of {', '.join(map(repr, FORMS))}; got {form!r}")
    return FORMS[form](found, _not_run(found) if not_run else [])


def _not_run(found: Sequence[Group]) -> list[list[PublishedAccuracy]]:
    """Published accuracies on these data sets that belong to none of the groups; entries of one network together."""
    data = {plain(group.first.data) for group in found}
    seen = {entry for group in found for entry in group.published}
    together: dict[Any, list[PublishedAccuracy]] = {}
    for entry in all_published():
        if plain(entry.data) in data and entry not in seen:
            together.setdefault((plain(entry.data), entry.model), []).append(entry)
    return list(together.values())


def _text(found: Sequence[Group], absent: Sequence[list[PublishedAccuracy]]) -> str:
    rows = [HEADINGS, *_rows(found, absent)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = {HEADINGS.index(name) for name in ("parameters", "epochs", "time")}
    lines = []
    for row in rows:
        cells = enumerate(zip(row, widths, strict=True))
        lines.append("  ".join(cell.rjust(w) if i in right else cell.ljust(w) for i, (cell, w) in cells))
    return "\n".join([line.rstrip() for line in lines] + ["", *_notes(found)])


def _markdown(found: Sequence[Group], absent: Sequence[list[PublishedAccuracy]]) -> str:
    rows = [HEADINGS, ("---",) * len(HEADINGS), *_rows(found, absent)]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([*lines, "", *(f"- {note}" for note in _notes(found))])


def _rows(found: Sequence[Group], absent: Sequence[list[PublishedAccuracy]]) -> list[tuple[str, ...]]:
    rows = [_row(group) for group in found]
    for entries in absent:
        name = entries[0].model
        rows.append((entries[0].data, name, *(EMPTY,) * 4, "not run", _printed(entries), EMPTY))
    return rows


def _row(group: Group) -> tuple[str, ...]:
    record = group.first
    parameters = EMPTY if record.parameters is None else f"{record.parameters:,}"
    epochs = EMPTY if record.epochs is None else str(record.epochs)
    result = _accuracy(group), _runs(group), _printed(group.published) or EMPTY, duration(group.seconds)
    return record.data, record.network, parameters, record.recipe, epochs, *result


def _accuracy(group: Group) -> str:
    if not group.n:
        return EMPTY
    figure = FIGURES[group.first.figure]
    words = "" if group.first.figure == "accuracy" else f"{figure.words} "
    auc = "" if isnan(group.auc) else f", AUC {_spread(group.aucs, '.2f')}"
    return f"{words}{_spread(group.values, '.2f' if figure.percent else '.4g')}{auc} (n = {group.n})"


def _spread(values: Sequence[float], form: str) -> str:
    """Mean ± standard deviation of the sample, in a format."""
    return f"{mean(values):{form}}" + (f" ± {stdev(values):{form}}" if len(values) > 1 else "")


def _runs(group: Group) -> str:
    """ "3 finished, 1 diverged"."""
    counts = Counter(record.status for record in group.records)
    return ", ".join(f"{count} {status}" for status, count in counts.items())


def _printed(entries: Sequence[PublishedAccuracy]) -> str:
    """ "96.00 (N23, L23), 93.04 (S19)"; "" where there is none."""
    sources: dict[float, dict[str, None]] = {}
    for entry in entries:
        sources.setdefault(entry.accuracy, {})[entry.source] = None
    return ", ".join(f"{accuracy:.2f} ({', '.join(names)})" for accuracy, names in sources.items())


def _notes(found: Sequence[Group]) -> list[str]:
    """Explain the numbers, list the runs without a result, and add remarks on the published ones."""
    notes = [CHOSEN] if any(group.n for group in found) else []
    notes += _sentence("Result: ", {group.first.which for group in found if group.n})
    notes += _sentence("Weights to start from: ", {initial_weights(r.content) for g in found for r in g.finished})
    notes += _sentence("Hardware: ", {record.hardware for g in found for record in g.finished})
    for group in found:
        for record in group.others:
            words = f": {record.message}" if record.message else ""
            notes.append(f"{record.status}: {record.model} on {record.data}, seed {record.seed} ({record.path}){words}")
        for seed in group.repeated:
            notes.append(f"seed {seed} counts more than once: {group.first.model} on {group.first.data}")
    remarks = {(e.source, e.table, e.model, e.remark) for group in found for e in group.published if e.remark}
    return notes + [f"{source}, {table}, {model}: {remark}" for source, table, model, remark in sorted(remarks)]


def _sentence(start: str, words: set[str]) -> list[str]:
    known = sorted(words - {""})
    return [f"{start}{'; '.join(known)}."] if known else []


def _values(group: Group) -> dict[str, Any]:
    """Everything about a group, in full digits."""
    record = group.first
    return {
        "data": record.data,
        "model": record.model,
        "activation": record.activation,
        "parameters": record.parameters,
        "multiply_adds": record.content.get("multiply_adds"),
        "recipe": record.recipe,
        "epochs": record.epochs,
        "figure": record.figure,
        "n": group.n,
        "mean": _number(group.mean),
        "deviation": _number(group.deviation),
        "lowest": min(group.values, default=None),
        "highest": max(group.values, default=None),
        "top5": _number(group.top5),
        "auc": _number(group.auc),
        "seconds": _number(group.seconds),
        "seeds": [r.seed for r in group.finished],
        "not_finished": [{"seed": r.seed, "status": r.status, "message": r.message} for r in group.others],
        "published": group.published,
        "initial_weights": "; ".join(sorted({initial_weights(r.content) for r in group.records} - {""})),
        "records": [str(r.path) for r in group.records],
    }


def _number(value: float) -> float | None:
    return None if isnan(value) else value


def _all_values(found: Sequence[Group], absent: Sequence[list[PublishedAccuracy]]) -> list[dict[str, Any]]:
    missing = ({"data": e[0].data, "model": e[0].model, "n": 0, "published": e} for e in absent)
    return [*map(_values, found), *missing]


def _json(found: Sequence[Group], absent: Sequence[list[PublishedAccuracy]]) -> str:
    rows = [row | {"published": [e._asdict() for e in row["published"]]} for row in _all_values(found, absent)]
    return json.dumps(rows, indent=2, ensure_ascii=False)


def _csv(found: Sequence[Group], absent: Sequence[list[PublishedAccuracy]]) -> str:
    text = io.StringIO()
    names = [name for name in _values(found[0]) if name != "records"] if found else ["data", "model"]
    writer = csv.DictWriter(text, names, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for row in _all_values(found, absent):
        seeds = " ".join(map(str, row.get("seeds", ())))
        others = " ".join(f"{r['status']}:{r['seed']}" for r in row.get("not_finished", ()))
        writer.writerow(row | {"seeds": seeds, "not_finished": others, "published": _printed(row["published"])})
    return text.getvalue().rstrip("\n")


FORMS: dict[str, Callable[[Sequence[Group], Sequence[list[PublishedAccuracy]]], str]] = {
    "text": _text,
    "markdown": _markdown,
    "csv": _csv,
    "json": _json,
}
