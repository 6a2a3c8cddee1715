"""Commands: options that may also stand in a TOML file, errors in one line, exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from signal import SIGINT
from typing import Any

from mgcore.arguments import suggestion

Options = Mapping[str, Mapping[str, Any]]
"""The arguments of `add_argument` by the name of the option."""


def add_options(target: Any, options: Options) -> None:
    """Add options to a parser; they have no defaults, so that a file is heard where the command line is silent."""
    for name, settings in options.items():
        target.add_argument(f"--{name.replace('_', '-')}", default=argparse.SUPPRESS, **settings)


def read_options(options: argparse.Namespace, known: Options) -> dict[str, Any]:
    """The known options that were given on the command line."""
    return {name: value for name, value in vars(options).items() if name in known}


def read_file(
    path: Path, known: Options, convert: Callable[[Path, str, Any], Any], other_names: Mapping[str, str], label: str
) -> dict[str, Any]:
    """Read known options from a TOML file; convert(path, name, value) checks a value; `label` begins the errors.

    Raises:
        ValueError: naming the file, and an unknown key with the nearest one.
    """
    import tomllib  # most commands read no file

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ValueError(f"{label}there is no file {path}") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{label}{path} cannot be read: {error}") from None
    try:
        table = tomllib.loads(text)
    except ValueError as error:  # tomllib.TOMLDecodeError, or a number of thousands of digits
        raise ValueError(f"{label}{path} is no TOML file: {error}") from None
    except RecursionError:
        raise ValueError(f"{label}{path} cannot be read: lists or tables are nested too deeply") from None
    names = {key: key.replace("-", "_") for key in table}
    for key, name in names.items():
        if name not in known:
            raise ValueError(f"{label}{path}: unknown key {key!r}{suggestion(name, known, other_names)}")
    return {name: convert(path, name, table[key]) for key, name in names.items()}


ERRORS = (ValueError, TypeError, ImportError, OSError)


def run(program: str, command: Callable[[], int | None], errors: tuple[type[Exception], ...] = ERRORS) -> int:
    """Run a command and return its exit code; an error of the user is one line on stderr and exit code 2.

    As in shells, 141 where the reader of stdout has gone, 130 after Ctrl-C, 128 + n after signal n.
    """
    try:
        code = command() or 0
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what the interpreter flushes at its end
        return 141
    except MemoryError as error:
        say(f"{program}: error: not enough memory: {error}")
    except errors as error:
        say(f"{program}: error: {str(error).splitlines()[0]}")
    except KeyboardInterrupt as interrupt:
        say(f"{program}: interrupted {interrupt}".strip())
        return 128 + getattr(interrupt, "signal", SIGINT)
    return 2


def say(line: str) -> None:
    """Print a line on stderr at once; a terminal or a reader that is gone, or a full disk, is no error."""
    if sys.stderr is not None:  # None where it was closed before Python began
        with suppress(OSError, ValueError):
            print(line, file=sys.stderr, flush=True)
