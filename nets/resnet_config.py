"""What a network of the ResNet family is, as plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from nets.activations import create_activations
from nets.checks import check_choices, check_integer, integers
from nets.notation import RESNETS, ResNetArchitecture, parse

CHOICES: dict[str, tuple[Any, ...]] = {
    "kind": RESNETS,
    "A": ("A^{l,i}", "A^l"),
    "B": ("B^{l,i}", "B^l"),
    "batch_norm": (True, False),
    "input": ("cifar", "imagenet"),
    "dims": (1, 2, 3),
    "sharing": ("literal", "tables"),
}


@dataclass(frozen=True)
class ResNetConfig:
    """A network of two-convolution blocks in data space; `str` gives the papers' notation of its architecture.

    Args:
        nu: blocks per grid, finest first; on every grid but the finest the first block leads to it.
        channels: channels per grid.
        kind: "ResNet" (7.8), "pre-act ResNet" (7.9), "sigma-ResNet" (8.3), "Mg-ResNet" (8.6), "Mg-iResNet" (8.1).
        A, B: "A^{l,i}", "B^{l,i}" one convolution per block, "A^l", "B^l" one per grid. A is the second convolution of
            a block, B the first. The strided B^{l,0} that leads to a grid changes the channels and is always its own.
        sharing: "literal" as above; "tables" the reading that gives the printed parameter counts of the rows with B^l:
            nothing is shared on the finest grid, and there is no B^{l,0}: R comes first, then a block like the others.
        activation, batch_norm, input, dims, in_channels, num_classes: as in `MgNetConfig`.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.
    """

    nu: tuple[int, ...]
    channels: tuple[int, ...]
    kind: str = "ResNet"
    A: str = "A^{l,i}"
    B: str = "B^{l,i}"
    sharing: str = "literal"
    activation: str = "relu"
    batch_norm: bool = True
    input: str = "cifar"
    dims: int = 2
    in_channels: int = 3
    num_classes: int = 10

    def __post_init__(self) -> None:
        for name in ("nu", "channels"):
            object.__setattr__(self, name, integers(name, getattr(self, name), 1))
        check_choices(self, CHOICES)
        check_integer("in_channels", self.in_channels, 1)
        check_integer("num_classes", self.num_classes, 0)
        if len(self.nu) == 0:
            raise ValueError("nu must hold at least one grid, as in ResNet[2,2]-[8,16]; got ()")
        if len(self.channels) != len(self.nu):
            raise ValueError(
                f"channels must hold {len(self.nu)} widths, one per grid of nu={self.nu}; got {self.channels}"
            )
        if self.kind.startswith("Mg-") and self.A != "A^l":
            raise ValueError(f"A must be 'A^l' in the kind {self.kind!r}, which is defined by it; got {self.A!r}")
        create_activations(self.activation, len(self.nu))

    @classmethod
    def parse(cls, name: str, **settings: Any) -> ResNetConfig:
        """The configuration of a name in the papers' notation (`nets.notation`), and further settings by keyword."""
        architecture = parse(name)
        if not isinstance(architecture, ResNetArchitecture):
            raise ValueError(f"name must be that of a ResNet; got {name!r}: use nets.create_model")
        return cls(**{**architecture._asdict(), **settings})

    @property
    def architecture(self) -> ResNetArchitecture:
        return ResNetArchitecture(self.nu, self.channels, self.kind, self.A, self.B)

    @property
    def notation(self) -> str:
        """The papers' name, for example "ResNet18-A^l-B^{l,i}"; it parses back to an equal architecture."""
        return str(self.architecture)

    def __str__(self) -> str:
        return self.notation

    def settings(self) -> dict[str, Any]:
        """What the notation does not say: ResNetConfig.parse(notation, **settings) is equal."""
        return {name: value for name, value in asdict(self).items() if name not in ResNetArchitecture._fields}
