"""How well a network classifies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nets.checks import check_integer
from nets.data import Dataset
from nets.network import Network


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
        TypeError: naming the argument that is no such thing.
        ValueError: where the model has fewer outputs than there are classes, or scores are not finite.
    """
    images, labels = _pair(model, data, batch)
    if len(images) == 0 or len(images) != len(labels):
        raise ValueError(f"data must hold as many labels as images, at least one; got {len(images)}, {len(labels)}")
    scores = _scores(model, images, batch, data.normalise if isinstance(data, Dataset) else nn.Identity())
    if scores.ndim != 2:
        raise ValueError(f"model must classify images, with scores (N, classes); it gives {tuple(scores.shape)}")
    if not scores.isfinite().all():
        wrong = int((~scores.isfinite().all(1)).nonzero()[0])
        raise ValueError(f"model gives scores that are not finite, first for image {wrong} of data")
    classes = scores.shape[1]
    if int(labels.max()) >= classes:
        raise ValueError(f"data has labels up to {int(labels.max())}, and the model tells {classes} classes apart")
    predictions = scores.argmax(1)
    confusion = torch.bincount(labels * classes + predictions, minlength=classes**2).reshape(classes, classes)
    return Evaluation(int((predictions == labels).sum()) / len(labels), confusion, predictions)


def _pair(model: Any, data: Any, batch: Any) -> tuple[Tensor, Tensor]:
    """Images and labels, where all arguments are what they should be."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a network; got {type(model).__name__}")
    if isinstance(model, Network) and model.config.num_classes == 0:
        raise ValueError(f"model must have a head; {model.config} has num_classes=0: call model.reset_classifier")
    check_integer("batch", batch, 1)
    if isinstance(data, Dataset):
        return data.test_images, data.test_labels
    if not isinstance(data, tuple | list) or [isinstance(part, Tensor) for part in data] != [True, True]:
        raise TypeError(f"data must be a nets.data.Dataset or a pair of tensors (images, labels); got {data!r:.80}")
    images, labels = data
    if labels.is_floating_point() or labels.ndim != 1 or (len(labels) and int(labels.min()) < 0):
        raise ValueError(
            f"data must have integer labels (N,) from 0; got {labels.dtype} of shape {tuple(labels.shape)}"
        )
    return images, labels


def _scores(model: nn.Module, images: Tensor, batch: int, normalise: Callable[[Tensor], Tensor]) -> Tensor:
    device, training = next(model.parameters()).device, model.training
    model.eval()
    try:
        with torch.inference_mode():
            return torch.cat([model(normalise(x.to(device))).cpu() for x in images.split(batch)])
    finally:
        model.train(training)
