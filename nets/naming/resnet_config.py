"""A network of the ResNet family as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from nets.common.checks import check_choices
from nets.naming.grammar import RESNETS, ResNetArchitecture
from nets.naming.settings import Settings, check_settings, settle_grids

CHOICES: dict[str, tuple[Any, ...]] = {
    "kind": RESNETS,
    "A": ("A^{l,i}", "A^l"),
    "B": ("B^{l,i}", "B^l"),
    "sharing": ("literal", "tables"),
}
ONLY: dict[str, dict[str, str]] = {
    "Mg-ResNet": {"A": "A^l"},
    "Mg-iResNet": {"A": "A^l"},
    "WideResNet": {"A": "A^{l,i}", "B": "B^{l,i}"},
}
"""Settings that the definition of a kind fixes."""
READS_NORMED = ("sigma-ResNet", "Mg-ResNet", "WideResNet")
"""Kinds that read the data of every grid through a norm, so that a constant in them has no effect before the head."""


@dataclass(frozen=True)
class ResNetConfig(Settings):
    """A network of two-convolution blocks in data space; `notation` is the papers' name of its architecture.

    Args:
        nu: blocks per grid, finest first; on every grid but the finest the first block leads to it.
        channels: channels per grid.
        kind: "ResNet" (7.8), "pre-act ResNet" (7.9), "sigma-ResNet" (8.3), "Mg-ResNet" (8.6), "Mg-iResNet" (8.1),
            "LM-ResNet" (3.24), "WideResNet".
        A, B: "A^{l,i}", "B^{l,i}" one convolution per block, "A^l", "B^l" one per grid. A is the second convolution of
            a block, B the first. The strided B^{l,0} that leads to a grid changes the channels and is always its own.
        sharing: "literal" as above; "tables" the reading that gives the printed parameter counts of the rows with B^l:
            nothing is shared on the finest grid, and there is no B^{l,0}: R comes first, then a block like the others.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.

    >>> ResNetConfig(nu=(2, 2), channels=(16, 32)).notation
    'ResNet[2,2]-[16,32]-A^{l,i}-B^{l,i}'
    """

    Architecture: ClassVar[Any] = ResNetArchitecture
    title: ClassVar[str] = "a ResNet"

    nu: tuple[int, ...]
    channels: tuple[int, ...]
    kind: str = "ResNet"
    A: str = "A^{l,i}"
    B: str = "B^{l,i}"
    sharing: str = "literal"

    def __post_init__(self) -> None:
        settle_grids(self, "ResNet[2,2]-[8,16]", "channels")
        check_choices(self, CHOICES)
        check_settings(self)
        for name, value in ONLY.get(self.kind, {}).items():
            if getattr(self, name) != value:
                need = f"{value!r} in the kind {self.kind!r}, which is defined by it"
                raise ValueError(f"{name} must be {need}; got {getattr(self, name)!r}")

    @property
    def restricts_first(self) -> bool:
        """Tell whether R precedes the first block of a grid: the "tables" reading of shared B, without B^{l,0}."""
        return self.sharing == "tables" and self.B == "B^l"

    @property
    def reads_normed(self) -> bool:
        """Tell whether norms alone read the data r of every grid, as they are in kinds without R r; but "ResNet"."""
        return self.kind in READS_NORMED or (self.kind != "ResNet" and self.restricts_first)

    @property
    def normed_everywhere(self) -> bool:
        """Tell whether a norm takes every bias away: that of A in "ResNet" and where norms read r, not a stem's."""
        if self.kind == "ResNet":
            return super().normed_everywhere
        return self.reads_normed and self.stem != "default"

    @property
    def stem_channels(self) -> int:
        """Channels after the stem; a WideResNet widens them on grid 1."""
        return 16 if self.kind == "WideResNet" else self.channels[0]
