"""Options, timing, and a table that is written anew after every row, for the parts of the measurements on a GPU."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import report


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """The options that all parts have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda (default), or cpu for a rehearsal")
    parser.add_argument("--quick", action="store_true", help="small sizes and one round, written to out/")
    parser.add_argument("--output", type=Path, help="folder (default benchmarks/results; --quick: out)")
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line; ends where the device is not there."""
    given = parser.parse_args()
    if given.device != "cpu" and not torch.cuda.is_available():
        raise SystemExit("not run: torch finds no GPU on this machine")
    if given.device == "cpu":
        torch.compiler.set_stance("force_eager")  # compiling C++ takes minutes, and a GPU never runs it
    given.output = given.output or (Path("out") if given.quick or given.device == "cpu" else report.RESULTS)
    given.rounds = 1 if given.quick else 5
    return given


class Table:
    """Rows that are on the disk as soon as they are measured."""

    def __init__(
        self, name: str, title: str, header: Sequence[str], given: argparse.Namespace, note: str | None = None
    ) -> None:
        self.name, self.title, self.header, self.given = name, title, header, given
        self.note = note or f"Medians of {given.rounds}."
        self.rows: list[Sequence[object]] = []

    def add(self, *row: object) -> None:
        self.rows.append(row)
        rehearsal = self.given.device == "cpu"
        device = "cpu (a rehearsal)" if rehearsal else torch.cuda.get_device_name(self.given.device)
        body = f"{device}. {self.note}\n\n{report.table(self.header, self.rows)}"
        report.write(self.name, self.title, body, self.given.output, show=False)
        print("  ".join(map(str, row)), flush=True)


def timed(run: Callable[[], object], given: argparse.Namespace) -> float:
    """Median seconds of a call, after two that do not count."""

    def wait() -> None:
        if given.device != "cpu":
            torch.cuda.synchronize(given.device)

    times = []
    for _ in range(given.rounds + 2):
        wait()
        began = time.perf_counter()
        run()
        wait()
        times.append(time.perf_counter() - began)
    return statistics.median(times[2:])
