"""Networks in files: `save` writes one as .safetensors, `find` reads weights from every kind of file and folder."""

from __future__ import annotations

import json
import os
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from mgcore.common.version import PACKAGE, installed_version
from nets.common import safetensors_file
from nets.common.checked_file import DamagedFileError
from nets.common.paths import make_folder_of
from nets.data import DenseTransform, Transform
from nets.data.sets import PREFIX, is_file
from nets.models import checkpoint as checkpoints
from nets.models.base import Network
from nets.models.checkpoint import CheckpointError, trained
from nets.models.state_dict_checks import DESCRIPTION, described_network, description, unwrapped
from nets.naming.lookup import described

FORMAT = "mgnet-multigrid network 1"
CONFIG, WEIGHTS, SUFFIX = "config.json", "model.safetensors", ".safetensors"
"""The files of a folder as the Hugging Face hub has it, and the ending of the second."""
STATES = ("state_dict", "model_state_dict", "model")
"""Where other programs keep a state_dict in a file."""


class Saved(NamedTuple):
    """Weights, the network that they are of and its data as far as the file says, and the file."""

    state: Mapping[str, Any]
    network: Mapping[str, Any] | None
    data: Mapping[str, Any] | None
    file: Path


def save(model: Network, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write a network as a .safetensors file, with its name, settings, classes and normalisation among the texts.

    Any program that knows the format reads the weights; `load` makes the network again, to the bit.

    Raises:
        TypeError, ValueError: naming the argument: no network, another ending, a file that is there already.

    >>> import tempfile, torch
    >>> model = create_model("MgNet[1]-[4]-B^l", activation="gelu")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     again = load(nets.save(model, f"{folder}/net.safetensors"))
    >>> again.config == model.config and torch.equal(again.head.weight, model.head.weight)
    True
    """
    if not isinstance(model, Network):
        raise TypeError(f"model must be a nets.Network; got {type(model).__name__}")
    path = checkpoints.path_of(path, "path")
    if path.suffix != SUFFIX:
        raise ValueError(f"path must end in {SUFFIX}, the format that is written; got {path}")
    if path.exists() and not overwrite:
        raise ValueError(f"path: {path} exists already; choose another name, or overwrite=True")
    make_folder_of("path", path)
    safetensors_file.write(path, model.state_dict(), {PACKAGE: json.dumps(content(model), allow_nan=False)})
    return path


def content(model: Network) -> dict[str, Any]:
    """Describe a network and its data as plain values without paths: the content of config.json."""
    library = {"library_name": PACKAGE, "library_version": installed_version()}
    return {"format": FORMAT, **library, "network": description(model), "data": _data_of(model.transform)}


def _data_of(transform: Transform | DenseTransform | None) -> dict[str, Any] | None:
    if transform is None:
        return None
    entries = asdict(transform)
    entries |= {"name": without_path(entries.pop("data")), "classes": entries.pop("class_names")}
    if isinstance(transform, DenseTransform):
        entries["targets"] = "regression" if transform.is_regression else "segmentation"
    return entries


def without_path(name: str) -> str:
    """Name a data set without the folders of this machine: folder:/home/me/pets is folder:pets."""
    prefix = PREFIX if name.startswith(PREFIX) else ""
    if not (prefix or is_file(name)):
        return name
    return prefix + re.split(r"[\\/]", name.removeprefix(prefix).rstrip("\\/"))[-1]


def transform_of(data: Mapping[str, Any]) -> Transform | DenseTransform:
    """Make the transform of a data set from its description."""
    return DenseTransform.described(data) if "targets" in data else Transform.of(data)


def find(path: Path, argument: str) -> Saved:
    """Read weights from a run or its checkpoint, a folder of the hub, a .safetensors file, or a state_dict.

    Raises:
        CheckpointError: naming the file, where it is missing, damaged or something else.
    """
    try:
        if not is_of_run(path):
            return _of_folder(path, argument) if path.is_dir() else _of_safetensors(path, argument)
    except DamagedFileError as error:
        raise CheckpointError(f"{argument}: {error}") from error
    if path.is_dir():
        found, file = checkpoints.find(path, argument)
    else:
        found, file = checkpoints.read_file(path, argument), path
    if checkpoints.is_record(found):
        return Saved(trained(found), found["model"], found["data"], file)
    state = _state(found, path, argument)
    return Saved(state, described_network(state), None, file)


def is_of_run(path: Path) -> bool:
    """Tell whether a path can be that of a run: no .safetensors file, and no folder without checkpoint."""
    if path.is_dir():
        return any((path / name).exists() for name in (checkpoints.FILE, checkpoints.PREVIOUS))
    return path.suffix != SUFFIX and not safetensors_file.is_safetensors(path)


def _of_folder(folder: Path, argument: str) -> Saved:
    config, weights = folder / CONFIG, folder / WEIGHTS
    if not (config.is_file() and weights.is_file()):
        need = f"{checkpoints.FILE} of a run, or {CONFIG} and {WEIGHTS} as nets.export_hub writes them"
        raise CheckpointError(f"{argument}: {folder} holds no network: {need}")
    try:
        found = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{argument}: {config} cannot be read: {error}") from error
    network, data = _understood(found, config, argument)
    return _of_safetensors(weights, argument)._replace(network=network, data=data)


def _of_safetensors(path: Path, argument: str) -> Saved:
    tensors, texts = safetensors_file.read(path)
    network = data = None
    if PACKAGE in texts:
        try:
            found = json.loads(texts[PACKAGE])
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"{argument}: {path}: its text {PACKAGE!r} cannot be read: {error}") from error
        network, data = _understood(found, path, argument)
    state = OrderedDict(unwrapped(tensors))
    if network is not None:
        state._metadata = {"": {DESCRIPTION: network}}  # type: ignore[attr-defined]
    return Saved(state, network, data, path)


def _understood(found: Any, file: Path, argument: str) -> tuple[dict[str, Any], Mapping[str, Any] | None]:
    """Check what `content` wrote; the network has every setting of this version, the data may be unknown."""
    if not isinstance(found, Mapping) or found.get("format") != FORMAT:
        raise CheckpointError(f"{argument}: {file} was not written by {PACKAGE} in this version ({FORMAT!r})")
    try:
        network, data = found["network"], found["data"]
        if data is not None:
            transform_of(data)
        return {**described(network).description, "modules": dict(network["modules"])}, data
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        why = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise CheckpointError(f"{argument}: {file} does not describe a network ({why})") from error


def _state(found: Any, path: Path, argument: str) -> Mapping[str, Any]:
    """Find the state_dict in what a file holds, without the prefixes of wrappers."""
    inside = [found, *(found[name] for name in STATES if name in found)] if isinstance(found, Mapping) else []
    for state in filter(_is_state, inside):
        return unwrapped(state)
    names = ", ".join(map(repr, STATES))
    either = f"neither a checkpoint of nets.train nor a state_dict, alone or as one of {names}"
    others = [name for name, value in found.items() if _is_state(value)] if isinstance(found, Mapping) else []
    hint = f"; tensors are in {', '.join(map(repr, others))}: save that entry alone" if others else ""
    raise CheckpointError(f"{argument}: {path} holds {either}{hint}")


def _is_state(state: Any) -> bool:
    return isinstance(state, Mapping) and bool(state) and all(isinstance(w, Tensor) for w in state.values())
