"""What runs in a network, in order: one entry per use of a convolution or a linear layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from nets.models.input_checks import check_pixels
from nets.models.operators import CONVOLUTION, TRANSPOSED, Interpolation, SharedKernel

if TYPE_CHECKING:
    from nets.models.base import Network


KERNELS: Any = (*CONVOLUTION.values(), *TRANSPOSED.values(), SharedKernel, nn.Linear)
"""Modules whose every use is a call."""


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
    """What runs for an image of shape (channels, n, ...), in order.

    The network runs once on tensors without storage; nothing of it changes.

    Raises:
        TypeError, ValueError: where input_size is no such shape, or does not fit the network.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a nets.Network; got {type(model).__name__}")
    calls: list[Call] = []

    def recorder(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            calls.append(Call(name, tuple(output.shape[1:]), _cost(module, inputs[0][0], output[0])))

        return hook

    named = model.named_modules()
    modules = [(name, module) for name, module in named if isinstance(module, KERNELS) or name == "pool"]
    handles = [module.register_forward_hook(recorder(name)) for name, module in modules]
    try:
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


def _cost(module: Any, x: Tensor, y: Tensor) -> int:
    """Multiply-adds for one image x of a module that has one weight, or none."""
    weights = int(module.weight.numel()) if hasattr(module, "weight") else 0
    if isinstance(module, nn.Linear):
        return weights
    if isinstance(module, SharedKernel):  # one kernel for every channel
        return (x if isinstance(module, Interpolation) else y).numel() * weights
    transposed: Any = tuple(TRANSPOSED.values())
    return weights * (x if isinstance(module, transposed) else y)[0].numel()
