"""Networks beside MgNO: a plain U-Net, and the Fourier neural operator of the package neuraloperator."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate


class UNet(nn.Module):
    """Convolutions, halved and doubled again with skip connections (Ronneberger, Fischer and Brox 2015).

    Two 3 x 3 convolutions with group norm and GELU on each grid, means of 2 x 2 points downwards, bilinear
    interpolation upwards. Channels double from grid to grid.

    Args:
        width: channels of the finest grid, a multiple of 8.
    """

    def __init__(self, width: int, grids: int = 5, in_channels: int = 1, out_channels: int = 1) -> None:
        super().__init__()
        c = [width * 2**l for l in range(grids)]
        self.down = nn.ModuleList(_block(before, after) for before, after in zip([in_channels, *c], c, strict=False))
        self.up = nn.ModuleList(_block(c[l] + c[l + 1], c[l]) for l in range(grids - 1))
        self.head = nn.Conv2d(width, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, n, m) to (N, out_channels, n, m), n and m multiples of 2^(grids - 1)."""
        skips: list[Tensor] = []
        for l, block in enumerate(self.down):
            x = block(nn.functional.avg_pool2d(x, 2) if l else x)
            skips.append(x)
        x = skips.pop()
        for block, skip in zip(reversed(self.up), reversed(skips), strict=True):
            x = interpolate(x, scale_factor=2.0, mode="bilinear")
            x = block(torch.cat((skip, x), dim=1))
        y: Tensor = self.head(x)
        return y


def _block(before: int, after: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for c in (before, after):
        layers += [nn.Conv2d(c, after, 3, padding=1), nn.GroupNorm(8, after), nn.GELU()]
    return nn.Sequential(*layers)


def fno(width: int, modes: int) -> nn.Module:
    """The Fourier neural operator of Li et al. (2021), four layers, as neuraloperator 2.0 makes it.

    Raises:
        ImportError: the package is not installed; it needs an environment of its own.
    """
    from neuralop.models import FNO

    model: nn.Module = FNO(n_modes=(modes, modes), hidden_channels=width, in_channels=1, out_channels=1)
    return model


def parameters(model: nn.Module) -> int:
    """Real numbers that are trained: a complex weight counts twice."""
    return sum(p.numel() * (2 if p.is_complex() else 1) for p in model.parameters())


def make(kind: str, options: dict[str, Any]) -> nn.Module:
    """A network by its kind, "U-Net" or "FNO"."""
    return {"U-Net": UNet, "FNO": fno}[kind](**options)
