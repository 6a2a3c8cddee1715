"""Evaluation of networks that predict at every point of a grid: errors of values, counts of classes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from nets.data import DenseDataset, DenseTransform
from nets.data.dataset import check_finite
from nets.data.dense import target_tensor
from nets.data.given import as_tensor
from nets.models.base import Network
from nets.models.input_checks import check_input
from nets.models.modes import evaluating
from nets.training.dense_losses import confusion, intersection_over_union, relative_h1, relative_l2

POINTS = 2**20
"""Points of a batch, as far as samples can be taken one by one: of large grids it has fewer samples."""


@dataclass(frozen=True, eq=False)
class DenseEvaluation:
    """Predictions beside the targets, at every point.

    Attributes:
        predictions, targets: of a regression (N, d, n, ...) floats in the units of the targets, of a segmentation
            (N, n, ...) classes.
        class_names: of a segmentation; none for a regression.

    >>> import torch
    >>> t = torch.tensor([[[3.0, 4.0]]])
    >>> round(DenseEvaluation(t + torch.tensor([0.0, 1.0]), t).relative_l2, 12)
    0.2
    """

    predictions: Tensor
    targets: Tensor
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("predictions", "targets"):
            object.__setattr__(self, name, target_tensor(name, getattr(self, name)).cpu())
        if self.predictions.shape != self.targets.shape or len(self.targets) == 0:
            shapes = tuple(self.targets.shape), tuple(self.predictions.shape)
            raise ValueError(f"predictions must have the shape of targets, {shapes[0]}; got {shapes[1]}")
        if self.is_regression:
            if not self.targets.is_floating_point():
                raise ValueError("class_names must name the classes of integer targets; got ()")
            return
        for name in ("predictions", "targets"):
            low, high = (int(value) for value in getattr(self, name).aminmax())
            if low < 0 or high >= len(self.class_names):
                raise ValueError(f"{name} must lie in 0 ... {len(self.class_names) - 1}; got {low} ... {high}")

    def __repr__(self) -> str:
        figures = ", ".join(f"{name}={value:.4g}" for name, value in self.figures.items())
        return f"DenseEvaluation({self.count} samples, {figures})"

    @property
    def is_regression(self) -> bool:
        return not self.class_names

    @property
    def count(self) -> int:
        return len(self.targets)

    @property
    def figures(self) -> dict[str, float]:
        """The figures of a training by name: relative L2 and H1 errors, or pixel accuracy and mean IoU."""
        if self.is_regression:
            return {"relative_l2": self.relative_l2, "relative_h1": self.relative_h1}
        return {"pixel_accuracy": self.pixel_accuracy, "mean_iou": self.mean_iou}

    @cached_property
    def errors(self) -> Tensor:
        """||p - t|| / ||t|| of every sample (N,), of a regression; infinite where a target is zero everywhere."""
        self._needs(regression=True)
        return relative_l2(self.predictions.double(), self.targets.double())

    @cached_property
    def h1_errors(self) -> Tensor:
        """The same in the H1 norm (`nets.training.dense_losses.relative_h1`)."""
        self._needs(regression=True)
        return relative_h1(self.predictions.double(), self.targets.double())

    @property
    def relative_l2(self) -> float:
        """The mean of `errors`."""
        return float(self.errors.sum()) / self.count

    @property
    def relative_h1(self) -> float:
        """The mean of `h1_errors`."""
        return float(self.h1_errors.sum()) / self.count

    @cached_property
    def confusion(self) -> Tensor:
        """Counts of points (classes, classes), rows the truth, columns the prediction, of a segmentation."""
        self._needs(regression=False)
        return confusion(self.predictions, self.targets, len(self.class_names))

    @property
    def pixel_accuracy(self) -> float:
        """Share of the points that are right, in [0, 1]."""
        return int(self.confusion.diagonal().sum()) / int(self.confusion.sum())

    @property
    def iou(self) -> list[float | None]:
        """Intersection over union of each class, in [0, 1]; None for a class that neither truth nor prediction has."""
        return intersection_over_union(self.confusion)

    @property
    def mean_iou(self) -> float:
        """The mean of `iou` over the classes that have one."""
        known = [share for share in self.iou if share is not None]
        return sum(known) / len(known)

    def _needs(self, regression: bool) -> None:
        if self.is_regression != regression:
            kind, other = ("regression", "segmentation")[:: 1 if self.is_regression else -1]
            raise AttributeError(f"a {kind} has no such figure, which is that of a {other}")


def evaluate_dense(model: nn.Module, data: DenseDataset | tuple[Any, Any], batch: int) -> DenseEvaluation:
    """Evaluate on the held-out part of `data`, or on a pair (inputs, targets) as a data set has them.

    Raises:
        TypeError, ValueError: naming the argument, where the data do not fit the network.
    """
    transform = model.transform if isinstance(model, Network) else None
    if isinstance(data, DenseDataset):
        if isinstance(transform, DenseTransform):
            transform.check(data)
        else:
            transform = DenseTransform.of(data)
        inputs, targets = data.test_inputs, data.test_targets
    else:
        if not isinstance(transform, DenseTransform):
            raise ValueError("model must know its units to evaluate a pair: read it with nets.load, or set transform")
        inputs, targets = as_tensor(data[0]), target_tensor("targets of data", data[1])
        if targets.is_floating_point() != transform.is_regression:
            need = "floats" if transform.is_regression else "integers"
            raise ValueError(f"targets of data must be {need}, as in {transform.data!r}; got {targets.dtype}")
        check_finite("targets of data", targets, "sample")
        if len(inputs) == 0 or len(inputs) != len(targets):
            raise ValueError(f"data must hold as many targets as inputs; got {len(inputs)} and {len(targets)}")
    return DenseEvaluation(predict_dense(model, transform, inputs, batch), targets, transform.class_names)


def predict_dense(model: nn.Module, transform: DenseTransform, inputs: Tensor, batch: int) -> Tensor:
    """Predictions on the CPU of raw inputs (N, c, n, ...): float32 or float64 in the units of the targets, or classes.

    Raises:
        TypeError, ValueError: where the inputs do not fit the network, or what it gives is not finite.
    """
    weight = next(model.parameters())
    check_finite("inputs", inputs, "sample")
    inputs = inputs.float() if inputs.dtype in (torch.bfloat16, torch.float16) else inputs  # as a data set has them
    outputs = len(transform.target_mean) if transform.is_regression else len(transform.class_names)
    first = transform.normalise(inputs[:1]).to(weight)
    if isinstance(model, Network):
        check_input(model, first, "inputs")
    count = max(1, min(batch, POINTS // max(1, first[0, 0].numel())))
    found = []
    with evaluating(model), torch.inference_mode():
        for start in range(0, len(inputs), count):
            scores = model(transform.normalise(inputs[start : start + count].to(weight.device)).to(weight.dtype))
            if scores.ndim < 2 or scores.shape[1] != outputs:
                need = f"model must give {outputs} values at a point, as data {transform.data!r} needs"
                raise ValueError(f"{need}; it gives {tuple(scores.shape)}")
            scores = scores.float() if scores.dtype in (torch.bfloat16, torch.float16) else scores
            if not (finite := scores.isfinite().flatten(1).all(1)).all():
                wrong = start + int((~finite).nonzero()[0])
                raise ValueError(f"model gives values that are not finite, first for sample {wrong} of data")
            found.append(transform.predictions(scores).cpu())
    return torch.cat(found)
