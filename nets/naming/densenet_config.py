"""A DenseNet as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from nets.common.checks import integers
from nets.common.formatting import counted
from nets.naming.grammar import DenseNetArchitecture
from nets.naming.settings import Settings, check_settings, settle_grids


@dataclass(frozen=True)
class DenseNetConfig(Settings):
    """DenseNet as (7.5) has it; `notation` is its name, such as "DenseNet[2,2]-[(16,12),(32,12)]".

    Args:
        nu: steps per grid, finest first.
        channels: channels k_0 of f^{l,0}, per grid.
        growth: channels k_i of f^{l,i}, i >= 1, per grid: one number for all steps, or one for each (7.6).

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.

    >>> DenseNetConfig.parse("DenseNet[2,2]-[(16,12)]").growth
    (12, 12)
    >>> DenseNetConfig.parse("DenseNet[2,1]-[(16,12,8),(32,6)]").growth
    ((12, 8), 6)
    """

    Architecture: ClassVar[Any] = DenseNetArchitecture
    title: ClassVar[str] = "a DenseNet"

    nu: tuple[int, ...]
    channels: tuple[int, ...]
    growth: tuple[int | tuple[int, ...], ...]

    def __post_init__(self) -> None:
        given = self.growth if isinstance(self.growth, tuple | list) else ()
        by_step = {l: integers(f"growth[{l}]", k, 1) for l, k in enumerate(given) if isinstance(k, tuple | list)}
        settle_grids(self, "DenseNet[2,2]-[(16,12)]", "channels")
        if by_step and len(given) != len(self.nu):
            need = f"{counted(len(self.nu), 'width')}, one per grid of nu={self.nu}"
            raise ValueError(f"growth must hold {need}; got {given}")
        if by_step:
            object.__setattr__(self, "growth", [1 if l in by_step else k for l, k in enumerate(given)])
        settle_grids(self, "DenseNet[2,2]-[(16,12)]", "growth")
        growth = list(self.growth)
        for l, k in by_step.items():
            if len(k) != self.nu[l]:
                raise ValueError(f"growth[{l}] must hold {counted(self.nu[l], 'width')}, one per step; got {k}")
            growth[l] = k if len(set(k)) > 1 else k[0]
        object.__setattr__(self, "growth", tuple(growth))
        check_settings(self)

    @property
    def growth_by_step(self) -> tuple[tuple[int, ...], ...]:
        """Channels k_1, ..., k_nu per grid."""
        return tuple(k if isinstance(k, tuple) else (k,) * nu for k, nu in zip(self.growth, self.nu, strict=True))

    @property
    def channels_out(self) -> tuple[int, ...]:
        """Channels of the last step, per grid."""
        return tuple(k[-1] for k in self.growth_by_step)

    def normed_channels(self) -> list[tuple[str, int]]:
        """Name and count the channels of every step too."""
        steps = [(f"growth[{l}]", k) for l, widths in enumerate(self.growth_by_step) for k in widths]
        return [*super().normed_channels(), *steps]
