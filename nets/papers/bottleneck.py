"""Pre-act ResNets with bottlenecks, which this package does not build: their parameters alone."""

from __future__ import annotations

from typing import NamedTuple


class Bottleneck(NamedTuple):
    """Blocks of 1 x 1, 3 x 3 and 1 x 1 convolutions, the last to four times the width, after batch norm and s each.

    The first block of every grid has a 1 x 1 convolution beside it; batch norm precedes the head. The width doubles
    from grid to grid.

    Attributes:
        nu: blocks per grid, finest first.
        width: of the first grid; the stem of 7 x 7 has 64 channels, that of 3 x 3 as many as `width`.
        stem: kernel of the stem in pixels, 7 (with batch norm) or 3 (without).
    """

    nu: tuple[int, ...]
    width: int = 64
    stem: int = 7

    def parameters(self, num_classes: int, in_channels: int = 3) -> int:
        """The number of trained parameters."""
        c = 64 if self.stem == 7 else self.width
        total = self.stem**2 * in_channels * c + (2 * c if self.stem == 7 else 0)
        for l, nu in enumerate(self.nu):
            out, inner = 4 * self.width * 2**l, self.width * 2**l
            for i in range(nu):
                total += c * inner + 9 * inner**2 + inner * out + 4 * inner + 2 * c + (c * out if i == 0 else 0)
                c = out
        return total + 2 * c + (c + 1) * num_classes


BOTTLENECKS = {
    "pre-act ResNet200": Bottleneck((3, 24, 36, 3)),
    "pre-act ResNet1001": Bottleneck((111, 111, 111), 16, stem=3),
}
