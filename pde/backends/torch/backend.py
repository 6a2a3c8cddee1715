"""The backend of tensors: torch's operations, compiled or replayed from CUDA graphs where that is asked for."""

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
from pde.backends.torch.graphs import Captured, cuda_graph
from pde.levels.hierarchy import Hierarchy


def make(hierarchy: Hierarchy, options: Options) -> Backend:
    """The backend for levels of tensors."""
    words = options.kernels.split()[1:]
    if not words:
        return Torch(hierarchy, options.dtype, options.device)
    compile = compilation.compiled if "compiled" in words else None
    return FastTorch(hierarchy, options.dtype, options.device, compile, cuda_graph if "graph" in words else None)


class Torch(Backend):
    """Cycles as they are on levels of tensors."""

    def __init__(self, hierarchy: Hierarchy, dtype: np.dtype, device: Device) -> None:
        super().__init__(hierarchy, dtype, device)
        self.runs_in = f"torch {device.name}"

    def describe(self) -> str:
        return "torch operations"


class FastTorch(Torch):
    """Cycles on tensors that are compiled or captured where they are first used.

    Args:
        compile: level -> one that makes the same moves, as `compiled`; None leaves levels as they are.
        capture: as `cuda_graph`; None runs cycles as they are.
    """

    def __init__(
        self,
        hierarchy: Hierarchy,
        dtype: np.dtype,
        device: Device,
        compile: Callable[[Level], Moves[Any]] | None,
        capture: Callable[..., Any] | None,
    ) -> None:
        super().__init__(hierarchy, dtype, device)
        self._compile, self._capture = compile, capture
        self._begin()

    def _begin(self) -> None:
        """Nothing is compiled or captured yet."""
        if self._compile is not None:
            self.moves = [self._compile(level) for level in self.hierarchy.levels]
        self._captured = None if self._capture is None else Captured(self._capture)
        self._symmetric: FastTorch | None = None

    def describe(self) -> str:
        text = "torch operations" if self._capture is None else "torch operations in CUDA graphs"
        if self._compile is None:
            return text
        count = sum(isinstance(level, compilation.CompiledLevel) for level in self.moves)
        return f"{text}, compiled on {count} of {len(self.moves)} levels"

    def cycle(self, kind: str, data: Data, u: Vector = None, *, level: int = 0, **_: Any) -> tuple[Vector, Norms]:
        data = data.each(torch.Tensor.contiguous)
        u = None if u is None else u.contiguous()
        if self._captured is None:
            return super().cycle(kind, data, u, level=level)
        return self._captured(kind, self.moves[level:], data.rhs, u), None

    def symmetric(self) -> Backend:
        if self._symmetric is None:
            hierarchy = self.hierarchy.symmetric()
            self._symmetric = FastTorch(hierarchy, self.dtype, self.device, self._compile, self._capture)
        return self._symmetric

    def traced(self, report: Callable[[Event], Any]) -> Backend:
        return Torch(self.hierarchy, self.dtype, self.device).traced(report)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "moves": None, "_captured": None, "_symmetric": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.moves = self.hierarchy.levels
        self._begin()
