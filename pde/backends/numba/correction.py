"""The pass of `pde.backends.numba.defect` over the finest grid of a solver: its tables and its threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pde.backends.numba import defect
from pde.backends.numba.buffers import address
from pde.backends.numba.defect import RECORD
from pde.backends.numba.jit import prepared
from pde.backends.numba.thread_pool import Turns, thread_pool
from pde.backends.numba.work_queue import new_counters
from pde.problem.coefficients import Terms, grid_fluxes
from pde.problem.grid import Array, Grid

PARALLEL = 1 << 13
"""Unknowns from which on the pass is worth more than one thread."""

SHARES, LEAST = 4, 8
"""Blocks of each thread at most, and planes that each block has at least."""

STREAMED = 1 << 25
"""Bytes of a residual from which on it is written past the cache."""

Tables = tuple[Array, Array, list[Array]]
"""The record, lines and faces of a grid; see `defect.execute`."""


class Correction:
    """u <- u + s d in float64 with the residual of the new u, for d from cycles in float32.

    Args:
        grid, terms: of the finest level.
    """

    def __init__(self, grid: Grid, terms: Terms, threads: int) -> None:
        self._volume = float(np.prod([axis.width.sum() for axis in grid.axes]))
        self._record, self._lines, self._faces = self._tables(grid, terms)
        n0, n1, n = (int(k) for k in self._record[0]["n"])
        size = n0 * n1 * n
        threads = min(threads, n0 // LEAST) if size >= PARALLEL else 1
        blocks = max(1, threads) if threads <= 1 else threads * max(1, min(SHARES, n0 // (LEAST * threads)))
        self._record["blocks"], self._record["streamed"] = blocks, 4 * size >= STREAMED
        self._halo, self._sums = np.zeros(2 * blocks * n1 * n), np.zeros(n0)
        self._rows = [np.zeros(2 * n) for _ in range(max(1, threads))]
        self._single, self._turns = np.zeros(1, np.float32), Turns()

    def prepare(self) -> list[str]:
        """Load the kernel or compile it; as `jit.prepared`."""
        return prepared(defect.execute, (*self._call(np.zeros(9, np.int64), 1.0, 1.0), True, self._rows[0]))

    def __call__(
        self, f: Array, u: Array | None, d: Array | None, s: float, out: Array | None, r: Array | None, t: float
    ) -> float:
        """Write u + s d to `out`, which may be u, and (f - A out) / t to r; return the norm of f - A out.

        Args:
            f, u, out: contiguous arrays in float64. u: None is zero.
            d, r: in float32. d: None leaves u as it is, and `out` is not used. r: None is not written.
            s, t: powers of two, so that no digits are lost.
        """
        given = (f, u, d, out if d is not None else None, r, *self._faces)
        addresses = np.array([0 if each is None else address(each) for each in given], np.int64)
        call = self._call(addresses, s, 1 / t)
        with self._turns:
            for rows in self._rows[1:]:  # a thread that comes late finds nothing left to do
                thread_pool(len(self._rows) - 1).ask(defect.execute, *call, False, rows)
            defect.execute(*call, True, self._rows[0])
            return float(np.sqrt(self._total() / self._volume))

    def _total(self) -> float:
        """The sum over all planes."""
        return float(self._sums.sum())

    def _tables(self, grid: Grid, terms: Terms) -> Tables:
        return tables(grid, [grid_fluxes(grid, terms, a) for a in range(grid.ndim)], terms.reaction)

    def _call(self, addresses: Array, *scales: float) -> tuple[Any, ...]:
        tables = self._record, self._lines, self._halo
        return *tables, addresses, np.array(scales), self._single, self._sums, new_counters()


def tables(grid: Grid, fluxes: Sequence[Array], reaction: Any) -> Tables:
    """The tables of a grid with a/h at faces across each axis."""
    record, lines, faces = np.zeros(1, RECORD), list[Array](), list[Array]()
    numbers = [0, None, 1] if grid.ndim == 2 else [0, 1, 2]
    shape = [1 if a is None else grid.shape[a] for a in numbers]
    for k, a in enumerate(numbers):
        width = np.ones(1) if a is None else grid.axes[a].width
        flux = np.zeros(2) if a is None else fluxes[a]
        record["n"][0, k], record["periodic"][0, k] = shape[k], a is not None and grid.axes[a].periodic
        varies = flux.ndim > 1
        if k < 2:
            low, high = (1.0, 1.0) if varies else (flux[:-1], flux[1:])
            lines += [low / width, high / width, width]
            flux = flux if varies else np.ones(shape[2])
        else:
            lines += [1 / width, width]
        faces.append(np.ascontiguousarray(flux, float))
        record["face_row"][0, k] = flux.shape[-1] if varies else 0
    varies = np.ndim(reaction) > 0
    faces.append(np.ascontiguousarray(np.broadcast_to(reaction, grid.shape if varies else shape[2:]), float))
    record["face_row"][0, 3] = shape[2] if varies else 0
    return record, np.concatenate(lines), faces
