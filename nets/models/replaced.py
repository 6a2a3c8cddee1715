"""Which modules of a network are not those that its name builds.

A user may replace modules, `model.s[0] = nn.SiLU()`. The name in a record then says less than the network is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from nets.models.registry import Configured, network
from nets.naming.settings import Settings

NOT_THE_FUNCTION = ("training", "momentum", "inplace", "activation_checkpointing", "transform", "origin")
"""Attributes of modules that do not change what a network computes in evaluation mode."""
ABSENT = "absent"


def replaced_modules(model: Configured) -> dict[str, str]:
    """Describe the modules that differ from a fresh network of the same configuration, by name.

    Type, plain settings and shapes of weights count; values of weights do not.
    """
    return differences(module_words(model), _built(model.config))


def differences(found: Mapping[str, str], needed: Mapping[str, str]) -> dict[str, str]:
    """Select the descriptions in `found` that differ from `needed`; "absent" for missing modules."""
    names = dict.fromkeys([*found, *needed])
    return {name: found.get(name, ABSENT) for name in names if found.get(name) != needed.get(name)}


def module_words(model: nn.Module) -> dict[str, str]:
    """Describe every module, such as "Conv2d(in_channels=3, ...; weight 4 x 3 x 3 x 3)", by name."""
    return {name: _words(module) for name, module in model.named_modules(remove_duplicate=False)}


def summed_up(replaced: Mapping[str, str]) -> str:
    """Name the first replaced module and count the others, in words."""
    name, words = next(iter(replaced.items()))
    more = f" (and {len(replaced) - 1} more)" if len(replaced) > 1 else ""
    return f"{name or 'the network itself'} is {words}{more}"


@lru_cache(maxsize=32)
def _built(config: Settings) -> dict[str, str]:
    """Describe the modules that a configuration builds; on no device, and without a draw from the caller's stream."""
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return module_words(network(config))


def _words(module: nn.Module) -> str:
    settings = ", ".join(
        f"{name}={value!r}"
        for name, value in vars(module).items()
        if not name.startswith("_") and name not in NOT_THE_FUNCTION and _is_plain(value)
    )
    weights = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    shapes = ", ".join(f"{name} {' x '.join(map(str, w.shape)) or 'scalar'}" for name, w in weights)
    return f"{type(module).__qualname__}({'; '.join(filter(None, (settings, shapes)))})"


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)
