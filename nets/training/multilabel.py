"""Several labels per image: the binary cross-entropy, and how well a network finds the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from nets.data.dataset import column
from nets.training.ranking import average_precision


def sample_f1(predicted: Tensor, truth: Tensor) -> Tensor:
    """2 |P and T| / (|P| + |T|) of every image (N,) of predicted and true labels (N, classes); 1 where both are none.

    >>> sample_f1(torch.tensor([[True, True, False]]), torch.tensor([[True, False, False]]))
    tensor([0.6667], dtype=torch.float64)
    """
    both, either = (predicted & truth).sum(1), predicted.sum(1) + truth.sum(1)
    return torch.where(either > 0, 2 * both.double() / either.clamp(min=1), 1.0)


@dataclass(frozen=True, eq=False)
class MultiLabelEvaluation:
    """The labels of images that may have several: predicted are those with a probability above 1/2.

    Attributes:
        probabilities: (N, classes), of each label by itself.
        labels: (N, classes), bool.

    >>> import torch
    >>> truth = torch.tensor([[True, False], [True, True]])
    >>> found = MultiLabelEvaluation(torch.tensor([[0.9, 0.2], [0.8, 0.3]]), truth)
    >>> found.exact_match, found.recall, found.mean_average_precision
    (0.5, [1.0, 0.0], 1.0)
    """

    probabilities: Tensor
    labels: Tensor

    def __repr__(self) -> str:
        figures = ", ".join(f"{name}={value:.4f}" for name, value in self.figures.items())
        return f"MultiLabelEvaluation({self.count} images of {self.labels.shape[1]} labels, {figures})"

    @property
    def count(self) -> int:
        return len(self.labels)

    @property
    def predictions(self) -> Tensor:
        return self.probabilities > 0.5

    @property
    def figures(self) -> dict[str, float]:
        """The figures of a training by name."""
        return {"f1": self.f1, "exact_match": self.exact_match}

    @property
    def f1(self) -> float:
        """The mean over the images of `sample_f1`, in [0, 1]."""
        return float(sample_f1(self.predictions, self.labels).sum()) / self.count

    @property
    def exact_match(self) -> float:
        """Share of the images all of whose labels are right, in [0, 1]; `accuracy` as scikit-learn has it."""
        return int((self.predictions == self.labels).all(1).sum()) / self.count

    accuracy = exact_match

    @property
    def precision(self) -> list[float | None]:
        """Of each class, the share of images with the label among those predicted to have it; None without any."""
        return self._shares(self.predictions)

    @property
    def recall(self) -> list[float | None]:
        """Of each class, the share of images predicted to have the label among those with it; None without any."""
        return self._shares(self.labels)

    @cached_property
    def average_precision(self) -> list[float | None]:
        """Of each class, `average_precision`; None where no image has the label."""
        return [average_precision(*pair) for pair in zip(self.probabilities.T, self.labels.T, strict=True)]

    @property
    def mean_average_precision(self) -> float | None:
        """The mean of `average_precision` over the classes that have one; None without any."""
        known = [value for value in self.average_precision if value is not None]
        return sum(known) / len(known) if known else None

    def _shares(self, among: Tensor) -> list[float | None]:
        right, counts = ((part & among).sum(0).tolist() for part in (self.predictions & self.labels, among))
        return [hits / count if count else None for hits, count in zip(right, counts, strict=True)]


@dataclass(frozen=True)
class MultiLabel:
    """The mean over the classes of the binary cross-entropy, and how well the labels of an image are found."""

    label_smoothing: float = 0.0
    weights: tuple[float, ...] | None = None
    figures = ("f1", "exact_match")

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The sum of the losses of scores (N, classes) with labels (N, classes), or shares of them."""
        targets = labels.to(scores.dtype) * (1 - self.label_smoothing) + self.label_smoothing / 2
        weights = None if self.weights is None else column(self.weights, 1, 2, scores.dtype, scores.device)
        every = functional.binary_cross_entropy_with_logits
        return every(scores, targets, pos_weight=weights, reduction="none").mean(1).sum()

    def divisor(self, labels: Tensor) -> int:
        return len(labels)

    def score(self, scores: Tensor, labels: Tensor) -> Tensor:
        return sample_f1(scores > 0, labels > 0.5).sum()

    def totals(self, evaluation: Any) -> Tensor:
        sums = (evaluation.f1 * evaluation.count, round(evaluation.exact_match * evaluation.count), evaluation.count)
        return torch.tensor(sums, dtype=torch.float64)

    def figures_of(self, totals: Sequence[float]) -> dict[str, float]:
        return {name: total / totals[2] for name, total in zip(self.figures, totals[:2], strict=True)}
