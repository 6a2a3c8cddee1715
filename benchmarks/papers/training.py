"""Runs of a fixed number of epochs: claims on CIFAR-10, activations on MNIST."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

import nets
from benchmarks.papers.images import images
from benchmarks.runner import Clock, Result
from nets.models.activations import Hat

CHANCE = 10.0
"""Accuracy in percent of a run that diverges, of ten classes."""
RECIPE: dict[str, Any] = {"batch": 128, "learning_rate": 0.1, "label_smoothing": 0.0, "channels_last": True}
"""Settings over those of `nets.Recipe`, for all data sets and sizes."""
CROP_AND_FLIP: dict[str, Any] = {"flip": "random", "crop_fill": "reflect"}


class Scale(NamedTuple):
    """Pixels per side and epochs: runs of two scales are never compared.

    >>> str(Scale(16, 2))
    '16px, 2 epochs'
    """

    size: int
    epochs: int

    def __str__(self) -> str:
        return f"{self.size}px, {self.epochs} epochs"


def run(
    model: str, data: str, scale: Scale, seed: int, folder: Path, data_dir: str | None
) -> Callable[[Clock, dict[str, Result]], Result]:
    """The experiment: train `model` on a data set at a scale, with a record in `folder`, and evaluate it once."""

    def experiment(clock: Clock, results: dict[str, Result]) -> Result:
        set_ = images(data, scale.size, data_dir)
        moves = {**CROP_AND_FLIP, "crop_padding": scale.size // 8} if data == "cifar-10" else {"shift": scale.size / 14}
        about = {"model": model, "data": data, "size": scale.size, "epochs": scale.epochs, "seed": seed}
        try:
            result = nets.train(
                model,
                set_,
                recipe=nets.Recipe(),  # or the data set's own would count where its images have their full size
                seed=seed,
                output=folder,
                resume=True,
                epochs=scale.epochs,
                **RECIPE,
                **moves,
            )
        except nets.TrainingError as error:
            return {**about, "accuracy": CHANCE, "diverged": str(error)}
        found = {"accuracy": 100 * result.accuracy, "parameters": nets.parameters(result.model)}
        hats = (module for module in result.model.modules() if isinstance(module, Hat))
        supports = [torch.as_tensor(hat.support).item() for hat in hats]
        more = {"supports": supports} if supports else {}
        return {**about, **found, **more, "threads": torch.get_num_threads()}

    return experiment
