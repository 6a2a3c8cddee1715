"""Evaluation of a classifier: predictions, accuracies, confusions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, overload

import torch
from torch import Tensor, nn

from nets.common.checks import check_integer, suggesting
from nets.data import Batches, Dataset, DenseDataset, Images, Transform
from nets.data.dataset import labels_of, normalised
from nets.data.given import as_tensor, kind_of
from nets.data.loaders import collect, is_torch_data
from nets.models.base import Network
from nets.models.input_checks import check_input
from nets.models.modes import evaluating
from nets.training.calibration import expected_calibration_error, reliability
from nets.training.dense_evaluation import DenseEvaluation, evaluate_dense
from nets.training.multilabel import MultiLabelEvaluation
from nets.training.ranking import roc_auc, roc_curve

TOP = 5


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The classification of images.

    Attributes:
        predictions, labels: (N,).
        in_top5: (N,), whether the class of an image is among the five with the highest scores; None up to five classes.
        classes: how many the network tells apart.
        confidences: (N,), the largest probability of an image, by softmax; None where they are not known.
        losses: (N,), -log of the probability of the true class; None where they are not known.
        margins: (N,), the score of class 1 less that of class 0; None but for two classes.

    >>> import torch
    >>> Evaluation(torch.tensor([1, 0]), torch.tensor([1, 1]), None, classes=2).accuracy
    0.5
    """

    predictions: Tensor
    labels: Tensor
    in_top5: Tensor | None
    classes: int
    confidences: Tensor | None = None
    losses: Tensor | None = None
    margins: Tensor | None = None

    def __repr__(self) -> str:
        return f"Evaluation({self.count} images of {self.classes} classes, accuracy={self.accuracy:.4f})"

    @property
    def count(self) -> int:
        return len(self.labels)

    @property
    def accuracy(self) -> float:
        """Share of the images that are right, in [0, 1]."""
        return int((self.predictions == self.labels).sum()) / self.count

    @property
    def figures(self) -> dict[str, float]:
        """The figures of a training by name."""
        return {"accuracy": self.accuracy}

    @property
    def top5(self) -> float | None:
        """Share of the images whose class is among the five with the highest scores; None up to five classes."""
        return None if self.in_top5 is None else int(self.in_top5.sum()) / self.count

    @property
    def reliability(self) -> Tensor | None:
        """Confidence beside accuracy (15, 3), by `nets.training.calibration.reliability`; None without confidences."""
        return None if self.confidences is None else reliability(self.confidences, self.predictions == self.labels)

    @property
    def ece(self) -> float | None:
        """The expected calibration error in [0, 1], |accuracy - confidence| in 15 bins of equal width (Guo et al.)."""
        bins = self.reliability
        return None if bins is None else expected_calibration_error(bins)

    @property
    def nll(self) -> float | None:
        """The mean of `losses`, the negative log-likelihood."""
        return None if self.losses is None else float(self.losses.double().mean())

    @property
    def roc(self) -> Tensor | None:
        """Rates (n, 2) of false and of true positives of class 1, `nets.training.ranking.roc_curve`, of two classes."""
        return None if self.margins is None else roc_curve(self.margins, self.labels == 1)

    @property
    def auc(self) -> float | None:
        """The area under `roc`, in [0, 1]; None but for two classes, or where the images are of one class alone."""
        return None if self.margins is None else roc_auc(self.margins, self.labels == 1)

    @property
    def confusion(self) -> Tensor:
        """Counts (classes, classes), rows the truth, columns the prediction."""
        cells = self.labels.long() * self.classes + self.predictions.long()
        return torch.bincount(cells, minlength=self.classes**2).reshape(self.classes, self.classes)

    @property
    def per_class(self) -> list[float | None]:
        """Accuracy among the images of each class; None where there are none."""
        labels = self.labels.long()
        hits, counts = (
            torch.bincount(part, minlength=self.classes).tolist()
            for part in (labels[self.predictions == labels], labels)
        )
        return [hit / count if count else None for hit, count in zip(hits, counts, strict=True)]

    def without(self, indices: Iterable[int]) -> Evaluation:
        """The same without these images.

        Raises:
            ValueError: where there is no image of that index, or none is left.
        """
        keep = torch.ones(self.count, dtype=torch.bool)
        for index in indices:
            if not 0 <= index < self.count:
                raise ValueError(f"indices must lie in 0 ... {self.count - 1}; got {index}")
            keep[index] = False
        if not keep.any():
            raise ValueError("indices must leave an image; got all of them")
        parts = (self.in_top5, self.confidences, self.losses, self.margins)
        in_top5, *others = (None if part is None else part[keep] for part in parts)
        return Evaluation(self.predictions[keep], self.labels[keep], in_top5, self.classes, *others)


