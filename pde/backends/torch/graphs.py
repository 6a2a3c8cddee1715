"""The cycles of a solver on tensors: compiled, or as CUDA graphs, whose launches are replayed as one, or both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from mgcore import CYCLES, Level
from pde.backends.torch.compile import CompiledLevel, compiled
from pde.levels.hierarchy import symmetric as symmetric_levels

Tensor = torch.Tensor


def cuda_graph(run: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
    """(replay, result): each replay computes `result` anew from what the tensors that `run` reads hold then.

    Not GPU-tested.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # libraries make their workspaces before the capture
        for _ in range(2):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = run()
    return graph.replay, result


class TensorCycles:
    """Cycles on the levels of a solver, which are compiled or captured where they are first used.

    Args:
        levels: finest first.
        compile: level -> one that makes the same moves, as `compiled`; None leaves levels as they are.
        capture: as `cuda_graph`; None runs cycles as they are.
    """

    def __init__(
        self,
        levels: Sequence[Level],
        compile: Callable[[Level], Any] | None = compiled,
        capture: Callable[..., Any] | None = cuda_graph,
    ) -> None:
        self._levels, self._compile, self._captures = levels, compile, capture is not None
        self._run = _run if capture is None else Captured(capture)
        self._own: dict[bool, list[Any]] = {}

    def __call__(self, kind: str, start: int, f: Tensor, u: Tensor | None, symmetric: bool = False) -> Tensor:
        """A cycle from u (None: zero) on the levels from number `start` on, counted from 0; f and u are (..., *shape).

        Args:
            symmetric: take the cycle of conjugate gradients.
        """
        levels = self._made(symmetric)[start:]
        one_axis = (-1, *self._levels[start].info.grid.shape)
        members = f.reshape(one_axis).contiguous()
        first = None if u is None else u.reshape(one_axis).contiguous()
        with torch.no_grad():
            return self._run(kind, levels, members, first).reshape(f.shape)

    def describe(self) -> str:
        """What runs."""
        text = "torch operations in CUDA graphs" if self._captures else "torch operations"
        if self._compile is None:
            return text
        count = sum(isinstance(level, CompiledLevel) for level in self._made(False))
        return f"{text}, compiled on {count} of {len(self._levels)} levels"

    def _made(self, symmetric: bool) -> list[Any]:
        if symmetric not in self._own:
            levels = symmetric_levels(list(self._levels)) if symmetric else list(self._levels)
            self._own[symmetric] = levels if self._compile is None else [self._compile(level) for level in levels]
        return self._own[symmetric]

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_own": {}}


def _run(kind: str, levels: Sequence[Any], f: Tensor, u: Tensor | None) -> Tensor:
    return CYCLES[kind](levels, f, u)


class Captured:
    """Cycles that are captured where they are first run, one for each kind, choice of levels, shape and dtype.

    Args:
        capture: as `cuda_graph`.
    """

    def __init__(self, capture: Callable[..., Any] = cuda_graph) -> None:
        self._capture = capture
        self._made: dict[Any, Any] = {}

    def __call__(self, kind: str, levels: Sequence[Any], f: Tensor, u: Tensor | None) -> Tensor:
        """CYCLES[kind](levels, f, u), in memory of its own."""
        key = kind, tuple(map(id, levels)), tuple(f.shape), f.dtype, u is None
        if key not in self._made:
            inputs = f.clone(), None if u is None else u.clone()
            kept = list(levels)  # or their numbers would be given to others
            self._made[key] = kept, inputs, *self._capture(lambda: CYCLES[kind](kept, *inputs))
        _, (f_in, u_in), replay, result = self._made[key]
        f_in.copy_(f)
        if u_in is not None:
            u_in.copy_(u)
        replay()
        return result.clone()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_made": {}}
