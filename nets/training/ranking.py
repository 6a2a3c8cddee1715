"""How well scores rank images with a label before those without: average precision, ROC curve, the area under it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


def counts_by_rank(scores: Tensor, truth: Tensor) -> Tensor:
    """Images without and with the label (n + 1, 2) that score as high as the k-th of n different scores; first 0, 0.

    Args:
        scores: (N,), none of them nan.
        truth: (N,), bool.

    Raises:
        ValueError: naming the argument.
    """
    if scores.ndim != 1 or len(scores) == 0 or scores.isnan().any():
        values = "some of them nan" if scores.isnan().any() else f"shape {tuple(scores.shape)}"
        raise ValueError(f"scores must be numbers (N,), at least one; got {values}")
    if truth.dtype != torch.bool or truth.shape != scores.shape:
        raise ValueError(f"truth must be bool ({len(scores)},), as scores; got {truth.dtype} {tuple(truth.shape)}")
    order = scores.argsort(descending=True)
    scores, truth = scores[order], truth[order]
    last = torch.cat((scores[1:] != scores[:-1], scores.new_ones(1, dtype=torch.bool)))  # of equal ones
    return pad(torch.stack((~truth, truth), dim=1).cumsum(0)[last], (0, 0, 1, 0))


def average_precision(scores: Tensor, truth: Tensor) -> float | None:
    """The mean over the images (N,) with a label of the precision of those that score as high; None without any.

    Equal scores are one step, as in scikit-learn's `average_precision_score`.

    >>> average_precision(torch.tensor([0.9, 0.8, 0.1]), torch.tensor([True, False, True]))
    0.8333333333333333
    """
    counts = counts_by_rank(scores, truth).double()
    hits, ranks = counts[:, 1], counts.sum(1)
    return float((hits.diff() * hits[1:] / ranks[1:]).sum() / hits[-1]) if hits[-1] else None


def roc_curve(scores: Tensor, truth: Tensor) -> Tensor | None:
    """Rates of false and of true positives (n + 1, 2), from 0, 0 to 1, 1, one step for each of n different scores.

    None where all images (N,) or none have the label.

    >>> roc_curve(torch.tensor([0.9, 0.8, 0.1]), torch.tensor([True, False, True])).tolist()
    [[0.0, 0.0], [0.0, 0.5], [1.0, 0.5], [1.0, 1.0]]
    """
    counts = counts_by_rank(scores, truth)
    return counts.double() / counts[-1] if counts[-1].all() else None


def roc_auc(scores: Tensor, truth: Tensor) -> float | None:
    """The area under `roc_curve`, in [0, 1]; None where there is no curve.

    It is the share of the pairs of an image with the label and one without in which the first scores higher, equal
    scores counting half: the statistic of Mann and Whitney over the number of pairs.

    >>> roc_auc(torch.tensor([0.9, 0.8, 0.8]), torch.tensor([True, False, True]))
    0.75
    """
    counts = counts_by_rank(scores, truth)
    without, hits = counts.T
    twice = int((without.diff() * (hits[1:] + hits[:-1])).sum())  # in integers, exact
    return twice / (2 * int(counts[-1].prod())) if counts[-1].all() else None
