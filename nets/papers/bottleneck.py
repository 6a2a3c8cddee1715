"""Bottleneck ResNets, which the papers' tables name and this package does not build: their parameters alone."""

from __future__ import annotations

from typing import NamedTuple


class Bottleneck(NamedTuple):
    """Blocks of 1 x 1, 3 x 3 and 1 x 1 convolutions, the last to four times the width; batch norm per convolution.

    The first block of every grid has a 1 x 1 convolution beside it. With `pre_activation` batch norm precedes the
    convolutions, there is none beside a block, and one before the head. The width doubles from grid to grid.

    Attributes:
        nu: blocks per grid, finest first.
        width: of the first grid; the stem of 7 x 7 has 64 channels, that of 3 x 3 as many as `width`.
        widened: the factor of the inner channels of a block, in a WideResNet.
        stem: kernel of the stem in pixels, 7 (with batch norm) or 3 (without, where `pre_activation`).
    """

    nu: tuple[int, ...]
    width: int = 64
    widened: int = 1
    pre_activation: bool = False
    stem: int = 7

    def parameters(self, num_classes: int, in_channels: int = 3) -> int:
        """The number of trained parameters."""
        pre, c = self.pre_activation, 64 if self.stem == 7 else self.width
        total = self.stem**2 * in_channels * c + (0 if pre and self.stem == 3 else 2 * c)
        for l, nu in enumerate(self.nu):
            out, inner = 4 * self.width * 2**l, self.widened * self.width * 2**l
            for i in range(nu):
                total += c * inner + 9 * inner**2 + inner * out + 4 * inner + 2 * (c if pre else out)
                if i == 0:
                    total += c * out + (0 if pre else 2 * out)
                c = out
        return total + (2 * c if pre else 0) + (c + 1) * num_classes


BOTTLENECKS = {
    "ResNet50": Bottleneck((3, 4, 6, 3)),
    "ResNet101": Bottleneck((3, 4, 23, 3)),
    "ResNet152": Bottleneck((3, 8, 36, 3)),
    "WideResNet50*2": Bottleneck((3, 4, 6, 3), widened=2),
    "pre-act ResNet200": Bottleneck((3, 24, 36, 3), pre_activation=True),
    "pre-act ResNet1001": Bottleneck((111, 111, 111), 16, pre_activation=True, stem=3),
}
