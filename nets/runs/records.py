"""Records of training runs (record.json): reading them, and grouping repeated runs."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from math import nan
from os import PathLike
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from nets.common.formatting import counted, threads
from nets.models.replaced import summed_up
from nets.naming.lookup import full_settings, own_settings
from nets.papers.accuracies import PublishedAccuracy, published
from nets.runs.record import FILE, FORMAT, MULTILABEL
from nets.training.loop import STOPPED
from nets.training.objective import FIGURES
from nets.training.recipe import Recipe

LEADING = {"regression": "relative_l2", "segmentation": "pixel_accuracy", MULTILABEL: "f1"}
STATUSES = ("running", "finished", "interrupted", "stopped", "diverged", "failed")


class Record:
    """A run as its record.json tells it.

    Attributes:
        path, content: the file and what it holds.
        data, model, activation: names.
        figure: the name of its leading figure, "accuracy" of images of classes.
        value: of that figure, in percent or as it is; nan where there is none.
        accuracy, top5, auc: in percent, nan where there is none.
        seconds: nan where it is not known.
    """

    def __init__(self, path: Path, content: Mapping[str, Any]) -> None:
        self.path, self.content = path, content
        result, settings = content.get("result") or {}, content.get("settings") or {}
        self.status, self.message = str(content["status"]), str(content.get("message") or "")
        self.finished = self.status == "finished"
        self.data, self.model = str(content["data"]["name"]), str(content["model"])
        self.activation = str(settings.get("activation", "relu"))
        self.parameters: int | None = content.get("parameters")
        self.seed: int | None = content.get("seed")
        self.epochs: int | None = (content.get("recipe") or {}).get("epochs")
        self.figure = _figure(content)
        share = result.get(self.figure)
        self.accuracy = _percent(share if FIGURES[self.figure].percent else None)
        self.value = self.accuracy if FIGURES[self.figure].percent or share is None else float(share)
        self.top5, self.auc = _percent(result.get("top5")), _percent(result.get("auc"))
        self.which = str(result.get("which") or "")
        self.seconds = float(content.get("seconds") or nan)
        self.history: Sequence[Mapping[str, Any]] = content.get("history") or []

    @property
    def network(self) -> str:
        """The model, its activation where that is not ReLU, and other settings that are not the default ones."""
        words = own_settings(self.model, self.content.get("settings") or {})
        words.pop("activation", None)
        activation = () if self.activation == "relu" else (self.activation,)
        replaced = [summed_up(self.content["modules"])] if self.content.get("modules") else []
        return ", ".join((self.model, *activation, *(f"{key}={value}" for key, value in words.items()), *replaced))

    @property
    def recipe(self) -> str:
        """Its name, the settings that were replaced, and where the weights are from: "digits, epochs=3"."""
        recipe, overrides = self.content.get("recipe") or {}, self.content.get("overrides") or {}
        words = [str(recipe.get("name") or "own"), *(f"{k}={v}" for k, v in sorted(overrides.items()))]
        words += [f"computed in {self.precision}"] * bool(self.precision)
        words += [f"continued after epoch {epoch}" for epoch in self.continued]
        words += [f"{STOPPED} {self.stopped_at}"] * (self.stopped_at is not None)
        initial, frozen = self.content.get("initial") or {}, self.content.get("frozen") or ()
        words += [f"fine-tuned from {initial.get('data') or 'other weights'}"] * ("from" in initial)
        return ", ".join(words + [f"{counted(len(frozen), 'parameter')} frozen"] * bool(frozen))

    @property
    def continued(self) -> list[int]:
        """The epochs after which the run went on to another number of them."""
        return [piece["from_epoch"] for piece in self.content.get("continued") or ()]

    @property
    def stopped_at(self) -> int | None:
        """The epoch after which `on_epoch` stopped the run, which the recipe does not tell; else None."""
        by_function = self.finished and STOPPED in self.message
        return self.content.get("epoch") if by_function else None

    @property
    def precision(self) -> str:
        """The choice of a run with precision="auto"; "" for others."""
        return str((self.content.get("precision") or {}).get("precision") or "")

    @property
    def hardware(self) -> str:
        """The GPU, or the processor and threads, in words."""
        hardware = self.content.get("hardware") or {}
        if hardware.get("gpu"):
            return str(hardware["gpu"])
        return ", ".join(filter(None, [str(hardware.get("cpu") or "unknown"), threads(hardware.get("threads"))]))

    def kind(self) -> tuple[str, ...]:
        """Everything that repetitions of one run have in common; last, the source of the result."""
        content = self.content
        data = {key: content["data"].get(key) for key in ("name", "train", "test")}
        initial = content.get("initial") or {}
        start = ["from" in initial, initial.get("model"), initial.get("data"), content.get("frozen") or []]
        # runs of earlier versions lack settings that had the default's value
        recipe = {**asdict(Recipe()), **(content.get("recipe") or {})}
        settings = full_settings(self.model, content.get("settings") or {})
        parts = [data, self.model, settings, recipe, content.get("overrides"), start]
        parts += [content.get("modules") or {}, self.precision, self.continued, self.stopped_at]
        return *(json.dumps(part, sort_keys=True) for part in parts), self.which


def _figure(content: Mapping[str, Any]) -> str:
    """The leading figure of a run, by the kind of its targets."""
    return LEADING.get(str(content["data"].get("targets") or ""), "accuracy")


def _percent(share: float | None) -> float:
    return nan if share is None else 100 * float(share)


class Group:
    """Runs that differ in their seed alone: those that finished, and the others.

    Attributes:
        n: how many finished.
        values, aucs: of the leading figure and, in percent, of the area under the ROC curve, run by run.
        mean, deviation, top5, auc, seconds: of these; nan where there are none or one run has none, the deviation for a
            single run too.
        repeated: seeds of more than one finished run.
    """

    def __init__(self, finished: tuple[Record, ...], others: tuple[Record, ...]) -> None:
        self.finished, self.others, self.records = finished, others, finished + others
        self.first, self.n = self.records[0], len(finished)
        self.values = [record.value for record in finished]
        self.aucs = [record.auc for record in finished]
        self.mean, self.top5, self.auc, self.seconds = map(
            _mean, (self.values, [r.top5 for r in finished], self.aucs, [r.seconds for r in finished])
        )
        self.deviation = stdev(self.values) if self.n > 1 else nan
        self.repeated = [seed for seed, count in Counter(record.seed for record in finished).items() if count > 1]

    @property
    def published(self) -> list[PublishedAccuracy]:
        return published(self.first.data, self.first.model, self.first.activation)


def _mean(values: Sequence[float]) -> float:
    return mean(values) if values else nan


class NoRecordError(ValueError):
    """A file that is no record of a run; the message names it."""


def runs(paths: Iterable[str | PathLike[str]]) -> list[Group]:
    """Read the records given, or in the folders given at any depth, and group repetitions.

    Paths without a run are left out with a warning, unless there is no run at all.
    """
    found: dict[Path, Record] = {}
    others: list[str] = []
    for path in map(Path, paths):
        if not path.exists():
            raise ValueError(f"runs: there is no file or folder {path}")
        files = sorted(path.rglob(FILE)) if path.is_dir() else [path]
        if not files:
            others.append(f"runs: {path} holds no {FILE}; runs are written with --output, and have one")
        for file in files:
            try:
                found[file.resolve()] = read(file)
            except NoRecordError as error:
                if file.name == FILE:
                    raise
                others.append(str(error))
    if others and not found:
        raise ValueError(others[0])
    for words in others:
        warnings.warn(f"{words} (left out)", stacklevel=2)
    return groups(found.values())


def read(path: str | PathLike[str]) -> Record:
    """The record in a file."""
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NoRecordError(f"runs: {path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise NoRecordError(f"runs: {path} is no record of a run ({FORMAT!r})")
    problem = _missing(content)
    if problem:
        raise ValueError(f"runs: {path} {problem}")
    return Record(path, content)


def _missing(content: Mapping[str, Any]) -> str | None:
    """Say in words what a record lacks."""
    for key in ("status", "model", "data"):
        if not content.get(key):
            return f"has no {key!r}"
    if content["status"] not in STATUSES:
        return f"has the status {content['status']!r}; known are {', '.join(STATUSES)}"
    if not isinstance(content["data"], Mapping) or "name" not in content["data"]:
        return "has no name of its data"
    name = _figure(content)
    value = (content.get("result") or {}).get(name)
    good = isinstance(value, int | float) and 0 <= value <= 1 if FIGURES[name].percent else True
    if content["status"] == "finished" and not good:
        return f"is finished, and its {FIGURES[name].words} is {value!r}, no number in [0, 1]"
    return None


def groups(records: Iterable[Record]) -> list[Group]:
    """Group repetitions, by data set, then by network and recipe in order of appearance.

    A run without a result belongs to the finished ones of the same kind, whatever their results are taken from.
    """
    records = list(records)
    together: dict[Any, tuple[list[Record], list[Record]]] = {}
    for record in sorted(records, key=lambda record: not record.finished):
        kind = record.kind()
        if not record.finished:
            kind = next((known for known in together if known[:-1] == kind[:-1]), kind)
        together.setdefault(kind, ([], []))[0 if record.finished else 1].append(record)
    made = [Group(*(tuple(sorted(part, key=_seed)) for part in parts)) for parts in together.values()]
    return sorted(made, key=lambda group: group.first.data)


def _seed(record: Record) -> int:
    return -1 if record.seed is None else record.seed
