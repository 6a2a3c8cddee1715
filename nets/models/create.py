"""`create_model` makes a network from its name, `list_models` lists names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from fnmatch import fnmatchcase
from functools import wraps
from inspect import signature
from os import PathLike
from typing import Any, Literal, ParamSpec, TypeVar, overload

from nets.common.checks import suggesting
from nets.models.base import Network
from nets.models.feature_net import FeatureNet
from nets.models.pretrained import channels as trained_channels
from nets.models.pretrained import chosen, entries, fill
from nets.models.registry import network
from nets.models.weights import load_weights
from nets.naming.grammar import begin
from nets.naming.lookup import CONFIGS, configuration, named_settings
from nets.naming.names import MODELS
from nets.naming.settings import refuse_twice


def list_models(pattern: str = "*", *, pretrained: bool = False) -> list[str]:
    """List the names of `MODELS` that match a shell pattern in any case; brackets are taken as they stand.

    Args:
        pretrained: whether networks are listed for which trained weights come with the package, in the place of all.

    >>> list_models("lenet*")
    ['LeNet-5']
    """
    if not isinstance(pattern, str):
        raise TypeError(f"pattern must be a string such as 'MgNet*'; got {type(pattern).__name__}")
    shell = pattern.lower().replace("[", "[[]")
    if not isinstance(pretrained, bool):
        raise TypeError(f"pretrained must be True or False; got {pretrained!r}")
    names = dict.fromkeys(entry["model"] for entry in entries().values()) if pretrained else MODELS
    return [name for name in names if fnmatchcase(name.lower(), shell)]


OPEN = ("activation", "transfer_activation", "norm", "batch_norm", "bias")
"""Settings for which None means what the family of the name has."""

FAMILIES = {"sharing": "MgNet and ResNets", "form": "MgNet, GDFI and MgNO", "layers": "MgNO"}
"""The families of a setting that not all have; others are of MgNet and GDFI."""

NOT_SETTINGS = ("name", "weights", "activation_checkpointing", "in_chans", "pretrained", "features_only")
Arguments = ParamSpec("Arguments")
Made = TypeVar("Made")


def is_model(name: str) -> bool:
    """Tell whether `create_model` takes a name: any name in the notation, with settings behind it or without.

    >>> is_model("MgNet[2,2]-[16]-B^l, activation=gelu"), is_model("resnet50")
    (True, False)
    """
    try:
        configuration(name)
    except ValueError:
        return False
    return True


def _refusing_twice(make: Callable[Arguments, Made]) -> Callable[Arguments, Made]:
    """Refuse a keyword that the name gives otherwise; the function itself cannot tell a default from a keyword."""

    @wraps(make)
    def checked(*args: Arguments.args, **keywords: Arguments.kwargs) -> Made:
        name: Any = args[0] if args else keywords.get("name")
        channels = keywords.pop("in_chans", None)
        if channels is not None and keywords.setdefault("in_channels", channels) != channels:
            raise ValueError(f"in_chans is in_channels, given twice: {channels!r} and {keywords['in_channels']!r}")
        if name is not None and keywords.get("pretrained", False) is not False:
            for key, value in trained_channels(name, keywords["pretrained"]).items():
                keywords.setdefault(key, value)
        if name is not None:
            refuse_twice(name, named_settings(name), {key: v for key, v in keywords.items() if v is not None})
        return make(*args, **keywords)

    return checked


@overload
def create_model(name: str, *, features_only: Literal[True], **settings: Any) -> FeatureNet: ...


@overload
def create_model(
    name: str,
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    input: str = "cifar",
    dims: int = 2,
    activation: str | None = None,
    iteration: str = "single",
    transfers: str = "trained",
    transfer_activation: bool | None = None,
    batch_norm: bool | None = None,
    norm: str | None = None,
    form: str = "auto",
    layers: int = 4,
    sharing: str = "literal",
    padding: str = "zeros",
    norm_layer: str = "batch",
    bias: bool | None = None,
    stem: str = "default",
    weights: str | PathLike[str] | None = None,
    activation_checkpointing: bool = False,
    in_chans: int | None = None,
    pretrained: bool | str = False,
    features_only: Literal[False] = False,
) -> Network: ...


@suggesting  # type: ignore[misc]  # the settings of FeatureNet are those below
@_refusing_twice
def create_model(
    name: str,
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    input: str = "cifar",
    dims: int = 2,
    activation: str | None = None,
    iteration: str = "single",
    transfers: str = "trained",
    transfer_activation: bool | None = None,
    batch_norm: bool | None = None,
    norm: str | None = None,
    form: str = "auto",
    layers: int = 4,
    sharing: str = "literal",
    padding: str = "zeros",
    norm_layer: str = "batch",
    bias: bool | None = None,
    stem: str = "default",
    weights: str | PathLike[str] | None = None,
    activation_checkpointing: bool = False,
    in_chans: int | None = None,
    pretrained: bool | str = False,
    features_only: bool = False,
) -> Network | FeatureNet:
    """The network of a name in the papers' notation (`nets.naming.grammar`).

    The settings are those of `MgNetConfig`, `MgNOConfig`, `ResNetConfig`, `BottleneckConfig`, `DenseNetConfig` and
    `PlainConfig`. They may stand behind the name too, "MgNet[2,2]-[8]-B^l, activation=gelu, num_classes=100", as
    str(model.config) prints them; there they count for more than the defaults below, and a keyword with another value
    for the same setting is an error.

    In an MgNet or GDFI with one sweep on the coarsest grid A of that grid has no gradient: its only residual is what R
    gives, since A u^0 cancels (docs/networks.md).

    Args:
        activation, transfer_activation, norm, batch_norm: None takes what the family of the name has ("relu", for MgNO
            "gelu"; True and "inside" for MgNet, False and "after" for GDFI; batch norm in all but MgNO, LeNet-5,
            AlexNet and, for input="imagenet", VGG).
        bias: None is False, and True for LeNet-5, AlexNet and VGG.
        weights: a checkpoint or a saved state_dict of the same architecture; its head is left out, with a warning,
            where the classes differ in number.
        activation_checkpointing: whether the backward pass computes again what a level computed, to save memory.
        in_chans: in_channels by timm's name.
        pretrained: the name of trained weights that come with this package, "digits", "mnist" or "fashion-mnist" (see
            nets/models/trained/README.md), or True where there is one for the network. in_channels is then theirs; with
            their number of classes the network has their `transform` and `predict` takes it as it is, and with another
            one the head is left out, as for `weights`.
        features_only: whether a `FeatureNet` is made, which has no head and gives the features of every grid.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.

    >>> import torch
    >>> model = create_model("MgNet[2,2]-[16]-B^l", num_classes=10)
    >>> tuple(model(torch.zeros(1, 3, 32, 32)).shape)
    (1, 10)
    """
    settings = {key: value for key, value in locals().items() if key not in NOT_SETTINGS}
    trained = None if pretrained is False else chosen(name, pretrained)
    if trained is not None and weights is not None:
        raise ValueError(f"pretrained and weights both name weights; got {pretrained!r} and {weights!r}")
    architecture, text = begin(name)
    own = {field.name for field in fields(CONFIGS[type(architecture)])}
    for key, parameter in signature(create_model).parameters.items():
        if key in settings.keys() - own and settings[key] != parameter.default:
            families = FAMILIES.get(key, "MgNet and GDFI")
            which = f"which {text.text[: text.position]!r} is not"
            raise ValueError(f"{key} is a setting of {families}, {which}; got {settings[key]!r}")
    # the name, which no keyword has contradicted, or the family decides the others
    left = own - named_settings(name).keys() - {key for key in OPEN if settings[key] is None}
    given = {key: value for key, value in settings.items() if key in left}
    model: Network = network(configuration(name, **given))
    model.set_activation_checkpointing(activation_checkpointing)
    if weights is not None:
        load_weights(model, weights, head=not features_only)
    if trained is not None:
        fill(model, trained, head=not features_only)
    return FeatureNet(model) if features_only else model
