"""Messages and bytes of cycles on slabs, by a formula: no array, no solver and no MPI is needed.

A rank makes the planes cuts[r], ..., cuts[r + 1] - 1 of a level. Before it sweeps and restricts, it needs planes of its
neighbours, for the same arithmetic on them: two for each sweep (one for each colour), one for the residual, and those
that its coarse planes are made from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

KINDS = {
    "points": ((0, 2), (-2, 4), 1),
    "ends": ((-1, 1), (-3, 3), 0),
    "cells": ((-1, 2), (0, 1), 0),
}
"""Points from a Dirichlet end on, points from a Neumann end or around, cells: the first and the last fine plane, less
2j, that coarse plane j is restricted from, the same for the right-hand side of full multigrid, and the parity of fine
planes that are at coarse ones."""

LEAST = 4
"""Planes of a slab at least."""

Ranges = np.ndarray
"""(ranks, 2): planes begin, ..., end - 1 of each rank."""


class Counts(NamedTuple):
    """Messages of one rank and their bytes; calls that gather, and the bytes that it gives to them."""

    messages: int = 0
    sent: int = 0
    collectives: int = 0
    shared: int = 0

    def plus(self, *others: Counts) -> Counts:
        """The sum with others."""
        return Counts(*(sum(each) for each in zip(self, *others, strict=True)))


@dataclass(frozen=True, eq=False)
class Level:
    """Planes of a level.

    Args:
        n: planes. plane: numbers in each. kind: a key of `KINDS`. around: whether the last is beside the first.
        cuts: (ranks + 1,): where slabs begin. given: where the planes begin that each rank restricts to; other ones
            only where fewer ranks make slabs.
        divided: whether ranks make slabs of it; else all of them make all planes.
    """

    n: int
    plane: int
    kind: str
    around: bool
    cuts: np.ndarray
    given: np.ndarray
    divided: bool

    @property
    def made(self) -> Ranges:
        return np.stack((self.cuts[:-1], self.cuts[1:]), axis=1)

    @property
    def restricted(self) -> Ranges:
        return np.stack((self.given[:-1], self.given[1:]), axis=1)

    def wider(self, ranges: Ranges, more: int) -> Ranges:
        """So many more planes on either side, as far as there are any; a rank without planes needs none."""
        found = ranges + np.array([-more, more])
        found = found if self.around else np.clip(found, 0, self.n)
        return np.where((ranges[:, :1] < ranges[:, 1:]) & (self.made[:, :1] < self.made[:, 1:]), found, 0)

    def down(self, coarse: Level, sweeps: int) -> Ranges:
        """The planes that a rank reads to make sweeps, and the residual of the planes that it restricts from.

        Slabs of points begin: 2 sweeps + 1 planes below; above, one or two more, where the last coarse plane reaches.
        """
        first, last = KINDS[self.kind][0]
        begin, end = self.made.T
        low, high = coarse.restricted.T
        some = low < high
        begin = np.where(some, np.minimum(begin, 2 * low + first), begin)
        end = np.where(some, np.maximum(end, 2 * (high - 1) + last + 1), end)
        ranges = np.stack((begin, end), axis=1)
        ranges = ranges if self.around else np.clip(ranges, 0, self.n)
        return self.wider(ranges, 2 * sweeps + 1)

    def parents(self, coarse: Level, fine: Ranges, cubic: bool) -> Ranges:
        """The coarse planes that fine ones are interpolated from."""
        begin, end = fine.T
        reach = [_parents(self.kind, i, cubic) for i in (begin, np.minimum(begin + 1, end - 1))]
        low = np.minimum(reach[0][0], reach[1][0])
        reach = [_parents(self.kind, i, cubic) for i in (end - 1, np.maximum(end - 2, begin))]
        high = np.maximum(reach[0][1], reach[1][1]) + 1
        found = np.where(fine[:, :1] < fine[:, 1:], np.stack((low, high), axis=1), 0)
        return found if self.around else np.clip(found, 0, coarse.n)

    def data_of(self, share: Ranges) -> Ranges:
        """The planes that the right-hand side of full multigrid is restricted from."""
        first, last = KINDS[self.kind][1]
        found = np.stack((2 * share[:, 0] + first, 2 * (share[:, 1] - 1) + last + 1), axis=1)
        found = np.where(share[:, :1] < share[:, 1:], found, 0)
        return found if self.around else np.clip(found, 0, self.n)


def _parents(kind: str, i: np.ndarray, cubic: bool) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last coarse plane that each plane i is interpolated from."""
    half, odd = i // 2, i % 2
    if kind == "cells":
        return half - 1 + odd - cubic, half + odd + cubic
    parity = KINDS[kind][2]
    low = half - parity
    return np.where(odd == parity, half, low - cubic), np.where(odd == parity, half, low + 1 + cubic)


