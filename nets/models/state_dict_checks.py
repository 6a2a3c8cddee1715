"""In which level and weight a state_dict differs from a network's, and what it says of its own network.

Networks may have weights of equal names and shapes and be others all the same: the schemes of GDFI, Mg-ResNet and
Mg-iResNet, activations. So the metadata of a state_dict, which `torch.save` keeps, hold the description of the network.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

from nets.common.location import OTHER, locate
from nets.models.registry import Configured
from nets.models.replaced import differences, replaced_modules

DESCRIPTION = "network"
"""Key of the description in the metadata of a state_dict."""
COUNTER = "num_batches_tracked"
"""Batch norms load without it, as state_dicts of old versions of torch are."""
WRAPPERS = {"module.": "DataParallel or AveragedModel", "_orig_mod.": "torch.compile"}
AVERAGED = "n_averaged"
"""The count of an AveragedModel, outside the module that it wraps."""


def check_state(model: Configured, state: Mapping[str, Any], *, strict: bool = True) -> None:
    """Refuse a state of another network; strict=False compares shapes alone.

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
    floats = [name for name, weight in own.items() if weight.is_floating_point() and name in state]
    wrong = next((name for name in floats if not state[name].is_floating_point()), None)
    if wrong is not None:  # integers of a quantised network would be taken without their scales
        raise TypeError(f"state_dict must hold floating-point weights; {wrong} is {state[wrong].dtype}")
    differences = _differences(model, state, strict)
    if differences:
        more = f"; {len(differences)} weights differ in all" if len(differences) > 1 else ""
        raise RuntimeError(f"state_dict does not fit {model.config}: {differences[0]}{more}{hint(state)}")
    words = other_network(described_network(state), model) if strict else None
    if words:
        raise RuntimeError(f"state_dict does not fit {model.config}: it holds {words}; strict=False takes its weights")


def describe(model: Configured, state: Any, prefix: str, metadata: dict[str, Any]) -> None:
    """A hook of state_dict, which puts the description of the network into its metadata."""
    metadata[DESCRIPTION] = description(model)


def description(model: Configured) -> dict[str, Any]:
    """Describe a network as plain values: that of its configuration, and the modules that were replaced."""
    return {**model.config.description, "modules": replaced_modules(model)}


def described_network(state: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The description in a state, None where it has none."""
    found: Mapping[str, Any] | None = getattr(state, "_metadata", {}).get("", {}).get(DESCRIPTION)
    return found


def other_network(found: Mapping[str, Any] | None, model: Configured) -> str | None:
    """Say how a description differs from a model's own; None where both have the same weights."""
    if found is None:
        return None
    config = model.config
    if found["notation"] != config.notation:
        return f"{found['notation']}, the model is {config.notation}"
    for name, need in config.settings().items():
        got = found["settings"].get(name, need)
        if name not in config.same_function and got != need:
            return f"a network with {name}={got!r}, the model has {need!r}"
    return None if "modules" not in found else _other_modules(found["modules"], replaced_modules(model))


def _other_modules(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str | None:
    """Name the first module outside the head that two networks of one configuration do not share."""
    for name in differences(theirs, ours):
        if name.partition(".")[0] != "head":
            words = [side.get(name, "as the name builds it") for side in (theirs, ours)]
            return f"a network in which {name or 'the whole'} is {words[0]}, in the model it is {words[1]}"
    return None


def first_difference(model: Configured, state: Mapping[str, Any]) -> str | None:
    """The first level and weight that differ, in words; None where names and shapes are the same."""
    return next(iter(_differences(model, state, True)), None)


def _differences(model: Configured, state: Mapping[str, Any], strict: bool) -> list[str]:
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
    return [_where(name, levels) + words for name, words in sorted(found, key=lambda pair: locate(pair[0])[:2])]


def _where(name: str, levels: int) -> str:
    where = locate(name)
    if where.level is None:
        return f"{where.part}: " if where.part else ""
    return f"level {where.level + 1}" + (f" of {levels}: " if where.level < levels else f" (the model has {levels}): ")


def unwrapped(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take the prefixes of wrappers off the names of a state; what its metadata say stays with it."""
    while prefix := _wrapper(state):
        metadata, size = getattr(state, "_metadata", {}), len(prefix)
        inner = OrderedDict((name[size:], weight) for name, weight in state.items() if name.startswith(prefix))
        inner._metadata = {key[size:]: v for key, v in metadata.items() if f"{key}.".startswith(prefix)}  # type: ignore[attr-defined]
        state = inner
    return state


def hint(state: Mapping[str, Any]) -> str:
    """Say what wrote the names of a state, where that is why they do not fit; "" elsewhere."""
    names, whole, writers = list(state), "", []
    while prefix := _wrapper(names):
        names, whole = [name.removeprefix(prefix) for name in names if name != AVERAGED], whole + prefix
        writers.append(WRAPPERS[prefix])
    if not writers:
        prefix = names[0].partition(".")[0] + "." if names else ""
        strange = len(names) > 1 and all(name.startswith(prefix) and locate(name).order == OTHER for name in names)
        return f"; all its names begin with {prefix!r}, which no network here has: take it off" if strange else ""
    wrote = ", ".join(writers)
    return f"; all its names begin with {whole!r}, as {wrote} writes them: take the wrapped model's state_dict"


def _wrapper(names: Collection[str]) -> str:
    """Give the wrapper's prefix that all names begin with, "" where there is none."""
    names = [name for name in names if name != AVERAGED]
    return next((prefix for prefix in WRAPPERS if names and all(name.startswith(prefix) for name in names)), "")
