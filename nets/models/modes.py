"""Training and evaluation mode, module by module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode, and every module of it back into the mode in which it was."""
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


@contextmanager
def trained_as_before(model: nn.Module) -> Iterator[None]:
    """Leave every parameter trained or frozen as it was."""
    before = [(weight, weight.requires_grad) for weight in model.parameters()]
    try:
        yield
    finally:
        for weight, trained in before:
            weight.requires_grad_(trained)


def frozen_names(model: nn.Module) -> list[str]:
    """List the names of the parameters that are not trained."""
    return [name for name, weight in model.named_parameters() if not weight.requires_grad]


def train_mode(model: nn.Module) -> None:
    """Put a network into training mode, without the batch norms that are frozen."""
    model.train()
    for norm in _norms(model, frozen=True):
        norm.eval()


def is_frozen(module: nn.Module) -> bool:
    """Tell whether a module has parameters of its own and none of them is trained."""
    weights = list(module.parameters(recurse=False))
    return bool(weights) and not any(w.requires_grad for w in weights)


def trained_norms(model: nn.Module) -> list[_BatchNorm]:
    """List the batch norms whose statistics follow the batches in training: those that are not frozen."""
    return _norms(model, frozen=False)


def moving_statistics(model: nn.Module) -> list[Tensor]:
    """List the buffers that training changes: all but those of frozen batch norms."""
    still = {id(b) for norm in _norms(model, frozen=True) for b in norm.buffers()}
    return [b for b in model.buffers() if id(b) not in still]


def _norms(model: nn.Module, *, frozen: bool) -> list[_BatchNorm]:
    return [m for m in model.modules() if isinstance(m, _BatchNorm) and is_frozen(m) == frozen]