@overload
def evaluate(
    model: nn.Module, data: Dataset, *, batch: int = 512, flip: bool = False
) -> Evaluation | MultiLabelEvaluation: ...
@overload
def evaluate(model: nn.Module, data: DenseDataset, *, batch: int = 512, flip: bool = False) -> DenseEvaluation: ...
@overload
def evaluate(
    model: nn.Module, data: Any, *, batch: int = 512, flip: bool = False
) -> Evaluation | MultiLabelEvaluation | DenseEvaluation: ...
@suggesting
def evaluate(
    model: nn.Module, data: Any, *, batch: int = 512, flip: bool = False
) -> Evaluation | MultiLabelEvaluation | DenseEvaluation:
    """Classify the held-out part of `data`, or all of a pair (images, labels), in evaluation mode.

    The pair is of tensors or arrays, or a Dataset or DataLoader of torch.utils.data, which is read once. Its images are
    raw, as the data of the training: the model's `transform`, which `train` and `nets.load` set, normalises them.
    Where there is none, the model takes them as they are.

    Labels (N, classes) of zeros and ones are several labels per image, and give a `MultiLabelEvaluation`.

    A network that predicts at every point is evaluated so too, on a `DenseDataset` or a pair (inputs, targets) as such
    a data set has them, on any grid.

    A last partial batch counts by its images. Every module of the model is left in the mode that it was in. Classes of
    a data set are matched by name where the model knows its own (`Transform.match`).

    Args:
        batch: images at a time; on large grids fewer.
        flip: test-time augmentation: the mean of the scores of an image and of its mirror image, left to right. A
            result with it is to be reported as such, beside the one without.

    Raises:
        TypeError: naming the argument.
        ValueError: where model and data differ in classes or in the kind of labels, or scores are not finite.

    >>> import torch
    >>> images, labels = torch.zeros(4, 1, 8, 8), torch.zeros(4, dtype=torch.long)
    >>> evaluate(create_model("MgNet[1]-[4]-B^l", in_channels=1), (images, labels)).predictions.shape
    torch.Size([4])
    """
    if isinstance(data, Dataset) and isinstance(model, Network) and isinstance(model.transform, Transform):
        data = model.transform.match(data)
    if not isinstance(flip, bool):
        raise TypeError(f"flip must be True or False; got {flip!r}")
    dense = isinstance(data, DenseDataset) or (isinstance(model, Network) and model.dense)
    images, labels = _pair(model, data, batch, dense)
    if isinstance(data, DenseDataset) or (dense and not isinstance(data, Dataset)):
        if flip:
            raise ValueError("flip must be False where a target belongs to every point; got True")
        return evaluate_dense(model, data, batch)
    if len(images) == 0 or len(images) != len(labels):
        raise ValueError(f"data must hold as many labels as images, at least one; got {len(images)}, {len(labels)}")
    if isinstance(model, Network):
        weight = next(model.parameters())
        first = data.normalise(images[:1]) if isinstance(data, Dataset) else _taken(model, images[:1])
        first = first.to(weight.dtype) if first.is_floating_point() else first
        check_input(model, first.to(weight.device), "an image of data")
    _check_labels(model, labels)
    scores = _scores(model, data if isinstance(data, Dataset) else images, batch, flip)
    if scores.ndim != 2:
        raise ValueError(f"model must classify images, with scores (N, classes); it gives {tuple(scores.shape)}")
    if not scores.isfinite().all():
        wrong = int((~scores.isfinite().all(1)).nonzero()[0])
        raise ValueError(f"model gives scores that are not finite, first for image {wrong} of data")
    classes = scores.shape[1]
    _check_classes(data, labels, classes)
    exact = scores.float() if scores.dtype in (torch.bfloat16, torch.float16) else scores
    if labels.ndim == 2:
        return MultiLabelEvaluation(exact.sigmoid(), labels)
    in_top5 = None if classes <= TOP else (scores.topk(TOP, dim=1).indices == labels[:, None]).any(1)
    logs = exact.log_softmax(1)
    confidences, losses = logs.amax(1).exp(), -logs.gather(1, labels[:, None])[:, 0]
    margins = exact[:, 1].double() - exact[:, 0] if classes == 2 else None  # probabilities near 1 would be equal
    return Evaluation(scores.argmax(1), labels, in_top5, classes, confidences, losses, margins)


