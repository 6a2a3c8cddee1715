"""The parts of a plain convolutional network, read from a given `nn.Sequential`: chi, activations, fixed maps.

A convolution of any size, stride, padding, dilation or groups is one that keeps the size, with fixed maps around it:
K *_s f = S(K * f) with subsampling S ((6.7) of the 2019 constrained-linear paper), less padding is a crop, more is
zeros around f before. So every chi of a network can be a step of (8.8) or (8.10); the fixed maps are poolings R.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from nets.models.operators import CONVOLUTION

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
ACTIVATIONS = (nn.ReLU, nn.GELU, nn.SiLU, nn.Hardswish)
"""Activations with s(x) - s(-x) = x and s(0) = 0, which Theorem 8.3 needs."""
NOTHING = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
"""No operation in evaluation mode."""
POOLS = tuple(
    getattr(nn, f"{kind}Pool{dims}d") for kind in ("Max", "Avg", "AdaptiveMax", "AdaptiveAvg") for dims in (1, 2, 3)
)
"""Channel by channel, and zero for zeros."""


class Channels(nn.Module):
    """The first c channels, or zeros behind those there are."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.c = c

    def forward(self, f: Tensor) -> Tensor:
        more = self.c - f.shape[1]
        return f[:, : self.c] if more <= 0 else functional.pad(f, (0, 0) * (f.ndim - 2) + (0, more))

    def extra_repr(self) -> str:
        return str(self.c)


class Zeros(nn.Module):
    """So many zeros before and behind every axis."""

    def __init__(self, widths: list[tuple[int, int]]) -> None:
        super().__init__()
        self.widths = widths

    def forward(self, f: Tensor) -> Tensor:
        return functional.pad(f, [width for pair in reversed(self.widths) for width in pair])

    def extra_repr(self) -> str:
        return str(self.widths)


class Subsample(nn.Module):
    """S: every stride-th value of an axis, with `low` and `high` values left out at its ends: (low, high, stride)."""

    def __init__(self, axes: list[tuple[int, int, int]]) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, f: Tensor) -> Tensor:
        sizes = f.shape[2:]
        if any(n <= low + high for (low, high, _), n in zip(self.axes, sizes, strict=True)):
            raise ValueError(f"x: images are too small, {tuple(sizes)} pixels are left where a kernel needs more")
        cut = [slice(low, n - high, step) for (low, high, step), n in zip(self.axes, sizes, strict=True)]
        return f[(slice(None), slice(None), *cut)]

    def extra_repr(self) -> str:
        return str(self.axes)


