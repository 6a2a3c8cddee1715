"""The passes of `pde.backends.contact`, compiled: each goes over the grid once, by all threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pde.backends.contact import Contact, Passes
from pde.backends.data import LARGE, SMALL
from pde.backends.numba.jit import called
from pde.backends.numba.multicolour.execute import RESIDUAL
from pde.backends.numba.multicolour.runner import ALONE_BELOW, BLOCKS, Runner
from pde.backends.numba.multicolour.tables import Table
from pde.backends.numba.thread_pool import thread_pool
from pde.backends.numba.work_queue import BEGUN, DONE, TAKEN, begun, new_counters, raise_by, wait
from pde.levels.obstacle import ObstacleGrid
from pde.problem.grid import Array


@called
def meet(u, r, f, diagonal, lower, upper, weights, rows, held, moved, sums, blocks, counters, leads):
    """Write `held` and `moved`, and per row the sums of W (residual of complementarity)^2 and W (f + r) u.

    Arrays are rows; one row stands for all that are alike.
    """
    if leads:
        raise_by(counters, BEGUN, 1)
    elif not begun(counters):
        return
    n, d, w = len(u), min(1, len(diagonal) - 1), min(1, len(weights) - 1)
    low, high, s = min(1, len(lower) - 1), min(1, len(upper) - 1), min(1, len(rows) - 1)
    while True:
        block = raise_by(counters, TAKEN, 1)
        if block >= blocks:
            break
        for i in range(n * block // blocks, n * (block + 1) // blocks):
            size, product = np.float64(0), np.float64(0)
            for j in range(u.shape[1]):
                v = u[i, j] + r[i, j] / diagonal[d * i, j]
                clipped = min(max(v, lower[low * i, j]), upper[high * i, j])
                natural = np.float64(rows[s * i, j]) * diagonal[d * i, j] * (clipped - u[i, j])
                size += weights[w * i, j] * natural * natural
                product += weights[w * i, j] * (f[i, j] + r[i, j]) * u[i, j]
                held[i, j] = clipped != v
                moved[i, j] = clipped if clipped != v else u[i, j]
            sums[i, 0], sums[i, 1] = size, product
        raise_by(counters, DONE, 1)
    if leads:
        wait(counters, blocks)


@called
def correct(u, e, lower, upper, out, blocks, counters, leads):
    """Write u + e, clipped."""
    if leads:
        raise_by(counters, BEGUN, 1)
    elif not begun(counters):
        return
    n, low, high = len(u), min(1, len(lower) - 1), min(1, len(upper) - 1)
    while True:
        block = raise_by(counters, TAKEN, 1)
        if block >= blocks:
            break
        for i in range(n * block // blocks, n * (block + 1) // blocks):
            for j in range(u.shape[1]):
                out[i, j] = min(max(u[i, j] + e[i, j], lower[low * i, j]), upper[high * i, j])
        raise_by(counters, DONE, 1)
    if leads:
        wait(counters, blocks)


class CompiledPasses(Passes):
    """The passes by kernels.

    Args:
        threads: at most.
    """

    def __init__(self, grid: ObstacleGrid, threads: int) -> None:
        super().__init__(grid)
        A, dtype = grid.A, grid.rhs.dtype
        self._runner = Runner(Table(A, None, dtype), threads)
        self._threads = threads if A.grid.size > ALONE_BELOW else 1
        self._weights = self._rows(self.volumes.shares)
        self._diagonal, self._f = self._rows(A.diagonal, dtype), np.ascontiguousarray(grid.rhs)
        self._lower, self._upper = (self._rows(b, dtype) for b in (grid.bounds.lower, grid.bounds.upper))
        self._scale = self._rows(1.0 if self.volumes.rows is None else self.volumes.rows)

    def residual(self, u: Array) -> Array:
        r = np.empty(u.shape, u.dtype)
        self._runner.sweeps([RESIDUAL], 0, 1, np.zeros(2, u.dtype), f=self._f, u=np.ascontiguousarray(u), r=r)
        return r

    def corrected(self, u: Array, e: Array) -> Array:
        out = np.empty(u.shape, u.dtype)
        arrays = (np.ascontiguousarray(each).reshape(-1, u.shape[-1]) for each in (u, e))
        self._run(correct, *arrays, self._lower, self._upper, out.reshape(-1, u.shape[-1]))
        return out

    def contact(self, u: Array, r: Array) -> Contact:
        held, moved, n = np.empty(u.shape, bool), np.empty(u.shape, u.dtype), u.shape[-1]
        arrays = [np.ascontiguousarray(each).reshape(-1, n) for each in (u, r)]
        data = self._f.reshape(-1, n), self._diagonal, self._lower, self._upper, self._weights, self._scale
        sums = np.empty((u.size // n, 2))
        self._run(meet, *arrays, *data, held.reshape(-1, n), moved.reshape(-1, n), sums)
        square, product = sums.sum(axis=0)
        if not SMALL**2 < square < LARGE**2:
            return super().contact(u, r)
        return Contact(held, moved, float(np.sqrt(square)), -float(product) / 2)

    def _run(self, kernel: Callable[..., Any], *arrays: Array) -> None:
        blocks = min(len(arrays[0]), BLOCKS * self._threads)
        call = (*arrays, blocks, new_counters())
        for _ in range(self._threads - 1):
            thread_pool(self._threads - 1).ask(kernel, *call, False)
        kernel(*call, True)

    def _rows(self, values: Any, dtype: Any = float) -> Array:
        """Values of the grid as rows, or as one row where all are equal."""
        values, shape = np.asarray(values, dtype), self.grid.A.grid.shape
        if values.min() == values.max():
            return np.full((1, shape[-1]), values.flat[0])
        return np.ascontiguousarray(np.broadcast_to(values, shape)).reshape(-1, shape[-1])
