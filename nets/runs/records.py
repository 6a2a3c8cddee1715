"""Records of training runs (record.json): reading them, and putting repeated runs together."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from os import PathLike
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from nets.common.formatting import counted, threads
from nets.models.replaced import summed_up
from nets.naming.lookup import own_settings
from nets.papers.accuracies import PublishedAccuracy, published
from nets.runs.record import FILE, FORMAT

STATUSES = ("running", "finished", "interrupted", "diverged", "failed")


@dataclass(frozen=True, eq=False)
class Record:
    """A run as its record.json tells it; `path` is that file, `content` what it holds."""

    path: Path
    content: Mapping[str, Any]

    @property
    def status(self) -> str:
        return str(self.content["status"])

    @property
    def finished(self) -> bool:
        return self.status == "finished"

    @property
    def message(self) -> str:
        return str(self.content.get("message") or "")

    @property
    def data(self) -> str:
        return str(self.content["data"]["name"])

    @property
    def model(self) -> str:
        return str(self.content["model"])

    @property
    def parameters(self) -> int | None:
        return self.content.get("parameters")

    @property
    def seed(self) -> int | None:
        return self.content.get("seed")

    @property
    def accuracy(self) -> float:
        """Top-1 in percent."""
        return 100 * float(self.content["result"]["accuracy"])

    @property
    def top5(self) -> float | None:
        value = self.content["result"].get("top5")
        return None if value is None else 100 * float(value)

    @property
    def seconds(self) -> float:
        return float(self.content.get("seconds") or nan)

    @property
    def history(self) -> Sequence[Mapping[str, Any]]:
        return self.content.get("history") or []

    @property
    def activation(self) -> str:
        return str((self.content.get("settings") or {}).get("activation", "relu"))

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
        """Its name, and the settings that were replaced: "digits, epochs=3"."""
        recipe, overrides = self.content.get("recipe") or {}, self.content.get("overrides") or {}
        words = [str(recipe.get("name") or "own"), *(f"{k}={v}" for k, v in sorted(overrides.items()))]
        return ", ".join([*words, *self._start()])

    def _start(self) -> list[str]:
        """Say from what weights the run started, and how many parameters it left alone."""
        initial, frozen = self.content.get("initial") or {}, self.content.get("frozen") or ()
        trained = f"fine-tuned from {initial.get('data') or 'other weights'}"
        return [trained] * ("from" in initial) + [f"{counted(len(frozen), 'parameter')} frozen"] * bool(frozen)

    @property
    def epochs(self) -> int | None:
        return (self.content.get("recipe") or {}).get("epochs")

    @property
    def hardware(self) -> str:
        """The GPU, or the processor and threads, in words."""
        hardware = self.content.get("hardware") or {}
        if hardware.get("gpu"):
            return str(hardware["gpu"])
        return ", ".join(filter(None, [str(hardware.get("cpu") or "unknown"), threads(hardware.get("threads"))]))

    def kind(self) -> tuple[Any, ...]:
        """What runs have in common that are repetitions of one another, the seed apart."""
        content = self.content
        data = {key: content["data"].get(key) for key in ("name", "train", "test")}
        initial = content.get("initial") or {}
        start = ["from" in initial, initial.get("model"), initial.get("data"), content.get("frozen") or []]
        parts = [data, self.model, content.get("settings"), content.get("recipe"), content.get("overrides"), start]
        parts.append(content.get("modules") or {})
        which = (content.get("result") or {}).get("which")
        return *(json.dumps(part, sort_keys=True) for part in parts), which


@dataclass(frozen=True, eq=False)
class Group:
    """Runs that differ in their seed alone: those that finished, and the others."""

    finished: tuple[Record, ...]
    others: tuple[Record, ...]

    @property
    def records(self) -> tuple[Record, ...]:
        return self.finished + self.others

    @property
    def first(self) -> Record:
        return self.records[0]

    @property
    def n(self) -> int:
        return len(self.finished)

    @property
    def accuracies(self) -> list[float]:
        return [record.accuracy for record in self.finished]

    @property
    def mean(self) -> float:
        return mean(self.accuracies) if self.n else nan

    @property
    def deviation(self) -> float:
        """The sample's standard deviation, with n - 1; nan for a single run."""
        return stdev(self.accuracies) if self.n > 1 else nan

    @property
    def top5(self) -> float:
        values = [record.top5 for record in self.finished]
        return mean(v for v in values if v is not None) if values and None not in values else nan

    @property
    def seconds(self) -> float:
        return mean(record.seconds for record in self.finished) if self.n else nan

    @property
    def repeated(self) -> list[int | None]:
        """Seeds of more than one finished run."""
        return [seed for seed, count in Counter(record.seed for record in self.finished).items() if count > 1]

    @property
    def published(self) -> list[PublishedAccuracy]:
        return published(self.first.data, self.first.model, self.first.activation)


class NoRecordError(ValueError):
    """A file that is no record of a run; the message names it."""


def runs(paths: Iterable[str | PathLike[str]]) -> list[Group]:
    """The runs whose records are given, or lie in the folders given, at any depth; repetitions together.

    What holds no run is passed over with a warning, as long as something else does.

    Raises:
        ValueError: naming a path that does not exist, or a record.json that is none; or where there is no run at all.
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
        warnings.warn(f"{words} (passed over)", stacklevel=2)
    return groups(found.values())


def read(path: str | PathLike[str]) -> Record:
    """The record in a file.

    Raises:
        NoRecordError: a ValueError that names the file, where it is no record.
        ValueError: naming the file, where it says less than a record must.
    """
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
    """What a record must say and this one does not, in words."""
    for key in ("status", "model", "data"):
        if not content.get(key):
            return f"has no {key!r}"
    if content["status"] not in STATUSES:
        return f"has the status {content['status']!r}; known are {', '.join(STATUSES)}"
    if not isinstance(content["data"], Mapping) or "name" not in content["data"]:
        return "has no name of its data"
    accuracy = (content.get("result") or {}).get("accuracy")
    if content["status"] == "finished" and not (isinstance(accuracy, int | float) and 0 <= accuracy <= 1):
        return f"is finished, and its accuracy is {accuracy!r}, no number in [0, 1]"
    return None


def groups(records: Iterable[Record]) -> list[Group]:
    """Repetitions together, by data set, then by network and recipe in order of appearance.

    A run without a result belongs to the finished ones of the same kind, whatever their results are taken from.
    """
    together: dict[Any, list[Record]] = {}
    unfinished: list[Record] = []
    for record in records:
        if record.finished:
            together.setdefault(record.kind(), []).append(record)
        else:
            unfinished.append(record)
    others: dict[Any, list[Record]] = {}
    for record in unfinished:
        kind = next((kind for kind in together if kind[:-1] == record.kind()[:-1]), None)
        others.setdefault(record.kind() if kind is None else kind, []).append(record)
    kinds = list(dict.fromkeys([*together, *others]))
    made = [
        Group(tuple(sorted(together.get(kind, ()), key=_seed)), tuple(sorted(others.get(kind, ()), key=_seed)))
        for kind in kinds
    ]
    return sorted(made, key=lambda group: group.first.data)


def _seed(record: Record) -> int:
    return -1 if record.seed is None else record.seed
