"""The configuration of a network from its name, and its settings from a record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nets.naming.bottleneck_config import BottleneckConfig
from nets.naming.densenet_config import DenseNetConfig
from nets.naming.grammar import (
    Architecture,
    BottleneckArchitecture,
    DenseNetArchitecture,
    MgNOArchitecture,
    PlainArchitecture,
    ResNetArchitecture,
    begin,
)
from nets.naming.mgnet_config import MgNetConfig
from nets.naming.mgno_config import MgNOConfig
from nets.naming.plain_config import PlainConfig
from nets.naming.resnet_config import ResNetConfig
from nets.naming.settings import read_settings

Config = MgNetConfig | MgNOConfig | ResNetConfig | BottleneckConfig | DenseNetConfig | PlainConfig
CONFIGS: dict[Any, type[Config]] = {
    Architecture: MgNetConfig,
    MgNOArchitecture: MgNOConfig,
    ResNetArchitecture: ResNetConfig,
    BottleneckArchitecture: BottleneckConfig,
    DenseNetArchitecture: DenseNetConfig,
    PlainArchitecture: PlainConfig,
}
"""The configuration of each kind of architecture."""
OF_DATA = ("num_classes", "in_channels", "dims", "input")
"""Settings that the data decide."""


def configuration(name: str, **settings: Any) -> Config:
    """Make the configuration of a name, with settings in it or by keyword, and the family's own defaults."""
    return CONFIGS[type(begin(name)[0])].parse(name, **settings)


def named_settings(name: str) -> dict[str, Any]:
    """Read the settings behind a name."""
    architecture, text = begin(name)
    config = CONFIGS[type(architecture)]
    return read_settings(text, config.types(), config.title)


def full_settings(notation: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Complete the settings of a record of an earlier version, which lacks newer ones, with their defaults."""
    try:
        return {**configuration(notation).settings(), **settings}
    except (TypeError, ValueError):  # a name of another version
        return dict(settings)


def own_settings(notation: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Select the settings of a record that are not the default ones, without those that the data decide.

    {} where the settings are of another version.
    """
    try:
        default, config = configuration(notation).settings(), configuration(notation, **settings)
    except (TypeError, ValueError):
        return {}
    left_out = (*OF_DATA, *config.same_function)
    return {key: v for key, v in config.settings().items() if v != default[key] and key not in left_out}


def described(description: Mapping[str, Any]) -> Config:
    """Make the configuration of a `Settings.description`."""
    return configuration(description["notation"], **description["settings"])
