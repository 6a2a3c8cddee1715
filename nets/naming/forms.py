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
_GROUP = re.compile(r"group(?::([1-9][0-9]{0,5}))?")  # one spelling for each number


def groups_of(norm_layer: str) -> int | None:
    """Count the groups of a group norm; None for another norm."""
    if norm_layer in ("batch", "layer"):
        return None
    found = _GROUP.fullmatch(norm_layer) if isinstance(norm_layer, str) else None
    if found is None:
        raise ValueError(f"norm_layer must be 'batch', 'layer', 'group' or 'group:8', of 8 groups; got {norm_layer!r}")
    return int(found[1] or GROUPS)


def loses_bias(config: Any) -> bool:
    """Tell whether the norms take a bias before them away, with the mean of each channel: batch norms do."""
    return bool(config.batch_norm) and config.norm_layer == "batch"


def check_forms(config: Any) -> None:
    """Check norm_layer, bias and stem of a configuration whose other settings are right."""
    groups = groups_of(config.norm_layer)
    if config.norm_layer != "batch":
        if not config.batch_norm:
            need = "'batch' where batch_norm=False leaves the norms out"
            raise ValueError(f"norm_layer must be {need}; got {config.norm_layer!r}")
        for where, channels in config.normed_channels():
            _check_channels(config.norm_layer, groups or 1, where, channels)
    if config.bias and loses_bias(config) and config.normed_everywhere:
        need = "False where a batch norm takes it away from every convolution that could have one"
        raise ValueError(
            f"bias must be {need}: use batch_norm=False or another norm_layer; got True in {config.notation}"
        )
    if config.stem != "default" and config.input != "cifar":
        need = "'default' where input='imagenet', whose stem has stride and pooling"
        raise ValueError(f"stem must be {need}; got {config.stem!r}")
    if config.stem == "identity" and config.in_channels != config.stem_channels:
        need = f"{config.stem_channels}, the channels of grid 1 in {config.notation}, where stem='identity'"
        raise ValueError(f"in_channels must be {need}; got {config.in_channels}")


def _check_channels(norm_layer: str, groups: int, where: str, channels: int) -> None:
    """Refuse groups that are unequal, or of one channel: its mean would be gone, which is what the head reads."""
    if channels % groups or channels == groups:
        fits = [g for g in range(1, GROUPS + 1) if channels % g == 0 and channels > g]
        example = f", such as 'group:{fits[-1]}'" if fits else ""
        need = f"must have groups of two channels or more, as many in each{example}"
        raise ValueError(f"norm_layer {need}; got {norm_layer!r}, and {where} = {channels}")
