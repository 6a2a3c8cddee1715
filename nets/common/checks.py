"""Checks of plain values in a configuration: each error names the argument, what came and what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import wraps
from inspect import signature
from math import inf, isfinite
from typing import Any, ParamSpec, TypeVar

USUAL = {
    **dict.fromkeys(("lr", "rate", "max_lr", "lr0"), "learning_rate"),
    **dict.fromkeys(("batch_size", "bs", "batchsize"), "batch"),
    **dict.fromkeys(("num_epochs", "n_epochs", "max_epochs"), "epochs"),
    **dict.fromkeys(("classes", "n_classes", "nb_classes"), "num_classes"),
    **dict.fromkeys(("in_chans", "channels", "num_channels"), "in_channels"),
    **dict.fromkeys(("wd", "l2"), "weight_decay"),
    **dict.fromkeys(("pretrained", "checkpoint_path"), "weights"),
    **dict.fromkeys(("out", "output_dir", "save_dir", "project"), "output"),
    **dict.fromkeys(("act", "act_layer", "nonlinearity"), "activation"),
    **dict.fromkeys(("image_size", "img_size", "imgsz", "input_size"), "size"),
    "ema": "averaging",
    "tta": "flip",
}
"""Names of other libraries for the arguments of this package."""


def integers(name: str, values: Any, least: int) -> tuple[int, ...]:
    """A sequence of integers as a tuple."""
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise TypeError(f"{name} must be a sequence of integers, one per grid; got {values!r}")
    values = tuple(values)
    for index, value in enumerate(values):
        check_integer(f"{name}[{index}]", value, least)
    return values


def check_integer(name: str, value: Any, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer >= {least}; got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be an integer >= {least}; got {value}")


def check_number(name: str, value: Any, least: float = 0, below: float = inf, *, above_least: bool = False) -> None:
    """A finite number in [least, below), or of `above_least` in (least, below)."""
    if isfinite(below):
        allowed = f"a number in {'(' if above_least else '['}{least:g}, {below:g})"
    else:
        allowed = f"a number {'>' if above_least else '>='} {least:g}"
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{name} must be {allowed}; got {value!r}")
    if not isfinite(value) or not least <= value < below or (above_least and value == least):
        raise ValueError(f"{name} must be {allowed}; got {value!r}")


def check_choices(config: Any, choices: Mapping[str, tuple[Any, ...]]) -> None:
    """Each named attribute is one of its choices, of the same type."""
    for name, allowed in choices.items():
        value = getattr(config, name)
        if not any(value == choice and type(value) is type(choice) for choice in allowed):
            raise ValueError(f"{name} must be {' or '.join(map(repr, allowed))}; got {value!r}")


def near_names(name: str, known: Iterable[str]) -> list[str]:
    """The known names that are meant by this one: what other libraries call so, or up to two that are spelled alike."""
    known = list(known)
    name = name.lower()
    usual = USUAL.get(name, name)
    return [usual] if usual in known else get_close_matches(name, known, n=2, cutoff=0.5)


def suggestion(name: str, known: Iterable[str]) -> str:
    """ "; did you mean ...?" with the known names that are meant by this one, or nothing."""
    near = near_names(name, known)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def suggesting(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The function, which of a keyword that it does not have names the nearest ones."""
    known = list(signature(function).parameters)

    @wraps(function)
    def checked(*args: Arguments.args, **keywords: Arguments.kwargs) -> Result:
        for name in keywords:
            if name not in known:
                hint = suggestion(name, known)
                raise TypeError(f"{function.__name__} has no argument {name!r}{hint}; it has {', '.join(known)}")
        return function(*args, **keywords)

    return checked
