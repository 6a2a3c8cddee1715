"""Locate a module or a weight in a network by its name: the stem, a level, or the head."""

from __future__ import annotations

from typing import NamedTuple

BETWEEN = ("R", "Pi", "B_0", "norm_R", "norm_Pi")
"""Modules that lead from level l to l + 1, at index l; they are counted with the level they lead to, as P is."""

HEAD = ("head", "hidden", "norm_head")
"""Modules of the head: the linear layer and what comes before it, after the last level."""


OTHER = 3
"""The order of names that are of no network."""


class Location(NamedTuple):
    """Locations sort as the network runs.

    Attributes:
        order: 0 for the stem, 1 for levels, 2 for the head, 3 for anything else.
        number: of the level, from 0; 0 elsewhere.
        part: "stem", "head", or the list of modules of a level, such as "A" or "norm_u"; "" for anything else.
    """

    order: int
    number: int
    part: str

    @property
    def level(self) -> int | None:
        """The level's number, finest first from 0; None outside the levels."""
        return self.number if self.order == 1 else None


def locate(name: str) -> Location:
    """Locate a module or a parameter by its name in the network, such as "B.1.0.weight"."""
    part, *rest = name.split(".")
    if part == "W" and len(rest) > 1:  # the operator of a layer: lists of modules by level
        return locate(".".join(rest[1:]))
    if part == "K":  # beside it, on the finest level
        return Location(1, 0, "K")
    if part == "stem":
        return Location(0, 0, "stem")
    if part in HEAD:
        return Location(2, 0, "head")
    if rest and rest[0].isdigit():
        return Location(1, int(rest[0]) + (1 if part in BETWEEN else 0), part)
    return Location(OTHER, 0, "")
