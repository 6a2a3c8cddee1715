"""What recorded levels pass on: rows of numbers, states whose work is still to be done, and room for both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pde.backends.numba.fused_sweep import NATURAL, SPLIT
from pde.backends.numba.simd import LANES
from pde.problem.grid import Array


@dataclass(frozen=True)
class Rows:
    """Numbers on a grid: flat, in natural order, or each row split into its even and its odd points."""

    values: Array
    split: bool

    @property
    def address(self) -> int:
        return int(self.values.__array_interface__["data"][0])

    @property
    def order(self) -> int:
        return SPLIT if self.split else NATURAL


def as_rows(values: Any) -> Rows:
    return values if isinstance(values, Rows) else Rows(values.reshape(-1), False)


@dataclass(frozen=True)
class Interpolated:
    """The first guess of full multigrid: cubic interpolation of the next coarser grid's u."""

    coarse: Rows


@dataclass(frozen=True)
class State:
    """u as it was last stored (None: zero), f, and what is still to be done: P e, then so many sweeps."""

    f: Rows
    u: Rows | Interpolated | None
    correction: Rows | None = None
    sweeps: int = 0
    flip: bool = False


@dataclass(frozen=True)
class Pending:
    """The u of a state, not yet computed."""

    level: Any
    state: State

    def stored(self) -> Rows:
        """u in the storage of its level."""
        return self.level.stored(self.state)

    def write(self, out: Rows, norm: int = False) -> None:
        """u to `out`; leaves the sum of W (f - A u)^2 where `norm` asks for it."""
        self.level.run(self.state, out, norm=norm)


class Storage:
    """Room for u and f of a level, made when it is first needed."""

    def __init__(self, size: int, dtype: np.dtype) -> None:
        self._size, self._dtype = size, dtype
        self._arrays: dict[str, Rows] = {}

    def __getitem__(self, name: str) -> Rows:
        if name not in self._arrays:
            room = np.zeros(self._size + LANES, self._dtype)  # a loop over the last row ends at whole lanes
            self._arrays[name] = Rows(room[: self._size], True)
        return self._arrays[name]


@dataclass(frozen=True)
class Sweeping:
    """Red-black sweeps of a level before and after the correction; `flip` where they begin with the second colour."""

    nu: int
    nu_post: int
    flip: bool = False
    flip_post: bool = False

    def numbers(self) -> tuple[int, int, int, int]:
        return self.nu, self.nu_post, int(self.flip), int(self.flip_post)


class Packed(NamedTuple):
    """What `cycles.execute` reads of all levels; the numbers of `records` among them are addresses in `faces`."""

    records: Array
    reals: Array
    integers: Array
    deep: Any
    varying: Any
    faces: Sequence[Array]

    @property
    def arguments(self) -> tuple[Any, ...]:
        return self[:5]
