"""Cycles as CUDA graphs, whose launches are replayed as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from mgcore import CYCLES

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
