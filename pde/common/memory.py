"""Count the bytes that an object, and all it refers to, holds in arrays, each buffer once."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse.linalg import SuperLU

FACTOR_ENTRY = 12
"""Bytes per nonzero of a sparse factorisation: a float64 and an int32 index."""


class Counter:
    """Counts what it has not met before, so that a level is charged with what no finer level holds."""

    def __init__(self) -> None:
        self._seen: dict[int, Any] = {}

    def add(self, *objects: Any) -> int:
        """Bytes in the arrays that the objects hold and that were not counted yet."""
        total, waiting = 0, list(objects)
        while waiting:
            thing = waiting.pop()
            if isinstance(thing, np.ndarray):
                while isinstance(thing.base, np.ndarray):  # views hold the buffer that they show a part of
                    thing = thing.base
            if id(thing) in self._seen or isinstance(thing, type):
                continue
            self._seen[id(thing)] = thing
            if isinstance(thing, np.ndarray):
                total += thing.nbytes
            elif isinstance(thing, SuperLU):
                total += FACTOR_ENTRY * int(thing.nnz)
            else:
                waiting.extend(_parts(thing))
        return total


def _parts(thing: Any) -> list[Any]:
    if isinstance(thing, dict):
        return list(thing.values())
    if isinstance(thing, list | tuple | set):
        return list(thing)
    return list(vars(thing).values()) if hasattr(thing, "__dict__") and not _is_code(thing) else []


def _is_code(thing: Any) -> bool:
    """A function or a module: what it refers to belongs to the program."""
    return hasattr(thing, "__globals__") or hasattr(thing, "__spec__")


def readable(count: int) -> str:
    """A number of bytes in three digits."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5 or unit == "GB":
            return f"{size:.3g} {unit}"
        size /= 1000
    raise AssertionError
