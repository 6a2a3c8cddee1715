"""Activations s, one module per grid; `nets.naming.values` reads their names."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn

from nets.naming.values import ACTIVATIONS, parse_activation

_NAMES = {name.lower(): name for name in dir(nn)}
MODULES: dict[str, type[nn.Module]] = {name: getattr(nn, _NAMES[name]) for name in ACTIVATIONS}


class Hat(nn.Module):
    """The hat on [0, support]: with unit slope min(x, support - x)_+, with unit height that times 2 / support.

    Unit slope agrees with ReLU on [0, support / 2]. A trained support stays positive: its logarithm is the parameter.
    """

    def __init__(self, support: float, *, unit_height: bool = False, trained: bool = False) -> None:
        super().__init__()
        self.fixed, self.unit_height = support, unit_height
        self.log_support = nn.Parameter(torch.tensor(log(support))) if trained else None

    @property
    def support(self) -> float | Tensor:
        return self.fixed if self.log_support is None else self.log_support.exp()

    def forward(self, x: Tensor) -> Tensor:
        support = self.support
        hat = torch.relu(torch.minimum(x, support - x))
        return hat * (2 / support) if self.unit_height else hat

    def extra_repr(self) -> str:
        support = self.fixed if self.log_support is None else float(self.log_support.detach().exp())
        return f"support={support:g}, unit_height={self.unit_height}, trained={self.log_support is not None}"


def create_activations(name: str, grids: int) -> list[nn.Module]:
    """One activation per grid, each with its own state; "identity" makes a network without batch norm linear."""
    found = parse_activation(name, grids)
    return [MODULES[entry]() if isinstance(entry, str) else Hat(**entry._asdict()) for entry in found]
