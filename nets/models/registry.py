"""The network class of each kind: every family registers its own, as `nets` is imported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from torch import nn


class Configured(nn.Module):
    """A module that is made from a configuration, `config`."""

    config: Any

    def grid_sizes(self, size: Sequence[int]) -> list[tuple[int, ...]]:
        """Pixels per axis on every grid, finest first, for an image of this size."""
        raise NotImplementedError

    def padded(self, size: Sequence[int]) -> list[tuple[str, int, tuple[int, ...]]]:
        """For an image of this size: where convolutions pad, by how much, and the pixels per axis there."""
        raise NotImplementedError


Class = TypeVar("Class", bound=type[Configured])
NETWORKS: dict[str, type[Configured]] = {}


def register(*kinds: str) -> Callable[[Class], Class]:
    """Register a class for these kinds of network, each a `Settings.kind_of_network`."""

    def add(network: Class) -> Class:
        NETWORKS.update(dict.fromkeys(kinds, network))
        return network

    return add


def network(config: Any) -> Any:
    """Make the network of a configuration, with fresh weights."""
    return NETWORKS[config.kind_of_network](config)
