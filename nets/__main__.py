"""python -m nets list | summary | data | train | evaluate | look | predict | export | report | theorems | tables"""

from __future__ import annotations

import argparse
import os
import re
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from signal import SIGINT
from typing import Any

from mgcore.arguments import nearest
from nets.cli.data import add_data
from nets.cli.evaluate import add_evaluate
from nets.cli.export import add_export
from nets.cli.look import add_look
from nets.cli.predict import add_predict
from nets.cli.report import add_report
from nets.cli.show import add_list, add_summary, add_tables, add_theorems
from nets.cli.train import add_train
from nets.common.checks import USUAL
from nets.common.paths import say
from nets.deploy.export import ExportError
from nets.training import TrainingError

SIGPIPE = 13
"""The number that shells know; Windows has no such signal."""
TITLE = "MgNet: image classifiers that are multigrid cycles with trained convolutions."
COMMANDS = (
    *(add_list, add_summary, add_data, add_train, add_evaluate, add_look, add_predict, add_export),
    *(add_report, add_theorems, add_tables),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors of the user are one line and exit code 2."""
    streams: tuple[Any, ...] = (sys.stdout, sys.stderr)
    for stream in streams:
        with suppress(AttributeError, OSError, ValueError):  # no stream, or one that is gone
            stream.reconfigure(errors="backslashreplace")  # names of classes and files may be in any script
    options = _parse(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = partial(_show_warning, options.command)
            options.run(options)
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what the interpreter flushes at its end
        return 128 + SIGPIPE
    except (ValueError, TypeError, ImportError, OSError, TrainingError, ExportError) as error:
        say(f"python -m nets {options.command}: error: {str(error).splitlines()[0]}")
        return 2
    except KeyboardInterrupt as interrupt:
        say(f"python -m nets {options.command}: interrupted {interrupt}".strip())
        return 128 + getattr(interrupt, "signal", SIGINT)
    return 0


def _show_warning(command: str, message: Warning | str, *_: object) -> None:
    say(f"python -m nets {command}: warning: {message}")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options; of one that there is not the nearest are named."""
    parser = _parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        known = {name.replace("-", "_"): f"--{name}" for name in re.findall(r"--([a-z][\w-]*)", options.usage)}
        given = unknown[0].partition("=")[0].lstrip("-").replace("-", "_")
        near = nearest(given, known, USUAL) if unknown[0].startswith("--") else None
        hint = f"; did you mean {known[near]}?" if near else ""
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m nets", description=TITLE)
    commands = parser.add_subparsers(dest="command", required=True)
    for add in COMMANDS:
        add(commands)
    for command in commands.choices.values():
        command.set_defaults(usage=command.format_usage())
    return parser


if __name__ == "__main__":
    sys.exit(main())
