"""Activations s by name, one module per grid.

    activation = "relu" | "prelu" | "gelu" | "identity" | hat ;
    hat        = "hat" [ "-height" ] [ "-trained" ] [ ":" support { "," support } ] ;

A support is from 0.01 to 10000. One alone stands for every grid; where none is given it is 5 l on grid l (5, 10, 15, 20
in the 2023 lectures).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import log

import torch
from torch import Tensor, nn

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "prelu": nn.PReLU,
    "gelu": nn.GELU,
    "identity": nn.Identity,
}
LEAST, LARGEST = 1e-2, 1e4
"""Supports with which the hat and its derivatives, as large as 2 / support^2, are finite in half precision."""
_HAT = re.compile(r"hat(?P<height>-height)?(?P<trained>-trained)?(?::(?P<supports>.*))?")


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
    """One activation per grid, each with its own state; "identity" makes a network without batch norm linear.

    Raises:
        TypeError, ValueError: for a name outside the grammar, or supports that do not fit the grids.
    """
    if not isinstance(name, str):
        raise TypeError(f"activation must be a string such as 'relu' or 'hat:5,10'; got {name!r}")
    if name in ACTIVATIONS:
        return [ACTIVATIONS[name]() for _ in range(grids)]
    found = _HAT.fullmatch(name)
    if found is None:
        allowed = ", ".join(map(repr, ACTIVATIONS))
        raise ValueError(f"activation must be {allowed} or 'hat[-height][-trained][:support,...]'; got {name!r}")
    settings = {"unit_height": found["height"] is not None, "trained": found["trained"] is not None}
    return [Hat(support, **settings) for support in _supports(name, found["supports"], grids)]


def _supports(name: str, text: str | None, grids: int) -> list[float]:
    if text is None:
        return [5.0 * (l + 1) for l in range(grids)]
    try:
        supports = [float(number) for number in text.split(",")]
    except ValueError:
        supports = []
    if not supports or not all(LEAST <= support <= LARGEST for support in supports):
        raise ValueError(
            f"activation: the supports of a hat must be numbers from {LEAST:g} to {LARGEST:g}, as in 'hat:5,10'; "
            f"got {name!r}"
        )
    if len(supports) not in (1, grids):
        allowed = "1 support" if grids == 1 else f"1 or {grids} supports"
        raise ValueError(f"activation must give {allowed}, one per grid; got {len(supports)} in {name!r}")
    return supports * grids if len(supports) == 1 else supports
