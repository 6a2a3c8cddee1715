"""Freeze parts of a network by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from itertools import accumulate
from typing import Any

from torch import nn

from nets.common.checks import suggestion
from nets.common.location import locate
from nets.models.base import Network

ALL_BUT = "all but "
LEVELS = re.compile(r"levels? (\d+)(?:-(\d+))?")


def freeze(model: nn.Module, parts: str | Sequence[str]) -> list[str]:
    """Freeze parts of a network, which then has requires_grad=False in their parameters, until one sets it again.

    `nets.train` keeps these parts as they are, their batch-norm statistics too. A loop of one's own calls `train_mode`
    for that. `nets.train(..., freeze=parts)` freezes for one run.

    Args:
        parts: of a text separated by commas, or of a sequence: names of modules or parameters, or shell patterns of
            such names, "stem" or "A.*"; "level 1" or "levels 1-2", everything of these grids, from the finest. A text
            that begins with "all but" stands for everything else, as "all but head".

    Returns:
        The names of their parameters, in the order of the network.

    Raises:
        TypeError, ValueError: naming a part that the network does not have.

    >>> model = create_model("MgNet[1,1]-[4]-B^l")
    >>> freeze(model, "stem.conv, A.*")
    ['stem.conv.weight', 'A.0.weight', 'A.1.weight']
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a network; got {type(model).__name__}")
    text = as_text(parts)
    names = [name for name, _ in model.named_parameters()]
    found = {name for part in text.removeprefix(ALL_BUT).split(", ") for name in _named(part, names, model)}
    chosen = [name for name in names if (name in found) != text.startswith(ALL_BUT)]
    if not chosen:
        raise ValueError(f"freeze must leave something to freeze; got {parts!r}, which is all but the whole network")
    for name in chosen:
        model.get_parameter(name).requires_grad_(False)
    return chosen


def as_text(parts: Any) -> str:
    """Write parts as one text, separated by a comma and a space.

    Raises:
        TypeError, ValueError: they are no texts, or one of them is empty.
    """
    several = [parts] if isinstance(parts, str) else list(parts) if isinstance(parts, list | tuple) else [parts]
    if not all(isinstance(part, str) for part in several):
        raise TypeError(f"freeze must be names of parts of the network, such as 'stem, level 1'; got {parts!r}")
    named = [" ".join(part.split()) for part in ",".join(several).split(",")]
    if "" in named or any(part.startswith(ALL_BUT) for part in named[1:]):
        why = "parts between its commas, and 'all but' at its start alone, for all of them"
        raise ValueError(f"freeze must have {why}, such as 'all but level 3, head'; got {parts!r}")
    return ", ".join(named)


def _named(part: str, names: Sequence[str], model: nn.Module) -> list[str]:
    """Find the parameters of a part: those of a grid, or those that a pattern matches, or a module around them."""
    grids = len(model.feature_info) if isinstance(model, Network) else 0
    if numbers := LEVELS.fullmatch(part):
        first, end = int(numbers[1]), int(numbers[2] or numbers[1])
        levels = range(first - 1, end) if 1 <= first <= end <= grids else ()
        found = [name for name in names if locate(name).level in levels]
    else:
        found = [name for name in names if any(fnmatchcase(module, part) for module in _around(name))]
    if found:
        return found
    known = dict.fromkeys(module for name in names for module in _around(name))
    network = model.config.notation if isinstance(model, Network) else type(model).__name__
    need = f"parts of {network} with parameters: {', '.join(module for module in known if '.' not in module)}"
    filled = [level for name in names if (level := locate(name).level) is not None] if grids else []
    need += f", the levels {min(filled) + 1} to {max(filled) + 1}" if filled else ""
    raise ValueError(f"freeze must name {need}; got {part!r}{suggestion(part, known)}")


def _around(name: str) -> list[str]:
    """List the modules around a parameter, and the parameter itself, by name."""
    return list(accumulate(name.split("."), lambda module, child: f"{module}.{child}"))
