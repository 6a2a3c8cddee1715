"""Trained weights that come with the package, for small networks: `create_model(name, pretrained="mnist")`.

They are half-precision .safetensors files in the folder "trained", which `benchmarks/pretrained.py` writes and
measures; trained/README.md names the data, their licences and what the networks are good for.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from nets.common.checks import suggestion
from nets.models.base import Network
from nets.models.saved import find, transform_of
from nets.models.weights import load_weights
from nets.naming.grammar import begin
from nets.naming.lookup import named_settings

FOLDER = Path(__file__).parent / "trained"
INDEX = FOLDER / "trained.json"


@cache
def entries() -> dict[str, dict[str, Any]]:
    """The trained weights by name: "model", "in_channels" and the training; `entries.cache_clear` reads them again.

    >>> entries()["mnist"]["in_channels"]
    1
    """
    found: dict[str, dict[str, Any]] = json.loads(INDEX.read_text(encoding="utf-8")) if INDEX.is_file() else {}
    return found


def path_of(name: str) -> Path:
    """The file of trained weights."""
    return FOLDER / f"{name}.safetensors"


def chosen(model: str, pretrained: Any) -> str:
    """The name of the weights for a network; True takes the only ones.

    Raises:
        TypeError, ValueError: where there are none of that name for this network; it lists all.
    """
    architecture = begin(model)[0]
    fitting = [name for name, entry in entries().items() if begin(entry["model"])[0] == architecture]
    if pretrained is True and len(fitting) == 1:
        return fitting[0]
    if isinstance(pretrained, str) and pretrained in fitting:
        return pretrained
    kind = ValueError if isinstance(pretrained, bool | str) else TypeError
    there = ", ".join(f"{name!r} of {entry['model']}" for name, entry in entries().items())
    hint = suggestion(pretrained, fitting) if isinstance(pretrained, str) else ""
    if pretrained is True and fitting:
        hint = f", of which there are {len(fitting)}: name one"
    raise kind(
        f"pretrained must be False or name weights that come with this package: {there}; got {pretrained!r} for "
        f"{model!r}{hint}; weights=PATH takes those of a run or of the hub"
    )


def fill(model: Network, name: str, *, head: bool) -> None:
    """Take trained weights, and where the classes are theirs also class names and normalisation, as `transform`."""
    path = path_of(name)
    load_weights(model, path, "pretrained", head=head)
    data = find(path, "pretrained").data
    if data is not None and len(data["classes"]) == model.num_classes:
        model.transform = transform_of(data)
    model.origin = {**(model.origin or {}), "from": f"pretrained={name!r}"}


def channels(model: str, pretrained: Any) -> dict[str, int]:
    """The in_channels of trained weights, as a setting, where the name of the network does not give them."""
    known = {"in_channels": entries()[chosen(model, pretrained)]["in_channels"]}
    return {} if "in_channels" in named_settings(model) else known
