"""python -m nets list | summary | data | train | evaluate | look | predict | export | report | theorems | tables"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from signal import SIGINT

from nets.commands.data import add_data
from nets.commands.evaluate import add_evaluate
from nets.commands.export import add_export
from nets.commands.look import add_look
from nets.commands.predict import add_predict
from nets.commands.report import add_report
from nets.commands.show import add_list, add_summary, add_tables, add_theorems
from nets.commands.train import add_train
from nets.exporting import ExportError
from nets.output import say
from nets.train import TrainingError

SIGPIPE = 13
"""The number that shells know; Windows has no such signal."""
TITLE = "MgNet: image classifiers that are multigrid cycles with trained convolutions."
COMMANDS = (
    *(add_list, add_summary, add_data, add_train, add_evaluate, add_look, add_predict, add_export),
    *(add_report, add_theorems, add_tables),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors of the user are one line and exit code 2."""
    options = _parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = partial(_show_warning, options.command)
            options.run(options)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m nets", description=TITLE)
    commands = parser.add_subparsers(dest="command", required=True)
    for add in COMMANDS:
        add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
