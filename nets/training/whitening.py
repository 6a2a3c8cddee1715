"""A first convolution that makes the patches of the training images white, and is not trained.

The first layer of many classifiers learns little more than this; so do quick recipes for CIFAR-10 since 2018.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from nets.models.base import Network

EPSILON = 1e-2
"""Added to the variances: what hardly varies, noise, is not blown up."""


def whiten(model: Network, images: Tensor) -> None:
    """Set the stem's convolution from images (N, c, height, width) as the network sees them, and freeze it.

    With C = V diag(l) V^T the covariance of patches, its first rows are +- the rows of (diag(l) + epsilon)^(-1/2) V^T,
    largest l first, and the others fixed random directions of unit length in the white coordinates.
    """
    conv = model.stem.conv
    assert isinstance(conv, nn.Conv2d)
    inner = functional.unfold(images.double(), conv.kernel_size)  # no padding: patches inside the image
    patches = inner.transpose(0, 1).flatten(1)
    variances, directions = torch.linalg.eigh(torch.cov(patches))
    white = (directions * (variances.clamp(min=0) + EPSILON).rsqrt()).T.flip(0)
    size = len(white)
    random = torch.randn(max(conv.out_channels - 2 * size, 0), size, generator=torch.Generator().manual_seed(0)).to(
        white
    )
    signs = torch.eye(size).to(white).repeat_interleave(2, dim=0)
    signs[1::2] *= -1
    mixture = torch.cat([signs, functional.normalize(random, dim=1)])[: conv.out_channels]
    with torch.no_grad():
        conv.weight.copy_((mixture @ white).reshape(conv.weight.shape))
    conv.weight.requires_grad_(False)
