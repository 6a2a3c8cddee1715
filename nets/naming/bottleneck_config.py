"""A bottleneck ResNet as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from nets.common.checks import check_integer
from nets.naming.grammar import BottleneckArchitecture
from nets.naming.settings import Settings, check_settings, settle_grids


@dataclass(frozen=True)
class BottleneckConfig(Settings):
    """A ResNet of blocks with three convolutions; `notation` is its name: "ResNet50", "Bottleneck[2,2]-[8,16]".

    Args:
        nu: blocks per grid, finest first; on every grid but the finest the first block leads to it.
        channels: channels c per grid: widened c inside of a block, 4 c at its end.
        widened: the factor of the channels inside, 2 in "WideResNet50*2".

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.

    >>> BottleneckConfig.parse("ResNet50").nu
    (3, 4, 6, 3)
    """

    Architecture: ClassVar[Any] = BottleneckArchitecture
    title: ClassVar[str] = "a bottleneck ResNet"
    kind_of_network: ClassVar[str] = "Bottleneck"
    reads_normed: ClassVar[bool] = True

    nu: tuple[int, ...]
    channels: tuple[int, ...]
    widened: int = 1

    def __post_init__(self) -> None:
        settle_grids(self, "Bottleneck[2,2]-[8,16]", "channels")
        check_integer("widened", self.widened, 1)
        check_settings(self)

    @property
    def channels_out(self) -> tuple[int, ...]:
        """Channels 4 c at the end of the blocks, per grid."""
        return tuple(4 * c for c in self.channels)
