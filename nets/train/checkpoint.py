"""Checkpoints: one file of tensors and plain values, whole or not there."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import torch

from nets import zoo
from nets.config import MgNetConfig
from nets.network import Network
from nets.resnet_config import ResNetConfig

FILE = "checkpoint.pt"
FORMAT = "mgnet-multigrid checkpoint 1"
KEYS = {"model", "weights", "averaged", "optimizer", "recipe", "data", "seed", "epoch", "step", "history", "versions"}


class CheckpointError(ValueError):
    """A checkpoint that is missing, damaged, or not what is asked for."""


def write_atomically(path: Path, content: bytes) -> None:
    """Whatever happens, `path` holds its old content or all of the new one."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name itself
    finally:
        os.close(folder)


def save(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record with exactly the entries KEYS."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **record}, buffer)
    write_atomically(path, buffer.getvalue())


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The record in a checkpoint, or in the folder of a run.

    Raises:
        CheckpointError: naming the file, where it is missing, truncated, damaged or something else.
    """
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise CheckpointError(f"checkpoint: there is no file {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch.load reads damaged numbers without a word
        record = None if damaged else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(f"checkpoint: {path} is truncated, damaged or no checkpoint ({_first(error)})") from error
    if damaged:
        raise CheckpointError(f"checkpoint: {path} is damaged: the checksum of {damaged} is wrong")
    if not isinstance(record, dict) or record.get("format") != FORMAT or not record.keys() >= KEYS:
        raise CheckpointError(f"checkpoint: {path} was not written by nets.train in this version ({FORMAT!r})")
    return record


def describe(model: Network) -> dict[str, Any]:
    """The model as plain values, from which `build` makes it again."""
    return _describe(model.config)


def _describe(config: MgNetConfig | ResNetConfig) -> dict[str, Any]:
    family = "ResNet" if isinstance(config, ResNetConfig) else "MgNet"
    return {"family": family, "notation": config.notation, "settings": config.settings()}


def build(description: Mapping[str, Any]) -> Network:
    """A model with fresh weights."""
    return zoo.network(_configuration(description))


def _configuration(description: Mapping[str, Any]) -> MgNetConfig | ResNetConfig:
    return zoo.configuration(description["notation"], **description["settings"])


def load(checkpoint: str | os.PathLike[str]) -> Network:
    """The trained network of a checkpoint (averaged weights where there are any), in evaluation mode.

    Raises:
        CheckpointError: naming the file, where it is missing, truncated, damaged or something else.
    """
    record = read(checkpoint)
    try:
        model = build(record["model"])
        model.load_state_dict(trained(record))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"checkpoint: {checkpoint} does not fit its own model ({_first(error)})") from error
    return model.eval()


def load_weights(model: Network, checkpoint: str | os.PathLike[str]) -> None:
    """Take the weights of a checkpoint of the same architecture, without the head where the classes differ.

    Raises:
        CheckpointError: where the file cannot be read, or holds another architecture.
    """
    record = read(checkpoint)
    theirs, ours = _describe(_configuration(record["model"])), describe(model)
    if theirs["notation"] != ours["notation"]:
        _refuse(checkpoint, "name", theirs["notation"], ours["notation"])
    for name, need in ours["settings"].items():
        if name not in ("num_classes", "form") and theirs["settings"][name] != need:
            _refuse(checkpoint, name, theirs["settings"][name], need)
    state = trained(record)
    if theirs["settings"]["num_classes"] != model.config.num_classes:
        state = {**state, **{key: value for key, value in model.state_dict().items() if key.startswith("head.")}}
        state = {key: value for key, value in state.items() if key in model.state_dict()}
    model.load_state_dict(state)


def _refuse(checkpoint: Any, name: str, got: Any, need: Any) -> NoReturn:
    raise CheckpointError(f"weights: {checkpoint} holds {name} {got!r}, and the model has {need!r}")


def trained(record: Mapping[str, Any]) -> dict[str, Any]:
    """The weights that a run reports: averaged ones where there are any."""
    return record["weights"] if record["averaged"] is None else record["averaged"]


def _first(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
