"""The memory of a training step, from tensors without storage: exact, the same on every machine, and quick."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from nets.common.checks import check_integer
from nets.inspect.trace import check_input_size
from nets.models.modes import train_mode


class TrainingMemory(NamedTuple):
    """Bytes of the tensors that a training step makes; weights, statistics and images are not among them.

    Attributes:
        between: what the forward pass leaves for the backward pass.
        peak: the most that lives after any operation; the gradients of the weights are among it.

    >>> TrainingMemory(between=1000, peak=3000).peak
    3000
    """

    between: int
    peak: int


def training_memory(model: nn.Module, input_size: Sequence[int], batch: int = 1) -> TrainingMemory:
    """The memory of a forward and a backward pass of so many images (channels, n, ...), in the model's precision.

    Operations run on tensors without storage. The work space of an operation, what an allocator wastes and the state of
    an optimiser are left out. The peak is too high for Mish, whose gradient torch takes in steps there.

    Raises:
        TypeError, ValueError: where input_size is no such shape, or batch no integer >= 1.

    >>> memory = training_memory(create_model("MgNet[1]-[16]-B^l"), (3, 32, 32), batch=2)
    >>> 0 < memory.between <= memory.peak
    True
    """
    check_input_size(model, input_size)
    check_integer("batch", batch, 1)
    without: dict[int, Any] = {id(b): b.detach().to("meta") for b in model.buffers()}
    for p in model.parameters():
        without[id(p)] = nn.Parameter(p.detach().to("meta"), requires_grad=p.requires_grad)
    model = copy.deepcopy(model, without)
    train_mode(model)
    x = torch.empty((batch, *input_size), device="meta", dtype=next(model.parameters()).dtype)
    return step_memory(model, x)


def step_memory(model: Callable[[Tensor], Tensor], x: Tensor) -> TrainingMemory:
    """The same of one step with these images, on the device where they are."""
    with LiveTensors() as live:
        y = model(x)
        between = live.bytes()
        y.sum().backward()
    return TrainingMemory(between, live.peak)


class LiveTensors(TorchDispatchMode):
    """Count the bytes of the tensors made inside that still live, views once with their storage.

    Attributes:
        peak: the most bytes that lived after any operation.
    """

    def __init__(self) -> None:
        super().__init__()
        self._storages: dict[StorageWeakRef, int] = {}
        self.peak = 0

    def __torch_dispatch__(self, operation: Any, types: Any, inputs: Any = (), settings: Any = None) -> Any:
        settings = settings or {}
        given = {_storage(t) for t in tree_leaves((inputs, settings)) if isinstance(t, Tensor)}
        result = operation(*inputs, **settings)
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and _storage(tensor) not in given:
                self._storages[_storage(tensor)] = tensor.untyped_storage().nbytes()
        self.peak = max(self.peak, self.bytes())
        return result

    def bytes(self) -> int:
        """The bytes that live now."""
        self._storages = {storage: n for storage, n in self._storages.items() if not storage.expired()}
        return sum(self._storages.values())


def _storage(tensor: Tensor) -> StorageWeakRef:
    return StorageWeakRef(tensor.untyped_storage())
