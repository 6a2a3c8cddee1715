"""A network as a table: parameters and costs of each grid, and weights that are used more than once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from nets.common.location import locate
from nets.inspect.trace import KERNELS, trace
from nets.models.base import Network

WIDTHS = (12, 12, 14, 17)
"""Least widths of the columns pixels, channels, parameters and multiply-adds."""


class SummaryRow(NamedTuple):
    """Stem, a grid with what leads to it, or the head.

    Attributes:
        name: "stem", "grid 1", ..., "head".
        shape: pixels per axis; () for the head.
        channels: as the configuration has them, c or (c_u, c_f); classes for the head.
        parameters: trained parameters.
        multiply_adds: of the convolutions and the linear layer, for one image.
        shared: kernels that are applied more than once, with how often.
        unused: trained kernels that are never applied, and so have no gradient: A of a coarsest grid with one sweep.
    """

    name: str
    shape: tuple[int, ...]
    channels: str
    parameters: int
    multiply_adds: int
    shared: dict[str, int]
    unused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Summary:
    """The rows of a network, finest grid first; `str` is the table.

    >>> table = summary(create_model("MgNet[2,2]-[16]-B^l"), (3, 32, 32))
    >>> str(table).startswith(table.title)
    True
    """

    title: str
    rows: tuple[SummaryRow, ...]

    @property
    def parameters(self) -> int:
        return sum(row.parameters for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        return sum(row.multiply_adds for row in self.rows)

    def __str__(self) -> str:
        lines = [("", "pixels", "channels", "parameters", "multiply-adds", "uses")]
        for row in self.rows:
            uses = [f"{name} {uses} times" for name, uses in row.shared.items()]
            used = ", ".join(uses + [f"{name} never" for name in row.unused])
            pixels, numbers = "x".join(map(str, row.shape)), (f"{row.parameters:,}", f"{row.multiply_adds:,}")
            lines.append((row.name, pixels, row.channels, *numbers, used))
        lines.append(("sum", "", "", f"{self.parameters:,}", f"{self.multiply_adds:,}", ""))
        return "\n".join([self.title, *_aligned(lines)])


def _aligned(lines: Sequence[tuple[str, ...]]) -> list[str]:
    """A name, numbers at the right of columns that are wide enough for them, and the uses."""
    columns = list(zip(*lines, strict=True))[1:-1]
    widths = [max(least, 2 + max(map(len, column))) for least, column in zip(WIDTHS, columns, strict=True)]
    return [
        f"{name:<8}{''.join(f'{cell:>{width}}' for cell, width in zip(cells, widths, strict=True))}  {used}".rstrip()
        for name, *cells, used in lines
    ]


def summary(model: Network, input_size: Sequence[int]) -> Summary:
    """Tabulate the parameters and costs of each grid for one image of shape (channels, n, ...).

    The network runs once on tensors without storage; nothing of it changes.

    Raises:
        TypeError, ValueError: where input_size is no such shape, or does not fit the network.

    >>> table = summary(create_model("MgNet[2,2]-[16]-B^l"), (3, 32, 32))
    >>> [row.name for row in table.rows]
    ['stem', 'grid 1', 'grid 2', 'head']
    """
    calls, pixels = trace(model, input_size), model.grid_sizes(input_size[1:])
    names = ["stem", *(f"grid {l + 1}" for l in range(len(pixels))), "head"]
    kernels = [(name, module) for name, module in model.named_modules() if isinstance(module, KERNELS)]
    trained = [name for name, module in kernels if next(module.parameters(), None) is not None]
    rows = []
    for name in names:
        mine = [call for call in calls if _row(call.name) == name]
        uses = Counter(call.name for call in mine)
        l = int(name.split()[1]) - 1 if name.startswith("grid") else 0
        rows.append(
            SummaryRow(
                name,
                () if name == "head" else pixels[l],
                _channels(model.config, name, l),
                sum(p.numel() for weight, p in model.named_parameters() if _row(weight) == name),
                sum(call.multiply_adds for call in mine),
                {kernel: count for kernel, count in uses.items() if count > 1},
                tuple(kernel for kernel in trained if kernel not in uses and _row(kernel) == name),
            )
        )
    return Summary(str(model.config), tuple(rows))


def _row(name: str) -> str:
    """The row of a module or a parameter, from its name."""
    where = locate(name)
    return where.part if where.level is None else f"grid {where.level + 1}"


def _channels(config: Any, row: str, l: int) -> str:
    if row == "head":
        return str(config.num_classes)
    if row == "stem":
        return str(config.stem_channels)
    if not hasattr(config, "channels_u"):
        c = config.channels[l]
        k = getattr(config, "channels_out", config.channels)[l]
        return str(c) if c == k else f"({c},{k})"
    u, f = config.channels_u[l], config.channels_f[l]
    return str(f) if u == f else f"({u},{f})"
