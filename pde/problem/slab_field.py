"""A field of a grid whose planes along axis 0 are divided among ranks, so that none of them holds all of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from pde.common.ranks import Ranks
from pde.problem.grid import Array

TAG = 22
"""Of messages with planes of fields."""


class SlabField:
    """An array (n, ...) of which this rank has the planes cuts[rank], ..., cuts[rank + 1] - 1.

    All methods but those of one plane after the other (`map`) are collective: all ranks call them, in the same order.

    Args:
        cuts: (ranks + 1,), from 0 to n; a rank may have no plane.
        values: the planes of this rank.

    >>> from mpi4py import MPI
    >>> field = SlabField(Ranks(MPI.COMM_SELF), [0, 3], np.array([1.0, 2.0, 4.0]))
    >>> field.window(-1, 2).tolist()
    [4.0, 1.0, 2.0]
    """

    def __init__(self, ranks: Ranks, cuts: Any, values: Array) -> None:
        self.ranks, self.cuts, self.values = ranks, np.asarray(cuts), values
        self.begin, self.end = map(int, self.cuts[ranks.rank : ranks.rank + 2])
        self.shape: tuple[int, ...] = (int(self.cuts[-1]), *values.shape[1:])
        self.ndim = values.ndim
        self._layers: dict[tuple[int, int], Array] = {}

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def map(self, function: Callable[[Array], Array]) -> SlabField:
        """A function of each plane, as one of all planes of this rank."""
        return SlabField(self.ranks, self.cuts, function(self.values))

    def window(self, begin: int, end: int) -> Array:
        """The planes begin, ..., end - 1 that this rank asks for; they are counted on around the axis."""
        return self.windows(np.array(self.ranks.every((int(begin), int(end)))))

    def windows(self, ranges: Array) -> Array:
        """The planes that this rank asks for, one of the `ranges` (ranks, 2) of all ranks, which all of them know.

        There is one message at most from each rank to each other one.
        """
        comm, me = self.ranks.comm, self.ranks.rank
        begin, end = map(int, ranges[me])
        found = np.empty((max(0, end - begin), *self.values.shape[1:]), self.values.dtype)
        requests, came = [], dict[int, tuple[Array, list[tuple[int, int]]]]()
        shares = np.stack((self.cuts[:-1], self.cuts[1:]), axis=1)
        for source, parts in self._common(np.array([[begin, end]]), shares).items():
            if source == me:
                for low, high in parts:
                    first = low % self.shape[0]
                    found[low - begin : high - begin] = self.values[first - self.begin :][: high - low]
                continue
            buffer = np.empty((sum(high - low for low, high in parts), *found.shape[1:]), found.dtype)
            came[source] = buffer, parts
            requests.append(comm.Irecv(buffer, source=source, tag=TAG))
        for target, parts in self._common(ranges, np.array([[self.begin, self.end]])).items():
            if target != me:
                n = self.shape[0]
                message = np.concatenate([self.values[low % n - self.begin :][: high - low] for low, high in parts])
                self.ranks.messages, self.ranks.sent = self.ranks.messages + 1, self.ranks.sent + message.nbytes
                requests.append(comm.Isend(message, dest=target, tag=TAG))  # the request keeps the message
        self.ranks.wait(requests)
        for buffer, parts in came.values():
            taken = 0
            for low, high in parts:
                found[low - begin : high - begin] = buffer[taken : taken + high - low]
                taken += high - low
        return found

    def _common(self, windows: Array, shares: Array) -> dict[int, list[tuple[int, int]]]:
        """The planes of windows that are in shares, or in these some turns on, by the row of the longer argument."""
        n, found = self.shape[0], dict[int, list[tuple[int, int]]]()
        for turn in range(int(windows.min()) // n, -(-int(windows.max()) // n)):
            low = np.maximum(windows[:, 0], shares[:, 0] + turn * n)
            high = np.minimum(windows[:, 1], shares[:, 1] + turn * n)
            for row in np.flatnonzero(low < high).tolist():
                found.setdefault(row, []).append((int(low[row]), int(high[row])))
        return found

    def whole(self) -> Array:
        """All planes."""
        return self.ranks.joined(self.values)

    def layer(self, axis: int, side: int) -> Array:
        """The values beside a side, of the side's shape, on every rank."""
        if (axis, side) not in self._layers:
            if axis == 0:
                at = 0 if side == 0 else self.shape[0] - 1
                owner = int(np.searchsorted(self.cuts, at, side="right")) - 1
                here = self.values[at - self.begin] if owner == self.ranks.rank else None
                self._layers[axis, side] = self.ranks.of(owner, here)
            else:
                self._layers[axis, side] = self.ranks.joined(np.take(self.values, -side, axis))
        return self._layers[axis, side]

    @cached_property
    def extremes(self) -> tuple[float, float]:
        """The smallest and the largest value; no messages once they are known."""
        own = np.min(self.values, initial=np.inf), -np.max(self.values, initial=-np.inf)
        least, most = self.ranks.least(own)
        return float(least), -float(most)

    def min(self, axis: None = None, out: None = None) -> float:
        """The smallest value, for np.min."""
        return self.extremes[0]

    def max(self, axis: None = None, out: None = None) -> float:
        """The largest value, for np.max."""
        return self.extremes[1]

    def sum(self) -> float:
        """The sum of `plane_sums`, the same for any cuts."""
        return math.fsum(self.ranks.joined(plane_sums(self.values)))


def plane_sums(values: Array) -> Array:
    """The sum over each plane of axis 0: with math.fsum they add up to the same bits on any number of ranks."""
    return np.ascontiguousarray(values).reshape(len(values), math.prod(values.shape[1:])).sum(axis=1)
