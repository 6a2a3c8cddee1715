"""Keep what is made for the axes of a grid."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

Made = TypeVar("Made")

MOST = 32
"""Maps of one axis that are kept at most: the coefficient beside a Robin side makes a new one whenever it changes."""


def once_per_axis(make: Callable[..., Made]) -> Callable[..., Made]:
    """Keep the results of make(axis, ...) as long as the axis lives: equal axes of a grid are one object."""
    kept: WeakKeyDictionary[Any, dict[Any, Made]] = WeakKeyDictionary()

    @wraps(make)
    def find(axis: Any, *others: Any) -> Made:
        made = kept.setdefault(axis, {})
        if others not in made:
            if len(made) >= MOST:
                made.clear()
            made[others] = make(axis, *others)
        return made[others]

    return find