def _check_labels(model: nn.Module, labels: Tensor) -> None:
    """Refuse one class per image where the network was trained on several, whose scores are of each label by itself."""
    transform = model.transform if isinstance(model, Network) else None
    if isinstance(transform, Transform) and transform.multilabel != (labels.ndim == 2):
        need = "several labels per image (N, classes)" if transform.multilabel else "one class per image (N,)"
        raise ValueError(f"data must have {need}, as {transform.data!r} has; got labels {tuple(labels.shape)}")


def _check_classes(data: Dataset | tuple[Any, Any], labels: Tensor, classes: int) -> None:
    if isinstance(data, Dataset) and len(data.class_names) != classes:
        has = f"data {data.name!r} has {len(data.class_names)} classes"
        raise ValueError(f"{has}, and the model tells {classes} classes apart")
    if labels.ndim == 2 and labels.shape[1] != classes:
        raise ValueError(f"data has {labels.shape[1]} labels per image, and the model tells {classes} classes apart")
    if labels.ndim == 1 and int(labels.max()) >= classes:
        raise ValueError(f"data has labels up to {int(labels.max())}, and the model tells {classes} classes apart")


def _pair(model: Any, data: Any, batch: Any, dense: bool) -> tuple[Images, Tensor]:
    """Images and labels, where all arguments are what they should be; for `dense` the values are checked later."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a network; got {type(model).__name__}")
    if isinstance(model, Network) and model.config.num_classes == 0:
        name = model.config.notation
        raise ValueError(f"model must have a head; {name} has num_classes=0: call model.reset_classifier")
    check_integer("batch", batch, 1)
    if isinstance(data, Dataset | DenseDataset):
        return data.test_images, data.test_labels
    data = collect(data) if is_torch_data(data) else data
    pair = [as_tensor(part) for part in data] if isinstance(data, tuple | list) else []
    if [isinstance(part, Tensor) for part in pair] != [True, True]:
        named = f"{data!r}; nets.data.load reads a data set by its name"
        need = "a nets.data.Dataset, a pair of tensors or arrays (images, labels), or a torch Dataset or DataLoader"
        raise TypeError(f"data must be {need}; got {named if isinstance(data, str) else kind_of(data)}")
    if dense:
        return pair[0], pair[1]
    images, labels = pair[0], labels_of("labels of data", pair[1])
    if labels.ndim == 1 and len(labels) and int(labels.min()) < 0:
        raise ValueError(f"data must have integer labels (N,) from 0; got {int(labels.min())}")
    if isinstance(model, Network) and images.dtype == torch.uint8 and model.transform is None:
        raise ValueError(
            "data must have images as the model takes them, normalised floats; got torch.uint8: nets.data.Dataset "
            "normalises raw images"
        )
    return images, labels


def _scores(model: nn.Module, data: Dataset | Images, batch: int, flip: bool) -> Tensor:
    """Scores (N, classes) on the CPU, of the held-out part normalised, or of images as they are."""
    weight = next(model.parameters())
    if isinstance(data, Dataset):
        part = Batches(data, "test", device=weight.device, dtype=weight.dtype)
        batches: Iterator[Tensor] = (x for x, _ in part.in_order(torch.arange(len(part)).split(batch)))
    else:
        parts = (data[i : i + batch].to(weight.device) for i in range(0, len(data), batch))
        batches = (_taken(model, part) for part in parts)
    with evaluating(model), torch.inference_mode():
        return torch.cat([((model(x) + model(x.flip(-1))) / 2 if flip else model(x)).cpu() for x in batches])


def _taken(model: nn.Module, images: Tensor) -> Tensor:
    """Images of a pair as the model takes them."""
    transform, weight = model.transform if isinstance(model, Network) else None, next(model.parameters())
    if isinstance(transform, Transform) and (images.dtype == torch.uint8 or images.is_floating_point()):
        if images.ndim < 2 or images.shape[1] != transform.shape[0]:
            raise ValueError(f"data must have images (N, {transform.shape[0]}, ...); got {tuple(images.shape)}")
        white = transform.white if images.dtype == torch.uint8 else 1.0
        mean, std = (tuple(value / white for value in values) for values in (transform.mean, transform.std))
        images = normalised(images.float() if images.is_floating_point() else images, mean, std, "")
    return images.to(weight.dtype) if images.is_floating_point() else images
