"""Published accuracies by data set and network: those of `nets.papers.published`, and of the tables that print no parameters.

The sources are those of `nets.papers.published`. Their accuracies are top-1 on the test set, in percent. None of them says how
many runs a number stands for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from nets.naming.grammar import Architecture, parse
from nets.papers.published import ROWS


class PublishedAccuracy(NamedTuple):
    """An accuracy in percent as a source prints it; `model` is our name of the network, or what the source calls it."""

    source: str
    table: str
    data: str
    model: str
    accuracy: float
    remark: str = ""


OPEN = "nu, width and epochs are not given"
UNNAMED = "the network is not given"
OTHERS = (
    ("L23", "models on MNIST", "MNIST", "logistic regression", 92.56),
    ("L23", "models on MNIST", "MNIST", "SVM without kernel", 87.73),
    ("L23", "models on MNIST", "MNIST", "SVM with polynomial kernel", 97.71),
    ("L23", "models on MNIST", "MNIST", "one hidden layer of 1000 neurons", 98.75),
    ("L23", "supports of Hat", "MNIST", "MgNet, hat:5,10,15,20", 99.68, UNNAMED),
    ("L23", "supports of Hat", "MNIST", "MgNet, hat:20,15,10,5", 99.64, UNNAMED),
    ("L23", "supports of Hat", "CIFAR10", "MgNet, hat:5,10,15,20", 93.23, UNNAMED),
    ("L23", "supports of Hat", "CIFAR10", "MgNet, hat:20,15,10,5", 92.87, UNNAMED),
    ("L23", "supports of Hat", "CIFAR100", "MgNet, hat:5,10,15,20", 70.96, UNNAMED),
    ("L23", "supports of Hat", "CIFAR100", "MgNet, hat:20,15,10,5", 70.56, UNNAMED),
    ("L23", "supports of Hat", "ImageNet", "MgNet, hat:10,20,30,40", 72.69, UNNAMED),
    ("L23", "supports of Hat", "ImageNet", "MgNet, hat:40,30,20,10", 71.87, UNNAMED),
    ("L23", "trained supports", "CIFAR10", "MgNet, hat-trained:5,10,15,20", 94.15, UNNAMED),
    ("L23", "trained supports", "CIFAR10", "MgNet, hat-trained:20,15,10,5", 93.99, UNNAMED),
    ("L23", "trained supports", "CIFAR100", "MgNet, hat-trained:5,10,15,20", 72.24, UNNAMED),
    ("L23", "trained supports", "CIFAR100", "MgNet, hat-trained:20,15,10,5", 72.18, UNNAMED),
)
"""Accuracies of networks without a name in our notation."""

GDFI = {  # CIFAR10; rows A, columns B, both in the order of the tables: K, sigma.K, K.sigma, sigma.K.sigma
    ("N23", "Table 1"): {
        "K": (71.36, 93.04, 93.80, 94.21),
        "K.sigma": (92.90, 92.87, 94.01, 93.98),
        "sigma.K": (92.13, 92.44, 93.79, 93.57),
        "sigma.K.sigma": (93.20, 93.93, 94.08, 94.11),
    },
    ("A19", "Table 1"): {
        "K": (70.96, 92.82, 93.01, 93.49),
        "K.sigma": (92.64, 92.54, 93.46, 93.15),
        "sigma.K": (91.91, 92.14, 93.37, 93.17),
        "sigma.K.sigma": (92.70, 93.23, 93.37, 93.40),
    },
}
COLUMNS = ("K", "sigma.K", "K.sigma", "sigma.K.sigma")


def all_published() -> list[PublishedAccuracy]:
    """Every published accuracy, table by table."""
    return [*_of_rows(), *_of_schemes(), *(PublishedAccuracy(*entry) for entry in OTHERS)]


def published(data: str, model: str, activation: str = "relu") -> list[PublishedAccuracy]:
    """What the papers print for this network, by its name in our notation, on this data set; as a rule nothing.

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


def _of_schemes() -> Iterator[PublishedAccuracy]:
    for (source, table), rows in GDFI.items():
        for A, accuracies in rows.items():
            for B, accuracy in zip(COLUMNS, accuracies, strict=True):
                yield PublishedAccuracy(source, table, "CIFAR10", f"GDFI-A:{A}-B:{B}", accuracy, OPEN)


def _is_hat(entry: PublishedAccuracy) -> bool:
    return ", hat" in entry.model


def _key(model: str) -> Any:
    """What two names of one network have in common; a name outside our notation stands for itself."""
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
