"""LeNet-5, AlexNet and VGG: plain convolutional networks (7.1) in the loop of `mgcore`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

from torch import Tensor, nn

from nets.models.base import FeatureInfo, FeatureInfos, Network
from nets.models.data_level import DataLevel
from nets.models.input_checks import check_features
from nets.models.norms import normalisation
from nets.models.operators import ADAPTIVE_POOL, AVERAGE_POOL, CONVOLUTION, MAX_POOL, chain
from nets.models.registry import register
from nets.naming.grammar import PLAIN
from nets.naming.plain_config import Layer, PlainConfig


@register(*PLAIN)
class PlainNet(Network):
    """f^i = s(chi^i f^{i-1}) on a grid, the second form of (7.7), with pooling R between grids (7.1).

    The convolutions, the pooling and the order of layers are those of the literature, without dropout. The first
    convolution is theta^0, the stem; `chi[l]` are the others on a grid, `norm[l]` their batch norms, `R[l]` the pooling
    that follows: these are the levels. The fully connected layers, `hidden` and `head`, are not; they follow R of the
    coarsest grid. Images may have any size: pooling rounds up, and the last grid is averaged to as many pixels as the
    fully connected layers were made for, which at the size of the literature (32, 224) changes nothing.

    >>> model = create_model("VGG[2,2]-[16,32]")
    >>> type(model).__name__, len(model.levels)
    ('PlainNet', 2)
    """

    config: PlainConfig

    def __init__(self, config: PlainConfig) -> None:
        plan, dims = config.plan, config.dims
        linear = (plan.grids[-1][-1].channels * plan.pixels**dims, *plan.hidden)
        super().__init__(config, config.channels[0], linear[-1], stem_norm=True)
        c = config.in_channels
        convs: list[list[nn.Module]] = []
        for layers in plan.grids:
            widths = [c, *(layer.channels for layer in layers)]
            convs.append(
                [_convolution(dims, a, layer, config.padding) for a, layer in zip(widths, layers, strict=False)]
            )
            c = widths[-1]
        norms = [[normalisation(config, a.channels) for a in layers] for layers in plan.grids]
        self.stem = nn.Sequential(OrderedDict(conv=convs[0].pop(0), norm=norms[0].pop(0)))
        self.pool = nn.Identity()
        self.chi = nn.ModuleList(map(nn.ModuleList, convs))
        self.norm = nn.ModuleList(map(nn.ModuleList, norms))
        kind, size, stride = plan.pool
        pool = (MAX_POOL if kind == "max" else AVERAGE_POOL)[dims]
        self.R = nn.ModuleList(pool(size, stride, ceil_mode=True) for _ in plan.grids)
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(linear))
        self.head = self.new_head(config.num_classes)

    @property
    def levels(self) -> list[DataLevel]:
        """The grids as levels in data space, finest first."""
        grids: Any = list(zip(self.chi, self.norm, self.s, [*self.R[:-1], None], strict=True))
        return [
            DataLevel([chain(chi, norm, s) for chi, norm in zip(convs, norms, strict=True)], R)
            for convs, norms, s, R in grids
        ]

    def forward_head(self, u: Tensor, pre_logits: bool = False) -> Tensor:
        """Pooling, the fully connected layers, each but the last with s: (N, num_classes)."""
        check_features(u, self.config.dims, self.config.channels[-1])
        average = ADAPTIVE_POOL[self.config.dims](self.config.plan.pixels)
        u = average(self.R[-1](u)).flatten(1)
        for linear in self.hidden:
            u = self.s[-1](linear(u))
        return u if pre_logits else self.head(u)

    @property
    def feature_info(self) -> FeatureInfos:
        """As in `Network`; LeNet-5 and the AlexNet of ImageNet have a few pixels less, since they do not pad."""
        plan, info, stride = self.config.plan, FeatureInfos(), 1
        for l, layers in enumerate(plan.grids):
            stride *= prod(layer.stride for layer in layers)
            info.append(FeatureInfo(l + 1, layers[-1].channels, stride))
            stride *= plan.pool[2]
        return info

    def grid_sizes(self, size: Sequence[int]) -> list[tuple[int, ...]]:
        """Pixels per axis on every grid; where nothing is left to pool on the last one, what would be left."""
        grids, left = self._sizes(size)
        sizes = [grid[-1] for grid in grids]
        return sizes if min(left) >= 1 else [*sizes[:-1], left]

    def padded(self, size: Sequence[int]) -> list[tuple[str, int, tuple[int, ...]]]:
        """As in `Network`, convolution by convolution."""
        plan, (grids, _) = self.config.plan.grids, self._sizes(size)
        return [
            (f"grid {l} of {len(plan)}", layer.padding, n)
            for l, (layers, sizes) in enumerate(zip(plan, grids, strict=True), 1)
            for layer, n in zip(layers, sizes, strict=False)
        ]

    def _sizes(self, size: Sequence[int]) -> tuple[list[list[tuple[int, ...]]], tuple[int, ...]]:
        """Pixels per axis on every grid before each convolution and behind the last; and behind the last pooling."""
        _, window, stride = self.config.plan.pool
        grids, n = [], tuple(size)
        for layers in self.config.plan.grids:
            grids.append([n])
            for layer in layers:
                n = tuple(map(layer.out, n))
                grids[-1].append(n)
            n = tuple(-((window - m) // stride) + 1 for m in n)
        return grids, n


def _convolution(dims: int, c_in: int, layer: Layer, mode: str) -> nn.Module:
    c_out, size, stride, padding, groups = layer
    conv: Any = CONVOLUTION[dims](c_in, c_out, size, stride=stride, padding=padding, groups=groups, padding_mode=mode)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    nn.init.zeros_(conv.bias)
    module: nn.Module = conv
    return module
