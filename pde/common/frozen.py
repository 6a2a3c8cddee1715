"""Frozen objects that hold, beside the arguments they are made from, what is derived from these."""

from __future__ import annotations

import copy
from dataclasses import fields
from typing import Any, TypeVar

T = TypeVar("T")


class Remade:
    """A frozen dataclass that is pickled as its arguments: sparse factors are made anew from them."""

    def __reduce__(self) -> Any:
        return type(self), tuple(getattr(self, f.name) for f in fields(self) if f.init)  # type: ignore[arg-type]


def derive(thing: Any, **attributes: Any) -> None:
    """Set derived attributes of a frozen object while it is made."""
    vars(thing).update(attributes)


def changed(thing: T, **attributes: Any) -> T:
    """Copy a frozen object with other values of these attributes, derived ones among them."""
    other = copy.copy(thing)
    vars(other).update(attributes)
    return other
