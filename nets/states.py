"""In which level and weight a state_dict differs from a network's, and what it says of its own network.

Networks may have weights of equal names and shapes and be others all the same: the schemes of GDFI, Mg-ResNet and
Mg-iResNet, activations. So the metadata of a state_dict, which `torch.save` keeps, hold the description of the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from nets.places import place

if TYPE_CHECKING:
    from nets.network import Network
    from nets.settings import Settings

DESCRIPTION = "network"
"""Key of the description in the metadata of a state_dict."""
SAME_FUNCTION = ("num_classes", "form")
"""Settings whose weights are the same, the head apart."""
COUNTER = "num_batches_tracked"
"""Batch norms load without it, as state_dicts of old versions of torch are."""
WRAPPERS = {"module.": "DataParallel or AveragedModel", "_orig_mod.": "torch.compile"}


def check_state(model: Network, state: Mapping[str, Any], *, strict: bool = True) -> None:
    """Refuse a state of another network; strict=False looks at shapes alone.

    A state without a description, such as a plain dict, can differ in names and shapes alone.

    Raises:
        TypeError: the state holds something else than tensors by name.
        RuntimeError: naming the first level, finest first, and the first weight in it that differ.
    """
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
        raise TypeError(f"state_dict must map names to tensors; got {type(state).__name__}")
    own = model.state_dict()
    wrong = next((name for name, weight in state.items() if name in own and not isinstance(weight, Tensor)), None)
    if wrong is not None:
        raise TypeError(f"state_dict must map names to tensors; {wrong} is a {type(state[wrong]).__name__}")
    differences = _differences(model, state, strict)
    if differences:
        raise RuntimeError(
            f"state_dict does not fit {model.config}: {differences[0]}{_others(differences)}{hint(state)}"
        )
    words = other_network(described_network(state), model.config) if strict else None
    if words:
        raise RuntimeError(f"state_dict does not fit {model.config}: it holds {words}; strict=False takes its weights")


def describe(model: nn.Module, state: Any, prefix: str, metadata: dict[str, Any]) -> None:
    """A hook of state_dict, which puts the description of the network into its metadata."""
    network: Any = model
    metadata[DESCRIPTION] = network.config.description


def described_network(state: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The description in a state, None where it has none."""
    found: Mapping[str, Any] | None = getattr(state, "_metadata", {}).get("", {}).get(DESCRIPTION)
    return found


def other_network(description: Mapping[str, Any] | None, config: Settings) -> str | None:
    """What a description says otherwise than a configuration, in words, None where both have the same weights."""
    if description is None:
        return None
    if description["notation"] != config.notation:
        return f"{description['notation']}, the model is {config.notation}"
    for name, need in config.settings().items():
        got = description["settings"].get(name, need)
        if name not in SAME_FUNCTION and got != need:
            return f"a network with {name}={got!r}, the model has {need!r}"
    return None


def first_difference(model: Network, state: Mapping[str, Any]) -> str | None:
    """The first level and weight that differ, in words; None where names and shapes are the same."""
    return next(iter(_differences(model, state, True)), None)


def _differences(model: Network, state: Mapping[str, Any], strict: bool) -> list[str]:
    """Sorted by level; in a level the model's own weights come first."""
    own, found = model.state_dict(), []
    for name, weight in own.items():
        if name not in state:
            if strict and not name.endswith(COUNTER):
                found.append((name, f"{name} is missing"))
        elif tuple(state[name].shape) != tuple(weight.shape):
            shapes = tuple(state[name].shape), tuple(weight.shape)
            found.append((name, f"{name} has shape {shapes[0]}, the model needs {shapes[1]}"))
    if strict:
        found += [(name, f"{name} is not in the model") for name in state if name not in own]
    levels = len(model.config.nu)
    return [_where(name, levels) + words for name, words in sorted(found, key=lambda pair: place(pair[0])[:2])]


def _where(name: str, levels: int) -> str:
    where = place(name)
    if where.level is None:
        return f"{where.part}: " if where.part else ""
    return f"level {where.level + 1}" + (f" of {levels}: " if where.level < levels else f" (the model has {levels}): ")


def _others(differences: list[str]) -> str:
    return f"; {len(differences)} weights differ in all" if len(differences) > 1 else ""


def hint(state: Mapping[str, Any]) -> str:
    """What wrote the names of a state, where that is why they do not fit; "" elsewhere."""
    for prefix, writer in WRAPPERS.items():
        if state and all(name.startswith(prefix) for name in state if name != "n_averaged"):
            return (
                f"; all its names begin with {prefix!r}, as {writer} writes them: take the wrapped model's state_dict"
            )
    return ""
