"""python -m pde solve | predict | compile"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from typing import NoReturn

import pde.common.py_pde  # noqa: F401  first of all: says so where py-pde's files have replaced ours
from mgcore.common.command_line import add_command, run
from pde.cli.compile import compile_
from pde.cli.many import is_silent, silence
from pde.cli.options import COMMANDS, join_minus
from pde.cli.predict import predict
from pde.cli.solve import solve

TITLE = "Multigrid for Poisson problems -div(a grad u) + c u = f on boxes."


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (`mgcore.common.command_line.run`)."""
    with silence(is_silent()):
        options = _parser().parse_args(join_minus(list(sys.argv[1:] if arguments is None else arguments)))
    return run(f"python -m pde {options.command}", partial(options.run, options))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m pde", description=TITLE)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, table in COMMANDS.items():
        add_command(commands, name, table, {"solve": solve, "predict": predict, "compile": compile_}[name])
    return parser


if __name__ == "__main__":
    sys.exit(main())
