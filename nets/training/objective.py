"""The loss of a training and its figures: of images of classes or of labels, of classes or of values at points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import frexp, ldexp
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from nets.data import Data, DenseDataset
from nets.data.dataset import column, normalised
from nets.data.dense import in_units
from nets.training.class_weights import class_weights
from nets.training.dense_losses import intersection_over_union, mean_square, relative_h1, relative_l2
from nets.training.multilabel import MultiLabel
from nets.training.recipe import AUTO, BINARY, CROSS_ENTROPY, H1, L2, MSE, Recipe


class Figure(NamedTuple):
    """How a column of the history is said and drawn: in percent, of which a share is missing from 100, or as it is."""

    words: str
    percent: bool
    larger_is_better: bool = True


FIGURES = {
    "accuracy": Figure("accuracy", True),
    "f1": Figure("F1", True),
    "exact_match": Figure("exact match", True),
    "pixel_accuracy": Figure("pixel accuracy", True),
    "mean_iou": Figure("mean IoU", True),
    "relative_l2": Figure("error", False, larger_is_better=False),
    "relative_h1": Figure("H1 error", False, larger_is_better=False),
}
"""Figures by the names of their columns; `figures` of an objective lists its own, the leading one first."""


def said(name: str, value: float) -> str:
    """Say a figure: "accuracy 97.50 %", "error 0.0123"."""
    words, percent, _ = FIGURES[name]
    return f"{words} {100 * value:.2f} %" if percent else f"{words} {value:.4g}"


@dataclass(frozen=True)
class Classification:
    """The cross-entropy of images of classes, and how many are right."""

    label_smoothing: float = 0.0
    weights: tuple[float, ...] | None = None
    figures = ("accuracy",)

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The sum of the losses of scores (N, classes) with labels (N,), or shares of classes (N, classes)."""
        labels = labels.to(scores.dtype) if labels.ndim == 2 else labels
        smoothing, weights = self.label_smoothing, _column(self.weights, scores)
        return functional.cross_entropy(scores, labels, weights, label_smoothing=smoothing, reduction="sum")

    def divisor(self, labels: Tensor) -> Tensor | int:
        """The divisor of the sum of the losses of a batch in their mean: its images, or the sum of their weights."""
        if self.weights is None:
            return len(labels)
        weights = column(self.weights, 1, 2, torch.float64, labels.device)
        return _positive((labels.double() @ weights if labels.ndim == 2 else weights[labels]).sum())

    def score(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The sum over the images of the leading figure; of a mixed image its class of the larger share counts."""
        return (scores.argmax(1) == (labels.argmax(1) if labels.ndim == 2 else labels)).sum()

    def totals(self, evaluation: Any) -> Tensor:
        """Sums from which `figures_of` has the figures; those of several processes are added."""
        return torch.tensor([round(evaluation.accuracy * evaluation.count), evaluation.count])

    def figures_of(self, totals: Sequence[float]) -> dict[str, float]:
        return {"accuracy": float(totals[0] / totals[1])}


def _column(weights: tuple[float, ...] | None, scores: Tensor) -> Tensor | None:
    return None if weights is None else column(weights, 1, 2, scores.dtype, scores.device)


def _positive(weight: Tensor) -> Tensor:
    """A sum of weights; infinite where it is 0, so that a batch of classes without weight has the loss 0."""
    return torch.where(weight > 0, weight, torch.inf)


@dataclass(frozen=True)
class Segmentation:
    """The mean over the points of a sample of the cross-entropy, and the share of points that are right."""

    classes: int
    label_smoothing: float = 0.0
    weights: tuple[float, ...] | None = None
    figures = ("pixel_accuracy", "mean_iou")

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The sum of the losses of scores (N, classes, n, ...) with labels (N, n, ...)."""
        smoothing, weights = self.label_smoothing, _column(self.weights, scores)
        losses = functional.cross_entropy(scores, labels, weights, label_smoothing=smoothing, reduction="none")
        return losses.flatten(1).mean(1).sum()

    def divisor(self, labels: Tensor) -> Tensor | int:
        if self.weights is None:
            return len(labels)
        weights = column(self.weights, 1, 2, torch.float64, labels.device)
        return _positive(weights[labels].flatten(1).mean(1).sum())

    def score(self, scores: Tensor, labels: Tensor) -> Tensor:
        return (scores.argmax(1) == labels).flatten(1).double().mean(1).sum()

    def totals(self, evaluation: Any) -> Tensor:
        counts: Tensor = evaluation.confusion.flatten()
        return counts

    def figures_of(self, totals: Sequence[float]) -> dict[str, float]:
        counts = torch.tensor(totals, dtype=torch.long).reshape(self.classes, self.classes)
        shares = [share for share in intersection_over_union(counts) if share is not None]
        right = int(counts.diagonal().sum()) / int(counts.sum())
        return {"pixel_accuracy": right, "mean_iou": sum(shares) / len(shares)}


@dataclass(frozen=True)
class Regression:
    """A loss of predictions of standardised targets, and the relative L2 error; `mean` and `std` are the targets'."""

    kind: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    figures = ("relative_l2", "relative_h1")

    def loss(self, scores: Tensor, targets: Tensor) -> Tensor:
        """The sum of the losses of scores with targets (N, d, n, ...)."""
        targets = targets.to(scores.dtype)
        if self.kind == L2:
            return relative_l2(*self._scaled(scores, targets)).sum()
        if self.kind == H1:
            return relative_h1(*self._scaled(scores, targets)).sum()
        return mean_square(scores, normalised(targets, self.mean, self.std, "the targets")).sum()

    def divisor(self, targets: Tensor) -> int:
        return len(targets)

    def score(self, scores: Tensor, targets: Tensor) -> Tensor:
        return relative_l2(*self._scaled(scores, targets.to(scores.dtype))).sum()

    def _scaled(self, scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Predictions and targets over a power of two: no rounding, and squares of float32 stay in its range."""
        unit = ldexp(1.0, frexp(max(map(abs, self.mean + self.std)))[1])
        mean, std = (tuple(value / unit for value in values) for values in (self.mean, self.std))
        return in_units(scores, mean, std), targets / unit

    def totals(self, evaluation: Any) -> Tensor:
        sums = (errors.sum() for errors in (evaluation.errors, evaluation.h1_errors))
        return torch.stack([*sums, torch.tensor(float(evaluation.count), dtype=torch.float64)])

    def figures_of(self, totals: Sequence[float]) -> dict[str, float]:
        return {name: total / totals[2] for name, total in zip(self.figures, totals[:2], strict=True)}


Objective = Classification | MultiLabel | Segmentation | Regression


def objective_for(data: Data, recipe: Recipe) -> Objective:
    """Make the objective of a recipe for this data.

    Raises:
        ValueError: where its loss does not fit the targets.
    """
    values = isinstance(data, DenseDataset) and data.is_regression
    fitting = (AUTO, L2, H1, MSE) if values else (AUTO, BINARY) if data.is_multilabel else (AUTO, CROSS_ENTROPY)
    if recipe.loss not in fitting:
        kind = "floats" if values else "several labels per image" if data.is_multilabel else "classes"
        need = f"loss must be {' or '.join(map(repr, fitting))}, as the targets of data {data.name!r} are {kind}"
        raise ValueError(f"{need}; got {recipe.loss!r}")
    weights = class_weights(data, recipe.class_weights)
    if not isinstance(data, DenseDataset):
        return (MultiLabel if data.is_multilabel else Classification)(recipe.label_smoothing, weights)
    if not data.is_regression:
        return Segmentation(data.outputs, recipe.label_smoothing, weights)
    return Regression(L2 if recipe.loss == AUTO else recipe.loss, data.target_mean, data.target_std)
