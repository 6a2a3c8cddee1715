"""Settings behind a name: "MgNet[2,2]-[8]-B^l, activation=hat:5,10, num_classes=100"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nets.common.checks import suggestion
from nets.naming.scanner import Scanner

_WORD = re.compile(r"\w*")
_VALUE = re.compile(r"[^=]*?(?=\s*,\s*\w+\s*=|\s*$)")
"""Up to the next key, since commas are part of values as well."""
_CHOICES = {"True": True, "true": True, "False": False, "false": False}


def read_settings(text: Scanner, types: Mapping[str, str], title: str) -> dict[str, Any]:
    """The settings from here to the end of the name.

    Args:
        types: "bool", "int" or "str" for every key there is.
        title: of the family that has these keys, in an error.

    Raises:
        ValueError: showing the part that fails, and what is allowed there.
    """
    found: dict[str, Any] = {}
    while not text.ended:
        text.expect(",", 'the end of the name, or "," and a setting such as num_classes=100,')
        start, key = text.position, text.matched(_WORD)
        if key not in types:
            text.fail(f"one of {', '.join(types)}, the settings of {title},", start, suggestion(key, types))
        if key in found:
            text.fail(f"one value of {key} alone", start, "")
        text.expect("=", f'"=" and a value of {key}')
        found[key] = _value(text, key, types[key])
    return found


def _value(text: Scanner, key: str, kind: str) -> Any:
    start, value = text.position, text.matched(_VALUE)
    if kind == "bool":
        return _CHOICES[value] if value in _CHOICES else text.fail(f"True or False for {key}", start, "")
    if kind == "int":
        digits = value.isascii() and value.isdigit() and len(value) < 10
        return int(value) if digits else text.fail(f"an integer from 0 to 999999999 for {key}", start, "")
    return value or text.fail(f"a value of {key}", start, "")
