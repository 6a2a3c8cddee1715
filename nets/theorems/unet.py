"""U-Net as V-MgNet (Algorithm 4) with Pi = 0.

A decoder stage of a U-Net concatenates the skip u with what comes up from below, and convolves: W [u, P e]. That is

    W_1 u + W_2 P e,

the coarse-grid correction (6.15), whose prolongation is W_2 P; the activation behind it is one post-smoothing (6.16).
`unet_levels` makes this precise: features u = (a, z, o) in three blocks of channels, the skip a, z = W_1 a + W_2 P e
and the output o = s(z); data (x, u) with the given A u = (0, -u), so f - A u = (x, a, z, o). Each sweep writes a block:

    a <- s(E x),  z <- W_1 a        before the correction, on the way down (o <- a on the coarsest grid),
    z <- z + W_2 P o                the correction, o being that of the coarser grid,
    o <- s(z)                       behind it.

Differences that remain:

- The blocks. In V-MgNet all sweeps of a grid act on the same features; here each writes channels of its own, three
  times as many in all, and A is given a priori (as xi in Theorem 8.3), not trained.
- The position of ReLU. z <- W_1 a has none, (6.26) has two; o <- s(z) has one and no convolution.
- Residuals. The way up reads f - A u as a mere copy of u: a U-Net never compares u with its data again.
- Two convolutions per stage, as in the original U-Net: each further one is a further block and sweep.
- Cropping. The original has convolutions without padding and cuts the skips to size; here all keep the size.
- Pi. Since A is linear, no Pi would change u^1 (Theorem 6.1): a U-Net has none and loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

import mgcore
from mgcore import Level
from nets.common.checks import integers
from nets.models.operators import CONVOLUTION, MAX_POOL, TRANSPOSED
from nets.theorems.comparison import largest


class UNet(nn.Module):
    """A U-Net with one convolution per stage, in plain torch: the other side of the theorem.

    Args:
        channels: per grid, finest first.
        in_channels, out_channels: of images (N, in_channels, n, ...) and of what it makes of every pixel.
        dims: 1, 2 or 3.
        padding: of the convolutions, "zeros", "reflect" or "circular" (3.9).

    Raises:
        TypeError, ValueError: where the channels are no positive integers.
    """

    def __init__(
        self,
        channels: Sequence[int],
        in_channels: int = 3,
        out_channels: int = 2,
        dims: int = 2,
        padding: str = "zeros",
    ) -> None:
        super().__init__()
        channels = integers("channels", channels, 1)
        if not channels:
            raise ValueError("channels must hold at least one grid, as in (8, 16, 32); got ()")
        make, up = CONVOLUTION[dims], TRANSPOSED[dims]
        before = (in_channels, *channels[:-1])
        self.channels, self.dims, self.padding = channels, dims, padding
        self.encode = nn.ModuleList(
            make(a, b, 3, padding=1, padding_mode=padding) for a, b in zip(before, channels, strict=True)
        )
        self.pool = MAX_POOL[dims](2)
        self.up = nn.ModuleList(up(b, a, 2, 2, bias=False) for a, b in pairwise(channels))
        self.decode = nn.ModuleList(make(2 * c, c, 3, padding=1, padding_mode=padding) for c in channels[:-1])
        self.head = make(channels[0], out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, out_channels, n, ...) for images (N, in_channels, n, ...) of any size, at least 2^(grids - 1)."""
        skips: list[Tensor] = []
        for encode in self.encode:
            x = torch.relu(encode(self.pool(x) if skips else x))
            skips.append(x)
        for skip, up, decode in list(zip(skips, self.up, self.decode, strict=False))[::-1]:
            x = torch.relu(decode(torch.cat((skip, up(x, output_size=skip.shape[2:])), 1)))
        return self.head(x)


def unet_levels(unet: UNet) -> list[Level]:
    """The U-Net as `mgcore` levels, finest first; u has the channels (a, z, o), f the channels of x and of u."""
    if not isinstance(unet, UNet):
        raise TypeError(f"unet must be a nets.theorems.UNet; got {type(unet).__name__}")
    return [_level(unet, l) for l in range(len(unet.channels))]


def unet_is_v_mgnet(unet: UNet, x: Tensor) -> float:
    """Compare the outputs of a U-Net with its V-MgNet, Algorithm 4 as `mgcore.v_cycle`."""
    levels, c = unet_levels(unet), unet.channels[0]
    f = torch.cat((x, _zeros(x, 3 * c)), 1)
    u: Any = mgcore.v_cycle(levels, f)
    return largest([unet(x)], [unet.head(u[:, -c:])])


def _level(unet: UNet, l: int) -> Level:
    E: Any = unet.encode[l]
    c, coarsest = unet.channels[l], l + 1 == len(unet.channels)

    def blocks(f: Tensor, c: int = c) -> Sequence[Tensor]:
        return f.split((f.shape[1] - 3 * c, c, c, c), 1)  # x, a, z, o

    def write(block: int, values: Tensor) -> Tensor:
        parts = [_zeros(values, c)] * 3
        parts[block] = values
        return torch.cat(parts, 1)

    def A(u: Tensor) -> Tensor:
        return torch.cat((_zeros(u, E.in_channels), -u), 1)

    def skip(r: Tensor) -> Tensor:
        return write(0, torch.relu(E(blocks(r)[0])))

    if coarsest:
        return Level(A, [skip, lambda r: write(2, blocks(r)[1])])
    D: Any = unet.decode[l]
    up: Any = unet.up[l]
    apply: Any = {1: nn.functional.conv1d, 2: nn.functional.conv2d, 3: nn.functional.conv3d}[unet.dims]
    mode = "constant" if unet.padding == "zeros" else unet.padding
    W_1, W_2 = D.weight[:, :c], D.weight[:, c:]

    def convolve(v: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
        return apply(nn.functional.pad(v, (1, 1) * unet.dims, mode), weight, bias)

    def R(r: Tensor) -> Tensor:
        x = unet.pool(blocks(r)[1])
        return torch.cat((x, _zeros(x, 3 * unet.channels[l + 1])), 1)

    def P(e: Tensor, like: Tensor) -> Tensor:
        o = e[:, -unet.channels[l + 1] :]
        return write(1, convolve(up(o, output_size=like.shape[2:]), W_2))

    return Level(
        A,
        B=[skip, lambda r: write(1, convolve(blocks(r)[1], W_1, D.bias))],
        R=R,
        P=P,
        B_post=[lambda r: write(2, torch.relu(blocks(r)[2]))],
    )


def _zeros(like: Tensor, channels: int) -> Tensor:
    return like.new_zeros((like.shape[0], channels, *like.shape[2:]))