class ToPixel(nn.Module):
    """All values of an image as the channels of one pixel: the grid of the fully connected layers."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, f: Tensor) -> Tensor:
        return f.flatten(1).reshape(len(f), -1, *(1,) * self.dims)


@dataclass(frozen=True)
class Same:
    """A convolution chi that keeps the size; zeros before it and subsampling behind it, where there are any."""

    chi: Any
    zeros: Sequence[Zeros]
    subsample: Sequence[Subsample]


def parts(cnn: nn.Sequential) -> list[Any]:
    """The parts of a network in order: each a `Same`, an activation or a fixed map."""
    if not isinstance(cnn, nn.Sequential):
        raise TypeError(
            f"cnn must be a torch.nn.Sequential; got {type(cnn).__name__}: chain its parts in the order of forward, "
            "such as nn.Sequential(cnn.features, cnn.avgpool, nn.Flatten(), cnn.classifier)"
        )
    leaves = list(_leaves(cnn))
    found = [module for _, module in leaves if isinstance(module, CONVOLUTIONS)]
    if not found:
        raise ValueError("cnn must have a convolution; got none")
    dims = found[0].weight.ndim - 2
    result: list[Any] = []
    foldable = False  # whether the last part is a convolution into which a batch norm right behind it is folded
    for name, module in _checked(leaves):
        if isinstance(module, _BatchNorm):
            if module.training or module.running_mean is None:
                raise ValueError(f"cnn: {name} must be in evaluation mode; with statistics of a batch it isn't linear")
            convolution: Any = result.pop() if foldable else _ones(module, dims)
            result.append(fuse_conv_bn_eval(copy.deepcopy(convolution).eval(), module))
        elif isinstance(module, nn.Linear):  # a 1 x 1 convolution of one pixel
            result.append(convolution_from(module.weight.reshape(*module.weight.shape, *(1,) * dims), module.bias))
        elif not isinstance(module, NOTHING):
            result.append(ToPixel(dims) if isinstance(module, nn.Flatten) else module)
        else:
            continue
        foldable = isinstance(result[-1], CONVOLUTIONS)
    return [_same(m) if isinstance(m, CONVOLUTIONS) else m for m in result]


def convolution_from(weight: Tensor, bias: Tensor | None = None, *, groups: int = 1, **options: Any) -> Any:
    """Make a convolution with copies of this weight (c_out, c_in / groups, n, ...) and bias."""
    c_out, c_in, *size = weight.shape
    make: Any = CONVOLUTION[len(size)]
    conv = make(c_in * groups, c_out, tuple(size), groups=groups, bias=bias is not None, **options).to(weight)
    conv.weight.data = weight.detach().clone()
    if bias is not None:
        conv.bias.data = bias.detach().clone()
    return conv


def _leaves(module: nn.Sequential, path: str = "cnn") -> Iterator[tuple[str, Any]]:
    for name, child in module._modules.items():  # named_children() leaves out a repeated module
        if isinstance(child, nn.Sequential):
            yield from _leaves(child, f"{path}.{name}")
        else:
            yield f"{path}.{name}", child


def _checked(leaves: list[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """The leaves, each checked to be a part of a plain network."""
    flat = False
    known = (*ACTIVATIONS, *NOTHING, *POOLS, *CONVOLUTIONS, _BatchNorm, nn.Linear, nn.Flatten)
    for name, module in leaves:
        if not isinstance(module, known):
            allowed = ", ".join(activation.__name__ for activation in ACTIVATIONS)
            raise ValueError(
                f"{name}: a plain CNN has convolutions, poolings, Flatten, Linear, batch norm, dropout and "
                f"activations with s(x) - s(-x) = x ({allowed}); got {module}"
            )
        if isinstance(module, nn.modules.dropout._DropoutNd) and module.training and module.p > 0:
            raise ValueError(f"{name} must be in evaluation mode, where dropout is the identity; got training mode")
        if isinstance(module, nn.Flatten) and (module.start_dim, module.end_dim) != (1, -1):
            raise ValueError(f"{name} must flatten all axes but the first; got {module}")
        if (isinstance(module, nn.Linear) and not flat) or (isinstance(module, (*POOLS, *CONVOLUTIONS)) and flat):
            raise ValueError(f"{name}: Flatten must stand before Linear layers, and behind everything else")
        if getattr(module, "return_indices", False):
            raise ValueError(f"{name}: return_indices must be False; got {module}")
        flat = flat or isinstance(module, nn.Flatten)
        yield name, module


def _ones(norm: Any, dims: int) -> nn.Module:
    """The identity before a batch norm that follows no convolution."""
    weight = torch.ones((norm.num_features, 1, *(1,) * dims)).to(norm.running_mean)
    module: nn.Module = convolution_from(weight, groups=norm.num_features)
    return module


def _same(K: Any) -> Same:
    """Read a convolution as one with odd kernels and stride 1 that keeps the size, with fixed maps around it."""
    weight = _dense(K)
    if any(n % 2 == 0 for n in K.kernel_size):  # a zero behind the last weight makes them odd
        weight = functional.pad(weight, [w for n in reversed(K.kernel_size) for w in (0, int(n % 2 == 0))])
    sizes = tuple(weight.shape[2:])
    ends = []
    for n, odd, d, (left, right) in zip(K.kernel_size, sizes, K.dilation, _padding(K), strict=True):
        shift, growth = d * (odd // 2) - left, left + right - d * (n - 1)
        ends.append((shift, -shift - growth))  # values to leave out at both ends; fewer than none are zeros to add
    zeros = [(max(0, -low), max(0, -high)) for low, high in ends]
    cut = [(max(0, low), max(0, high), step) for (low, high), step in zip(ends, K.stride, strict=True)]
    if K.padding_mode != "zeros" and (any(low or high for low, high in ends) or sizes != tuple(K.kernel_size)):
        raise ValueError(f"cnn: with padding_mode {K.padding_mode!r} a convolution must keep the size; got {K}")
    padding = tuple(d * (n // 2) for n, d in zip(sizes, K.dilation, strict=True))
    chi = convolution_from(weight, K.bias, padding=padding, dilation=K.dilation, padding_mode=K.padding_mode)
    return Same(
        chi,
        [Zeros(zeros)] if any(map(any, zeros)) else [],
        [Subsample(cut)] if any(c != (0, 0, 1) for c in cut) else [],
    )


def _dense(K: Any) -> Tensor:
    """The weights of a convolution without groups."""
    blocks = K.weight.detach().chunk(K.groups)
    if K.groups == 1:
        return blocks[0].clone()
    c = K.in_channels // K.groups
    sides = (0, 0) * (K.weight.ndim - 2)
    wide = [functional.pad(b, (*sides, g * c, (K.groups - 1 - g) * c)) for g, b in enumerate(blocks)]
    return torch.cat(wide)


def _padding(K: Any) -> list[tuple[int, int]]:
    if K.padding == "valid":
        return [(0, 0)] * len(K.kernel_size)
    if K.padding == "same":
        totals = [d * (n - 1) for n, d in zip(K.kernel_size, K.dilation, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    return [(p, p) for p in K.padding]
