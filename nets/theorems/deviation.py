"""How far two networks are apart, and networks of other kinds with the same weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mgcore.level import difference

Model = TypeVar("Model", bound=nn.Module)


def with_weights(other: Model, model: nn.Module, weights: Mapping[str, Tensor]) -> Model:
    """`other` with these weights, and with the dtype, mode and batch-norm eps of `model`."""
    other.to(next(model.parameters())).train(model.training)
    other.load_state_dict(dict(weights))  # a plain dict, since it is another network on purpose
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm):
            part = other.get_submodule(name)
            part.eps = module.eps  # type: ignore[assignment]
    return other


def largest(a: Sequence[Tensor | None], b: Sequence[Tensor | None]) -> float:
    """Largest difference on any grid relative to the largest value on any; None is zero."""
    gaps, sizes = [0.0], [0.0]
    for v, w in zip(a, b, strict=True):
        gap = difference(v, w)
        gaps += [] if gap is None else [float(gap.detach().abs().max())]
        sizes += [float(t.detach().abs().max()) for t in (v, w) if t is not None]
    return max(gaps) / max(sizes) if max(sizes) > 0 else max(gaps)
