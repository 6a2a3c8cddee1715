"""The settings `norm_layer`, `bias` and `stem`: their values, and the networks in which they have a meaning.

    norm_layer = "batch" | "group" [ ":" groups ] | "layer" ;          32 groups where none are given

Group norm (Wu and He, 2018) takes mean and variance of each image over a group of channels and all pixels, "group:1" of
all channels; layer norm, as in ConvNeXt, over all channels of each pixel. Neither has running statistics: a network with
them computes the same in training and in evaluation.
"""

from __future__ import annotations

import re
from typing import Any

GROUPS = 32
STEMS = ("default", "linear", "identity")
WIDTHS = ("channels_u", "channels_f", "channels", "growth")
"""Fields of configurations that hold channels per grid."""
_GROUP = re.compile(r"group(?::(\d{1,6}))?")


def groups_of(norm_layer: str) -> int | None:
    """Count the groups of a group norm; None for another norm."""
    if norm_layer in ("batch", "layer"):
        return None
    found = _GROUP.fullmatch(norm_layer) if isinstance(norm_layer, str) else None
    groups = int(found[1] or GROUPS) if found else 0
    if groups < 1:
        raise ValueError(f"norm_layer must be 'batch', 'group', 'group:8' or another number, 'layer'; got {norm_layer!r}")
    return groups


def loses_bias(config: Any, channels: int) -> bool:
    """Tell whether the norm of so many channels takes a bias before it away, with the mean of each channel."""
    return config.batch_norm and (config.norm_layer == "batch" or groups_of(config.norm_layer) == channels)


def check_forms(config: Any) -> None:
    """Check norm_layer, bias and stem of a configuration whose other settings are right."""
    groups = groups_of(config.norm_layer)
    if config.norm_layer != "batch" and not config.batch_norm:
        raise ValueError(f"norm_layer must be 'batch' where batch_norm=False leaves norms out; got {config.norm_layer!r}")
    if config.norm_layer != "batch":
        for where, channels in config.normed_channels():
            _check_channels(config, where, channels, groups)
    if config.bias and config.normed_everywhere and all(loses_bias(config, c) for _, c in config.normed_channels()):
        raise ValueError(
            "bias must be False where a norm that takes the mean of each channel away follows every convolution that "
            f"could have one, or batch_norm=False; got True in {config.notation}"
        )
    if config.stem == "default":
        return
    if config.input != "cifar":
        need = "'default' where input='imagenet', whose stem has stride and pooling"
        raise ValueError(f"stem must be {need}; got {config.stem!r}")
    if config.stem == "identity" and config.in_channels != config.stem_channels:
        need = "as many channels as the data of grid 1 where stem='identity'"
        raise ValueError(f"in_channels must be {need}, {config.stem_channels} in {config.notation}; got {config.in_channels}")


def _check_channels(config: Any, where: str, channels: int, groups: int | None) -> None:
    if groups is None and channels < 2:
        need = "needs two channels or more, over which it takes the mean of a pixel"
        raise ValueError(f"norm_layer='layer' {need}; got {where}={channels}")
    if groups is not None and channels % groups:
        need = f"a number of groups that divides the channels, as 'group:{_largest_divisor(channels)}' does"
        raise ValueError(f"norm_layer must have {need}; got {config.norm_layer!r}, {groups} groups, and {where}={channels}")


def _largest_divisor(channels: int) -> int:
    """The most groups, up to 32, that divide so many channels into equal ones of two or more."""
    return max(g for g in range(1, GROUPS + 1) if channels % g == 0 and (g < channels or channels == 1))
