"""Make the folders that results are written to; errors name what is in the way."""

from __future__ import annotations

import sys
from os import PathLike
from os.path import isdir, isfile  # which take a name that is too long for none
from pathlib import Path

from mgcore.common.command_line import say as say


def on_terminal() -> bool:
    """Tell whether stderr is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def make_folder(argument: str, path: str | PathLike[str]) -> Path:
    """The folder that an argument names, made where there is none.

    Raises:
        ValueError: naming the argument and what is in the way.
    """
    return _make(Path(path), f"{argument} must be a folder")


def make_folder_of(argument: str, path: str | PathLike[str]) -> Path:
    """The path of the file that an argument names, whose folder is made where there is none.

    Raises:
        ValueError: naming the argument and what is in the way.
    """
    path = Path(path)
    need = f"{argument} must be a file in a folder"
    if isdir(path):
        raise ValueError(f"{need}; {path} is a folder")
    _make(path.parent, need)
    return path


def _make(folder: Path, need: str) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a name with NUL
        file = next((path for path in (folder, *folder.parents) if isfile(path)), None)
        why = error.strerror if isinstance(error, OSError) else error
        reason = f"{folder} cannot be made ({why})" if file is None else f"{file} is a file"
        raise ValueError(f"{need}; {reason}") from error
    return folder
