"""Boundary conditions by word: read and write the `boundary` of `Poisson`."""

from __future__ import annotations

import math
from typing import Any

from pde.common.arguments import described, nearest, number
from pde.problem.grid import Side

BOUNDARIES = ("dirichlet", "neumann", "periodic")


def read_boundary(boundary: Any, ndim: int) -> tuple[tuple[tuple[Side, Side], ...], dict[tuple[int, int], Any]]:
    """The (low, high) sides of every axis from the `boundary` of `Poisson`, and the betas that are no numbers.

    Their sides have beta 1 for the time being; see `pde.problem.robin`.

    Raises:
        TypeError, ValueError: naming what came and what is allowed.
    """
    if is_open(boundary):
        return ((Side(), Side()),) * ndim, {}
    entries = (boundary,) * ndim if _is_word(boundary) else boundary
    if not isinstance(entries, list | tuple):
        raise _unknown(boundary)
    if len(entries) != ndim:
        raise ValueError(
            f"boundary must be one word or {ndim} entries, one per axis; got {len(entries)}: {described(boundary)}"
        )
    betas: dict[tuple[int, int], Any] = {}
    sides = tuple(_read_pair(a, entry, betas) for a, entry in enumerate(entries))
    return sides, betas


def is_open(word: Any) -> bool:
    """Whether this is the word for free space around the box."""
    return isinstance(word, str) and word == "open"


def boundary_words(sides: tuple[tuple[Side, Side], ...]) -> Any:
    """The `boundary` that `read_boundary` takes to these sides, in its shortest form."""
    words = []
    for pair in sides:
        low, high = (("robin", side.beta) if side.kind == "robin" else side.kind for side in pair)
        words.append(low if low == high else (low, high))
    return words[0] if len(set(words)) == 1 and isinstance(words[0], str) else tuple(words)


def _read_pair(axis: int, entry: Any, betas: dict[tuple[int, int], Any]) -> tuple[Side, Side]:
    name = f"boundary[{axis}]"
    pair = (entry, entry) if _is_word(entry) else entry
    if not isinstance(pair, list | tuple):
        raise _unknown(pair)
    if len(pair) != 2:
        raise ValueError(f"{name} must be one word or a (low, high) pair; got {described(entry)}")
    low, high = (_read_side(word, (axis, side), betas) for side, word in enumerate(pair))
    if (low.kind == "periodic") != (high.kind == "periodic"):
        raise ValueError(f"{name} must be periodic on both sides or on none; got {described(entry)}")
    return low, high


def _is_word(word: Any) -> bool:
    return isinstance(word, str) or _is_robin(word)


def _is_robin(word: Any) -> bool:
    pair = isinstance(word, list | tuple) and len(word) == 2
    return pair and isinstance(word[0], str) and word[0] == "robin" and not isinstance(word[1], str)


def _is_field(beta: Any) -> bool:
    """Whether this is an array, or makes one."""
    return callable(beta) or isinstance(beta, list | tuple) or hasattr(beta, "ndim")


def _read_side(word: Any, key: tuple[int, int], betas: dict[tuple[int, int], Any]) -> Side:
    if isinstance(word, str) and word in BOUNDARIES:
        return Side(word)
    if _is_robin(word) and _is_field(word[1]):
        betas[key] = word[1]
        return Side("robin", 1.0)
    if _is_robin(word) and math.isfinite(beta := number("boundary: beta of 'robin'", word[1], least=0)):
        return Side("robin", beta)
    if is_open(word):
        raise ValueError("boundary: 'open' is free space around the box, so all sides are open: boundary='open'")
    raise _unknown(word)


def _unknown(came: Any) -> ValueError:
    allowed = f"{', '.join(map(repr, BOUNDARIES))}, ('robin', beta), or 'open' for all sides"
    return ValueError(f"boundary must be {allowed}; got {described(came)}{nearest(came, (*BOUNDARIES, 'open'))}")
