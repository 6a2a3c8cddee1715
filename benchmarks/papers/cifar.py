"""CIFAR-10 in an hour of two cores: images from coarse to fine where the processor is slow, full size where it is not.

A trial of a training step says how many epochs fit. Where there are FULL_SIZE or more at 32 x 32, that is the run, one
cycle of the learning rate. Where there are fewer, the run begins on averaged images, as full multigrid begins on coarse
grids: 45 % of the time on 16 x 16, 30 % on 24 x 24, the rest on 32 x 32, each part a cycle from the weights before it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

import nets
from benchmarks.papers.images import degraded, images
from benchmarks.runner import Clock, Result
from nets.common.checked_file import write_atomically
from nets.training.precision import Precision, choose
from nets.training.step import gradient

HOUR = 2 * 3600.0
"""CPU seconds of a run: an hour of two cores."""
SPENT = 0.88
"""The share of them for training steps; the rest is augmentation, and evaluation after every epoch."""
FULL_SIZE = 12.0
"""Least number of epochs at full size."""
RECIPE: dict[str, Any] = {
    "batch": 128,
    "schedule": "linear",
    "crop_fill": "reflect",
    "flip": "alternating",
    "precision": "auto",
    "channels_last": True,
}
FULL_RECIPE, COARSE_RECIPE = nets.training.RECIPES["n23-cifar"], nets.Recipe()
"""The settings under those of RECIPE at full size, and at fewer pixels."""
STEPS = 3
"""Steps of a trial, of which the first prepares."""


class Part(NamedTuple):
    """Training on images of one size: a share of the time, and a cycle up to `learning_rate`."""

    size: int
    share: float
    learning_rate: float
    warmup: float


WHOLE = (Part(32, 1.0, 0.1, 0.2),)
COARSE_TO_FINE = (Part(16, 0.45, 0.1, 0.2), Part(24, 0.30, 0.05, 0.1), Part(32, 0.25, 0.03, 0.1))


def run(model: str, seed: int, folder: Path, data_dir: str | None) -> Callable[[Clock, dict[str, Result]], Result]:
    """The experiment: train, and evaluate once, on the test images as they are and without the degraded ones."""

    def experiment(clock: Clock, results: dict[str, Result]) -> Result:
        plan = _planned(folder / "plan.json", model, clock.limit, data_dir)
        records, network = [], nets.create_model(model)
        for number, part in enumerate(plan["parts"], 1):
            here = folder / f"{number}-{part['size']}px"
            result = nets.train(
                model,
                images("cifar-10", part["size"], data_dir),
                recipe=base(part["size"]),
                seed=seed,
                output=here,
                resume=True,
                init_from=folder / f"{number - 1}-{plan['parts'][number - 2]['size']}px" if number > 1 else None,
                **RECIPE,
                **{key: part[key] for key in ("epochs", "limit_batches", "learning_rate", "warmup", "crop_padding")},
            )
            records.append(json.loads((here / "record.json").read_text()))
            network = result.model
        found = nets.evaluate(network, images("cifar-10", 32, data_dir))
        left_out = degraded("cifar-10", data_dir)
        return {
            "model": model,
            "seed": seed,
            "parameters": nets.parameters(network),
            "accuracy": 100 * found.accuracy,
            "accuracy_without_degraded": 100 * found.without(left_out["test"]).accuracy,
            "degraded": {part: len(indices) for part, indices in left_out.items()},
            "training_seconds": round(sum(record["seconds"] for record in records), 1),
            "threads": torch.get_num_threads(),
            **plan,
            "precision": ", ".join(dict.fromkeys(Precision(**record["precision"]).name for record in records)),
        }

    return experiment


def base(size: int) -> nets.Recipe:
    """The settings under those of RECIPE for images of this size."""
    return FULL_RECIPE if size == WHOLE[0].size else COARSE_RECIPE


def _planned(path: Path, model: str, limit: float, data_dir: str | None) -> dict[str, Any]:
    """The plan that a run began with, or a new one, kept for the same run after an interruption."""
    if path.exists():
        kept: dict[str, Any] = json.loads(path.read_text())
        return kept
    rates = {part.size: rate(model, part.size, data_dir) for part in COARSE_TO_FINE}
    new = plan(rates, SPENT * limit / torch.get_num_threads(), count(data_dir))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(new, indent=1).encode())
    return new


def plan(rates: dict[int, float], seconds: float, training_images: int) -> dict[str, Any]:
    """The parts of a run of so many seconds on the clock, by images per second for each size.

    >>> [p["epochs"] for p in plan({16: 1600.0, 24: 600.0, 32: 400.0}, 3384.0, 50000)["parts"]]
    [28]
    """
    per_epoch = max(training_images // RECIPE["batch"], 1)
    epochs = seconds * rates[32] / training_images
    parts = []
    for part in WHOLE if epochs >= FULL_SIZE else COARSE_TO_FINE:
        steps = max(int(part.share * seconds * rates[part.size] / RECIPE["batch"]), 1)
        passes = -(-steps // per_epoch) if epochs < FULL_SIZE else max(int(epochs), 1)
        parts.append(
            {
                "size": part.size,
                "epochs": passes,
                "limit_batches": steps // passes if epochs < FULL_SIZE else 0,
                "learning_rate": part.learning_rate,
                "warmup": part.warmup,
                "crop_padding": part.size // 8,
                "images_per_second": round(rates[part.size], 1),
            }
        )
    return {"parts": parts, "full_size_epochs": round(epochs, 2)}


def rate(model: str, size: int, data_dir: str | None) -> float:
    """Images per second of training steps on whole batches, by the shortest of STEPS."""
    data = images("cifar-10", size, data_dir)
    network = nets.create_model(model)
    recipe = replace(base(size), **RECIPE)
    recipe = choose(network, data, recipe).apply(recipe)
    network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    batch = data.normalise(data.train_images[: recipe.batch]), torch.as_tensor(data.train_labels[: recipe.batch])
    times = []
    for _ in range(STEPS):
        began = time.perf_counter()
        gradient(network, [batch], recipe.batch, recipe)
        times.append(time.perf_counter() - began)
    return recipe.batch / min(times)


def count(data_dir: str | None) -> int:
    return len(images("cifar-10", 32, data_dir).train_labels)
