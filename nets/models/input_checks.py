"""Checks of tensors before any convolution runs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nets.data import DenseTransform, Transform
from nets.models.registry import Configured


def check_input(model: Configured, x: Tensor, name: str = "x") -> None:
    """Refuse an x that is not (N, in_channels, n, ...), of the weights' dtype and device, and large enough.

    Args:
        name: the caller's name of x, for errors.
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor; got {type(x).__name__}")
    if x.layout != torch.strided:
        raise TypeError(f"{name} must be a dense tensor; got {x.layout}")
    config = model.config
    if x.ndim != config.dims + 2 or x.shape[1] != config.in_channels:
        c, dims = config.in_channels, config.dims
        need = f"(N, {c}{', n' * dims}), that is in_channels={c} and dims={dims}"
        raise ValueError(f"{name} must have shape {need}; got {tuple(x.shape)}")
    check_pixels(model, name, tuple(x.shape), x.shape[2:])
    _check_kind(model, x, name)


def check_class_names(transform: Transform | DenseTransform | None, outputs: int) -> None:
    """Refuse a transform that names another number of classes than a network has outputs; a regression has no names."""
    names = () if transform is None else transform.class_names
    if len(names) != outputs and (names or isinstance(transform, Transform)):
        need = f"model.transform must name the {outputs} outputs of the network"
        raise ValueError(f"{need}; got {len(names)} class names: {', '.join(map(repr, names[:10]))}")


def check_features(u: Tensor, dims: int, channels: int) -> None:
    """Refuse a u that is not (N, channels, n, ...)."""
    if not isinstance(u, Tensor):
        raise TypeError(f"u must be a torch.Tensor; got {type(u).__name__}")
    if u.ndim != dims + 2 or u.shape[1] != channels:
        raise ValueError(f"u must be features of shape (N, {channels}{', n' * dims}); got {tuple(u.shape)}")
    if 0 in u.shape[2:]:
        raise ValueError(f"u must have a pixel or more, of which the mean is taken; got {tuple(u.shape)}")


def check_pixels(model: Configured, name: str, shape: Sequence[int], size: Sequence[int]) -> None:
    """Refuse images of this size, of an argument of this name and shape, that leave a grid without pixels."""
    sizes = model.grid_sizes(size)
    for l, left in enumerate(sizes, 1):
        if min(left) < 1 or (max(left) <= 1 and l < len(sizes)):
            # windows that do not pad can miss more pixels than there are
            pixels = "x".join(str(max(n, 0)) for n in left)
            need = "every grid but the coarsest needs more than one" if l < len(sizes) else "it needs one or more"
            grid = f"grid {l} of {len(sizes)} would have {pixels} pixels"
            raise ValueError(f"{name} is too small: {grid}, and {need}; got {tuple(shape)}")
    if model.config.padding != "zeros":
        _check_padding(model, name, shape, size)


def _check_padding(model: Configured, name: str, shape: Sequence[int], size: Sequence[int]) -> None:
    """Refuse images with fewer pixels than a convolution reads at one end of an axis to pad the other."""
    mode = model.config.padding
    for where, padding, left in model.padded(size):
        least = padding + 1 if mode == "reflect" else padding
        if min(left) < least:
            found = f"{where} would have {'x'.join(map(str, left))} pixels"
            need = f"padding={mode!r} by {padding} needs {least} or more along every axis"
            raise ValueError(f"{name} is too small: {found}, and {need}; got {tuple(shape)}")


def _check_kind(model: Configured, x: Tensor, name: str) -> None:
    """Batch norms (1-D weights) may be kept in another precision; convolutions and head may not."""
    if not x.is_floating_point():
        raise TypeError(f"{name} must be a floating-point tensor; got {x.dtype}")
    for part, weight in model.named_parameters():
        if weight.device != x.device:
            found = f"{name} is on {x.device}, {part} on {weight.device}"
            raise TypeError(f"{name} and the weights must be on one device: {found}")
        if weight.ndim > 1 and weight.dtype != x.dtype and not _autocasts(x.device.type):
            found = f"{name} has {x.dtype}, {part} has {weight.dtype}"
            raise TypeError(f"{name} and the weights must have one dtype: {found}")


def _autocasts(device: str) -> bool:
    """Whether operations choose dtypes themselves; asked only where dtypes differ, since torch 2.6 cannot trace it."""
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
