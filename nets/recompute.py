"""Activation checkpointing: a level keeps the state it starts from, and the backward pass computes the rest again.

Between the passes memory falls to one state per level. The peak of a training step remains that of the level that
computes most, as a rule the finest: where the finest has most of the pixels and sweeps, little is saved. A step costs
about one forward pass more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from mgcore import Delegate, Moves


@dataclass(frozen=True)
class Recomputed(Delegate):
    """The moves of a level, computed again where a gradient needs what they computed.

    `model` is whose batch norms the level uses: they count a batch once, however often it is computed.
    """

    model: nn.Module

    def smooth(self, state: Any) -> Any:
        return recomputed(self.model, self.level.smooth, state)

    def restrict(self, state: Any, coarse: Moves[Any]) -> Any:
        return recomputed(self.model, self.level.restrict, state, coarse)

    def correct(self, state: Any, coarse: Moves[Any], before: Any, after: Any, *, post: bool = True) -> Any:
        return recomputed(self.model, self.level.correct, state, coarse, before, after, post=post)


def recomputed_levels(model: nn.Module, levels: Sequence[Moves[Any]]) -> list[Recomputed]:
    return [Recomputed(level, model) for level in levels]


def recomputed(model: nn.Module, move: Callable[..., Any], *inputs: Any, **settings: Any) -> Any:
    """move(*inputs), of which only the inputs are kept for the backward pass; without gradients, just that."""
    if not torch.is_grad_enabled():
        return move(*inputs, **settings)

    if torch.compiler.is_compiling():  # the statistics are written once there anyway
        return checkpoint(move, *inputs, use_reentrant=False, **settings)

    def contexts() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
        return nullcontext(), statistics_kept(model)

    return checkpoint(move, *inputs, use_reentrant=False, context_fn=contexts, **settings)


@contextmanager
def statistics_kept(model: nn.Module) -> Iterator[None]:
    """Batch norms write into copies of their running statistics, and have their own back at the end."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    own = [dict(norm._buffers) for norm in norms]
    for norm in norms:
        norm._buffers.update({name: None if b is None else b.clone() for name, b in norm._buffers.items()})
    try:
        yield
    finally:
        for norm, buffers in zip(norms, own, strict=True):
            norm._buffers.update(buffers)
