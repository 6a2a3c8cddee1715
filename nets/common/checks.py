"""Checks of plain values in a configuration: each error names the argument, what came and what is allowed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from mgcore.common import arguments

suggesting = arguments.Keywords("nets.common")
OTHER_NAMES = suggesting.other_names
check_integer = partial(arguments.integer, kind=int)  # and no other integers: records hold them as they are
check_number = partial(arguments.number, least=0, finite=True, kind=(int, float))


def integers(name: str, values: Any, least: int) -> tuple[int, ...]:
    """A sequence of integers as a tuple."""
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise TypeError(f"{name} must be a sequence of integers, one per grid; got {values!r}")
    values = tuple(values)
    for index, value in enumerate(values):
        check_integer(f"{name}[{index}]", value, least)
    return values


def check_choices(config: Any, choices: Mapping[str, tuple[Any, ...]], where: str = "") -> None:
    """Each named attribute is one of its choices, of the same type; `where` they hold is said in an error."""
    for name, allowed in choices.items():
        value = getattr(config, name)
        if not any(value == choice and type(value) is type(choice) for choice in allowed):
            raise ValueError(f"{name} must be {' or '.join(map(repr, allowed))}{where}; got {value!r}")


def suggestion(name: Any, known: Iterable[str]) -> str:
    """ "; did you mean ...?" with the known name that is meant, or nothing."""
    return arguments.suggestion(name, known, OTHER_NAMES)


def check_positive(name: str, value: Any, hint: str = "") -> None:
    """Check a finite number > 0; an error ends with the hint."""
    wrong_type = isinstance(value, bool) or not isinstance(value, int | float)
    if wrong_type or not 0 < value <= sys.float_info.max:
        raise (TypeError if wrong_type else ValueError)(
            f"{name} must be a number > 0; got {arguments.shown(value)}{hint}"
        )
