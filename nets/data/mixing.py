"""Mixup and CutMix, as in timm's mode for single images; the partner comes from the whole set, not from the batch."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from nets.common import randomness


class Mixing(NamedTuple):
    """How the images of an epoch are mixed, a row for each.

    Attributes:
        partners: (N,), with which image; each is the partner of one.
        shares: (N,), lambda, the share of the image itself in the result; its partner has the rest.
        cut: (N,), whether a box of the partner is put into the image, instead of a sum of both.
        boxes: (N, 4), first and last row, not included, and so of the columns; of one pixel for a sum.
    """

    partners: Tensor
    shares: Tensor
    cut: Tensor
    boxes: Tensor

    def to(self, device: torch.device) -> Mixing:
        return Mixing(*(part.to(device) for part in self))

    def images(self, index: Tensor, images: Tensor, partners: Tensor) -> Tensor:
        """Images of these rows (N, channels, n, ...), mixed with their partners."""
        shape = (-1, *(1,) * (images.ndim - 1))
        cut, share = self.cut[index].reshape(shape), self.shares[index].to(images.dtype).reshape(shape)
        mixed = share * images + (1 - share) * partners
        if images.ndim != 4:  # boxes are for two dimensions
            return mixed
        top, bottom, left, right = self.boxes[index].reshape(-1, 4, 1, 1, 1).unbind(1)
        rows = torch.arange(images.shape[2], device=images.device)[:, None]
        columns = torch.arange(images.shape[3], device=images.device)
        inside = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
        return torch.where(cut, torch.where(inside, partners, images), mixed)

    def labels(self, index: Tensor, labels: Tensor, partners: Tensor, classes: int) -> Tensor:
        """Labels of these rows, mixed with their partners': shares (N, classes) of classes, or of ones and zeros."""
        own, other = (
            part.float() if part.ndim == 2 else functional.one_hot(part, classes).float() for part in (labels, partners)
        )
        share = self.shares[index].float()[:, None]
        return share * own + (1 - share) * other


def mixing(mixup: float, cutmix: float, seed: int, epoch: int, count: int, size: tuple[int, ...]) -> Mixing:
    """Draw how `count` images of this size are mixed in an epoch: lambda from Beta(alpha, alpha) with the two alphas.

    With both above 0 each image takes one of the two with probability 1/2. A box has the share 1 - lambda of the area
    and its centre anywhere; what lies outside the image is lost, and lambda is corrected by what is left (Yun et al.,
    arXiv 1905.04899; Zhang et al., arXiv 1710.09412).
    """
    partners = torch.randperm(count, generator=randomness.generator(seed, epoch, "partners"))
    coin, across, down = torch.rand(3, count, generator=randomness.generator(seed, epoch, "mixing"))
    cut = torch.full((count,), bool(cutmix)) if not (mixup and cutmix) else coin < 0.5
    shares = torch.ones(count, dtype=torch.float64)
    for chosen, alpha, name in ((~cut, mixup, "mixup"), (cut, cutmix, "cutmix")):
        if alpha:
            shares = torch.where(chosen, randomness.beta(seed, epoch, count, alpha, name), shares)
    boxes = torch.zeros(count, 4, dtype=torch.long)
    if cutmix:
        height, width = size
        for axis, (extent, number) in enumerate(((height, down), (width, across))):
            half = (extent * (1 - shares).sqrt()).long() // 2
            centre = (number * extent).long().clamp(max=extent - 1)
            boxes[:, 2 * axis] = (centre - half).clamp(min=0)
            boxes[:, 2 * axis + 1] = (centre + half).clamp(max=extent)
        area = (boxes[:, 1] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 2])
        shares = torch.where(cut, 1 - area.double() / (height * width), shares)
    return Mixing(partners, shares, cut, boxes)
