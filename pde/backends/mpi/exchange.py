"""Planes of a level in the memory of one rank, and the messages that complete them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from pde.backends.mpi.slabs import Ranges, Slabs
from pde.backends.numba.buffers import SLACK, address
from pde.common.ranks import Ranks
from pde.problem.grid import Array

TAG = 20
"""Of our messages; the communicator is our own."""


class Planes:
    """Numbers on some planes of a level, in one piece.

    Args:
        first, last: the planes that there is memory for.
        size: numbers in a plane.
        array: the memory, with `SLACK` numbers behind; None makes it.

    Attributes:
        made: the planes that each rank has made, which others take from it.
        valid: the planes that each rank knows, in one piece with those that it has made.
    """

    def __init__(self, slabs: Slabs, first: int, last: int, size: int, dtype: np.dtype, array: Array | None = None):
        self.slabs, self.first, self.last, self.size = slabs, first, last, size
        self.array = np.zeros((last - first) * size + SLACK, dtype) if array is None else array
        self.made: Ranges = slabs.made
        self.valid: Ranges = slabs.made

    @property
    def address(self) -> int:
        """The address that plane 0 would have."""
        return address(self.array) - self.first * self.size * self.array.itemsize

    def part(self, begin: int, end: int) -> Array:
        """The numbers of planes begin, ..., end - 1."""
        return self.array[(begin - self.first) * self.size : (end - self.first) * self.size]

    def bytes(self, begin: int, end: int) -> Array:
        """The same as bytes, for messages."""
        return self.part(begin, end).view(np.uint8)

    def written(self, made: Ranges, valid: Ranges | None = None) -> None:
        """Note which planes have been made; what was known of others is out of date."""
        self.made = self.valid = made
        if valid is not None:
            self.valid = valid

    def lacks(self, needed: Ranges) -> bool:
        """Whether a rank does not know planes that it needs; all ranks agree."""
        if needed is self.valid:
            return False
        some = needed[:, 0] < needed[:, 1]
        known = (self.valid[:, 0] <= needed[:, 0]) & (needed[:, 1] <= self.valid[:, 1])
        return bool(np.any(some & ~known))


class Piece(NamedTuple):
    """Planes begin, ..., end - 1 of a rank that another rank has at planes begin + shift, ..."""

    source: int
    target: int
    begin: int
    end: int
    shift: int


@dataclass
class Missing:
    """The pieces of one `Planes` that ranks lack."""

    planes: Planes
    needed: Ranges
    pieces: list[Piece]


def missing(planes: Planes, needed: Ranges) -> Missing:
    """The pieces that complete `needed` on every rank, each from the rank that has made it."""
    this = planes.slabs
    turns = -(-this.pad // this.n)  # a halo may go around a short axis more than once
    key = *(each.tobytes() for each in (planes.made, planes.valid, needed)), this.n, turns
    return Missing(planes, needed, _pieces(*key))


@lru_cache(maxsize=1024)
def _pieces(*key: Any) -> list[Piece]:
    """The pieces by the bytes of the ranges made, valid and needed, the planes and the turns around them."""
    made, valid, every = (np.frombuffer(each, np.int64).reshape(-1, 2).tolist() for each in key[:3])
    n, turns = key[3:]
    found = []
    for target, (low, high) in enumerate(every):
        known = valid[target]
        for begin, end in _without(low, high, *known):
            for shift in range(-turns * n, turns * n + 1, n):
                for source, (a, b) in enumerate(made):
                    first, last = max(begin, a - shift), min(end, b - shift)
                    if first < last:
                        found.append(Piece(source, target, first, last, shift))
    return found


def _without(low: int, high: int, a: int, b: int) -> list[tuple[int, int]]:
    """The parts of low, ..., high - 1 that are not in a, ..., b - 1."""
    if low >= high:
        return []
    if a >= b or b <= low or high <= a:
        return [(low, high)]
    return [part for part in ((low, a), (b, high)) if part[0] < part[1]]


class Exchange:
    """One message to and from each rank that has or needs pieces; `wait` puts what has come in its place."""

    def __init__(self, ranks: Ranks, lists: Sequence[Missing]) -> None:
        self._lists, self._ranks, me = lists, ranks, ranks.rank
        self._requests, self._came = [], dict[int, Array]()
        self._me, self._pieces = me, [(each.planes, piece) for each in lists for piece in each.pieces]
        pieces = self._pieces
        for planes, piece in pieces:
            if piece.source == piece.target == me:
                planes.bytes(piece.begin, piece.end)[:] = planes.bytes(
                    piece.begin + piece.shift, piece.end + piece.shift
                )
        for source in sorted({p.source for _, p in pieces if p.target == me and p.source != me}):
            count = sum(len(x.bytes(p.begin, p.end)) for x, p in pieces if (p.source, p.target) == (source, me))
            self._came[source] = np.empty(count, np.uint8)
            self._requests.append(ranks.comm.Irecv(self._came[source], source=source, tag=TAG))
        self._sent = []  # kept until they are gone
        for target in sorted({p.target for _, p in pieces if p.source == me and p.target != me}):
            parts = [
                x.bytes(p.begin + p.shift, p.end + p.shift) for x, p in pieces if (p.source, p.target) == (me, target)
            ]
            message = np.concatenate(parts)
            self._sent.append(message)
            self._requests.append(ranks.send(message, target, TAG))

    def wait(self) -> None:
        """Wait for all messages; from then on each rank knows what it needed."""
        self._ranks.wait(self._requests)
        taken = dict.fromkeys(self._came, 0)
        for planes, p in self._pieces:
            if p.target == self._me and p.source != self._me:
                target, begin = planes.bytes(p.begin, p.end), taken[p.source]
                target[:] = self._came[p.source][begin : begin + len(target)]
                taken[p.source] += len(target)
        for each in self._lists:
            each.planes.valid = _joined(each.planes.valid, each.needed)


def _joined(known: Ranges, needed: Ranges) -> Ranges:
    """The planes that each rank knows when it has those that it needed: the hull, where they are in one piece."""
    none = needed[:, 0] >= needed[:, 1]
    apart = (known[:, 0] >= known[:, 1]) | (known[:, 1] < needed[:, 0]) | (needed[:, 1] < known[:, 0])
    hull = np.stack((np.minimum(known[:, 0], needed[:, 0]), np.maximum(known[:, 1], needed[:, 1])), axis=1)
    return np.where(none[:, None], known, np.where(apart[:, None], needed, hull))
