"""python -m pde solve | predict | compile"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import pde.common.py_pde  # noqa: F401  first of all: says so where py-pde's files have replaced ours
from pde.cli.compile import add_compile
from pde.cli.options import join_minus
from pde.cli.predict import add_predict
from pde.cli.solve import add_solve

TITLE = "Multigrid for Poisson problems -div(a grad u) + c u = f on boxes."


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. Errors of the user are one line and exit code 2.

    141 where the reader of stdout has gone, 130 after Ctrl-C.
    """
    options = _parser().parse_args(join_minus(list(sys.argv[1:] if arguments is None else arguments)))
    try:
        code = options.run(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever reads has had enough, as `head` has; nothing is left to flush at exit
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        return 141
    except MemoryError as error:
        print(f"python -m pde {options.command}: error: not enough memory: {error}", file=sys.stderr)
        return 2
    except (ValueError, TypeError, ImportError, OSError) as error:
        print(f"python -m pde {options.command}: error: {str(error).splitlines()[0]}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"python -m pde {options.command}: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m pde", description=TITLE)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    add_solve(commands)
    add_predict(commands)
    add_compile(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
