"""From which weights a run starts: in words, and whether a run that goes on began with those that are given."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from os import PathLike
from typing import Any

from nets.models.checkpoint import CheckpointError, path_of
from nets.models.saved import find
from nets.models.weights import origin
from nets.runs.model_card import initial_weights
from nets.runs.resume import Run


def start_in_words(run: Run) -> str:
    """Say from which weights a run starts, and how much of them it leaves alone; "" for random ones, all trained."""
    weights, frozen = initial_weights({"initial": run.initial}), len(run.frozen)
    words = [f"starts from {weights}"] * bool(weights)
    total = len(list(run.training.model.parameters()))
    return "; ".join(words + [f"{frozen} of {total} parameters frozen"] * bool(frozen))


def check_start(content: Mapping[str, Any], init_from: str | PathLike[str]) -> None:
    """Warn where `init_from` holds other weights than those that a run which goes on began with."""
    try:
        now = origin(find(path_of(init_from, "init_from"), "init_from"))["file_sha256"]
    except CheckpointError:  # gone, and no longer needed
        return
    if "initial" in content and content["initial"].get("file_sha256") != now:
        why = f"init_from: {init_from} holds other weights than those that the run in output began with"
        warnings.warn(f"{why}; it goes on from its checkpoint", stacklevel=4)