def levels_of(
    shape: Sequence[int],
    ranks: int,
    kind: str = "points",
    around: bool = False,
    whole: int = 1 << 14,
    first_whole: int = 99,
) -> list[Level]:
    """The levels of a grid that is halved along all axes, until every rank makes the whole level.

    Only axis 0 is of the kind; the others have points between Dirichlet ends, or cells.

    Args:
        whole: unknowns at most of a level that every rank makes.
        first_whole: a level that every rank makes in any case.
    """
    n, cuts = shape[0], np.arange(ranks + 1) * shape[0] // ranks
    first = KINDS[kind][0][0]
    found: list[Level] = []
    size = [int(x) for x in shape]
    while True:
        given = cuts
        divided = not (found and (int(np.prod(size)) <= whole or len(found) >= first_whole or (around and n % 2)))
        if found and divided and n < LEAST * np.count_nonzero(np.diff(found[-1].cuts)):
            cuts = fewer(n, ranks)
        found.append(Level(n, int(np.prod(size[1:])), kind, around, cuts, given, divided))
        if not divided:
            return found
        size = [(size[0] + (kind == "ends" and not around)) // 2, *(x // 2 for x in size[1:])]
        # the coarse planes of a rank are those whose first fine plane it makes, the outermost at the ends
        m = size[0]
        inner = np.clip(-(-(cuts - first) // 2), 0, m)
        cuts, n = np.concatenate(([0], inner[1:-1], [m])), m


def fewer(n: int, ranks: int) -> np.ndarray:
    """Cuts among every second, fourth, ... rank, so that each slab has `LEAST` planes."""
    step = 1
    while step < ranks and n < LEAST * -(-ranks // step):
        step *= 2
    active = -(-ranks // step)
    return np.array([n * min(-(-r // step), active) // active for r in range(ranks + 1)])


class Part(NamedTuple):
    """Planes of a level that ranks need in a message, those that they know, and those that each of them has made."""

    level: Level
    needed: Ranges
    known: Ranges
    made: Ranges


def exchange(parts: Sequence[Part], rank: int, size: int, near: Sequence[int] = ()) -> Counts:
    """One message to each rank that needs any planes that this one has made.

    Args:
        size: bytes of a number. near: distances of the ranks that may need any; empty asks all.
    """
    ranks = len(parts[0].needed)
    others = range(ranks) if not near else {(rank + k) % ranks for k in near}
    messages = sent = 0
    for other in others:
        planes = sum(_lacking(part, rank, other) * part.level.plane for part in parts) if other != rank else 0
        messages, sent = messages + (planes > 0), sent + planes * size
    return Counts(messages, sent)


def _lacking(part: Part, source: int, target: int) -> int:
    """Planes that one rank has made, and another one needs and does not know."""
    (low, high), (a, b) = part.needed[target].tolist(), part.known[target].tolist()
    begin, end = part.made[source].tolist()
    missing = [(low, high)] if a >= b or b <= low or high <= a else [(low, min(a, high)), (max(b, low), high)]
    shifts = (-part.level.n, 0, part.level.n) if part.level.around else (0,)
    return sum(max(0, min(y, end + s) - max(x, begin + s)) for x, y in missing for s in shifts)


def cycle(
    levels: Sequence[Level], nu: tuple[int, int], rank: int, *, top: int = 0, start: str = "u",
    known: Ranges | None = None, norm: str = "residual", size: int = 8, tiles: int = 1, near: Sequence[int] = (),
) -> Counts:  # fmt: skip
    """One V-cycle.

    Args:
        nu: sweeps before and after the correction.
        top: the level that it begins on.
        start: from "u", from "zero", or "cubic": from the solution of the next coarser level.
        known: the planes of f that each rank knows on that level; None: those that it makes.
        norm: sums of planes that all ranks get: of the "residual", of the "iterate", "products" for cg, or "" for none.
        size: bytes of a number. tiles: sums of a plane.
    """
    total, of_f = Counts(), dict[int, Ranges]()
    count = next(k for k, level in enumerate(levels) if not level.divided)
    for l in range(top, count):
        this, coarse = levels[l], levels[l + 1]
        window = this.down(coarse, nu[0])
        made = this.made if l == top else this.restricted
        before = known if l == top and known is not None else made
        parts = [Part(this, window, before, made)]
        if l == top and start == "u":
            parts.append(Part(this, window, this.made, this.made))
        if l == top and start == "cubic" and coarse.divided:
            parts.append(Part(coarse, this.parents(coarse, window, cubic=True), coarse.made, coarse.made))
        total = total.plus(exchange(parts, rank, size, near))
        of_f[l] = _hull(before, window)
    if top < count:  # f of the first level that every rank makes
        total = total.plus(_gathered(levels[count], rank, size))
    for l in reversed(range(top, count)):
        this, coarse = levels[l], levels[l + 1]
        window = this.wider(this.made, 2 * nu[1] + (l == top and norm in ("residual", "products")))
        made = this.made if l == top else this.restricted
        parts = [Part(this, window, of_f[l], made), Part(this, window, this.made, this.made)]
        if coarse.divided:
            parts.append(Part(coarse, this.parents(coarse, window, cubic=False), coarse.made, coarse.made))
        total = total.plus(exchange(parts, rank, size, near))
    if norm and top < count:
        total = total.plus(_sums(levels[top], rank, tiles * (1 + (norm == "products"))))
    return total


def full_multigrid(
    levels: Sequence[Level], nu: tuple[int, int], rank: int, norm: str = "residual", size: int = 8, tiles: int = 1,
    near: Sequence[int] = (),
) -> Counts:  # fmt: skip
    """One pass of full multigrid without boundary data: f of all levels, then a V-cycle on each of them."""
    total, known = Counts(), []
    count = next(k for k, level in enumerate(levels) if not level.divided)
    for this, coarse in pairwise(levels[: count + 1]):
        share = coarse if coarse.divided else _shares(coarse)
        needed = this.data_of(share.made)
        total = total.plus(exchange([Part(this, needed, this.made, this.made)], rank, size, near))
        known.append(_hull(this.made, needed))
    if count:
        total = total.plus(_gathered(_shares(levels[count]), rank, size))
    for l in reversed(range(count)):
        more = {"top": l, "start": "cubic", "known": known[l], "size": size, "tiles": tiles, "near": near}
        total = total.plus(cycle(levels, nu, rank, norm=norm if l == 0 else "", **more))
    return total


def cg_iteration(
    levels: Sequence[Level], nu: tuple[int, int], rank: int, size: int = 8, tiles: int = 1, near: Sequence[int] = ()
) -> Counts:
    """An iteration of conjugate gradients: a cycle, then z and two iterates with a plane on each side."""
    finest = levels[0]
    beside = Part(finest, finest.wider(finest.made, 1), finest.made, finest.made)
    preconditioner = cycle(levels, nu, rank, start="zero", norm="products", size=size, tiles=tiles, near=near)
    return preconditioner.plus(exchange([beside] * 3, rank, size, near), _sums(finest, rank, 1))


def _shares(level: Level) -> Level:
    cuts = np.arange(len(level.cuts)) * level.n // (len(level.cuts) - 1)
    return Level(level.n, level.plane, level.kind, level.around, cuts, cuts, level.divided)


def _gathered(level: Level, rank: int, size: int) -> Counts:
    return Counts(0, 0, 1, int(np.diff(level.given)[rank]) * level.plane * size)


def _sums(level: Level, rank: int, numbers: int) -> Counts:
    return Counts(0, 0, 1, int(np.diff(level.cuts)[rank]) * numbers * 8)


def _hull(one: Ranges, other: Ranges) -> Ranges:
    none = other[:, :1] >= other[:, 1:]
    both = np.stack((np.minimum(one[:, 0], other[:, 0]), np.maximum(one[:, 1], other[:, 1])), axis=1)
    apart = (one[:, :1] >= one[:, 1:]) | (one[:, 1:] < other[:, :1]) | (other[:, 1:] < one[:, :1])
    return np.where(none, one, np.where(apart, other, both))
