"""The settings `norm_layer`, `bias` and `stem`: their values, and the networks in which they have a meaning.

    norm_layer = "batch" | "group" [ ":" groups ] | "layer" ;          32 groups where none are given

Group norm (Wu and He, 2018) takes mean and variance of each image over a group of channels and all pixels, "group:1"
over all channels; layer norm, as in ConvNeXt, over all channels of each pixel. Neither has running statistics: training
and evaluation are the same function.
"""

from __future__ import annotations

import re
from typing import Any

GROUPS = 32
STEMS = ("default", "linear", "identity")
_GROUP = re.compile(r"group(?::(\d{1,6}))?")


def groups_of(norm_layer: str) -> int | None:
    """Count the groups of a group norm; None for another norm."""
    if norm_layer in ("batch", "layer"):
        return None
    found = _GROUP.fullmatch(norm_layer) if isinstance(norm_layer, str) else None
    groups = int(found[1] or GROUPS) if found else 0
    if groups < 1:
        raise ValueError(f"norm_layer must be 'batch', 'layer', 'group' or 'group:8', of 8 groups; got {norm_layer!r}")
    return groups


def loses_bias(config: Any, channels: int) -> bool:
    """Tell whether the norm of so many channels takes a bias before it away, with the mean of each channel."""
    return bool(config.batch_norm) and (config.norm_layer == "batch" or groups_of(config.norm_layer) == channels)


def check_forms(config: Any) -> None:
    """Check norm_layer, bias and stem of a configuration whose other settings are right."""
    groups_of(config.norm_layer)
    if config.norm_layer != "batch":
        if not config.batch_norm:
            need = "'batch' where batch_norm=False leaves the norms out"
            raise ValueError(f"norm_layer must be {need}; got {config.norm_layer!r}")
        for where, channels in config.normed_channels():
            _check_channels(config.norm_layer, where, channels)
    if config.bias and config.normed_everywhere and all(loses_bias(config, c) for _, c in config.normed_channels()):
        need = (
            "False where a norm that takes the mean of each channel away follows every convolution that could have one"
        )
        raise ValueError(f"bias must be {need}, or batch_norm=False; got True in {config.notation}")
    if config.stem != "default" and config.input != "cifar":
        need = "'default' where input='imagenet', whose stem has stride and pooling"
        raise ValueError(f"stem must be {need}; got {config.stem!r}")
    if config.stem == "identity" and config.in_channels != config.stem_channels:
        need = f"{config.stem_channels}, the channels of grid 1 in {config.notation}, where stem='identity'"
        raise ValueError(f"in_channels must be {need}; got {config.in_channels}")


def _check_channels(norm_layer: str, where: str, channels: int) -> None:
    groups = groups_of(norm_layer)
    if groups is None and channels < 2:
        need = "must be 'batch' or 'group:1' where there is one channel, which is its own mean"
        raise ValueError(f"norm_layer {need}; got 'layer', and {where} = {channels}")
    if groups is not None and channels % groups:
        need = f"must have groups that divide the channels, as 'group:{_largest_divisor(channels)}' does"
        raise ValueError(f"norm_layer {need}; got {norm_layer!r}, {groups} groups, and {where} = {channels}")


def _largest_divisor(channels: int) -> int:
    """The most groups, up to 32, into which so many channels fall with two or more in each, or one of one."""
    return max(g for g in range(1, GROUPS + 1) if channels % g == 0 and (g < channels or channels == 1))
