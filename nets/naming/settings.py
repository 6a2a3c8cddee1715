"""The base of all configurations, and the settings behind a name: "MgNet[2,2]-[8]-B^l, activation=hat:5,10, dims=1"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

from nets.common.checks import check_choices, check_integer, integers, suggestion
from nets.common.formatting import counted
from nets.naming.forms import GROUPS, STEMS, check_forms
from nets.naming.grammar import begin
from nets.naming.scanner import Scanner
from nets.naming.values import activation_name, parse_activation

CHOICES: dict[str, tuple[Any, ...]] = {
    "batch_norm": (True, False),
    "input": ("cifar", "imagenet"),
    "dims": (1, 2, 3),
    "padding": ("zeros", "reflect", "circular"),
    "bias": (True, False),
    "stem": STEMS,
}


_WORD = re.compile(r"\w*")
_VALUE = re.compile(r"[^=]*?(?=\s*,\s*\w+\s*=|\s*$)")
"""Up to the next key, since commas are part of values as well."""
_CHOICES = {"True": True, "true": True, "False": False, "false": False}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of every network; `str` gives its name and the settings that are not the default ones.

    Args:
        activation: s, see `nets.naming.values`; each grid has its own.
        batch_norm: one norm per use of a convolution.
        input: "cifar", a 3 x 3 convolution, or "imagenet", 7 x 7 with stride 2 and max pooling with stride 2.
        dims: space dimensions.
        in_channels: channels of the input.
        num_classes: outputs of the head; 0 leaves the pooled features.
        padding: of all convolutions, "zeros", "reflect" (Neumann sides) or "circular" (periodic), (3.9).
        norm_layer: the norms, "batch"; "group" or "group:8", in 32 or 8 groups of channels; "layer", over the channels
            of each pixel.
        bias: whether convolutions have a bias (3.12), but those whose bias a norm takes away, fixed transfers, Pi_2, P,
            R of ResNets, and A of MgNet, in f - A u.
        stem: "default", a convolution with norm and s; "linear", the convolution alone, theta of (6.17); "identity",
            the data of grid 1 are the image, which has as many channels.
    """

    Architecture: ClassVar[Any]
    """The named tuple that `nets.naming.grammar.parse` makes of a name; its fields are fields of the configuration."""
    title: ClassVar[str]
    """The family, in an error."""
    settled: ClassVar[tuple[str, ...]] = ()
    """Settings whose default depends on the others."""
    same_function: ClassVar[tuple[str, ...]] = ("num_classes", "form")
    """Settings with which the weights are the same, and, the head apart, the function."""

    activation: str = "relu"
    batch_norm: bool = True
    input: str = "cifar"
    dims: int = 2
    in_channels: int = 3
    num_classes: int = 10
    padding: str = "zeros"
    norm_layer: str = "batch"
    bias: bool = False
    stem: str = "default"

    @classmethod
    def parse(cls, name: str, **settings: Any) -> Self:
        """The configuration of a name in the notation of `nets.naming.grammar`, with settings in it or by keyword."""
        architecture, text = begin(name)
        if not isinstance(architecture, cls.Architecture):
            raise ValueError(f"name must be that of {cls.title}; got {name!r}: use nets.create_model")
        named = read_settings(text, cls.types(), cls.title)
        refuse_twice(name, named, settings)
        return cls(**{**architecture._asdict(), **cls.defaults(architecture), **named, **settings})

    @classmethod
    def defaults(cls, architecture: Any) -> dict[str, Any]:
        """Settings of an architecture with other defaults than the class has."""
        return {}

    @classmethod
    def types(cls) -> dict[str, str]:
        """The settings that may follow a name, with the names of their types."""
        return {field.name: str(field.type) for field in fields(cls) if field.name not in cls.Architecture._fields}

    @property
    def architecture(self) -> Any:
        return self.Architecture(**{name: getattr(self, name) for name in self.Architecture._fields})

    @property
    def notation(self) -> str:
        """The name, for example "ResNet18-A^l-B^{l,i}"; it parses back to an equal architecture."""
        return str(self.architecture)

    def __str__(self) -> str:
        """The name and the settings that are not the default ones; it parses back to an equal configuration."""
        default, settings = self.parse(self.notation).settings(), self.settings()
        said = {key: v for key, v in settings.items() if v != default[key] and key not in self.settled}
        implied = self.parse(self.notation, **said).settings()
        said |= {key: settings[key] for key in self.settled if settings[key] != implied[key]}
        return self.notation + "".join(f", {key}={value}" for key, value in said.items())

    @property
    def description(self) -> dict[str, Any]:
        """The configuration as plain values, for files; `nets.naming.lookup.described` makes it again."""
        return {"family": self.kind_of_network, "notation": self.notation, "settings": self.settings()}

    @property
    def kind_of_network(self) -> str:
        """The start of the name: "MgNet", "pre-act ResNet", "DenseNet", "VGG"."""
        for field in ("family", "kind"):
            if hasattr(self, field):
                return str(getattr(self, field))
        return "DenseNet"

    @property
    def stem_channels(self) -> int:
        """Channels after the stem."""
        return int(next(getattr(self, name) for name in ("channels_f", "channels") if hasattr(self, name))[0])

    @property
    def reads_normed(self) -> bool:
        """Tell whether the data of every grid are read through a norm alone, after 1 x 1 convolutions at most."""
        return False

    @property
    def normed_everywhere(self) -> bool:
        """Tell whether a norm takes the bias of every convolution away that could have one, if it is a batch norm."""
        return self.stem != "linear" or self.reads_normed

    def normed_channels(self) -> list[tuple[str, int]]:
        """Name and count the channels that norms act on, grid by grid."""
        fields = ("channels_u", "channels_f", "channels")
        found = [(name, getattr(self, name)) for name in fields if hasattr(self, name)]
        grids = [(f"{name}[{l}]", c) for name, channels in found for l, c in enumerate(channels)]
        return [("the channels of the stem", self.stem_channels), *grids]

    def settings(self) -> dict[str, Any]:
        """Everything besides the architecture, as plain values: parse(notation, **settings) is equal."""
        return {name: value for name, value in asdict(self).items() if name not in self.Architecture._fields}


