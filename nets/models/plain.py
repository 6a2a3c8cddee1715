"""LeNet-5, AlexNet and VGG: plain convolutional networks (7.1) in the loop of `mgcore`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod
from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

from nets.common.checks import check_choices
from nets.models.base import FeatureInfo, Network
from nets.models.data_level import DataLevel
from nets.models.input_checks import check_features
from nets.models.operators import ADAPTIVE_POOL, AVERAGE_POOL, CONVOLUTION, MAX_POOL, chain, normalisation
from nets.naming.grammar import PLAIN, PlainArchitecture
from nets.naming.settings import Settings, check_settings, settle_grids


class Layer(NamedTuple):
    """A convolution with bias: (channels, pixels of the kernel, stride, padding, groups)."""

    channels: int
    size: int = 3
    stride: int = 1
    padding: int = 1
    groups: int = 1

    def out(self, n: int) -> int:
        """Pixels per axis after it."""
        return (n + 2 * self.padding - self.size) // self.stride + 1


class Plan(NamedTuple):
    """A network of the literature: layers per grid, and what follows every grid and the last one.

    Attributes:
        grids: the layers of every grid, finest first.
        pool: "max" or "average", with window and stride.
        pixels: per axis, to which the pooled last grid is averaged before the fully connected layers.
        hidden: widths of the fully connected layers but the last.
        norm: whether batch norm follows each convolution.
    """

    grids: tuple[tuple[Layer, ...], ...]
    pool: tuple[str, int, int] = ("max", 2, 2)
    pixels: int = 1
    hidden: tuple[int, ...] = ()
    norm: bool = False


PLANS: dict[tuple[str, str], Plan] = {
    ("LeNet-5", "cifar"): Plan(
        ((Layer(6, 5, padding=0),), (Layer(16, 5, padding=0),)), ("average", 2, 2), pixels=5, hidden=(120, 84)
    ),
    ("AlexNet", "cifar"): Plan(((Layer(64, 11, 4, 5),), (Layer(192, 5, 1, 2),), (Layer(384), Layer(256), Layer(256)))),
    ("AlexNet", "imagenet"): Plan(
        (
            (Layer(96, 11, 4, 2),),
            (Layer(256, 5, 1, 2, groups=2),),
            (Layer(384), Layer(384, groups=2), Layer(256, groups=2)),
        ),
        ("max", 3, 2),
        pixels=6,
        hidden=(4096, 4096),
    ),
}
"""What the names LeNet-5 and AlexNet stand for, per input; the AlexNet of CIFAR is the one of its published count."""


@dataclass(frozen=True)
class PlainConfig(Settings):
    """A plain network; `notation` is its name: "LeNet-5", "AlexNet", "VGG19", "VGG[2,2]-[8,16]".

    Args:
        kind: "LeNet-5", "AlexNet" or "VGG".
        nu, channels: convolutions and channels per grid of a VGG, finest first; empty for the other two.
        batch_norm: after each convolution. None is as in the literature: in VGG for input "cifar" alone.
        input: "cifar" or, with two hidden layers of 4096, "imagenet". The stem is the first convolution in both, and no
            pooling follows it but that of its grid.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.
    """

    Architecture: ClassVar[Any] = PlainArchitecture
    title: ClassVar[str] = "a LeNet-5, AlexNet or VGG"
    settled: ClassVar[tuple[str, ...]] = ("batch_norm",)

    kind: str
    nu: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    batch_norm: bool = field(default=None, kw_only=True)  # type: ignore[assignment]  # settled in __post_init__

    def __post_init__(self) -> None:
        check_choices(self, {"kind": PLAIN, "input": ("cifar", "imagenet")})
        if self.kind == "VGG":
            settle_grids(self, "VGG[2,2]-[8,16]", "channels")
        else:
            _settle_plan(self)
        if self.batch_norm is None:
            object.__setattr__(self, "batch_norm", self.plan.norm)
        check_settings(self)

    @property
    def plan(self) -> Plan:
        if self.kind != "VGG":
            return PLANS[self.kind, self.input]
        grids = tuple((Layer(c),) * nu for nu, c in zip(self.nu, self.channels, strict=True))
        large = self.input == "imagenet"
        return Plan(grids, pixels=7, hidden=(4096, 4096)) if large else Plan(grids, norm=True)

    @property
    def architecture(self) -> PlainArchitecture:
        return PlainArchitecture(self.kind, *((self.nu, self.channels) if self.kind == "VGG" else ()))


class PlainNet(Network):
    """f^i = s(chi^i f^{i-1}) on a grid, the second form of (7.7), with pooling R between grids (7.1).

    The convolutions, the pooling and the order of layers are those of the literature, without dropout. The first
    convolution is theta^0, the stem; `chi[l]` are the others on a grid, `norm[l]` their batch norms, `R[l]` the pooling
    that follows: these are the levels. The fully connected layers, `hidden` and `head`, are none; they follow R of the
    coarsest grid. Images may have any size: pooling rounds up, and the last grid is averaged to as many pixels as the
    fully connected layers were made for, which at the size of the literature (32, 224) changes nothing.
    """

    config: PlainConfig

    def __init__(self, config: PlainConfig) -> None:
        plan, dims = config.plan, config.dims
        width = plan.grids[-1][-1].channels * plan.pixels**dims
        widths = (width, *plan.hidden)
        super().__init__(config, config.channels[0], widths[-1], stem_norm=config.batch_norm)
        c = config.in_channels
        convs: list[list[nn.Module]] = []
        for layers in plan.grids:
            convs.append([_convolution(dims, a, layer) for a, layer in zip(_inputs(c, layers), layers, strict=True)])
            c = layers[-1].channels
        norms = [[normalisation(dims, a.channels, enabled=config.batch_norm) for a in layers] for layers in plan.grids]
        self.stem = nn.Sequential(OrderedDict(conv=convs[0].pop(0), norm=norms[0].pop(0)))
        self.pool = nn.Identity()
        self.chi = nn.ModuleList(map(nn.ModuleList, convs))
        self.norm = nn.ModuleList(map(nn.ModuleList, norms))
        kind, size, stride = plan.pool
        pool = (MAX_POOL if kind == "max" else AVERAGE_POOL)[dims]
        self.R = nn.ModuleList(pool(size, stride, ceil_mode=True) for _ in plan.grids)
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.head = self.new_head(config.num_classes)

    @property
    def levels(self) -> list[DataLevel]:
        """The grids as levels in data space, finest first."""
        grids: Any = list(zip(self.chi, self.norm, self.s, [*self.R[:-1], None], strict=True))
        return [
            DataLevel([chain(chi, norm, s) for chi, norm in zip(convs, norms, strict=True)], R)
            for convs, norms, s, R in grids
        ]

    def forward_head(self, u: Tensor) -> Tensor:
        """Pooling, the fully connected layers, each but the last with s: (N, num_classes)."""
        check_features(u, self.config.dims, self.config.channels[-1])
        average = ADAPTIVE_POOL[self.config.dims](self.config.plan.pixels)
        u = average(self.R[-1](u)).flatten(1)
        for linear in self.hidden:
            u = self.s[-1](linear(u))
        return self.head(u)

    @property
    def feature_info(self) -> list[FeatureInfo]:
        """As in `Network`; LeNet-5 and the AlexNet of ImageNet have a few pixels less, since they do not pad."""
        plan, info, stride = self.config.plan, [], 1
        for l, layers in enumerate(plan.grids):
            stride *= prod(layer.stride for layer in layers)
            info.append(FeatureInfo(l + 1, layers[-1].channels, stride))
            stride *= plan.pool[2]
        return info

    def grid_sizes(self, size: Sequence[int]) -> list[tuple[int, ...]]:
        """Pixels per axis on every grid; where nothing is left to pool on the last one, what would be left."""
        _, window, stride = self.config.plan.pool
        sizes: list[tuple[int, ...]] = []
        for layers in self.config.plan.grids:
            for layer in layers:
                size = [layer.out(n) for n in size]
            sizes.append(tuple(size))
            size = [-((window - n) // stride) + 1 for n in size]
        return sizes if min(size) >= 1 else [*sizes[:-1], tuple(size)]


def _settle_plan(config: PlainConfig) -> None:
    """nu and channels of LeNet-5 and AlexNet, which their names and the input fix."""
    if (config.kind, config.input) not in PLANS:
        raise ValueError(f'input must be "cifar" for {config.kind}; got {config.input!r}')
    plans = {kind_input: _grids(plan) for kind_input, plan in PLANS.items() if kind_input[0] == config.kind}
    if (config.nu, config.channels) not in (((), ()), *plans.values()):
        raise ValueError(f"nu and channels must be empty for {config.kind}; got {config.nu} and {config.channels}")
    for name, value in zip(("nu", "channels"), plans[config.kind, config.input], strict=True):
        object.__setattr__(config, name, value)


def _grids(plan: Plan) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Layers, and channels of the last one, per grid."""
    return tuple(map(len, plan.grids)), tuple(layers[-1].channels for layers in plan.grids)


def _inputs(c: int, layers: Sequence[Layer]) -> list[int]:
    return [c, *(layer.channels for layer in layers)][: len(layers)]


def _convolution(dims: int, c_in: int, layer: Layer) -> nn.Module:
    c_out, size, stride, padding, groups = layer
    conv: Any = CONVOLUTION[dims](c_in, c_out, size, stride=stride, padding=padding, groups=groups)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    nn.init.zeros_(conv.bias)
    module: nn.Module = conv
    return module
