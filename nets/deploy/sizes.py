"""The sizes of images that an exported file takes: any, where the network and the format allow it, or one."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

from nets.models.base import Network
from nets.models.input_checks import check_pixels
from nets.models.plain import PlainNet

Shape = tuple[int | None, ...]
"""(channels, height, width) of an image, None where any number of pixels will do; n or n, n, n in other dimensions."""
FURTHER = 4
"""Further sizes with which a file of open sizes is verified: odd and even ones on several grids."""


def taken(model: Network, to: str, shape: Any) -> Shape:
    """The shape that a file takes; for None any size, or that of the network's transform, which a warning says."""
    own = None if model.transform is None else model.transform.shape
    if shape is not None:
        _check(model, shape)
    reason = _fixed(model, to, shape or own)
    if shape is None:
        assert own is not None  # as `export` has checked
        if reason:
            warnings.warn(f"the file takes images of the shape {own} alone: {reason}", stacklevel=3)
        shape = own if reason else (own[0], *(None,) * model.config.dims)
    elif None in shape and reason:
        raise ValueError(f"shape must hold integers alone for this network: {reason}; got {shape!r}")
    return tuple(shape)


def traced(model: Network, shape: Shape) -> tuple[int, ...]:
    """An image with which the file is written: three pixels or more on every grid where the size is open."""
    dims, own = model.config.dims, model.transform
    start = own.shape[1:] if own is not None else (224 if model.config.input == "imagenet" else 32,) * dims
    size = [n or m for n, m in zip(shape[1:], start, strict=True)]
    while None in shape and min(min(grid) for grid in model.grid_sizes(size)) < 3:
        size = [n or 2 * m for n, m in zip(shape[1:], size, strict=True)]
        if any(m > 4096 for m in size):  # a fixed axis has too few pixels, which is an error of its own
            break
    return (model.config.in_channels, *size)


def further(model: Network, shape: Shape, first: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Images with which the file is verified after those of `first`."""
    if None in shape:
        if model.transform is not None and None not in (own := model.transform.shape):
            yield (first[0], *(n or m for n, m in zip(shape[1:], own[1:], strict=True)))
        for k in range(1, FURTHER + 1):
            yield (first[0], *(n or m + k + axis for axis, (n, m) in enumerate(zip(shape[1:], first[1:], strict=True))))


def _check(model: Network, shape: Any) -> None:
    dims, channels = model.config.dims, model.config.in_channels
    need = f"shape must be ({channels}{', n' * dims}), n an integer, or None where any number of pixels will do"
    if not isinstance(shape, tuple | list) or not all(n is None or type(n) is int for n in shape):
        raise TypeError(f"{need}; got {shape!r}")
    if len(shape) != dims + 1 or shape[0] != channels or min(n for n in shape if n is not None) < 1:
        raise ValueError(f"{need}; got {shape!r}")
    if None not in shape:
        check_pixels(model, "shape", shape, shape[1:])


def _fixed(model: Network, to: str, shape: Any) -> str:
    """Say why the size of the images must be fixed, or nothing."""
    if to == "onnx" and isinstance(model, PlainNet) and (pixels := model.config.plan.pixels) > 1:
        return f"ONNX cannot average a last grid of any size to {'x'.join([str(pixels)] * model.config.dims)} pixels"
    size = [n for n in shape[1:] if n is not None]
    if size and min(min(grid) for grid in model.grid_sizes(size)) < 2:
        return "they leave one pixel on the coarsest grid, which a file of any size cannot have"
    return ""