def refuse_twice(name: str, named: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuse a setting that the name gives otherwise than a keyword or an option."""
    for key, value in named.items():
        if given.get(key, value) != value:
            raise ValueError(f"{key} is given twice: {value!r} in {name!r}, and {given[key]!r}")


def check_settings(config: Any, activations: int | None = None) -> None:
    """The settings of every network, with so many activations, None one per entry of config.nu."""
    check_choices(config, CHOICES)
    check_integer("in_channels", config.in_channels, 1)
    check_integer("num_classes", config.num_classes, 0)
    settle_text(config, "activation")
    if isinstance(config.activation, str):
        object.__setattr__(config, "activation", activation_name(config.activation))
    parse_activation(config.activation, len(config.nu) if activations is None else activations)
    settle_text(config, "norm_layer")
    if config.norm_layer == f"group:{GROUPS}":
        object.__setattr__(config, "norm_layer", "group")
    check_forms(config)


def settle_text(config: Any, name: str) -> None:
    """A setting that is a text, without its blanks."""
    text = getattr(config, name)
    if isinstance(text, str):
        object.__setattr__(config, name, "".join(text.split()))


def settle_grids(config: Any, example: str, *widths: str, least: int = 1) -> None:
    """Make nu, of integers >= `least`, and each of the widths tuples of integers, one per grid."""
    for name in ("nu", *widths):
        values = integers(name, getattr(config, name), least if name == "nu" else 1)
        object.__setattr__(config, name, values)
    grids = len(config.nu)
    if grids == 0:
        raise ValueError(f"nu must hold at least one grid, as in {example}; got ()")
    for name in widths:
        if len(channels := getattr(config, name)) != grids:
            need = f"{counted(grids, 'width')}, one per grid of nu={config.nu}"
            raise ValueError(f"{name} must hold {need}; got {channels}")


def settle_post(config: Any, default: tuple[int, ...]) -> None:
    """nu_post as a tuple: `default`, () where there is no way up, or other numbers in its place."""
    post = default if config.nu_post is None else integers("nu_post", config.nu_post, 0)
    if len(post) != len(default):
        need = f"{counted(len(default), 'number')}, one per grid of nu={config.nu} but the coarsest"
        need = need if default else "empty or None"
        raise ValueError(f'nu_post must be {need}, in the family "{config.kind_of_network}"; got {post}')
    object.__setattr__(config, "nu_post", post)


def read_settings(text: Scanner, types: Mapping[str, str], title: str) -> dict[str, Any]:
    """The settings from here to the end of the name.

    Args:
        types: "bool", "int" or "str" for every key there is.
        title: of the family that has these keys, in an error.
    """
    found: dict[str, Any] = {}
    while not text.ended:
        text.expect(",", 'the end of the name, or "," and a setting such as num_classes=100,')
        start, key = text.position, text.matched(_WORD)
        if key not in types:
            text.fail(f"one of {', '.join(types)}, the settings of {title},", start, suggestion(key, types))
        if key in found:
            text.fail(f"one value of {key} alone", start, "")
        text.expect("=", f'"=" and a value of {key}')
        found[key] = _value(text, key, types[key])
    return found


def _value(text: Scanner, key: str, kind: str) -> Any:
    start, value = text.position, text.matched(_VALUE)
    if kind == "bool":
        return _CHOICES[value] if value in _CHOICES else text.fail(f"True or False for {key}", start, "")
    if kind == "int":
        digits = value.isascii() and value.isdigit() and len(value) < 10
        return int(value) if digits else text.fail(f"an integer from 0 to 999999999 for {key}", start, "")
    return value or text.fail(f"a value of {key}", start, "")
