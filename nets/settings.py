"""What every network has besides its architecture, and what every configuration can do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

from nets.activations import create_activations
from nets.checks import check_choices, check_integer, integers
from nets.notation import parse

CHOICES: dict[str, tuple[Any, ...]] = {
    "batch_norm": (True, False),
    "input": ("cifar", "imagenet"),
    "dims": (1, 2, 3),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of every network; `str` gives the name of its architecture.

    Args:
        activation: s, a name of `nets.activations`; each grid has its own.
        batch_norm: one batch norm per use of a convolution.
        input: "cifar", a 3 x 3 convolution, or "imagenet", 7 x 7 with stride 2 and max pooling with stride 2.
        dims: space dimensions.
        in_channels: channels of the input.
        num_classes: outputs of the head; 0 leaves the pooled features.
    """

    Architecture: ClassVar[Any]
    """The named tuple that `nets.notation.parse` makes of a name; its fields are fields of the configuration."""
    title: ClassVar[str]
    """The family, in an error."""

    activation: str = "relu"
    batch_norm: bool = True
    input: str = "cifar"
    dims: int = 2
    in_channels: int = 3
    num_classes: int = 10

    @classmethod
    def parse(cls, name: str, **settings: Any) -> Self:
        """The configuration of a name in the papers' notation (`nets.notation`), and further settings by keyword."""
        architecture = parse(name)
        if not isinstance(architecture, cls.Architecture):
            raise ValueError(f"name must be that of {cls.title}; got {name!r}: use nets.create_model")
        return cls(**{**architecture._asdict(), **settings})

    @property
    def architecture(self) -> Any:
        return self.Architecture(**{name: getattr(self, name) for name in self.Architecture._fields})

    @property
    def notation(self) -> str:
        """The name, for example "ResNet18-A^l-B^{l,i}"; it parses back to an equal architecture."""
        return str(self.architecture)

    def __str__(self) -> str:
        return self.notation

    def settings(self) -> dict[str, Any]:
        """What the name does not say, as plain values: parse(notation, **settings) is equal."""
        return {name: value for name, value in asdict(self).items() if name not in self.Architecture._fields}


def check_settings(config: Any) -> None:
    """The settings of every network, given config.nu."""
    check_choices(config, CHOICES)
    check_integer("in_channels", config.in_channels, 1)
    check_integer("num_classes", config.num_classes, 0)
    create_activations(config.activation, len(config.nu))


def settle_grids(config: Any, example: str, *widths: str) -> None:
    """nu and each of the widths as tuples of positive integers, one per grid."""
    for name in ("nu", *widths):
        object.__setattr__(config, name, integers(name, getattr(config, name), 1))
    if len(config.nu) == 0:
        raise ValueError(f"nu must hold at least one grid, as in {example}; got ()")
    for name in widths:
        channels = getattr(config, name)
        if len(channels) != len(config.nu):
            raise ValueError(
                f"{name} must hold {len(config.nu)} widths, one per grid of nu={config.nu}; got {channels}"
            )
