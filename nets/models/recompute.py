"""Activation checkpointing: every map of a level keeps its input, and the backward pass computes the rest again.

Of a sweep u <- u + B r, r <- r - A B r, that is r and B r instead of all that B computes on its way; of a block of a
ResNet its input. The backward pass holds the inside of one map at a time, so that the peak of a training step falls
too. A step costs about one forward pass more; the linear maps A and P keep nothing but their input anyway, and are not
computed again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.utils.checkpoint import checkpoint

from mgcore import ResidualLevel
from nets.models.data_level import DataLevel


def recomputed_level(level: Any) -> Any:
    """The same level, whose maps are computed again where a gradient needs what they computed."""
    if isinstance(level, ResidualLevel):
        return replace(level, level=recomputed_level(level.level))
    if isinstance(level, DataLevel):
        return replace(level, steps=_each(level.steps), pool=_each(level.pool))
    maps: dict[str, Any] = {name: _each(getattr(level, name)) for name in ("B", "B_post", "R", "Pi")}
    return replace(level, A=level.A if level.linear else _each(level.A), **maps)


def recomputed(move: Callable[..., Any], *inputs: Any) -> Any:
    """move(*inputs), of which only the inputs are kept for the backward pass; without gradients, just that."""
    if not torch.is_grad_enabled():
        return move(*inputs)

    if torch.compiler.is_compiling():  # the statistics are written once there anyway
        return checkpoint(move, *inputs, use_reentrant=False)

    def contexts() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
        return nullcontext(), _EachTime()

    return checkpoint(move, *inputs, use_reentrant=False, context_fn=contexts)


@contextmanager
def statistics_kept() -> Iterator[None]:
    """Batch norms that run here write into copies of their running statistics, and have their own back at the end."""
    own: dict[_BatchNorm, dict[str, Any]] = {}
    thread = threading.get_ident()

    def copy_buffers(norm: nn.Module, inputs: Any) -> None:
        if isinstance(norm, _BatchNorm) and norm not in own and threading.get_ident() == thread:
            own[norm] = dict(norm._buffers)
            norm._buffers.update({name: None if b is None else b.clone() for name, b in norm._buffers.items()})

    handle = register_module_forward_pre_hook(copy_buffers)
    try:
        yield
    finally:
        handle.remove()
        for norm, buffers in own.items():
            norm._buffers.update(buffers)


class _EachTime(AbstractContextManager[None]):
    """`statistics_kept` for as many backward passes as go through what is computed again."""

    def __init__(self) -> None:
        self.entered: list[AbstractContextManager[None]] = []

    def __enter__(self) -> None:
        self.entered.append(statistics_kept())
        self.entered[-1].__enter__()

    def __exit__(self, *error: Any) -> None:
        self.entered.pop().__exit__(*error)


def _each(maps: Any) -> Any:
    """Every map of a list, or of lists of them; None stays None."""
    if isinstance(maps, Sequence):
        return [_each(map_) for map_ in maps]
    return None if maps is None else partial(recomputed, maps)
