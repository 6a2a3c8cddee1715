"""The papers' parameter tables beside the counts of the networks that we build, with a verdict on every row."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import torch

from nets.inspect.cost import parameters
from nets.models.create import create_model
from nets.naming.grammar import ResNetArchitecture, parse
from nets.papers.bottleneck import BOTTLENECKS
from nets.papers.published import ROWS, Row


class Line(NamedTuple):
    """A published row, the parameters of our network (None where there is none), its sharing and the verdict."""

    row: Row
    ours: int | None
    sharing: str
    verdict: str


def judge(row: Row) -> Line:
    """Count our network of a row, first with literal sharing, then with that of the tables, and compare.

    The verdict is "reproduced" where a count prints as the row does, by rounding or by truncation, unless the row says
    otherwise ("misprinted", "not specified", "not built").
    """
    if row.ours == "-":
        return Line(row, None, "literal", row.verdict)
    name = row.ours or row.model
    literal = _count(name, row.dataset, row.classes, "literal") + row.unused
    if row.verdict or prints_as(literal, row.printed):
        return Line(row, literal, "literal", row.verdict or "reproduced")
    if name not in BOTTLENECKS and isinstance(parse(name), ResNetArchitecture):
        tables = _count(name, row.dataset, row.classes, "tables")
        if prints_as(tables, row.printed):
            return Line(row, tables, "tables", "reproduced")
    return Line(row, literal, "literal", "not reproduced")


def prints_as(count: int, printed: str) -> bool:
    """Whether a count, rounded or truncated, prints as "8.3M", "11M" or "3,450"."""
    if not printed.endswith("M"):
        return count == int(printed.replace(",", ""))
    digits = len(printed.rstrip("M").partition(".")[2])
    unit = 10 ** (6 - digits)
    value = int(printed.rstrip("M").replace(".", ""))
    return value in (count // unit, (count + unit // 2) // unit)


def run(rows: Sequence[Row] = ROWS) -> list[Line]:
    """Print the tables; returns the lines."""
    lines = [judge(row) for row in rows]
    title = ""
    for line in lines:
        row = line.row
        heading = f"{row.source}, {row.table}"
        if heading != title:
            print(f"{heading}\n  {'data':<13}{'network':<47}{'printed':>8}{'ours':>14}  verdict")
            title = heading
        count = "" if line.ours is None else f"{line.ours:,}"
        verdict = line.verdict + (', sharing="tables"' if line.sharing == "tables" else "")
        verdict += f": {row.remark}" if row.remark else ""
        print(f"  {row.dataset:<13}{row.model:<47}{row.printed:>8}{count:>14}  {verdict}")
    return lines


@cache
def _count(name: str, dataset: str, classes: int, sharing: str) -> int:
    """Parameters of a network made for a data set of the papers; nothing is allocated."""
    if name in BOTTLENECKS:
        return BOTTLENECKS[name].parameters(classes)
    with torch.device("meta"):
        return parameters(
            create_model(
                name,
                num_classes=classes,
                in_channels=1 if dataset in ("MNIST", "pulse waves") else 3,
                input="imagenet" if dataset == "ImageNet" else "cifar",
                dims=1 if dataset == "pulse waves" else 2,
                sharing=sharing,
            )
        )
