"""Run the queue, or write its tables; see `python -m benchmarks.learned --help`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("WANDB_MODE", "disabled")

from benchmarks import report
from benchmarks.learned import learned_table, operator_table
from benchmarks.learned.experiments import EXPERIMENTS
from benchmarks.runner import is_done, matching, read, read_duration, run_queue

FILE = "learned.jsonl"


def main() -> None:
    """Read the command line and do what it asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learned", description=DESCRIPTION)
    parser.add_argument("--budget", type=read_duration, default=1800.0, help="CPU time, as 90s, 30m (default) or 2h")
    parser.add_argument("--only", nargs="*", default=(), metavar="NAME", help="experiments with a word in their name")
    parser.add_argument("--list", action="store_true", help="show experiments, their CPU seconds and state; run none")
    parser.add_argument("--table", action="store_true", help="write the tables from the results so far; run none")
    parser.add_argument("--output", type=Path, default=report.RESULTS, help="folder of results and tables")
    given = parser.parse_args()
    path = given.output / FILE
    try:
        chosen = matching(EXPERIMENTS, given.only)
    except ValueError as error:
        parser.error(str(error))
    if given.list:
        results = read(path)
        for e in chosen:
            state = "done" if is_done(results.get(e.name)) else "failed" if e.name in results else "open"
            print(f"{e.name:45} {e.seconds:6.0f} CPU s  {state}")
        return
    reasons = {} if given.table else run_queue(chosen, path, given.budget)
    write_tables(path, reasons)


def write_tables(path: Path, reasons: dict[str, str]) -> None:
    """Write both tables beside the results in `path`; what has no result is listed with its reason."""
    sys.argv[0] = "-m benchmarks.learned"
    results = read(path)
    done = {name: result for name, result in results.items() if is_done(result)}
    open_ = [e.name for e in EXPERIMENTS if e.name not in done]
    missing = {name: reasons.get(name) or results.get(name, {}).get("error", "not run yet") for name in open_}
    for table, name, title in (
        (learned_table, "learned", "Learned cycles beside tuned ones"),
        (operator_table, "operator", "Networks that learn the solution operator"),
    ):
        own = {e: why for e, why in missing.items() if e.startswith("operator") == (name == "operator")}
        report.write(name, title, table.body(done, own), path.parent, show=False)
        print(f"{path.parent / name}.md", flush=True)


DESCRIPTION = """\
Learned multigrid cycles beside tuned classical ones, and networks that learn the solution operator. Results are lines
of JSON in OUTPUT/learned.jsonl; an experiment that has one is not run again, so that the same command goes on.
"""

if __name__ == "__main__":
    main()
