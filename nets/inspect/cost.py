"""The parameters and multiply-adds of a network."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nets.inspect.trace import PER_MULTIPLY_ADD, run_without_storage


def parameters(model: nn.Module) -> int:
    """The number of trained parameters.

    >>> import torch
    >>> parameters(torch.nn.Linear(3, 2))
    8
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a network; got {type(model).__name__}")
    return sum(p.numel() for p in model.parameters())


def multiply_adds(model: nn.Module, input_size: Sequence[int]) -> int:
    """Multiply-adds of the convolutions and the linear layer that one image (channels, n, ...) passes through.

    They are counted as they run, on tensors without storage; batch norm, activations and sums are left out.

    >>> import torch
    >>> multiply_adds(torch.nn.Conv2d(3, 16, 3, padding=1), (3, 32, 32)) == 9 * 3 * 16 * 32 * 32
    True
    """
    with FlopCounterMode(display=False) as counter:
        run_without_storage(model, input_size)
    return counter.get_total_flops() // PER_MULTIPLY_ADD
