"""The pooling block of ResNet against the restriction of multigrid: Appendix A of A19.

A19 is He, Chen, Zhang and Xu, arXiv:1911.10428; equation numbers here are its own. A ResNet leads to the next grid by

    R *_2 r + A s(B_0 *_2 s(r))                      the pooling block, (6.1),

where restricting the residual and taking a step there gives

    R *_2 r + A s(B s(R *_2 r))                      (6.4).

With R of 1 x 1, as in the ResNets, (6.4) reads r at the coarse points only: it is blind to every pixel between them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nets.models.resnet import ResNet
from nets.theorems.comparison import check_network, largest
from nets.theorems.plain_parts import CONVOLUTIONS, convolution_from


def subsample(r: Tensor) -> Tensor:
    """S: the values of r (N, c, n, ...) at the coarse points, the first, third, ... of every axis."""
    return r[(slice(None), slice(None), *(slice(None, None, 2),) * (r.ndim - 2))]


def strided_is_subsampled(K: nn.Module, r: Tensor) -> float:
    """(6.7): K *_2 r = S(K * r), for a given convolution K of stride 2 with odd kernels and "same" padding."""
    return largest([K(r)], [subsample(_same_size(_checked("K", K).weight, stride=1)(r))])


def restricted_is_dilated(B: nn.Module, R: nn.Module, r: Tensor) -> float:
    """(6.8): B * (R *_2 r) = (B R) *_2 r, where R is 1 x 1 and B R has the kernels of B with holes, dilation 2.

    So the two sides of (6.8) are strided convolutions whose kernels meet in their centres alone.
    """
    K = _checked("R", R)
    if set(K.kernel_size) != {1} or set(K.stride) != {2}:
        raise ValueError(f"R must be a 1 x 1 convolution with stride 2; got {R}")
    weight = torch.einsum("oc...,ci->oi...", _checked("B", B).weight, K.weight.flatten(1))
    return largest([B(R(r))], [_same_size(weight, stride=2, dilation=2)(r)])


def responses(model: ResNet, l: int, size: int) -> Tensor:
    """Measure how a single pixel of size 1 on grid l (from 0) changes the data in which grid l + 1 starts.

    Returns the largest change over the coarse grid and its channels, per position of the pixel: (size, ...).

    Raises:
        ValueError: for a network in training mode, where the batch norms see all pixels, and for the coarsest grid.
    """
    check_network(model, ResNet, "Appendix A")
    if model.training:
        raise ValueError("model must be in evaluation mode; got training mode")
    if not 0 <= l < len(model.config.nu) - 1:
        raise ValueError(f"l must be a grid with a coarser one, 0 ... {len(model.config.nu) - 2}; got {l}")
    dims, c, (fine, coarse) = model.config.dims, model.config.channels[l], model.levels[l : l + 2]

    def pool(r: Tensor) -> Tensor:
        return coarse.feature(fine.restrict(fine.start(r), coarse))

    pixels = torch.eye(size**dims, dtype=next(model.parameters()).dtype, device=next(model.parameters()).device)
    images = pixels.reshape(size**dims, 1, *(size,) * dims).expand(-1, c, *(-1,) * dims)
    change = pool(images) - pool(torch.zeros_like(images[:1]))
    return change.abs().flatten(1).amax(1).reshape((size,) * dims)


def appendix_a(model: ResNet, size: int = 8) -> float:
    """Measure how pixels between coarse points change the next grid, relative to pixels at coarse points; the largest.

    0 for a network that restricts first (`sharing="tables"` with B^l), of the order of 1 for pooling blocks.
    """
    check_network(model, ResNet, "Appendix A")
    if len(model.config.nu) < 2:
        raise ValueError(f"model: Appendix A needs two grids or more; got {model.config}")
    worst = 0.0
    for l in range(len(model.config.nu) - 1):
        change = responses(model, l, size)
        between = torch.ones_like(change, dtype=torch.bool)
        between[(slice(None, None, 2),) * change.ndim] = False
        worst = max(worst, float(change[between].max() / change[~between].max()))
    return worst


def _checked(name: str, K: Any) -> Any:
    if not isinstance(K, CONVOLUTIONS) or K.bias is not None:
        raise ValueError(f"{name} must be a convolution without bias; got {K}")
    return K


def _same_size(weight: Tensor, stride: int, dilation: int = 1) -> Any:
    """A convolution with this weight, and the padding that keeps the size at stride 1."""
    padding = tuple(dilation * (n // 2) for n in weight.shape[2:])
    return convolution_from(weight, stride=stride, dilation=dilation, padding=padding)
