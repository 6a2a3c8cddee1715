"""Checks of plain arguments: each error names the argument, what came and what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from functools import wraps
from importlib import resources
from inspect import signature
from math import inf, isfinite, isinf
from numbers import Integral, Real
from typing import Any, ParamSpec, TypeVar

FOREIGN = 0.8
"""Likeness, from 0 to 1, to a name of another function from which on that one is meant."""
P = ParamSpec("P")
Result = TypeVar("Result")


def shown(value: Any) -> str:
    """A value in one line, as an error shows it; an array or a tensor by its shape."""
    if isinstance(shape := getattr(value, "shape", ()), tuple) and shape:
        return f"{'an array' if hasattr(value, 'flags') else 'a tensor'} of shape {tuple(shape)}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 200 else f"{text[:97]}...{text[-97:]}"


def integer(name: str, value: Any, least: int, kind: Any = Integral) -> int:
    """An integer of this kind, at least `least`."""
    if type(value) is int and value >= least:
        return value
    allowed = f"{name} must be an integer >= {least}; got {shown(value)}"
    if isinstance(value, bool) or not isinstance(value, kind):
        raise TypeError(allowed)
    if value < least:
        raise ValueError(allowed)
    return int(value)


def number(
    name: str, value: Any, least: float = -inf, below: float = inf, *, finite: bool = False, kind: Any = Real
) -> float:
    """A number of this kind in [least, below); infinite if not `finite`."""
    if type(value) is float and least <= value < below:
        return value
    allowed = f"a number in [{least:g}, {below:g})" if below < inf else f"a number >= {least:g}"
    allowed = f"{name} must be {'a real number' if isinf(least) else allowed}; got {shown(value)}"
    if isinstance(value, bool) or not isinstance(value, kind):
        raise TypeError(allowed)
    try:
        result = float(value)
    except OverflowError:  # of an integer or a fraction
        raise ValueError(f"{name} must fit into float64; got {shown(value)}") from None
    if (
        (not isinf(least) and not least <= result <= below)
        or result == below < inf
        or (finite and not isfinite(result))
    ):
        raise ValueError(allowed)
    return result


def nearest(word: Any, known: Iterable[str], other_names: Mapping[str, str] | None = None) -> str | None:
    """The known name that is meant, in any case: by another name of it, or spelled alike."""
    alike, word = {name.lower(): name for name in known}, str(word).lower()
    word = (other_names or {}).get(word.strip("_"), word)
    close = [word] if word in alike else get_close_matches(word, alike, n=1, cutoff=0.5)
    return alike[close[0]] if close else None


def suggestion(word: Any, known: Iterable[str], other_names: Mapping[str, str] | None = None) -> str:
    """A question after an error: "; did you mean ...?", or nothing."""
    near = nearest(word, known, other_names)
    return "" if near is None else f"; did you mean {near!r}?"


class Keywords:
    """Decorate functions: called with a keyword that they do not have, their TypeError suggests the right one.

    A row of `other_names.csv` in the package is a name of ours, and names in other libraries, in small letters.
    """

    def __init__(self, package: str) -> None:
        rows = resources.files(package).joinpath("other_names.csv").read_text("utf-8").splitlines()
        pairs = [row.split(",") for row in rows]
        self.other_names = {other: name for name, others in pairs for other in others.split()}
        self.arguments: dict[str, Collection[str]] = {}  # of each decorated function

    def __call__(self, function: Callable[P, Result]) -> Callable[P, Result]:
        title = function.__qualname__.removesuffix(".__init__")
        known = self.arguments[title] = frozenset(signature(function).parameters) - {"self"}

        @wraps(function)
        def call(*args: P.args, **keywords: P.kwargs) -> Result:
            if not keywords.keys() <= known:
                raise self.unknown(title, next(name for name in keywords if name not in known), known)
            return function(*args, **keywords)

        return call

    def unknown(self, title: str, name: str, known: Collection[str]) -> TypeError:
        """The error for an argument that is not `known`, with the nearest that is, here or of another function."""
        return TypeError(
            f"{title} has no argument {name!r}{self.hint(name, known)}; it takes {', '.join(sorted(known))}"
        )

    def hint(self, name: str, known: Collection[str]) -> str:
        """End an error with the nearest of the `known` names, or with one of another function that is nearer."""
        meant = self.other_names.get(name.lower().strip("_"), name)
        everywhere = {n for names in self.arguments.values() for n in names} | {*known}
        meant = next(iter(get_close_matches(meant, sorted(everywhere), n=1, cutoff=FOREIGN)), meant)
        owners = [owner for owner, names in self.arguments.items() if meant in names]
        if owners and meant not in known:
            return f"; {meant!r} is an argument of {' and '.join(owners)}"
        return suggestion(name, known, self.other_names)
