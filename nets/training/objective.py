"""The loss of a training and its figures: of images of classes, of classes at points, of values at points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import frexp, ldexp
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from nets.data import Data, DenseDataset
from nets.data.dataset import normalised
from nets.data.dense import in_units
from nets.training.dense_losses import intersection_over_union, mean_square, relative_h1, relative_l2
from nets.training.recipe import AUTO, CROSS_ENTROPY, H1, L2, LOSSES, Recipe


class Figure(NamedTuple):
    """How a column of the history is said and drawn: in percent, of which a share is missing from 100, or as it is."""

    words: str
    percent: bool
    larger_is_better: bool = True


FIGURES = {
    "accuracy": Figure("accuracy", True),
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
    figures = ("accuracy",)

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The sum of the losses of scores (N, classes) with labels (N,)."""
        return functional.cross_entropy(scores, labels, label_smoothing=self.label_smoothing, reduction="sum")

    def score(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The sum over the images of the leading figure."""
        return (scores.argmax(1) == labels).sum()

    def totals(self, evaluation: Any) -> Tensor:
        """Sums from which `figures_of` has the figures; those of several processes are added."""
        return torch.tensor([round(evaluation.accuracy * evaluation.count), evaluation.count])

    def figures_of(self, totals: Sequence[float]) -> dict[str, float]:
        return {"accuracy": float(totals[0] / totals[1])}


@dataclass(frozen=True)
class Segmentation:
    """The mean over the points of a sample of the cross-entropy, and the share of points that are right."""

    classes: int
    label_smoothing: float = 0.0
    figures = ("pixel_accuracy", "mean_iou")

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The sum of the losses of scores (N, classes, n, ...) with labels (N, n, ...)."""
        losses = functional.cross_entropy(scores, labels, label_smoothing=self.label_smoothing, reduction="none")
        return losses.flatten(1).mean(1).sum()

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


Objective = Classification | Segmentation | Regression


def objective_for(data: Data, recipe: Recipe) -> Objective:
    """Make the objective of a recipe for this data.

    Raises:
        ValueError: where its loss does not fit the targets.
    """
    values = isinstance(data, DenseDataset) and data.is_regression
    fitting = [loss for loss in LOSSES if loss == AUTO or (loss == CROSS_ENTROPY) != values]
    if recipe.loss not in fitting:
        kind = "floats" if values else "classes"
        need = f"loss must be {' or '.join(map(repr, fitting))}, as the targets of data {data.name!r} are {kind}"
        raise ValueError(f"{need}; got {recipe.loss!r}")
    if not isinstance(data, DenseDataset):
        return Classification(recipe.label_smoothing)
    if not data.is_regression:
        return Segmentation(data.outputs, recipe.label_smoothing)
    return Regression(L2 if recipe.loss == AUTO else recipe.loss, data.target_mean, data.target_std)
