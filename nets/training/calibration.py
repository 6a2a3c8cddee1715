"""Whether confidences are as high as the accuracy: the expected calibration error."""

from __future__ import annotations

import torch
from torch import Tensor

BINS = 15


def reliability(confidences: Tensor, right: Tensor) -> Tensor:
    """Of each of 15 bins the share of the images (N,), their mean confidence and accuracy, as columns (15, 3).

    Bin m holds the confidences in ((m - 1) / 15, m / 15] (Guo et al., arXiv 1706.04599); an empty one is 0, 0, 0.

    >>> reliability(torch.tensor([0.9, 0.92]), torch.tensor([True, False]))[13].tolist()
    [1.0, 0.91, 0.5]
    """
    edges = torch.arange(1, BINS, dtype=torch.float64) / BINS
    bins = torch.bucketize(confidences.double(), edges)
    ones = torch.ones(len(bins), dtype=torch.float64)
    count, confidence, accuracy = (
        torch.zeros(BINS, dtype=torch.float64).index_add(0, bins, values.double())
        for values in (ones, confidences, right)
    )
    members = count.clamp(min=1)
    return torch.stack((count / len(bins), confidence / members, accuracy / members), dim=1)


def expected_calibration_error(bins: Tensor) -> float:
    """The mean over the images of |accuracy - confidence| of their bin, in [0, 1], of the `reliability` (15, 3).

    >>> round(expected_calibration_error(reliability(torch.tensor([0.9, 0.92]), torch.tensor([True, False]))), 4)
    0.41
    """
    share, confidence, accuracy = bins.unbind(1)
    return float((share * (accuracy - confidence).abs()).sum())
