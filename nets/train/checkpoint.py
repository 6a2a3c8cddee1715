"""Checkpoints: one file of tensors and plain values, whole or not there."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from nets import zoo
from nets.network import Network
from nets.states import described_network, first_difference, hint, other_network
from nets.train import sealed
from nets.transform import Transform

FILE, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"
FORMAT = "mgnet-multigrid checkpoint 2"
KEYS = {
    *("model", "weights", "averaged", "optimizer", "recipe", "data", "seed"),
    *("epoch", "step", "sums", "history", "clock", "computed_with"),
}
HEAD = "head."


class CheckpointError(ValueError):
    """A checkpoint that is missing, damaged, or not what is asked for."""


def save(folder: Path, record: Mapping[str, Any]) -> None:
    """Write a record with exactly the entries KEYS as FILE; the last one becomes PREVIOUS."""
    sealed.write(folder / FILE, {"format": FORMAT, **record}, folder / PREVIOUS)


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The record in a checkpoint, or the newest one that is whole in the folder of a run.

    Where a folder's newest checkpoint is damaged a warning says so, and the one before is read.

    Raises:
        CheckpointError: naming the file, where it is missing, truncated, damaged or something else.
    """
    path = _path(path)
    if not path.is_dir():
        return _record(path)
    newest, previous = path / FILE, path / PREVIOUS
    try:
        return _record(newest)
    except CheckpointError as error:
        if not previous.exists():
            raise
        try:
            record = _record(previous)
        except CheckpointError as second:
            raise CheckpointError(f"{error}; {second}") from second
        where = f"epoch {record['epoch']}, step {record['step']}"
        warnings.warn(f"{error}; {previous} ({where}) is used instead", stacklevel=3)
        return record


def _path(path: Any, name: str = "checkpoint") -> Path:
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{name} must be the path of a file; got {type(path).__name__}")
    return Path(path)


def _record(path: Path) -> dict[str, Any]:
    content = _content(path)
    if not _is_record(content):
        raise CheckpointError(f"checkpoint: {path} was not written by nets.train in this version ({FORMAT!r})")
    return content


def _content(path: Path) -> Any:
    """What torch.save wrote, a sealed record or something else."""
    try:
        content, whole = sealed.read(path)
    except sealed.DamagedFileError as error:
        raise CheckpointError(f"checkpoint: {error}") from error
    if _is_record(content) and not whole:
        raise CheckpointError(f"checkpoint: {path} is damaged: it does not end with its SHA-256")
    return content


def _is_record(content: Any) -> bool:
    return isinstance(content, dict) and content.get("format") == FORMAT and content.keys() >= KEYS


def build(description: Mapping[str, Any]) -> Network:
    """A model with fresh weights, from its `config.description`."""
    return zoo.network(zoo.described(description))


def load(checkpoint: str | os.PathLike[str]) -> Network:
    """The trained network of a checkpoint (averaged weights where there are any), in evaluation mode.

    Its `transform` says how images are prepared for it, and its class names.

    Raises:
        CheckpointError: naming the file, where it is missing, truncated, damaged or something else.
    """
    record = read(checkpoint)
    try:
        model = build(record["model"])
        model.load_state_dict(trained(record))
        model.transform = Transform.of(record["data"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"checkpoint: {checkpoint} does not fit its own model ({_first(error)})") from error
    return model.eval()


def load_weights(model: Network, path: str | os.PathLike[str]) -> None:
    """Take the weights of the same architecture, without the head where it is another one, which a warning says.

    Args:
        path: a checkpoint, the folder of a run, or a state_dict that torch.save wrote.

    Raises:
        CheckpointError: where the file cannot be read, or holds another architecture.
    """
    path = _path(path, "weights")
    content = read(path) if path.is_dir() else _content(path)
    state = trained(content) if _is_record(content) else content
    if not isinstance(state, Mapping) or not state or not all(isinstance(w, torch.Tensor) for w in state.values()):
        raise CheckpointError(f"weights: {path} holds neither a checkpoint of nets.train nor a state_dict")
    description = content["model"] if _is_record(content) else described_network(state)
    if description is not None:
        _check_architecture(model, description, state, path)
    own = model.state_dict()
    theirs, ours = ({name: tuple(w.shape) for name, w in s.items() if name.startswith(HEAD)} for s in (state, own))
    if theirs != ours and not hint(state):
        state = {name: w for name, w in state.items() if name not in theirs} | {name: own[name] for name in ours}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise CheckpointError(f"weights: {path}: {error}") from error
    if theirs != ours:
        warnings.warn(_left_out(path, theirs, ours), stacklevel=3)


def _check_architecture(model: Network, description: Mapping[str, Any], state: Mapping[str, Any], path: Path) -> None:
    # written anew, since the file may be older than some settings
    words = other_network(zoo.described(description).description, model.config)
    if words:
        first = first_difference(model, state)
        raise CheckpointError(f"weights: {path} holds {words}{f'; {first}' if first else ''}")


def _left_out(path: Path, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    end = f"the model's own ({_shapes(ours)}) keeps its initial values" if ours else "the model has none"
    start = f"the head in {path} ({_shapes(theirs)}) is left out" if theirs else f"{path} has no head"
    return f"weights: {start}; {end}"


def _shapes(weights: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in weights.items())


def trained(record: Mapping[str, Any]) -> dict[str, Any]:
    """The weights that a run reports: averaged ones where there are any."""
    return record["weights"] if record["averaged"] is None else record["averaged"]


def _first(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
