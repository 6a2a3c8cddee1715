"""The work space of a step: areas of numbers that one thread has for itself, with a guard behind each of them.

The areas are declared here alone. Kernels get them as pointers (`Work`); `WorkSpace` can check that none writes into a
guard.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Mapping
from typing import Any

import numpy as np

from pde.backends.numba.simd import MOST
from pde.problem.grid import Array

LINE = 64
"""Bytes of a cache line; a work space begins with one."""

GUARD = 2 * MOST
"""Numbers behind each area that no kernel writes, as many as the widest store has. Vectors that begin before the end of
an area may read them, in lanes that are not used."""

GUARD_VALUE = 2.0**99
"""The value of guards where they are checked; float32 has it too."""

COARSE_SLOTS = 4
"""Coarse planes that are kept: cubic interpolation needs so many."""

COARSE_SUMS = 3
"""Coarse planes that one plane of the residual may add to."""

Work = namedtuple(
    "Work",
    "row plane coarse_row coarse_plane ring r_ring u zero f r r_row r_line scratch mixed_row mixed "
    "coarse sums data_plane data_row data_halves data_line modes tags slots",
)
"""The work space as kernels see it: distances, and pointers to the areas.

Attributes:
    row, plane, coarse_row, coarse_plane: numbers of each.
    ring, r_ring: planes in the rings of u and f, and in that of the residual.
    u, f, r: rings of planes.
    zero: a row of zeros.
    r_row, r_line: a row of the residual restricted across the rows, and then along itself.
    scratch: new values of boundary points, or a coarse row split by parity.
    mixed, mixed_row: coarse values interpolated across the planes, and then across the rows.
    coarse: planes of the coarse grid in slots.
    sums: planes of the restricted residual that are not complete yet.
    data_plane, data_row, data_line: a right-hand side restricted across the planes, and then across the rows,
        in natural order; `data_halves` is split by parity and `data_line` restricted along itself.
    modes: two fields of the coarsest grid.
    tags, slots: the plane that each slot holds, and the slots of the planes that are needed.
"""


_AREAS = Work._fields[Work._fields.index("u") : Work._fields.index("tags")]
DIVISION = np.dtype([(name, np.int64) for name in (*Work._fields[:-2], "size")])
"""How a work space is divided: the distances, the offset of each area, and the length of all."""


def of_a_pass(n: Array, m: Array, span: int, sweeps: int, rows: int | None = None, alone: bool = False) -> np.void:
    """Return the division for a pass over a grid of (planes, rows, points) n, the next coarser one having m.

    Args:
        span: planes at most that a coarse one is restricted from; in two dimensions they are kept until then.
        rows: of a tile of each plane, with a row of zeros before and one behind them; None: all, without these.
        alone: there is one plane, as in one dimension: all places of a ring are the same.
    """
    row, coarse_row, ring = row_length(n[2]), row_length(m[2]), planes_kept(sweeps)
    plane, coarse_plane = (n[1] if rows is None else rows + 2) * row, m[1] * coarse_row
    r_ring = span + 1 if n[1] == 1 else 2
    planes, coarse_planes, sums = (1, 1, 0) if alone else (ring, COARSE_SLOTS, COARSE_SUMS)
    areas = {
        "u": planes * plane,
        "zero": row,
        "f": planes * plane,
        "r": (1 if alone else r_ring) * plane,
        "r_row": row,
        "r_line": coarse_row,
        "scratch": row,
        "mixed_row": coarse_row,
        "mixed": coarse_plane,
        "coarse": coarse_planes * coarse_plane,
        "sums": sums * coarse_plane,
    }
    distances = (0, coarse_row, 0) if alone else (plane, coarse_row, coarse_plane)
    return _divided(areas, (row, *distances, ring, r_ring))


def of_restricted_data(n: Array, m: Array) -> np.void:
    """Return the division for the restriction of a right-hand side; the grids as in `of_a_pass`."""
    row = row_length(n[2])
    areas = {"data_plane": n[1] * n[2], "data_row": n[2], "data_halves": row, "data_line": row_length(m[2])}
    return _divided(areas, (row,))


def of_direct_solution(size: int) -> np.void:
    """Return the division for a direct solution that works on two fields of this size."""
    return _divided({"modes": size})


def planes_kept(sweeps: int) -> int:
    """Return the number of planes of u in the work space of a pass."""
    return 2 * sweeps + 3


def row_length(n: int) -> int:
    """Return the length of a row of n points in the work space; see `layout`."""
    return MOST + sum(_whole(half) + MOST for half in ((n + 1) // 2, n // 2))


def _whole(count: int) -> int:
    return -(-int(count) // MOST) * MOST


def _divided(areas: Mapping[str, int], distances: tuple[int, ...] = ()) -> Any:
    division, end = np.zeros(1, DIVISION)[0], 0
    for name in _AREAS:
        division[name] = -1  # there is no such area
    for name, size in areas.items():
        division[name] = end
        end += _whole(size) + GUARD
    division["size"] = end
    for name, value in zip(Work._fields, distances, strict=False):
        division[name] = value
    return division


class WorkSpace:
    """The work space of one thread, `tags_and_slots` and `numbers` as kernels take them."""

    def __init__(self, dtype: np.dtype, size: int) -> None:
        whole = np.zeros(size * dtype.itemsize + LINE, np.int8)
        whole = whole[-whole.__array_interface__["data"][0] % LINE :][: size * dtype.itemsize]
        self.tags_and_slots, self.numbers = np.zeros(2 * COARSE_SLOTS, np.int64), whole.view(dtype)

    @property
    def arguments(self) -> tuple[Array, Array]:
        return self.tags_and_slots, self.numbers

    def poison(self, division: np.void) -> None:
        """Fill the areas with NaN, and the guards with a number that no area holds.

        NaN shows in the result where a number is read before it is written.
        """
        self.numbers.fill(np.nan)
        for _, guard in self._guards(division):
            guard.fill(GUARD_VALUE)

    def check(self, division: np.void) -> None:
        """Check the guards after a step with this division, `poison` before it.

        Raises:
            RuntimeError: a guard was written to; names the areas before these.
        """
        written = [name for name, guard in self._guards(division) if not (guard == GUARD_VALUE).all()]
        if written:
            raise RuntimeError(f"a kernel wrote beyond the end of {', '.join(written)}")

    def _guards(self, division: np.void) -> list[tuple[str, Array]]:
        areas = sorted((int(division[name]), name) for name in _AREAS if division[name] >= 0)
        ends = [*(begin for begin, _ in areas[1:]), int(division["size"])]
        return [(name, self.numbers[end - GUARD : end]) for (_, name), end in zip(areas, ends, strict=True)]
