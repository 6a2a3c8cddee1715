"""LeNet-5, AlexNet and VGG as plain values: `PLANS` has the layers of the literature."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from nets.common.checks import check_choices
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
"""The networks LeNet-5 and AlexNet, per input; the AlexNet of CIFAR is the one of its published count."""


@dataclass(frozen=True)
class PlainConfig(Settings):
    """A plain network; `notation` is its name: "LeNet-5", "AlexNet", "VGG19", "VGG[2,2]-[8,16]".

    Args:
        kind: "LeNet-5", "AlexNet" or "VGG".
        nu, channels: convolutions and channels per grid of a VGG, finest first; empty for the other two.
        batch_norm: after each convolution. None is as in the literature: in VGG for input "cifar" alone.
        input: "cifar" or, with two hidden layers of 4096, "imagenet". The stem is the first convolution in both, and no
            pooling follows it but that of its grid.
        bias: True alone, as in the literature; stem: "default" alone.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.

    >>> PlainConfig.parse("VGG[2,2]-[16,32]").channels
    (16, 32)
    """

    Architecture: ClassVar[Any] = PlainArchitecture
    title: ClassVar[str] = "a LeNet-5, AlexNet or VGG"
    settled: ClassVar[tuple[str, ...]] = ("batch_norm",)

    kind: str
    nu: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    batch_norm: bool = field(default=None, kw_only=True)  # type: ignore[assignment]  # settled in __post_init__
    bias: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        check_choices(self, {"kind": PLAIN, "input": ("cifar", "imagenet")})
        check_choices(self, {"bias": (True,), "stem": ("default",)}, f" in {self.title}, as in the literature")
        if self.kind == "VGG":
            settle_grids(self, "VGG[2,2]-[8,16]", "channels")
        else:
            _settle_plan(self)
        if self.batch_norm is None:
            object.__setattr__(self, "batch_norm", self.plan.norm)
        check_settings(self)
        if self.padding != "zeros" and not any(layer.padding for layers in self.plan.grids for layer in layers):
            raise ValueError(f'padding must be "zeros" for {self.kind}, which does not pad; got {self.padding!r}')

    @property
    def normed_everywhere(self) -> bool:
        """False: all convolutions have a bias, as in the literature."""
        return False

    def normed_channels(self) -> list[tuple[str, int]]:
        """Name and count the channels of every convolution, grid by grid."""
        grids = enumerate(self.plan.grids)
        return [(f"layer {i} of grid {l + 1}", c.channels) for l, layers in grids for i, c in enumerate(layers, 1)]

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
