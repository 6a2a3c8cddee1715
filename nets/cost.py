"""What a network costs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode


def parameters(model: nn.Module) -> int:
    """The number of trained parameters."""
    return sum(p.numel() for p in model.parameters())


def multiply_adds(model: nn.Module, input_size: Sequence[int]) -> int:
    """Multiply-adds of the convolutions and the linear layer that one image (channels, n, ...) passes through.

    They are counted as they run, on tensors without storage; batch norm, activations and sums are left out.
    """
    weights = {name: w.detach().to("meta") for name, w in [*model.named_parameters(), *model.named_buffers()]}
    # two images: batch norm in training mode refuses a single value per channel
    x = torch.empty((2, *input_size), device="meta", dtype=next(model.parameters()).dtype)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        functional_call(model, weights, (x,))
    return counter.get_total_flops() // 4  # two images, and a multiply-add is two operations
