"""Weights from files: `load` makes the trained network of a checkpoint, `load_weights` fills a network."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from nets.data import DenseTransform, Transform
from nets.models import checkpoint as checkpoints
from nets.models.base import Network
from nets.models.checkpoint import CheckpointError, trained
from nets.models.registry import network
from nets.models.replaced import summed_up
from nets.models.state_dict_checks import described_network, first_difference, hint, other_network, unwrapped
from nets.naming.lookup import described

HEAD = "head."
STATES = ("state_dict", "model_state_dict", "model")
"""Where other programs keep a state_dict in a file."""


def load(checkpoint: str | os.PathLike[str], into: Network | None = None) -> Network:
    """The trained network of a checkpoint (averaged weights where there are any), in evaluation mode.

    Its `transform` says how images are prepared for it, and its class names.

    Args:
        into: a network that takes the weights and is returned: where modules were replaced before the training, one in
            which the same modules are replaced.

    Raises:
        TypeError: `into` is no network.
        CheckpointError: naming the file, where it is missing, truncated, damaged or something else, or holds another
            network than `into`, or one with replaced modules and `into` is None.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = train("MgNet[1]-[4]-B^l", "digits", epochs=1, limit_batches=1, output=folder, progress=False)
    ...     load(result.checkpoint).config.notation
    'MgNet[1]-[4]-B^l'
    """
    if not (into is None or isinstance(into, Network)):
        raise TypeError(f"into must be a nets.Network or None; got {type(into).__name__}")
    record, file = checkpoints.find(checkpoints.path_of(checkpoint))
    if into is not None:
        _check_architecture(into, record["model"], trained(record), file, "checkpoint")
    elif replaced := record["model"].get("modules"):
        raise CheckpointError(
            f"checkpoint: {file} holds {record['model']['notation']} with other modules than that name builds: "
            f"{summed_up(replaced)}; make that network, and give it as into=model"
        )
    try:
        model = network(described(record["model"])) if into is None else into
        model.load_state_dict(trained(record))
        data = record["data"]
        model.transform = DenseTransform.described(data) if "targets" in data else Transform.of(data)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        which, why = "its own model" if into is None else "into", f"{type(error).__name__}: {error}".splitlines()[0]
        raise CheckpointError(f"checkpoint: {checkpoint} does not fit {which} ({why[:200]})") from error
    model.origin = _origin(file, record)
    return model.eval()


def _origin(file: Path, record: Mapping[str, Any] | None) -> dict[str, Any]:
    """Say where weights are from: the file and its SHA-256, and which network was trained on which data."""
    with open(file, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    known = {} if record is None else {"model": record["model"]["notation"], "data": record["data"]["name"]}
    return {"from": str(file.absolute()), "file_sha256": digest, **known}


def load_weights(model: Network, path: str | os.PathLike[str], argument: str = "weights") -> None:
    """Take the weights of the same architecture, without the head where it is another one, which a warning says.

    Args:
        path: a checkpoint, the folder of a run, or a state_dict that torch.save wrote: alone or in a dictionary as
            "state_dict", "model_state_dict" or "model", with the prefixes of DataParallel and torch.compile or without.
        argument: the name of `path` in messages.

    Raises:
        CheckpointError: where the file cannot be read, or holds another architecture.
    """
    path = file = checkpoints.path_of(path, argument)
    if path.is_dir():
        content, file = checkpoints.find(path)
    else:
        content = checkpoints.read_file(path)
    record = content if checkpoints.is_record(content) else None
    state = _state(content, path, argument) if record is None else trained(record)
    description = described_network(state) if record is None else record["model"]
    if description is not None:
        _check_architecture(model, description, state, path, argument)
    own = model.state_dict()
    theirs, ours = ({name: tuple(w.shape) for name, w in s.items() if name.startswith(HEAD)} for s in (state, own))
    if theirs != ours and not hint(state):
        state = {name: w for name, w in state.items() if name not in theirs} | {name: own[name] for name in ours}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise CheckpointError(f"{argument}: {path}: {error}") from error
    model.origin = _origin(file, record)
    if theirs != ours:
        warnings.warn(_left_out(path, theirs, ours), stacklevel=3)


def _state(content: Any, path: Path, argument: str) -> Mapping[str, Any]:
    """Find the state_dict in what a file holds, without the prefixes of wrappers."""
    found = [content, *(content[name] for name in STATES if name in content)] if isinstance(content, Mapping) else []
    for state in found:
        if isinstance(state, Mapping) and state and all(isinstance(w, torch.Tensor) for w in state.values()):
            return unwrapped(state)
    names = ", ".join(map(repr, STATES))
    either = f"neither a checkpoint of nets.train nor a state_dict, alone or as one of {names}"
    raise CheckpointError(f"{argument}: {path} holds {either}")


def _check_architecture(
    model: Network, description: Mapping[str, Any], state: Mapping[str, Any], path: Path, argument: str
) -> None:
    # settings are written anew, since the file may be older than some of them
    words = other_network({**description, **described(description).description}, model)
    if words:
        first = first_difference(model, state)
        raise CheckpointError(f"{argument}: {path} holds {words}{f'; {first}' if first else ''}")


def _left_out(path: Path, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    end = f"the model's own ({_shapes(ours)}) keeps its initial values" if ours else "the model has none"
    start = f"the head in {path} ({_shapes(theirs)}) is left out" if theirs else f"{path} has no head"
    return f"weights: {start}; {end}"


def _shapes(weights: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in weights.items())
