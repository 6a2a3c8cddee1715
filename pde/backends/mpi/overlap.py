"""A pass in parts: the planes inside of a slab while messages are on their way, then those beside its ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pde.backends.mpi.exchange import Planes
from pde.backends.numba.buffers import SLACK, address
from pde.backends.numba.interpreter import HALO
from pde.backends.numba.plan import Plan
from pde.problem.grid import Array

LONG = 32
"""Planes of a slab at least whose passes are made in parts, in units of those that a pass reads beside it: each part
computes some of its neighbours' planes again."""

COARSE = 4
"""Planes further inside, where coarse planes are on their way too."""

Range = tuple[int, int]


def cuts(made: Range, window: Range, reach: int) -> list[Range] | None:
    """The parts of a slab, the inside first; None where it is made as one.

    Args:
        made: its planes. window: those that a pass reads. reach: planes that any part reads beside it, at most.
    """
    (begin, end), (low, high) = made, window
    first, last = begin + (reach if low < begin else 0), end - (reach if high > end else 0)
    if end - begin < LONG * reach or first >= last or (first, last) == made:  # a pass may lack coarse planes alone
        return None
    return [(first, last), *(part for part in ((begin, first), (last, end)) if part[0] < part[1])]


class PassInParts:
    """A pass, and the copy of its halo where it overwrites u, over parts of its planes.

    Args:
        leg: the pass, or the copy and the pass. parts: see `cuts`.
        planes: by their indices in the plan.
        memory: for the halos of the parts; kept for the next pass.
    """

    def __init__(
        self, leg: Plan, parts: list[Range], addresses: Array, planes: Mapping[int, Planes], memory: dict[Any, Array]
    ) -> None:
        self._leg, self._parts, self._addresses = leg, parts, addresses
        self._step = leg.steps[-1]
        self._copies = len(leg.steps) > 1
        self._u = planes[int(self._step["u"])] if self._copies else None
        self._halos = [self._halo(k, memory) for k in range(len(parts))] if self._copies else []

    def copy(self, execute: Callable[..., Any]) -> None:
        """Copy the halos of all parts, before any of them overwrites u."""
        for k in range(len(self._halos)):
            execute(self._part(k, HALO), self._with_halo(k))

    def inside(self, make: Callable[..., Any]) -> None:
        """Make the planes that need none of other ranks."""
        make(self._part(0), self._with_halo(0))

    def outside(self, make: Callable[..., Any]) -> None:
        """Make the others, when all planes have come."""
        for k in range(1, len(self._parts)):
            self._complete(k)
            make(self._part(k), self._with_halo(k))

    def _part(self, k: int, op: int | None = None) -> Plan:
        begin, end = self._parts[k]
        steps = self._leg.steps[-1:].copy()
        steps["begin"], steps["planes"], steps["blocks"] = begin, end - begin, self._strips(k) * self._step["tiles"]
        if op is not None:
            steps["op"], steps["blocks"] = op, self._strips(k)
        return replace(self._leg, steps=steps)

    def _strips(self, k: int) -> int:
        """The strips of planes that a part is divided into, for threads."""
        begin, end = self._parts[k]
        strips = int(self._step["blocks"]) // int(self._step["tiles"])
        return max(1, strips * (end - begin) // max(1, int(self._step["planes"])))

    def _halo(self, k: int, memory: dict[Any, Array]) -> Array:
        assert self._u is not None
        count = 2 * int(self._step["beside"]) * self._strips(k) * self._u.size + SLACK
        key = k, count, self._u.array.dtype
        if key not in memory:
            memory[key] = np.zeros(count, self._u.array.dtype)
        return memory[key]

    def _with_halo(self, k: int) -> Array:
        if not self._copies:
            return self._addresses
        addresses = self._addresses.copy()
        addresses[self._step["halo"]] = address(self._halos[k])
        return addresses

    def _complete(self, k: int) -> None:
        """Put planes of other ranks, which have come, in the halo of a part of one strip or more."""
        if self._u is None:
            return
        u, beside, (begin, end) = self._u, int(self._step["beside"]), self._parts[k]
        halo, last = self._halos[k], 2 * beside * (self._strips(k) - 1) * u.size
        if begin == self._begin:
            first = max(begin - beside, u.first)
            halo[(first - begin + beside) * u.size : beside * u.size] = u.part(first, begin)
        if end == self._begin + int(self._step["planes"]):
            count = min(end + beside, u.last) - end
            start = last + beside * u.size
            halo[start : start + count * u.size] = u.part(end, end + count)

    @property
    def _begin(self) -> int:
        return int(self._step["begin"])
