"""Weights from files: `load` makes the trained network of a checkpoint, `load_weights` fills a network."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from nets.models import checkpoint as checkpoints
from nets.models.base import Network
from nets.models.checkpoint import CheckpointError
from nets.models.input_checks import check_class_names
from nets.models.registry import network
from nets.models.replaced import summed_up
from nets.models.saved import Saved, find, transform_of
from nets.models.state_dict_checks import first_difference, hint, other_network
from nets.naming.lookup import described

HEAD = "head."


def load(checkpoint: str | os.PathLike[str], into: Network | None = None) -> Network:
    """The trained network of a checkpoint (averaged weights where there are any), in evaluation mode.

    Its `transform` says how images are prepared for it, and its class names.

    Args:
        checkpoint: the folder of a run or its checkpoint; a folder of `export_hub`; a .safetensors file. One that does
            not say which network it is from, and a state_dict of torch.save, need `into`.
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
    saved = find(checkpoints.path_of(checkpoint), "checkpoint")
    state, described_as, data, file = saved
    if described_as is None:
        if into is None:
            why = f"{file} does not say which network its weights are of; make it, and give it as into=model"
            raise CheckpointError(f"checkpoint: {why}")
    elif into is not None:
        _check_architecture(into, described_as, state, file, "checkpoint")
    elif replaced := described_as.get("modules"):
        raise CheckpointError(
            f"checkpoint: {file} holds {described_as['notation']} with other modules than that name builds: "
            f"{summed_up(replaced)}; make that network, and give it as into=model"
        )
    try:
        model = _made(saved) if into is None else into
        model.load_state_dict(state)
        if data is not None:
            model.transform = transform_of(data)
            if not _has_other_head(described_as):
                check_class_names(model.transform, model.num_classes)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        which, why = "its own model" if into is None else "into", f"{type(error).__name__}: {error}".splitlines()[0]
        raise CheckpointError(f"checkpoint: {checkpoint} does not fit {which} ({why[:200]})") from error
    model.origin = origin(saved)
    return model.eval()


def _has_other_head(description: Mapping[str, Any] | None) -> bool:
    replaced = (description or {}).get("modules") or {}
    return any(f"{name}.".startswith(HEAD) for name in replaced)


def _made(saved: Saved) -> Network:
    """The network of a description, in float32, or in float64 where the weights are."""
    made: Network = network(described(saved.network or {}))
    return made.double() if any(weight.dtype == torch.float64 for weight in saved.state.values()) else made


def origin(saved: Saved) -> dict[str, Any]:
    """Say where weights are from: the file and its SHA-256, and which network was trained on which data."""
    with open(saved.file, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    known = {}
    if saved.network is not None and saved.data is not None:
        known = {"model": saved.network["notation"], "data": saved.data["name"]}
    return {"from": str(saved.file.absolute()), "file_sha256": digest, **known}


def load_weights(model: Network, path: str | os.PathLike[str], argument: str = "weights", *, head: bool = True) -> None:
    """Take the weights of the same architecture, without the head where it is another one, which a warning says.

    Args:
        path: a checkpoint, the folder of a run or of the hub, a .safetensors file, or a state_dict that torch.save
            wrote: alone or in a dictionary as "state_dict", "model_state_dict" or "model", with the prefixes of
            DataParallel and torch.compile or without.
        argument: the name of `path` in messages.
        head: whether the head matters; otherwise there is no warning.

    Raises:
        CheckpointError: where the file cannot be read, or holds another architecture.
    """
    path = checkpoints.path_of(path, argument)
    saved = find(path, argument)
    state: Mapping[str, Any] = saved.state
    if saved.network is not None:
        _check_architecture(model, saved.network, state, path, argument)
    own = model.state_dict()
    theirs, ours = ({name: tuple(w.shape) for name, w in s.items() if name.startswith(HEAD)} for s in (state, own))
    if theirs != ours and not hint(state):
        state = {name: w for name, w in state.items() if name not in theirs} | {name: own[name] for name in ours}
    try:
        model.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        raise CheckpointError(f"{argument}: {path}: {error}") from error
    model.origin = origin(saved)
    if theirs != ours and head:
        warnings.warn(f"{argument}: {_left_out(path, theirs, ours)}", stacklevel=3)


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
    return f"{start}; {end}"


def _shapes(weights: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in weights.items())
