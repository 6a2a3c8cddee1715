"""Commands: options that may also stand in a TOML file, errors in one line, exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib import resources
from pathlib import Path
from signal import SIGINT
from string import Template
from typing import Any

from mgcore.common.arguments import suggestion

Options = dict[str, dict[str, Any]]
"""The arguments of argparse's `add_argument` by the name of the option."""


def path(text: str) -> Path:
    """Make a path of an option; an empty one, as of a variable that is not set, would mean the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("must be a path; got ''")
    return Path(text)


TYPES = {"int": int, "float": float, "path": path}


def read_commands(package: str, values: Mapping[str, Iterable[Any]]) -> dict[str, dict[str, Any]]:
    """Read the commands of a package from its commands.toml: name -> help, description, epilog, and groups of options.

    An option that is "shared" is described in the table of that name. $NAME in a help text, and "*NAME" in choices,
    stand for `values`.
    """
    import tomllib

    words = {name: ", ".join(map(str, entries)) for name, entries in values.items()}

    def option(given: dict[str, Any]) -> dict[str, Any]:
        made = {**given, "help": Template(given["help"]).safe_substitute(words)}
        if "choices" in given:
            pairs = [values[str(c)[1:]] if str(c).startswith("*") else [c] for c in given["choices"]]
            made["choices"] = [choice for each in pairs for choice in each]
        if "type" in given:
            made["type"] = TYPES[given["type"]]
        if given.get("action") == "flag":
            made["action"] = argparse.BooleanOptionalAction
        return made

    table = tomllib.loads(resources.files(package).joinpath("commands.toml").read_text("utf-8"))
    shared = table.pop("shared", {})
    for group in (group for command in table.values() for group in command.values() if isinstance(group, dict)):
        for name, given in group.items():
            group[name] = option(shared[name] if given == "shared" else given)
    return table


def add_command(commands: Any, name: str, table: Mapping[str, Any], function: Callable[..., int | None]) -> None:
    """Add a command to a parser's subparsers; it calls function(options).

    Options of the group "arguments" have defaults, of "choice" exclude each other. Others have no default, so that a
    file is heard where the command line is silent.
    """
    texts = {key: value for key, value in table.items() if isinstance(value, str)}
    kind = argparse.RawDescriptionHelpFormatter if "epilog" in texts else argparse.HelpFormatter
    command = commands.add_parser(name, formatter_class=kind, **texts)
    for title, group in table.items():
        default: dict[str, Any] = {}
        if title == "arguments":
            target = command
        elif title == "choice":
            target = command.add_mutually_exclusive_group()
        elif title not in texts:
            target, default = command.add_argument_group(title), {"default": argparse.SUPPRESS}
        for option, settings in group.items() if title not in texts else ():
            settings = {**default, **settings}
            flag = option if settings.pop("positional", False) else f"--{option.replace('_', '-')}"
            target.add_argument(flag, **settings)
    command.set_defaults(run=function)


def read_options(options: argparse.Namespace, known: Options) -> dict[str, Any]:
    """Read the known options that were given on the command line."""
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
        say(f"{program}: {getattr(interrupt, 'status', 'interrupted')} {interrupt}".strip())
        return int(getattr(interrupt, "exit_code", 128 + SIGINT))
    return 2


def say(line: str) -> None:
    """Print a line on stderr at once; a terminal or a reader that is gone, or a full disk, is no error."""
    if sys.stderr is not None:  # None where it was closed before Python began
        with suppress(OSError, ValueError):
            print(line, file=sys.stderr, flush=True)
