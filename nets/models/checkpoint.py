"""Checkpoints: one file of tensors and plain values, whole or not there."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nets.common import checked_file

FILE, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"
FORMAT = "mgnet-multigrid checkpoint 2"
KEYS = {
    *("model", "weights", "averaged", "optimizer", "recipe", "data", "seed"),
    *("epoch", "step", "sums", "history", "clock", "computed_with"),
}


class CheckpointError(ValueError):
    """A checkpoint that is missing, damaged, or not what is asked for.

    >>> try:
    ...     load("nothing.pt")
    ... except CheckpointError as error:
    ...     "nothing.pt" in str(error)
    True
    """


def save(folder: Path, record: Mapping[str, Any]) -> None:
    """Write a record with exactly the entries KEYS as FILE; the last one becomes PREVIOUS."""
    checked_file.write(folder / FILE, {"format": FORMAT, **record}, folder / PREVIOUS)


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The record in a checkpoint, or the newest one that is whole in the folder of a run.

    Where a folder's newest checkpoint is damaged a warning says so, and the one before is read.
    """
    return find(path_of(path))[0]


def find(path: Path, argument: str = "checkpoint") -> tuple[dict[str, Any], Path]:
    """Read a record, and say in which file it is; `argument` is the name of `path` in messages."""
    if not path.is_dir():
        return _record(path, argument), path
    newest, previous = path / FILE, path / PREVIOUS
    try:
        return _record(newest, argument), newest
    except CheckpointError as error:
        if not previous.exists():
            raise
        try:
            record = _record(previous, argument)
        except CheckpointError as second:
            raise CheckpointError(f"{error}; {second}") from second
        where = f"epoch {record['epoch']}, step {record['step']}"
        warnings.warn(f"{error}; {previous} ({where}) is used instead", stacklevel=4)
        return record, previous


def path_of(path: Any, name: str = "checkpoint") -> Path:
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{name} must be the path of a file; got {type(path).__name__}")
    if path == "":
        raise ValueError(f"{name} must be the path of a file; got ''")
    return Path(path)


def _record(path: Path, argument: str) -> dict[str, Any]:
    content = read_file(path, argument)
    if not is_record(content):
        raise CheckpointError(f"{argument}: {path} was not written by nets.train in this version ({FORMAT!r})")
    return content


def read_file(path: Path, argument: str = "checkpoint") -> Any:
    """Read what torch.save wrote, a checkpoint or something else."""
    try:
        content, whole = checked_file.read(path)
    except checked_file.DamagedFileError as error:
        raise CheckpointError(f"{argument}: {error}") from error
    if is_record(content) and not whole:
        raise CheckpointError(f"{argument}: {path} is damaged: it does not end with its SHA-256")
    return content


def is_record(content: Any) -> bool:
    return isinstance(content, dict) and content.get("format") == FORMAT and content.keys() >= KEYS


def trained(record: Mapping[str, Any]) -> dict[str, Any]:
    """The weights that a run reports: of the best epoch where it keeps that, averaged ones where there are any."""
    best = (record.get("best") or {}).get("weights")
    if best is not None:
        return dict(best)
    return record["weights"] if record["averaged"] is None else record["averaged"]
