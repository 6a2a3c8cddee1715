"""A network as a table: what each grid holds and costs, and which of its weights are used more than once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from nets.network import Network
from nets.operators import CONVOLUTION, TRANSPOSED, Interpolation, SharedKernel

BETWEEN = ("R", "Pi", "B_0", "norm_R", "norm_Pi")
"""Modules that lead from grid l to l + 1, at index l; they are counted with the grid they lead to, as P is."""


class SummaryRow(NamedTuple):
    """Stem, a grid with what leads to it, or the head.

    Attributes:
        name: "stem", "grid 1", ..., "head".
        shape: pixels per axis; () for the head.
        channels: as the configuration has them, c or (c_u, c_f); classes for the head.
        parameters: trained parameters.
        multiply_adds: of the convolutions and the linear layer, for one image.
        shared: kernels that are applied more than once, with how often.
    """

    name: str
    shape: tuple[int, ...]
    channels: str
    parameters: int
    multiply_adds: int
    shared: dict[str, int]


@dataclass(frozen=True)
class Summary:
    """The rows of a network, finest grid first; `str` is the table."""

    title: str
    rows: tuple[SummaryRow, ...]

    @property
    def parameters(self) -> int:
        return sum(row.parameters for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        return sum(row.multiply_adds for row in self.rows)

    def __str__(self) -> str:
        lines = [self.title, _line("", "pixels", "channels", "parameters", "multiply-adds", "used often")]
        for row in self.rows:
            used = ", ".join(f"{name} {uses} times" for name, uses in row.shared.items())
            pixels, numbers = "x".join(map(str, row.shape)), (f"{row.parameters:,}", f"{row.multiply_adds:,}")
            lines.append(_line(row.name, pixels, row.channels, *numbers, used))
        lines.append(_line("sum", "", "", f"{self.parameters:,}", f"{self.multiply_adds:,}", ""))
        return "\n".join(lines)


def _line(name: str, pixels: str, channels: str, parameters: str, cost: str, used: str) -> str:
    return f"{name:<8}{pixels:>12}{channels:>12}{parameters:>14}{cost:>17}  {used}".rstrip()


def summary(model: Network, input_size: Sequence[int]) -> Summary:
    """What each grid holds and costs for one image of shape (channels, n, ...).

    The network runs once on tensors without storage; nothing of it changes.
    """
    calls, pixels = _record(model, input_size)
    grids = len(model.config.nu)
    places = ["stem", *(f"grid {l + 1}" for l in range(grids)), "head"]
    rows = []
    for place in places:
        mine = {name: call for name, call in calls.items() if _place(name) == place}
        l = int(place.split()[1]) - 1 if place.startswith("grid") else 0
        rows.append(
            SummaryRow(
                place,
                () if place == "head" else tuple(-(-n // 2**l) for n in pixels),
                _channels(model.config, place, l),
                sum(p.numel() for name, p in model.named_parameters() if _place(name) == place),
                sum(cost for _, cost in mine.values()),
                {name: uses for name, (uses, _) in mine.items() if uses > 1},
            )
        )
    return Summary(str(model.config), tuple(rows))


def _record(model: Network, input_size: Sequence[int]) -> tuple[dict[str, tuple[int, int]], tuple[int, ...]]:
    """Per convolution or linear layer how often it runs and its multiply-adds; and the pixels of the finest grid."""
    calls: dict[str, tuple[int, int]] = {}
    pixels: list[tuple[int, ...]] = []

    def counter(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            uses, cost = calls.get(name, (0, 0))
            calls[name] = (uses + 1, cost + _cost(module, inputs[0][0], output[0]))

        return hook

    kinds: Any = (*CONVOLUTION.values(), *TRANSPOSED.values(), SharedKernel, nn.Linear)
    handles: Any = [m.register_forward_hook(counter(name)) for name, m in model.named_modules() if isinstance(m, kinds)]
    handles.append(model.pool.register_forward_hook(lambda m, x, y: pixels.append(tuple(y.shape[2:]))))
    weights = {name: w.detach().to("meta") for name, w in [*model.named_parameters(), *model.named_buffers()]}
    try:
        with torch.no_grad():  # two images: batch norm in training mode refuses a single value per channel
            functional_call(model, weights, (torch.empty((2, *input_size), device="meta", dtype=_dtype(model)),))
    finally:
        for handle in handles:
            handle.remove()
    return calls, pixels[0]


def _cost(module: Any, x: Tensor, y: Tensor) -> int:
    """Multiply-adds for one image x of a module that has one weight."""
    weights = int(module.weight.numel())
    if isinstance(module, nn.Linear):
        return weights
    if isinstance(module, SharedKernel):  # one kernel for every channel
        return (x if isinstance(module, Interpolation) else y).numel() * weights
    transposed: Any = tuple(TRANSPOSED.values())
    return weights * (x if isinstance(module, transposed) else y)[0].numel()


def _place(name: str) -> str:
    """The row of a module or a parameter, from its name."""
    part, *rest = name.split(".")
    if part in ("stem", "head"):
        return part
    return f"grid {int(rest[0]) + (2 if part in BETWEEN else 1)}"


def _channels(config: Any, place: str, l: int) -> str:
    if place == "head":
        return str(config.num_classes)
    if hasattr(config, "channels"):
        return str(config.channels[l])
    u, f = config.channels_u[l], config.channels_f[l]
    return str(f) if u == f or place == "stem" else f"({u},{f})"


def _dtype(model: nn.Module) -> torch.dtype:
    return next(model.parameters()).dtype
