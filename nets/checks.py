"""Checks of plain values in a configuration: each error names the argument, what came and what is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from math import inf, isfinite
from typing import Any


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


def suggestion(name: str, known: Iterable[str]) -> str:
    """ "; did you mean ...?" with the known names that are spelled like this one, or nothing."""
    close = get_close_matches(name.lower(), list(known), n=2, cutoff=0.5)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
