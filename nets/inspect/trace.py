"""Trace a network: one entry per use of a convolution or a linear layer, in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from nets.models.base import Network
from nets.models.input_checks import check_pixels
from nets.models.operators import CONVOLUTION, TRANSPOSED, SharedKernel

KERNELS: Any = (*CONVOLUTION.values(), *TRANSPOSED.values(), SharedKernel, nn.Linear)
"""Modules whose every use is a call."""
PER_MULTIPLY_ADD = 4
"""Operations that torch counts per multiply-add of one image, as two images run."""


class Call(NamedTuple):
    """One use of a module that has a kernel, or of the stem's pooling.

    Attributes:
        name: of the module, such as "B.1.0".
        shape: of the result for one image, (channels, n, ...).
        multiply_adds: for one image.
    """

    name: str
    shape: tuple[int, ...]
    multiply_adds: int


def trace(model: Network, input_size: Sequence[int]) -> list[Call]:
    """List the calls for an image of shape (channels, n, ...), in order.

    The network runs once on tensors without storage; nothing of it changes.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a nets.Network; got {type(model).__name__}")
    calls: list[Call] = []
    before: dict[nn.Module, int] = {}
    counter = FlopCounterMode(display=False)
    handles = []
    for name, module in model.named_modules():
        if isinstance(module, KERNELS) or name == "pool":

            def start(module: nn.Module, _: Any) -> None:
                before[module] = counter.get_total_flops()

            def end(module: nn.Module, _: Any, output: Tensor, name: str = name) -> None:
                operations = counter.get_total_flops() - before[module]
                calls.append(Call(name, tuple(output.shape[1:]), operations // PER_MULTIPLY_ADD))

            handles += [module.register_forward_pre_hook(start), module.register_forward_hook(end)]
    try:
        with counter:
            run_without_storage(model, input_size)
    finally:
        for handle in handles:
            handle.remove()
    return calls


def run_without_storage(model: nn.Module, input_size: Sequence[int]) -> None:
    """A forward pass for images of shape (channels, n, ...) on the meta device."""
    check_input_size(model, input_size)
    weights = {name: w.detach().to("meta") for name, w in [*model.named_parameters(), *model.named_buffers()]}
    # two images: batch norm in training mode refuses a single value per channel
    x = torch.empty((2, *input_size), device="meta", dtype=next(model.parameters()).dtype)
    with torch.no_grad():
        functional_call(model, weights, (x,))


def check_input_size(model: nn.Module, input_size: Sequence[int]) -> None:
    """Refuse what is no shape (channels, n, ...) of an image of the model."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a network; got {type(model).__name__}")
    if not isinstance(input_size, Sequence) or not all(isinstance(n, int) and n > 0 for n in input_size):
        raise TypeError(f"input_size must be the shape (channels, n, ...) of an image; got {input_size!r}")
    config: Any = getattr(model, "config", None)
    if config is not None and (len(input_size) != config.dims + 1 or input_size[0] != config.in_channels):
        need = f"({config.in_channels}{', n' * config.dims})"
        raise ValueError(f"input_size must be {need}, the shape of an image of {config}; got {tuple(input_size)}")
    if hasattr(model, "grid_sizes"):
        check_pixels(model, "input_size", input_size, input_size[1:])  # type: ignore[arg-type]
