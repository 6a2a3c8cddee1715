"""The first lines of the log of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from os import PathLike, fspath
from typing import Any

from nets.common.formatting import counted, threads
from nets.data import Data, DenseDataset
from nets.inspect.cost import parameters
from nets.runs import environment
from nets.runs.resume import Run
from nets.runs.start import start_in_words
from nets.training.recipe import Recipe
from nets.training.recipes import RECIPES


def header(run: Run, recipe: Mapping[str, Any], output: str | PathLike[str] | None) -> list[str]:
    """Say on what a run computes, and what: device, model, data, recipe, seed and folder; `recipe` has its name."""
    training = run.training
    hardware, count = environment.hardware(training.device), training.ranks.count
    machine = hardware["gpu"] or ", ".join(filter(None, [hardware["cpu"], threads(hardware["threads"])]))
    base = asdict(RECIPES.get(recipe["name"], Recipe()))
    own = [f"{name}={value}" for name, value in asdict(run.asked).items() if value != base[name]]
    start = start_in_words(run)
    return [
        f"device: {training.device}, {machine}" + (f", {count} processes" if count > 1 else ""),
        *([] if run.precision is None else [f"computed in {run.precision}"]),
        f"model: {training.model.config}, {parameters(training.model):,} parameters",
        *([start] if start else []),
        f"data: {_data(training.whole, training.data, bool(training.recipe.val_fraction))}",
        f"recipe: {', '.join([recipe['name'] or 'own', *own])}",
        f"seed: {training.seed}",
        *([] if output is None else [f"output: {fspath(output)}"]),
    ]


def _data(whole: Data, split: Data, validation: bool) -> str:
    """ "digits, 1,437 images for training, 360 for the test, of 1 x 8 x 8, 10 classes"."""
    kind = whole.kind if isinstance(whole, DenseDataset) else ""
    parts = [f"{len(split.train_labels):,} {'samples' if kind else 'images'} for training"]
    parts += [f"{len(split.test_labels):,} for validation"] if validation else []
    parts += [f"{len(whole.test_labels):,} for the test, of {' x '.join(map(str, whole.train_images.shape[1:]))}"]
    outputs = counted(whole.outputs, "value") if kind == "regression" else f"{whole.outputs} classes"
    return ", ".join([whole.name, *parts, outputs])
