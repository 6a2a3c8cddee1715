"""Run the queue, or write its tables; see `python -m benchmarks.papers --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

import torch

from benchmarks import report
from benchmarks.papers import tables
from benchmarks.papers.experiments import SCALES, data_of, experiments
from benchmarks.papers.images import degraded
from benchmarks.runner import is_done, matching, read, read_duration, run_queue
from nets.data.search import roots
from nets.data.sets import found_in
from nets.training import TrainingInterrupted

FILE = "papers.jsonl"


def main() -> None:
    """Read the command line and do what it asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.papers", description=DESCRIPTION)
    parser.add_argument("--budget", type=read_duration, default=3600.0, help="CPU time, as 90s, 60m or 2h (default 1h)")
    parser.add_argument("--scale", choices=SCALES, default="small", help="of claims and activations (default small)")
    parser.add_argument("--only", nargs="*", default=(), metavar="WORD", help="experiments with a word in their name")
    parser.add_argument("--list", action="store_true", help="show experiments and their state; run none")
    parser.add_argument("--table", action="store_true", help="write the tables from the results so far; run none")
    parser.add_argument("--threads", type=int, help="of torch (all cores)")
    parser.add_argument("--data-dir", help="where the data sets are ($MGNET_DATA, ./data, ~/.cache/mgnet)")
    parser.add_argument("--runs", type=Path, default=Path("out/papers"), help="folder of checkpoints (out/papers)")
    parser.add_argument("--output", type=Path, default=report.RESULTS, help="folder of results and tables")
    given = parser.parse_args()
    if given.threads is not None:
        if given.threads < 1:
            parser.error(f"--threads must be at least 1; got {given.threads}")
        torch.set_num_threads(given.threads)
    path = given.output / FILE
    every, results = experiments(given.scale, given.runs, given.data_dir), read(path)
    try:
        chosen = matching(every, given.only)
        if given.table and not results:
            raise ValueError(f"--table: there are no results in {path}")
        if not (given.list or given.table):
            check_data([data_of(e.name) for e in chosen if not is_done(results.get(e.name))], given.data_dir)
            for folder in (given.runs, given.output):
                folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if given.list:
        for e in chosen:
            state = "done" if is_done(results.get(e.name)) else "failed" if e.name in results else "open"
            print(f"{e.name:90} {e.seconds:6.0f} CPU s at most  {state}")
        return
    try:
        reasons = {} if given.table else run_queue(chosen, path, given.budget)
    except TrainingInterrupted as why:
        print(f"stopped {why}; the same command goes on", file=sys.stderr)
        sys.exit(why.exit_code)
    sys.argv[0] = "-m benchmarks.papers"
    results = read(path)
    open_ = [e.name for e in every if not is_done(results.get(e.name))]
    missing = {name: reasons.get(name) or results.get(name, {}).get("error", "not run yet") for name in open_}
    tables.write_all(results, missing, given.output)


def check_data(names: Iterable[str], data_dir: str | None) -> None:
    """Read data sets, so that what is missing or damaged is told before hours of work.

    Raises:
        OSError, ValueError: naming the files.
    """
    for name in dict.fromkeys(names):
        if found_in(name, data_dir) is None:
            where = ", ".join(str(root / name) for root in roots(data_dir))
            raise FileNotFoundError(f"--data-dir: {name} is not in {where}; --only chooses what does not need it")
        degraded(name, data_dir)


DESCRIPTION = """\
The papers' claims on classifiers, at the scale of a machine. Results are lines of JSON in OUTPUT/papers.jsonl; an
experiment that has one is not run again, and a run that was interrupted goes on from its checkpoint. Let nothing else
run on the machine where hours count. The rule that decides is in benchmarks/papers/rule.py.
"""

if __name__ == "__main__":
    main()
