"""The arrays that plans work on: plans hold indices, and their addresses are looked up once per run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pde.backends.numba.simd import MOST
from pde.backends.numba.workspace import GUARD_VALUE
from pde.problem.grid import Array

NULL, F, U, OUT, NODAL, TERMS, FIELDS = range(7)
"""Indices in every plan: no buffer, and what a run is given (U may be none, for zero; later rounds take u from OUT;
NODAL is f without its boundary data, TERMS these data, see `boundary_terms`, or none); from FIELDS on the variable
coefficients, four a level."""

SLACK = MOST
"""Numbers behind each buffer: loops over its last row read whole lanes, and what they find there is not used."""


class Buffer(NamedTuple):
    """The name of an array and its numbers; none for one that a run is given or a level has."""

    name: str
    size: int = 0


FIRST_BUFFERS = tuple(map(Buffer, ("-", "f", "u", "out", "nodal f", "boundary data")))


class Buffers:
    """The arrays of a solver by their names, made when a plan first needs them.

    Args:
        fields: variable coefficients of all levels.
    """

    def __init__(self, dtype: np.dtype, fields: Sequence[Array]) -> None:
        self._dtype, self._fields = dtype, fields
        self._arrays: dict[Buffer, Array] = {}

    def __getitem__(self, buffer: Buffer) -> Array:
        return self._whole(buffer)[: buffer.size]

    def addresses(self, buffers: Sequence[Buffer]) -> Array:
        """Return the address of each buffer of a plan; 0 for those that a run is given."""
        own = buffers[FIELDS + len(self._fields) :]
        arrays = [*self._fields, *map(self._whole, own)]
        return np.array([0] * FIELDS + [address(array) for array in arrays], np.int64)

    def poison(self) -> None:
        """Fill the numbers behind buffers with one that `check` knows."""
        for buffer, array in self._arrays.items():
            array[buffer.size :] = GUARD_VALUE

    def check(self) -> None:
        """Check the numbers behind buffers, `poison` before.

        Raises:
            RuntimeError: one was written to; names the buffers.
        """
        written = [buffer.name for buffer, array in self._arrays.items() if (array[buffer.size :] != GUARD_VALUE).any()]
        if written:
            raise RuntimeError(f"a kernel wrote beyond the end of {', '.join(written)}")

    def _whole(self, buffer: Buffer) -> Array:
        if buffer not in self._arrays:
            self._arrays[buffer] = np.zeros(buffer.size + SLACK, self._dtype)
        return self._arrays[buffer]


def address(array: Array) -> int:
    """Return the address of the first number of an array."""
    return int(array.__array_interface__["data"][0])
