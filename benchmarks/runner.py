"""Run experiments within a budget of CPU seconds; each leaves a line of JSON as soon as it is done."""

from __future__ import annotations

import json
import time
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks import report
from nets.runs.lock import FolderInUseError

Result = dict[str, Any]


class Clock:
    """The CPU seconds of this process, all threads together: what else runs on the machine does not count."""

    def __init__(self, limit: float) -> None:
        self.limit, self._began = limit, time.process_time()

    @property
    def used(self) -> float:
        return time.process_time() - self._began

    @property
    def left(self) -> float:
        return self.limit - self.used


@dataclass(frozen=True)
class Experiment:
    """A measurement with a name.

    Args:
        seconds: CPU seconds that it may take; `run` gets a clock with this limit, and keeps to it.
        run: makes the numbers of a table.
        needs: names of experiments whose results `run` reads; it waits for them.
    """

    name: str
    seconds: float
    run: Callable[[Clock, dict[str, Result]], Result]
    needs: tuple[str, ...] = ()


def read(path: Path) -> dict[str, Result]:
    """The last result of each experiment in a file of JSON lines; a line that was cut off is none.

    An error counts where there is no other result: finished work is never run again.
    """
    results: dict[str, Result] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            result = json.loads(line)
        except json.JSONDecodeError:
            continue
        if is_done(result) or not is_done(results.get(result["experiment"])):
            results[result["experiment"]] = result
    return results


def run_queue(experiments: Iterable[Experiment], path: Path, budget: float) -> dict[str, str]:
    """Run the experiments without a result in `path`, in order, each if the rest of the budget has room for it.

    One that fails leaves its error as a result, and is tried again by the next call. Several queues may write into one
    file: each passes over what another has done or is doing.

    Returns:
        Why experiments did not run, by name.

    Raises:
        OSError: before any run, where `path` cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.open("a").close()
    spent, missing = 0.0, {}
    for experiment in experiments:
        results = read(path)
        if is_done(results.get(experiment.name)):
            continue
        wanting = [name for name in experiment.needs if not is_done(results.get(name))]
        if wanting:
            missing[experiment.name] = f"needs {', '.join(wanting)}"
        elif experiment.seconds > budget - spent:
            missing[experiment.name] = f"needs {experiment.seconds:.0f} CPU s, more than was left of the budget"
        else:
            try:
                result = _run(experiment, results)
            except FolderInUseError as error:
                print(f"{experiment.name}: {error}", flush=True)
                missing[experiment.name] = str(error)
                continue
            append(path, result)
            spent += result["seconds"]
            if "error" in result:
                missing[experiment.name] = result["error"]
    return missing


def _run(experiment: Experiment, results: dict[str, Result]) -> Result:
    clock = Clock(experiment.seconds)
    print(f"{experiment.name} ...", flush=True)
    try:
        numbers = experiment.run(clock, results)
    except FolderInUseError:
        raise
    except Exception as error:  # the queue goes on, and the tables tell
        numbers = {"error": f"{type(error).__name__}: {error}"}
    about = {"seconds": round(clock.used, 1), "date": date.today().isoformat(), "commit": report.commit()}
    about |= {"processor": report.processor()}
    print(f"{experiment.name}: {clock.used:.0f} CPU s {numbers.get('error', '')}", flush=True)
    return {"experiment": experiment.name, **about, **numbers}


def append(path: Path, result: Result) -> None:
    cut_off = not ("\n" + path.read_text()).endswith("\n")
    with path.open("a") as lines:
        lines.write("\n" * cut_off + json.dumps(result) + "\n")


def is_done(result: Result | None) -> bool:
    return result is not None and "error" not in result


def matching(experiments: Sequence[Experiment], words: Sequence[str]) -> list[Experiment]:
    """The experiments whose name has one of the words, all if there are none.

    Raises:
        ValueError: a word that no name has.
    """
    for word in words:
        if not any(word in experiment.name for experiment in experiments):
            raise ValueError(f"--only: no experiment has {word!r} in its name; --list shows them")
    return [e for e in experiments if not words or any(word in e.name for word in words)]


def read_duration(text: str) -> float:
    """Seconds of "90", "90s", "30m" or "2h", for a command line.

    Raises:
        ArgumentTypeError: for another text, or a number that is not positive.

    >>> read_duration("30m")
    1800.0
    """
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:])
    try:
        seconds = float(text[:-1] if unit else text) * (unit or 1)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise ArgumentTypeError(f"a duration is a positive number of seconds, or as in 90s, 30m, 2h; got {text!r}")
    return seconds
