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
    """Put a network into training mode, and its frozen parts into evaluation mode, as `nets.train` does.

    A part is frozen where it has parameters and none of them has requires_grad=True; so are the modules in it. Its
    batch norms keep their statistics, and its dropout does nothing.

    Raises:
        TypeError: `model` is no module of torch.

    >>> model = create_model("MgNet[1,1]-[4]-B^l")
    >>> names = freeze(model, "stem")
    >>> train_mode(model)
    >>> model.training, model.stem.norm.training
    (True, False)
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a network; got {type(model).__name__}")
    model.train()
    for module in _frozen(model):
        module.training = False


def is_frozen(module: nn.Module) -> bool:
    """Tell whether a module has parameters, in it or in its modules, and none of them is trained."""
    weights = list(module.parameters())
    return bool(weights) and not any(w.requires_grad for w in weights)


def trained_norms(model: nn.Module) -> list[_BatchNorm]:
    """List the batch norms whose statistics follow the batches in training: those outside of frozen modules."""
    still = _frozen(model)
    return [m for m in model.modules() if isinstance(m, _BatchNorm) and m not in still]


def moving_statistics(model: nn.Module) -> list[Tensor]:
    """List the buffers that training changes: all but those of frozen modules."""
    still = {id(b) for module in _frozen(model) for b in module.buffers()}
    return [b for b in model.buffers() if id(b) not in still]


def _frozen(model: nn.Module) -> set[nn.Module]:
    """The frozen modules, and the modules in them."""
    return {inner for module in model.modules() if is_frozen(module) for inner in module.modules()}
