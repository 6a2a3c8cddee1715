"""Relative errors of predictions on grids, and counts of a segmentation.

The relative L2 and H1 losses are those of neural operators (Li et al., arXiv 2010.08895; He, Liu and Xu, MgNO,
arXiv 2310.19809).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.linalg import vector_norm


def relative_l2(predictions: Tensor, targets: Tensor) -> Tensor:
    """||p - t|| / ||t|| of every sample (N,), over the channels and points of (N, d, n, ...).

    >>> t = torch.tensor([[[3.0, 4.0]]])
    >>> relative_l2(t + torch.tensor([0.0, 1.0]), t)
    tensor([0.2000])
    """
    error, target = (values.flatten(1) for values in (predictions - targets, targets))
    return vector_norm(error, dim=1) / vector_norm(target, dim=1)


def relative_h1(predictions: Tensor, targets: Tensor) -> Tensor:
    """The same in the norm (|v|^2 + |Dv|^2)^(1/2), D the first differences along every axis, divided by the spacing.

    Every axis has extent 1: the spacing of n points is 1 / n.

    >>> t = torch.tensor([[[0.0, 1.0]]])
    >>> relative_h1(t + 1, t)  # sqrt(1 + 1) / sqrt(1 + 2^2)
    tensor([0.6325])
    """
    error, target = (vector_norm(_with_differences(values), dim=1) for values in (predictions - targets, targets))
    return error / target


def _with_differences(values: Tensor) -> Tensor:
    """Values (N, d, n, ...) and their difference quotients, a row for each sample."""
    quotients = [values.diff(dim=axis) * values.shape[axis] for axis in range(2, values.ndim)]
    return torch.cat([part.flatten(1) for part in (values, *quotients)], dim=1)


def mean_square(scores: Tensor, targets: Tensor) -> Tensor:
    """The mean over channels and points of the squared differences, of every sample (N,)."""
    return (scores - targets).square().flatten(1).mean(1)


def confusion(predictions: Tensor, targets: Tensor, classes: int) -> Tensor:
    """Counts (classes, classes) of points, rows the truth, columns the prediction."""
    cells = targets.long() * classes + predictions.long()
    return torch.bincount(cells.flatten(), minlength=classes**2).reshape(classes, classes)


def intersection_over_union(counts: Tensor) -> list[float | None]:
    """Of each class of a confusion: points of it that are right over those that are or seem to be of it.

    None where there are none of either.

    >>> intersection_over_union(torch.tensor([[2, 1], [0, 1]]))
    [0.6666666666666666, 0.5]
    """
    right = counts.diagonal().tolist()
    either = (counts.sum(0) + counts.sum(1) - counts.diagonal()).tolist()
    return [hit / count if count else None for hit, count in zip(right, either, strict=True)]
