"""The values that recorded levels pass on: rows of a buffer, and states whose work is still to be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pde.backends.numba.fused_sweep import NATURAL, NOTHING, SPLIT
from pde.problem.grid import Array


@dataclass(frozen=True)
class Rows:
    """Numbers on a grid in a buffer of the plan, in natural order or with each row split by parity."""

    buffer: int
    split: bool

    @property
    def order(self) -> int:
        return SPLIT if self.split else NATURAL


@dataclass(frozen=True)
class Interpolated:
    """The first guess of full multigrid: cubic interpolation of the next coarser grid's u, with the boundary data."""

    coarse: Rows


@dataclass(frozen=True)
class State:
    """u as it was last stored (None: zero), f, and the work still to be done: P e, then so many sweeps."""

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
        """Store u in the buffer of its level."""
        return self.level.stored(self.state)

    def write(self, out: Rows, norm: int = NOTHING) -> None:
        """Store u in `out` and sum the squares that `norm` asks for."""
        self.level.write(self.state, out, norm)


@dataclass(frozen=True)
class Sweeping:
    """Red-black sweeps of a level before and after the correction; `flip` where they begin with the second colour."""

    nu: int
    nu_post: int
    flip: bool = False
    flip_post: bool = False


class Packed(NamedTuple):
    """The tables of all levels as `interpreter.execute` reads them; `fields` are the variable coefficients."""

    records: Array
    reals: Array
    integers: Array
    is_3d: Any
    varying: Any
    fields: Sequence[Array]

    @property
    def arguments(self) -> tuple[Any, ...]:
        return self.is_3d, self.varying, self[:3]
