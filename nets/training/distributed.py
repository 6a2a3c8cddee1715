"""The processes of a run: one, or as torchrun starts them, one per device."""

from __future__ import annotations

import atexit
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from nets.models.modes import evaluating

T = TypeVar("T")
TORCHRUN = {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
"""Variables that tell a process which one it is and where the first one listens."""


@dataclass(frozen=True)
class Ranks:
    """The rank of this process among `count`. With one process every method does nothing but its work."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes files and reports progress."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Sum over the processes, in place."""
        if self.count > 1:
            dist.all_reduce(values)
        return values

    def on_first(self, work: Callable[[], T]) -> T:
        """Do `work` in the first process and return its result in all of them; an error is raised in all of them."""
        if self.count == 1:
            return work()
        outcome: list[Any] = [None, None]
        if self.first:
            try:
                outcome = [work(), None]
            except Exception as error:
                outcome = [None, error]
        dist.broadcast_object_list(outcome, src=0)
        if outcome[1] is not None:
            raise outcome[1]
        result: T = outcome[0]
        return result

    def wrapped(self, model: nn.Module, example: Callable[[], Tensor]) -> nn.Module:
        """The model with gradients averaged over the processes in its backward pass."""
        if self.count == 1:
            return model
        unused = _has_unused_weights(model, example())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # the name that replaces broadcast_buffers is of torch 2.13
            return nn.parallel.DistributedDataParallel(model, broadcast_buffers=False, find_unused_parameters=unused)


def _has_unused_weights(model: nn.Module, example: Tensor) -> bool:
    """Tell whether a trained weight has no part in the scores, such as A of a coarsest grid with one sweep."""
    weights = [p for p in model.parameters() if p.requires_grad]
    with evaluating(model):
        gradients = torch.autograd.grad(model(example).sum(), weights, allow_unused=True)
    return any(g is None for g in gradients)


def local_device(device: torch.device) -> torch.device:
    """Choose the GPU of this process, where a machine has one for each."""
    if device.type == "cuda" and device.index in (None, 0) and "LOCAL_RANK" in os.environ:
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    return device


@contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """Join the processes of torch.distributed where it is set up, or as torchrun has started them.

    nccl connects GPUs and gloo CPUs.
    """
    if dist.is_available() and dist.is_initialized():
        yield Ranks(dist.get_rank(), dist.get_world_size())
    elif os.environ.keys() >= TORCHRUN and int(os.environ["WORLD_SIZE"]) > 1:
        if device.type == "cuda":
            torch.cuda.set_device(device)
        backend = "nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend, timeout=timedelta(minutes=10))
        atexit.register(_leave)  # not before: the processes could not meet a second time under the same address
        yield Ranks(dist.get_rank(), dist.get_world_size())
    else:
        yield Ranks()


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()
