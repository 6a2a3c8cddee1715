"""Compare two networks: which ones a theorem takes, equal weights in another kind, and the largest difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mgcore import Visit
from mgcore.level import difference
from nets.models.base import Network
from nets.models.input_checks import check_input

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


def features_apart(a: Sequence[Visit], b: Sequence[Visit]) -> float:
    """`largest` of the features of two descents."""
    return largest([visit.u for visit in a], [visit.u for visit in b])


def check_network(model: Any, network: type[Network], theorem: str, *, linear: bool = False, **allowed: Any) -> None:
    """Refuse another network than one of this class, with a linear A where asked, and with these settings.

    Args:
        theorem: its name in an error, such as "Theorem 8.1".
        allowed: setting = value, or = a tuple of values.
    """
    if not isinstance(model, Network):
        raise TypeError(f"model: {theorem} needs {_a(network)}; got {type(model).__name__}")
    config: Any = model.config
    if not isinstance(model, network):
        raise ValueError(f"model: {theorem} needs {_a(network)}; got {type(model).__name__} {config}")
    for name, values in allowed.items():
        values = values if isinstance(values, tuple) else (values,)
        if getattr(config, name) not in values:
            need = " or ".join(map(repr, values))
            raise ValueError(f"model: {theorem} needs {name}={need}; got {getattr(config, name)!r} in {config}")
    if linear and not config.linear:
        raise ValueError(f"model: {theorem} needs a linear A; got {config}")


def finest_data(model: Network, x: Tensor) -> Tensor:
    """f of the finest grid for images x, which are checked."""
    check_input(model, x)
    return model._data(x)


def _a(network: type) -> str:
    name = network.__name__.replace("VMgNet", "V-MgNet")
    return f"{'an' if name.startswith('M') else 'a'} {name}"
