"""python -m nets report: runs as a table beside what the papers print."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from nets.common.paths import make_folder, make_folder_of
from nets.runs import records, report

PLOTS = ("learning_curves", "accuracy_parameters", "accuracy_time")


def run(options: argparse.Namespace) -> None:
    if options.format not in report.FORMS:
        raise ValueError(f"format must be one of {', '.join(map(repr, report.FORMS))}; got {options.format!r}")
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
