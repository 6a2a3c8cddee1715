"""How well a network classifies."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nets.data import Dataset


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Accuracy in [0, 1]; confusion (classes, classes), rows the truth, columns the prediction; predictions (N,)."""

    accuracy: float
    confusion: Tensor
    predictions: Tensor


def evaluate(model: nn.Module, data: Dataset | tuple[Tensor, Tensor], *, batch: int = 512) -> Evaluation:
    """Classify the held-out part of `data`, or the pair (images, labels), in evaluation mode.

    The model is left in the mode it was in.

    Raises:
        ValueError: where the model has fewer outputs than there are classes.
    """
    images, labels = (data.test_images, data.test_labels) if isinstance(data, Dataset) else data
    if len(images) == 0 or len(images) != len(labels):
        raise ValueError(f"data must hold as many labels as images, at least one; got {len(images)}, {len(labels)}")
    scores = _scores(model, images, batch)
    classes = scores.shape[1]
    if int(labels.max()) >= classes:
        raise ValueError(f"data has labels up to {int(labels.max())}, and the model tells {classes} classes apart")
    predictions = scores.argmax(1)
    confusion = torch.bincount(labels * classes + predictions, minlength=classes**2).reshape(classes, classes)
    return Evaluation(int((predictions == labels).sum()) / len(labels), confusion, predictions)


def _scores(model: nn.Module, images: Tensor, batch: int) -> Tensor:
    device, training = next(model.parameters()).device, model.training
    model.eval()
    try:
        with torch.inference_mode():
            return torch.cat([model(x.to(device)).cpu() for x in images.split(batch)])
    finally:
        model.train(training)
