"""python -m nets report: runs as a table beside what the papers print."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nets.cli.data import path
from nets.common.paths import make_folder, make_folder_of
from nets.runs import records, report

DESCRIPTION = """Mean, standard deviation and number of runs beside the published values, from the record.json of every
run. Runs that failed, diverged or did not finish are in the table as such; what is no run is passed over."""
PLOTS = ("learning_curves", "accuracy_parameters", "accuracy_time")


def add_report(commands: Any) -> None:
    command = commands.add_parser("report", help="runs beside what the papers print", description=DESCRIPTION)
    command.add_argument("runs", nargs="+", type=path, help="folders with runs at any depth, or record.json files")
    command.add_argument("--format", default="text", help=f"{', '.join(report.FORMS)} (default: %(default)s)")
    command.add_argument("--output", type=path, help="write the table into this file")
    command.add_argument("--plots", type=path, help=f"folder for {', '.join(f'{name}.png' for name in PLOTS)}")
    command.add_argument(
        "--not-run", action="store_true", help="a row for every published network on the same data without a run"
    )
    command.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> None:
    found = records.runs(options.runs)
    text = report.table(found, options.format, not_run=options.not_run)
    if options.output is None:
        print(text)
    else:
        make_folder_of("output", options.output).write_text(text + "\n", encoding="utf-8")
        print(f"written: {options.output}")
    if options.plots is not None:
        _plot(found, options.plots)


def _plot(found: Sequence[records.Group], folder: Path) -> None:
    from nets import plot

    make_folder("plots", folder)
    for name in PLOTS:
        try:
            getattr(plot, name)(found, folder / f"{name}.png")
        except ValueError as error:  # no run has what the picture shows
            print(f"not drawn: {name}.png ({error})")
        else:
            print(f"written: {folder / name}.png")
