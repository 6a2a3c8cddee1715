"""Bottleneck ResNets: blocks of 1 x 1, 3 x 3 and 1 x 1 convolutions in the loop of `mgcore`, as networks in data space.

He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2016. Where a block leads to the next grid its
3 x 3 convolution has the stride, as in torchvision and timm.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, fx, nn

from nets.models.base import Network
from nets.models.data_level import DataLevel
from nets.models.norms import biased_convolution, normalisation
from nets.models.operators import convolution, memory_format
from nets.models.registry import register
from nets.naming.bottleneck_config import BottleneckConfig

fx.wrap("memory_format")  # a tracer knows no tensor's format


@register("Bottleneck")
class BottleneckNet(Network):
    """The step r <- s(R r + A s(C s(B r))) on a grid, (7.8) with C between B and A; R is the identity but in block 0.

    `B[l][i]` is 1 x 1 to the channels inside, `C[l][i]` 3 x 3, `A[l][i]` 1 x 1 to four times the width; `norm_1`,
    `norm_2` and `norm_3` follow them. `R[l - 1]`, 1 x 1 with stride 2, and `norm_R[l - 1]` are those of the block that
    leads to grid l, `widen[0]` and `norm_widen[0]` of the first block of all, which only adds channels.

    >>> model = create_model("Bottleneck[2,2]-[4,8]")
    >>> type(model).__name__, len(model.levels), model.feature_info.channels()
    ('BottleneckNet', 2, [16, 32])
    """

    config: BottleneckConfig

    def __init__(self, config: BottleneckConfig) -> None:
        out = config.channels_out
        super().__init__(config, config.stem_channels, out[-1], stem_norm=True)
        norm, conv = partial(normalisation, config), partial(biased_convolution, config)
        # a bias of R would be added to that of A
        beside = partial(convolution, config.dims, size=1, padding=config.padding)
        grids, steps = range(len(config.nu)), range(1, len(config.nu))
        inner = [config.widened * c for c in config.channels]

        def blocks(make: Callable[[int, int], nn.Module]) -> nn.ModuleList:
            """The modules make(l, i) of block i on grid l."""
            return nn.ModuleList(nn.ModuleList(make(l, i) for i in range(config.nu[l])) for l in grids)

        def enter(l: int, i: int) -> nn.Module:
            before = out[l] if i else out[l - 1] if l else config.stem_channels
            return conv(before, inner[l], size=1)

        self.B = blocks(enter)
        self.C = blocks(lambda l, i: conv(inner[l], inner[l], stride=2 if l > 0 and i == 0 else 1))
        self.A = blocks(lambda l, i: conv(inner[l], out[l], size=1))
        self.norm_1, self.norm_2 = (blocks(lambda l, i: norm(inner[l])) for _ in range(2))
        self.norm_3 = blocks(lambda l, i: norm(out[l]))
        self.widen = nn.ModuleList([beside(config.stem_channels, out[0])])
        self.norm_widen = nn.ModuleList([norm(out[0])])
        self.R = nn.ModuleList(beside(out[l - 1], out[l], stride=2) for l in steps)
        self.norm_R = nn.ModuleList(norm(out[l]) for l in steps)
        self.head = self.new_head(config.num_classes)

    @property
    def levels(self) -> list[DataLevel]:
        """The grids as levels in data space, finest first; a level's pool is block 0 of the next coarser grid."""
        last = len(self.config.nu) - 1
        return [
            DataLevel(
                [self._block(l, i) for i in range(0 if l == 0 else 1, self.config.nu[l])],
                None if l == last else self._block(l + 1, 0),
            )
            for l in range(last + 1)
        ]

    def _block(self, l: int, i: int) -> Callable[[Tensor], Tensor]:
        s, B, C, A = self.s[l], self.B[l][i], self.C[l][i], self.A[l][i]  # type: ignore[index]
        norm_1, norm_2, norm_3 = (norms[l][i] for norms in (self.norm_1, self.norm_2, self.norm_3))  # type: ignore[index]
        R: nn.Module = nn.Identity()
        if i == 0:
            parts = (self.R[l - 1], self.norm_R[l - 1]) if l > 0 else (self.widen[0], self.norm_widen[0])
            R = nn.Sequential(*parts)

        def block(r: Tensor) -> Tensor:
            d: Tensor = s(R(r) + norm_3(A(s(norm_2(C(s(norm_1(B(r)))))))))
            return d.contiguous(memory_format=memory_format(r))  # 1 x 1 convolutions of volumes forget it

        return block
