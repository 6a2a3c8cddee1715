"""Trained prolongations: 3^ndim stencils that keep constants, with a coarse value at its own point."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor, nn

TRANSFERS = ("bilinear", "symmetric", "free")

CORNERS = ((0.25, 0.0, -0.25), (0.0, 0.0, 0.0), (-0.25, 0.0, 0.25))
"""The change of a bilinear P by its one free number, in two dimensions."""


class Prolongation(nn.Module):
    """P of each level, (levels, 3, ..., 3), bilinear at first.

    Fine points beside a coarse one along some axes, 2^(their number) coarse ones around, are given shares that sum
    to 1. "symmetric", in two dimensions: P + w `CORNERS`; edges keep one half each, and the middle of a cell takes
    (1 + w) / 4 from either of two opposite corners and (1 - w) / 4 from the others. "free": any shares.
    """

    bilinear: Tensor

    def __init__(self, kind: str, levels: int, ndim: int) -> None:
        super().__init__()
        if kind == "symmetric" and ndim != 2:
            raise ValueError(f"transfer='symmetric' is for two dimensions; got a problem in {ndim}")
        self.kind, self.ndim = kind, ndim
        numbers = {"bilinear": 0, "symmetric": 1, "free": sum(2 ** sum(group) - 1 for group in _points(ndim))}[kind]
        self.register_buffer("bilinear", _bilinear(ndim), persistent=False)  # `load_state_dict` cannot change it
        self.weights = nn.Parameter(torch.zeros(levels, numbers, dtype=torch.float64)) if numbers else None
        self.levels = levels

    def forward(self) -> Tensor:
        """The stencils of all levels."""
        if self.weights is None:
            return self.bilinear.expand(self.levels, *self.bilinear.shape)
        return self.bilinear + torch.einsum("lk,k...->l...", self.weights, self._directions())

    def _directions(self) -> Tensor:
        """Stencils that keep constants zero, (numbers, 3, ..., 3)."""
        if self.kind == "symmetric":
            return self.bilinear.new_tensor([CORNERS])
        made = []
        for group in _points(self.ndim):
            first, *others = product(*((0, 2) if o else (1,) for o in group))
            for other in others:
                K = torch.zeros_like(self.bilinear)
                K[other], K[first] = 1.0, -1.0
                made.append(K)
        return torch.stack(made)


def _points(ndim: int) -> list[tuple[int, ...]]:
    """The kinds of fine points by the axes along which they lie between coarse ones."""
    return list(product((0, 1), repeat=ndim))[1:]


def _bilinear(ndim: int) -> Tensor:
    line = kernel = torch.tensor([0.5, 1.0, 0.5], dtype=torch.float64)
    for _ in range(ndim - 1):
        kernel = kernel[..., None] * line
    return kernel
