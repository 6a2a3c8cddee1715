"""What a theorem needs of a network, said before anything is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from nets.models.base import Network
from nets.models.input_checks import check_input

if TYPE_CHECKING:
    from nets.naming.settings import Settings


def check_network(model: Any, network: type[Network], theorem: str, *, linear: bool = False, **allowed: Any) -> None:
    """Refuse what a theorem is not about.

    Args:
        network: the class that it is about.
        theorem: its name, such as "Theorem 8.1".
        linear: whether A must be a linear map of the configuration.
        allowed: setting = value, or = a tuple of values.

    Raises:
        TypeError: `model` is no network of this package.
        ValueError: it is another one; the message says what it is and what it should be.
    """
    if not isinstance(model, Network):
        raise TypeError(f"model: {theorem} needs {_a(network)}; got {type(model).__name__}")
    config: Settings = model.config
    if not isinstance(model, network):
        raise ValueError(f"model: {theorem} needs {_a(network)}; got {type(model).__name__} {config}")
    for name, values in allowed.items():
        values = values if isinstance(values, tuple) else (values,)
        if getattr(config, name) not in values:
            need = " or ".join(map(repr, values))
            raise ValueError(f"model: {theorem} needs {name}={need}; got {getattr(config, name)!r} in {config}")
    if linear and not config.linear:  # type: ignore[attr-defined]
        raise ValueError(f"model: {theorem} needs a linear A; got {config}")


def finest_data(model: Network, x: Tensor) -> Tensor:
    """f of the finest grid for images x.

    Raises:
        TypeError, ValueError: where x does not fit the network.
    """
    check_input(model, x)
    return model._data(x)


def _a(network: type) -> str:
    name = network.__name__.replace("VMgNet", "V-MgNet")
    return f"{'an' if name.startswith('M') else 'a'} {name}"
