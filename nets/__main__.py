"""python -m nets list | summary | data | train | evaluate | look | predict | export | report | theorems | tables"""

from __future__ import annotations

import argparse
import re
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from mgcore.common.arguments import nearest
from mgcore.common.command_line import ERRORS, add_command, run, say
from nets.cli import data, evaluate, export, look, predict, report, show, train
from nets.cli.options import COMMANDS
from nets.common.checks import OTHER_NAMES
from nets.deploy.export import ExportError
from nets.training import TrainingError

TITLE = "MgNet: image classifiers that are multigrid cycles with trained convolutions."
FUNCTIONS = {
    **{"list": show.list_models, "summary": show.summarise, "data": data.run, "train": train.run},
    **{"evaluate": evaluate.run, "look": look.run, "predict": predict.run, "export": export.run},
    **{"report": report.run, "theorems": show.check_theorems, "tables": show.print_tables},
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (`mgcore.common.command_line.run`)."""
    streams: tuple[Any, ...] = (sys.stdout, sys.stderr)
    for stream in streams:
        with suppress(AttributeError, OSError, ValueError):  # no stream, or one that is gone
            # names of classes and files may be in any script, and a log gets each line at once
            stream.reconfigure(errors="backslashreplace", line_buffering=True)
    options = _parse(arguments)
    program = f"python -m nets {options.command}"
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: say(f"{program}: warning: {message}")
        return run(program, partial(options.run, options), (*ERRORS, TrainingError, ExportError))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options; of one that there is not the nearest are named."""
    parser = _parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        known = {name.replace("-", "_"): f"--{name}" for name in re.findall(r"--([a-z][\w-]*)", options.usage)}
        given = unknown[0].partition("=")[0].lstrip("-").replace("-", "_")
        near = nearest(given, known, OTHER_NAMES) if unknown[0].startswith("--") else None
        hint = f"; did you mean {known[near]}?" if near else ""
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m nets", description=TITLE)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, table in COMMANDS.items():
        add_command(commands, name, table, FUNCTIONS[name])
    for command in commands.choices.values():
        command.set_defaults(usage=command.format_usage())
    return parser


if __name__ == "__main__":
    sys.exit(main())
