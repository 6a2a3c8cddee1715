"""The backend of tensors: torch's operations, compiled where that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from mgcore import Event, Level, Moves
from pde.backends.base import Backend
from pde.backends.data import Data, Norms, Options, Vector
from pde.backends.device import Device
from pde.backends.torch import compile as compilation
from pde.levels.hierarchy import Hierarchy


def make(hierarchy: Hierarchy, options: Options) -> Backend:
    """The backend for levels of tensors."""
    parts = hierarchy, options.dtype, options.device
    return CompiledTorch(*parts, compilation.compiled) if options.kernels == "torch compiled" else Torch(*parts)


class Torch(Backend):
    """Cycles as they are on levels of tensors."""

    def __init__(self, hierarchy: Hierarchy, dtype: np.dtype, device: Device) -> None:
        super().__init__(hierarchy, dtype, device)
        self.runs_in = f"torch {device.name}"

    def describe(self) -> str:
        return "torch operations"


class CompiledTorch(Torch):
    """Cycles on tensors that are compiled where they are first used.

    Args:
        compile: level -> one that makes the same moves, as `compiled`.
    """

    def __init__(
        self, hierarchy: Hierarchy, dtype: np.dtype, device: Device, compile: Callable[[Level], Moves[Any]]
    ) -> None:
        super().__init__(hierarchy, dtype, device)
        self._compile = compile
        self._begin()

    def _begin(self) -> None:
        """Nothing is compiled yet."""
        self.moves = [self._compile(level) for level in self.hierarchy.levels]
        self._symmetric: CompiledTorch | None = None

    def describe(self) -> str:
        count = sum(isinstance(level, compilation.CompiledLevel) for level in self.moves)
        return f"torch operations, compiled on {count} of {len(self.moves)} levels"

    def cycle(self, kind: str, data: Data, u: Vector = None, *, level: int = 0, **_: Any) -> tuple[Vector, Norms]:
        u = None if u is None else u.contiguous()
        return super().cycle(kind, data.each(torch.Tensor.contiguous), u, level=level)

    def symmetric(self) -> Backend:
        if self._symmetric is None:
            hierarchy = self.hierarchy.symmetric()
            self._symmetric = CompiledTorch(hierarchy, self.dtype, self.device, self._compile)
        return self._symmetric

    def traced(self, report: Callable[[Event], Any]) -> Backend:
        return Torch(self.hierarchy, self.dtype, self.device).traced(report)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "moves": None, "_symmetric": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.moves = self.hierarchy.levels
        self._begin()
