"""The ResNet family: networks in data space, in the loop of `mgcore` with the residual r as the only state."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from nets.models.base import Network
from nets.models.data_level import DataLevel, HistoryLevel
from nets.models.input_checks import check_features
from nets.models.norms import biased_convolution, normalisation
from nets.models.operators import convolution, lists
from nets.models.registry import register
from nets.naming.grammar import RESNETS
from nets.naming.resnet_config import ResNetConfig

Map = Callable[[Tensor], Tensor]


@register(*RESNETS)
class ResNet(Network):
    """The network of a configuration: stem, blocks over the grids, head.

    Convolutions live once and batch norms once per use, in lists by grid (finest first): `A[l]` and `B[l]` hold one
    module per block or one for all of them, `norm_1[l][i]` and `norm_2[l][i]` are those of block i. `B_0[l - 1]`,
    `R[l - 1]` and `norm_R[l - 1]` lead to grid l; block 0 of that grid is the transition.

    In "ResNet" batch norm follows each convolution; in the other kinds it precedes each activation of a block, and
    there is none on R nor in the stem.

    "LM-ResNet" has one trained number `k[l][i]` per step but the first of a grid. "WideResNet" has 16 channels after
    the stem: the first `B[0][0]` and the 1 x 1 `widen[0]` beside it lead to grid 1, R takes the activated data of a
    grid, and `norm_head` and s come before the pooling. The stem has s after it, as in the papers' pre-act ResNet.

    >>> model = create_model("ResNet[2,2]-[16,32]")
    >>> type(model).__name__, len(model.levels)
    ('ResNet', 2)
    """

    config: ResNetConfig

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__(
            config,
            config.stem_channels,
            config.channels[-1],
            stem_norm=config.kind == "ResNet",
        )
        nu, c, after = config.nu, config.channels, config.kind == "ResNet"
        norm, conv = partial(normalisation, config), partial(biased_convolution, config)
        # a bias of R would be added to that of A
        beside = partial(convolution, config.dims, size=1, padding=config.padding)
        steps, c_in = range(1, len(nu)), (config.stem_channels, *config.channels)

        self.A = lists(_count_A(config), lambda l: conv(c[l], c[l], normed=after or config.reads_normed))
        self.B = lists(_count_B(config), lambda l: conv(c[l], c[l]))
        self.norm_1 = nn.ModuleList(
            nn.ModuleList(norm(c_in[l] if i == 0 and not after else c[l]) for i in range(nu[l])) for l in range(len(nu))
        )
        self.norm_2 = lists(nu, lambda l: norm(c[l]))
        self.R = nn.ModuleList(beside(c[l - 1], c[l], stride=2) for l in steps)
        self.norm_R = nn.ModuleList(norm(c[l], after) for l in steps)
        if not config.restricts_first:
            self.B_0 = nn.ModuleList(conv(c[l - 1], c[l], stride=2) for l in steps)
        if config.kind == "LM-ResNet":
            self.k = nn.ModuleList(
                nn.ParameterList(nn.Parameter(torch.zeros(())) for _ in self._own_blocks(l)[1:]) for l in range(len(nu))
            )
        if config.kind == "WideResNet":
            self.B[0][0] = conv(c_in[0], c[0])
            self.widen = nn.ModuleList([beside(c_in[0], c[0])])
            self.norm_head = norm(c[-1])
        self.head = self.new_head(config.num_classes)

    @property
    def levels(self) -> list[DataLevel]:
        """The grids as levels in data space, finest first; a level's pool is block 0 of the next coarser grid."""
        last, two_back = len(self.config.nu) - 1, self.config.kind == "LM-ResNet"
        step: Any = self._step_two_back if two_back else lambda l, n, i: self._block(l, i)
        make: Any = partial(HistoryLevel, keep=2) if two_back else DataLevel
        return [
            make([step(l, n, i) for n, i in enumerate(self._own_blocks(l))], None if l == last else step(l + 1, 0, 0))
            for l in range(last + 1)
        ]

    def forward_head(self, u: Tensor, pre_logits: bool = False) -> Tensor:
        """Global average pooling of features (N, c, n, ...), then the linear layer: (N, num_classes)."""
        if self.config.kind == "WideResNet":
            check_features(u, self.config.dims, self.features)
            u = self.s[-1](self.norm_head(u))
        return super().forward_head(u, pre_logits)

    def _own_blocks(self, l: int) -> range:
        """The blocks that are steps on grid l: all but the one that leads to it."""
        return range(0 if l == 0 else 1, self.config.nu[l])

    def _step_two_back(self, l: int, n: int, i: int) -> Callable[[tuple[Tensor, ...]], Tensor]:
        """r^i = (1 - k) r^{i-1} + k r^{i-2} + A s(B s(r^{i-1})) of block i; step 0 of a grid has no r^{i-2}."""
        block = self._block(l, i)
        if n == 0:
            return lambda history: block(history[-1])
        k = self.k[l][n - 1]  # type: ignore[index]
        return lambda history: block(history[-1]) + k * (history[-2] - history[-1])

    def _block(self, l: int, i: int) -> Map:
        return self._block_after(l, i) if self.config.kind == "ResNet" else self._block_before(l, i)

    def _block_after(self, l: int, i: int) -> Map:
        """r -> s(R r + A s(B r)), (7.8), with R the identity within a grid; batch norm after each convolution."""
        s, A, B, norm_1, norm_2 = self._parts(l, i)
        down, first = l > 0 and i == 0, self.config.restricts_first

        def block(r: Tensor) -> Tensor:
            q = self.norm_R[l - 1](self.R[l - 1](r)) if down else r
            return s(q + norm_2(A(s(norm_1(B(q if first else r))))))

        return block

    def _block_before(self, l: int, i: int) -> Map:
        """r -> R r + A s(B s(r)), (7.9), or with minus (8.1), or R s(r) - A s(B s(r)), (8.3), (8.6).

        R is the identity within a grid; s includes the batch norm before it.
        """
        s, A, B, norm_1, norm_2 = self._parts(l, i)
        down, first, kind = l > 0 and i == 0, self.config.restricts_first, self.config.kind
        plus = kind in ("pre-act ResNet", "LM-ResNet", "WideResNet")
        wide = kind == "WideResNet" and i == 0  # the first block of a grid, on the finest too, changes the channels
        s_before = self.s[l - 1] if down else s
        activated = kind in ("sigma-ResNet", "Mg-ResNet") or (down and first) or wide
        R = self.R[l - 1] if down else self.widen[0] if wide else nn.Identity()

        def block(r: Tensor) -> Tensor:
            a = s_before(norm_1(r))
            q = R(a if activated else r)
            d = A(s(norm_2(B(q if down and first else a))))
            return d + q if plus else q - d  # d first: a sum has the memory format of its first term

        return block

    def _parts(self, l: int, i: int) -> tuple[nn.Module, nn.Module, nn.Module, nn.Module, nn.Module]:
        """s, A, B and the two batch norms of block i on grid l."""
        A, B, first = self.A[l], self.B[l], self.config.restricts_first
        if l > 0 and i == 0 and not first:
            kernel = self.B_0[l - 1]
        else:
            kernel = B[0] if len(B) == 1 else B[i if l == 0 or first else i - 1]
        return self.s[l], A[0] if len(A) == 1 else A[i], kernel, self.norm_1[l][i], self.norm_2[l][i]  # type: ignore


def _count_A(config: ResNetConfig) -> list[int]:
    """Convolutions A per grid; on the finest grid "tables" shares nothing where B is shared."""
    return [n if config.A == "A^{l,i}" or (l == 0 and config.restricts_first) else 1 for l, n in enumerate(config.nu)]


def _count_B(config: ResNetConfig) -> list[int]:
    """Convolutions B per grid, the strided B^{l,0} apart."""
    if config.restricts_first:
        return [n if l == 0 else 1 for l, n in enumerate(config.nu)]
    own = [n if l == 0 else n - 1 for l, n in enumerate(config.nu)]
    return own if config.B == "B^{l,i}" else [min(n, 1) for n in own]
