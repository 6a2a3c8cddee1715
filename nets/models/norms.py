"""Norms, and the convolutions before them, which have a bias where the norm leaves it."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from nets.models.operators import BATCH_NORM, convolution, memory_format
from nets.naming.forms import groups_of, loses_bias


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of each pixel of (N, c, n, ...), as in ConvNeXt; it keeps the memory format.

    >>> import torch
    >>> y = ChannelNorm(4)(torch.randn(2, 4, 5, 6))
    >>> torch.allclose(y.mean(1), torch.zeros(2, 5, 6), atol=1e-6)
    True
    """

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1).contiguous(memory_format=memory_format(x))


def normalisation(config: Any, channels: int, needed: bool = True) -> nn.Module:
    """The norm of a configuration for (N, channels, n, ...), or the identity."""
    if not (config.batch_norm and needed):
        return nn.Identity()
    if config.norm_layer == "batch":
        return BATCH_NORM[config.dims](channels)
    groups = groups_of(config.norm_layer)
    return ChannelNorm(channels, eps=1e-6) if groups is None else nn.GroupNorm(groups, channels)


def biased_convolution(
    config: Any, c_in: int, c_out: int, *, normed: bool = True, stride: int = 1, size: int = 3
) -> nn.Module:
    """`operators.convolution` of a configuration, with a bias where the configuration has them.

    Args:
        normed: whether the norm follows; a batch norm leaves nothing of a bias.
    """
    bias = has_bias(config, normed=normed)
    return convolution(config.dims, c_in, c_out, stride=stride, size=size, padding=config.padding, bias=bias)


def has_bias(config: Any, *, normed: bool = True) -> bool:
    """Tell whether convolutions have a bias, with the norm after them or without."""
    return bool(config.bias) and not (normed and loses_bias(config))
