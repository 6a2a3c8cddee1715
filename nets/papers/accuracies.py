"""Published accuracies by data set and network: `nets.papers.published`, and the tables without numbers of parameters.

The latter are in `accuracies.csv`; the sources have the same short names. Accuracies are top-1 on the test set, in
percent. None of the sources says how many runs a number stands for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from nets.naming.grammar import Architecture, parse
from nets.papers.published import ROWS, read_table

OTHERS = read_table("accuracies.csv")


class PublishedAccuracy(NamedTuple):
    """An accuracy in percent as a source prints it; `model` is our name of the network, or what the source calls it."""

    source: str
    table: str
    data: str
    model: str
    accuracy: float
    remark: str = ""


def all_published() -> list[PublishedAccuracy]:
    """Every published accuracy, table by table."""
    return [*_of_rows(), *(PublishedAccuracy(**cells | {"accuracy": float(cells["accuracy"])}) for cells in OTHERS)]


def published(data: str, model: str, activation: str = "relu") -> list[PublishedAccuracy]:
    """The papers' accuracies of a network, by its name in our notation, on a data set; mostly none.

    A GDFI network stands for its schemes of A and B, at any nu and width. Case and hyphens of `data` do not matter.
    """
    hat = activation.startswith("hat")
    return [
        entry
        for entry in all_published()
        if plain(entry.data) == plain(data) and _is_hat(entry) == hat and _key(entry.model) == _key(model)
    ]


def plain(data: str) -> str:
    """The name of a data set in small letters and digits: "cifar10" of "CIFAR-10"."""
    return "".join(character for character in data.lower() if character.isalnum())


def _of_rows() -> Iterator[PublishedAccuracy]:
    for row in ROWS:
        ours = row.model if row.ours in ("", "-") else row.ours
        ours += ", hat" if "(Hat)" in row.model else ""
        for data, accuracy in zip(row.dataset.split("/"), row.accuracies, strict=True):
            yield PublishedAccuracy(row.source, row.table, _full(row.dataset, data), ours, accuracy, row.remark)


def _full(both: str, data: str) -> str:
    """ "CIFAR100" of the "100" in "CIFAR10/100"."""
    return f"CIFAR{data}" if both == "CIFAR10/100" and data == "100" else data


def _is_hat(entry: PublishedAccuracy) -> bool:
    return ", hat" in entry.model


def _key(model: str) -> Any:
    """A key that the names of one network share; a name outside our notation is its own."""
    if model.startswith("GDFI-A:"):
        A, _, B = model.removeprefix("GDFI-A:").partition("-B:")
        return "GDFI", A, B
    try:
        architecture = parse(model.partition(", ")[0])
    except ValueError:
        return model
    if isinstance(architecture, Architecture) and architecture.family == "GDFI":
        return "GDFI", architecture.A, architecture.B
    return str(architecture)
