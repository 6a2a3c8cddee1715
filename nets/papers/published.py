"""Every row of the papers' tables that prints a number of parameters (`parameters.csv`), with its accuracies.

N23 is He, Xu, Zhang, Zhu, Neural Networks 162 (2023); S19 He, Xu, Sci. China Math. 62 (2019); A19 He, Chen, Zhang, Xu,
arXiv 1911.10428; L23 the lecture slides of Xu (2023).
"""

from __future__ import annotations

import csv
from importlib import resources
from typing import Any, NamedTuple


class Row(NamedTuple):
    """A published row.

    Attributes:
        source, table, dataset, model, printed: as the source has them.
        classes: outputs of the head with which the number was printed.
        ours: the name of our network where it is not `model`; "-" where we have none.
        unused: parameters of the published network on which its output does not depend, and which ours has not.
        verdict: "misprinted", "not specified" or "not built"; "" where the count of our network decides.
        remark: why.
        accuracies: top-1 in percent on the test set, one per data set that `dataset` names.
    """

    source: str
    table: str
    dataset: str
    model: str
    printed: str
    classes: int
    ours: str
    unused: int
    verdict: str
    remark: str
    accuracies: tuple[float, ...]


def read_table(name: str) -> list[dict[str, Any]]:
    """Read a table beside this module: a dictionary per row."""
    text = resources.files("nets.papers").joinpath(name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def _row(cells: dict[str, Any]) -> Row:
    classes, unused = int(cells.pop("classes")), int(cells.pop("unused") or 0)
    accuracies = tuple(map(float, cells.pop("accuracies").split()))
    return Row(**cells, classes=classes, unused=unused, accuracies=accuracies)


ROWS = tuple(map(_row, read_table("parameters.csv")))
