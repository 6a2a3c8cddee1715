"""Networks by name."""

from __future__ import annotations

from fnmatch import fnmatchcase
from os import PathLike
from typing import Any

from nets.config import MgNetConfig
from nets.mgnet import MgNet
from nets.network import Network
from nets.notation import ResNetArchitecture, parse
from nets.resnet import ResNet
from nets.resnet_config import ResNetConfig
from nets.vmgnet import VMgNet

MODELS = (
    "MgNet[2,2]-[32]-B^{l,i}",  # digits, 8 x 8
    "MgNet[2,2,2,2]-[256]-B^l",
    "MgNet[2,2,2,2]-[256]-B^{l,i}",
    "MgNet[4,2,2,2]-[256]-B^l",
    "MgNet[8,2,2,2]-[256]-B^l",
    "MgNet[16,2,2,2]-[256]-B^l",
    "MgNet[32,2,2,2]-[256]-B^l",
    "MgNet[2,2,2,2]-[512]-B^l",
    "MgNet[2,2,2,2]-[768]-B^l",
    "MgNet[2,2,2,2]-[1024]-B^l",
    "MgNet[8,2,2,2]-[1024]-B^l",
    "MgNet[2,2,2,2]-[32,64,128,256]-B^l",
    "MgNet[2,2,2,2]-[64,128,256,512]-B^l",
    "MgNet[2,2,2,2]-[64,128,256,512]-B^{l,i}",
    "MgNet[2,2,2,2]-[128,256,512,1024]-B^l",
    "MgNet[2,2,2,2]-[128,256,512,1024]-B^{l,i}",
    "MgNet[2,2,2,2]-[256,512,1024,2048]-B^l",
    "MgNet[3,4,6,3]-[128,256,512,1024]-B^{l,i}",
    "ResNet18-A^{l,i}-B^{l,i}",
    "ResNet18-A^l-B^{l,i}",
    "ResNet18-A^{l,i}-B^l",
    "ResNet18-A^l-B^l",
    "ResNet34-A^{l,i}-B^{l,i}",
    "ResNet34-A^l-B^{l,i}",
    "ResNet34-A^{l,i}-B^l",
    "ResNet34-A^l-B^l",
    "pre-act ResNet18-A^{l,i}-B^{l,i}",
    "pre-act ResNet18-A^l-B^{l,i}",
    "pre-act ResNet18-A^{l,i}-B^l",
    "pre-act ResNet18-A^l-B^l",
    "pre-act ResNet34-A^{l,i}-B^{l,i}",
    "pre-act ResNet34-A^l-B^{l,i}",
    "pre-act ResNet34-A^{l,i}-B^l",
    "pre-act ResNet34-A^l-B^l",
)
"""Networks of the papers' tables; `create_model` takes any other name of the same grammar as well."""


def list_models(pattern: str = "*") -> list[str]:
    """The names of `MODELS` that match a shell pattern; brackets are taken as they stand, not as character sets."""
    return [name for name in MODELS if fnmatchcase(name, pattern.replace("[", "[[]"))]


MGNET_ONLY = {"iteration": "single", "transfers": "trained", "transfer_activation": None, "norm": None, "form": "auto"}
"""Settings that a network in data space does not have, with their defaults."""

NOT_SETTINGS = ("name", "weights", "activation_checkpointing")


def create_model(
    name: str,
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    input: str = "cifar",
    dims: int = 2,
    activation: str = "relu",
    iteration: str = "single",
    transfers: str = "trained",
    transfer_activation: bool | None = None,
    batch_norm: bool = True,
    norm: str | None = None,
    form: str = "auto",
    sharing: str = "literal",
    weights: str | PathLike[str] | None = None,
    activation_checkpointing: bool = False,
) -> Network:
    """The network of a name in the papers' notation (`nets.notation`).

    The settings are those of `MgNetConfig` and `ResNetConfig`.

    Args:
        transfer_activation, norm: None takes what the family of the name has (True and "inside" for MgNet, False and
            "after" for GDFI).
        weights: a checkpoint or a saved state_dict of the same architecture; its head is left out, with a warning,
            where the classes differ in number.
        activation_checkpointing: whether the backward pass computes again what a level computed, to save memory.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.
    """
    settings = {key: value for key, value in locals().items() if key not in NOT_SETTINGS}
    given = {key: value for key, value in settings.items() if key not in MGNET_ONLY or value is not None}
    if isinstance(parse(name), ResNetArchitecture):
        _refuse_mgnet_settings(name, settings)
        given = {key: value for key, value in given.items() if key not in MGNET_ONLY}
    model = network(configuration(name, **given))
    model.set_activation_checkpointing(activation_checkpointing)
    if weights is not None:
        from nets.train.checkpoint import load_weights

        load_weights(model, weights)
    return model


def configuration(name: str, **settings: Any) -> MgNetConfig | ResNetConfig:
    """The configuration of a name, with the family's own defaults."""
    family: Any = ResNetConfig if isinstance(parse(name), ResNetArchitecture) else MgNetConfig
    config: MgNetConfig | ResNetConfig = family.parse(name, **settings)
    return config


def network(config: MgNetConfig | ResNetConfig) -> Network:
    """The network of a configuration, with fresh weights."""
    if isinstance(config, ResNetConfig):
        return ResNet(config)
    return VMgNet(config) if config.family == "V-MgNet" else MgNet(config)


def _refuse_mgnet_settings(name: str, settings: dict[str, Any]) -> None:
    for key, default in MGNET_ONLY.items():
        if settings[key] != default:
            raise ValueError(f"{key} is a setting of MgNet and GDFI, which {name!r} is not; got {settings[key]!r}")
