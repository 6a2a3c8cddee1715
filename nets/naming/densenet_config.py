"""A DenseNet as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from nets.naming.grammar import DenseNetArchitecture
from nets.naming.settings import Settings, check_settings, settle_grids


@dataclass(frozen=True)
class DenseNetConfig(Settings):
    """DenseNet as (7.5) has it; `notation` is its name, such as "DenseNet[2,2]-[(16,12),(32,12)]".

    Args:
        nu: steps per grid, finest first.
        channels: channels k_0 of f^{l,0}, per grid.
        growth: channels k of every f^{l,i}, i >= 1, per grid; (7.6) with k_i = k.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.

    >>> DenseNetConfig.parse("DenseNet[2,2]-[(16,12)]").growth
    (12, 12)
    """

    Architecture: ClassVar[Any] = DenseNetArchitecture
    title: ClassVar[str] = "a DenseNet"

    nu: tuple[int, ...]
    channels: tuple[int, ...]
    growth: tuple[int, ...]

    def __post_init__(self) -> None:
        settle_grids(self, "DenseNet[2,2]-[(16,12)]", "channels", "growth")
        check_settings(self)
