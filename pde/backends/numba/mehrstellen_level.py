"""The moves of a level of fourth order on compiled kernels, for one right-hand side at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from mgcore import Level
from mgcore.moves import Moves
from pde.backends.numba.mehrstellen import (
    AFTER,
    BEFORE,
    CORRECT,
    DESCEND,
    INTERPOLATE,
    LOAD,
    NORM,
    NOTHING,
    PASS,
    RESIDUAL,
    RESTRICT,
    STORE,
    ZERO,
    Arrays,
    Tables,
    execute,
)
from pde.backends.numba.thread_pool import thread_pool
from pde.backends.numba.work_queue import new_counters
from pde.levels.hierarchy import sweep_of
from pde.levels.interpolation_1d import as_weights, linear_matrix, matrix, quintic, restriction_matrix, without_rounding
from pde.levels.smoothers import RedBlack
from pde.problem.grid import Array, Axis, Grid

PARALLEL = 1 << 14
"""Unknowns from which on a step is worth more than one thread."""

SHORTEST = 16
"""Slabs of a block at least."""

Step = tuple[int, int, int, int]
"""(stage, prepare, sweep, finish), as `execute` takes them."""

RESTRICTION: Step = (RESTRICT, NOTHING, -1, NOTHING)


class Pending(NamedTuple):
    """Data f, the iterate in `buffer`, which has a halo, and what is still to be done there.

    Args:
        prepare: how the iterate comes there from `source`: the first guess, or what corrects it.
        sweeps: 0 for each one forwards, 1 backwards.
    """

    f: Array
    prepare: int = NOTHING
    source: Array | None = None
    sweeps: tuple[int, ...] = ()
    buffer: Array | None = None


class MehrstellenLevel:
    """The moves of a compact `Level` in two or three dimensions with coloured sweeps; `suits` tells which it is.

    Correction, sweeps and residual are made in one pass, when the next move needs it; the iterate stays in a buffer
    from cycle to cycle, until it is stored.
    """

    def __init__(self, level: Level, threads: int) -> None:
        A, fine, coarse = level.A, level.info.grid, level.info.to_coarse.coarse
        dtype, maps = A.coefficients.dtype, (restriction_matrix, linear_matrix, _quintic)
        self.shape, self.threads, self._flat = _three(fine.shape, 1), threads, fine.ndim == 2
        self._coarse, self._closed = coarse.shape, [n + 2 for n in coarse.shape]
        points = np.arange(fine.shape[-1]) % 2
        omega = np.stack((np.full(points.size, sweep_of(level).omega), 1 - points, points)).astype(dtype)
        periodic = np.array(_three([axis.periodic for axis in fine.axes], False))
        self._tables = Tables(_stencil(A), omega, periodic, *(_maps(fine, coarse, make, dtype) for make in maps))
        self._pre, self._post = (tuple(int(B.reverse) for B in sweeps) for sweeps in (level.B, level.B_post))
        self._spare: list[Array] = []

    @staticmethod
    def suits(level: Level) -> bool:
        odd = any(axis.periodic and axis.n % 2 for axis in level.info.grid.axes)
        coloured = all(isinstance(B, RedBlack) for B in (*level.B, *level.B_post))
        bilinear = level.R is not None and hasattr(level.info.to_coarse, "which")
        return level.info.grid.ndim > 1 and not odd and coloured and bilinear

    def start(self, f: Array, u: Any) -> Pending:
        if isinstance(u, Pending):
            return u._replace(f=f)
        return Pending(f, ZERO if u is None else LOAD, u)

    def interpolated(self, u: Array) -> Pending:
        """The first guess from coarse values with those around them."""
        return Pending(u, INTERPOLATE, u)

    def smooth(self, state: Pending) -> Pending:
        buffer = state.buffer
        if buffer is None:
            buffer = self._spare.pop() if self._spare else np.zeros([n + 2 for n in self.shape], state.f.dtype)
        return state._replace(sweeps=state.sweeps + self._pre, buffer=buffer)

    def restrict(self, state: Pending, coarse: Moves[Any]) -> Any:
        r = np.empty((1, *self._coarse), state.f.dtype)
        if self._flat and state.sweeps:
            self._run(_passes(state, DESCEND), state, state.f, r)
        else:
            self._run([*_passes(state, RESIDUAL), RESTRICTION], state, np.empty_like(state.f), r)
        return coarse.start_from_residual(r, None)

    def correct(self, state: Pending, coarse: Any, before: Any, after: Any, *, post: bool = True) -> Pending:
        d = np.ascontiguousarray(coarse.change(before, after))
        return Pending(state.f, CORRECT, d, self._post if post else (), state.buffer)

    def feature(self, state: Pending) -> Pending:
        return state

    def store(self, state: Pending, out: Array, measured: bool = True) -> float:
        """Write u to `out`, and return the root mean square of its residual where it is `measured`."""
        squares = self._run(_passes(state, NORM if measured else STORE), state, out)
        self._spare.append(state.buffer)  # type: ignore[arg-type]
        return float(np.sqrt(squares / out.size))

    def restricted(self, f: Array) -> Array:
        """The right-hand side of the next coarser grid."""
        out = np.empty((1, *self._coarse), f.dtype)
        self._run([RESTRICTION], Pending(f, buffer=np.empty((1, 1, 1), f.dtype)), f, out)
        return out

    def _run(self, steps: list[Step], state: Pending, result: Array, coarse: Array | None = None) -> float:
        """Make steps with all threads, on state.buffer; return the sum of squares of the residual."""
        slabs = self.shape[1 if self._flat else 0]
        parallel = result.size >= PARALLEL and self.threads > 1
        blocks = max(1, min(4 * self.threads, slabs // SHORTEST)) if parallel else 1
        sums, counters = np.zeros(blocks), new_counters()
        shapes = {INTERPOLATE: self._closed, CORRECT: self._coarse}
        source = state.f if state.source is None else state.source
        coarse = np.empty(self._coarse, state.f.dtype) if coarse is None else coarse
        given = (source, shapes.get(state.prepare, self.shape)), (state.f, self.shape), (result, self.shape)
        three = [v.reshape(_three(shape, 1)) for v, shape in (*given, (coarse, self._coarse))]
        call = np.array(steps), blocks, Arrays(state.buffer, *three), self._tables, sums, counters
        for _ in range(self.threads - 1 if blocks > 1 else 0):  # one that comes late finds nothing left to do
            thread_pool(self.threads - 1).ask(execute, *call, False)
        execute(*call, True)
        return float(sums.sum())


def _passes(state: Pending, finish: int) -> list[Step]:
    """The steps that do what is to be done, with one pass for each sweep."""
    if not state.sweeps:
        return [(PASS, state.prepare, -1, NOTHING), (PASS, NOTHING, -1, finish)]
    steps: list[Step] = []
    for k, sweep in enumerate(state.sweeps):
        prepare, end = NOTHING if k else state.prepare, finish if k + 1 == len(state.sweeps) else NOTHING
        steps += [(stage, prepare, sweep, end) for stage in (BEFORE, PASS, AFTER)]
    return steps


def _stencil(A: Any) -> Array:
    """K[a, b, c, i, j, k]: coefficients of the offset (i, j, k) - 1, in the last plane where a is 1, and so on."""
    ndim = A.grid.ndim
    ends = A.coefficients
    for axis in range(1, ndim + 1):
        ends = np.take(ends, [0, -1], axis)
    K = np.moveaxis(ends.reshape((3,) * ndim + (2,) * ndim), range(ndim), range(-ndim, 0))
    if ndim == 2:  # K[b, c, j, k], between planes of zeros
        K = np.pad(K[None, :, :, None], [(0, 1), (0, 0), (0, 0), (1, 1), (0, 0), (0, 0)], mode="constant")
        K[1] = K[0]
    return np.ascontiguousarray(K)


def _maps(fine: Grid, coarse: Grid, make: Any, dtype: np.dtype) -> Any:
    """(indices, weights), (points, entries), along each of three axes."""
    maps = []
    for f, c in zip(fine.axes, coarse.axes, strict=True):
        i, w = as_weights(sp.csr_matrix(sp.identity(f.n))) if f is c else as_weights(make(f, c))
        i = i + (make is _quintic and (f is c or f.periodic))  # the first value is the one before the first unknown
        maps.append((np.ascontiguousarray(i.T), np.ascontiguousarray(w.T.astype(dtype))))
    return tuple(_three(maps, (np.zeros((1, 1), np.int64), np.ones((1, 1), dtype))))


def _quintic(fine: Axis, coarse: Axis) -> sp.csr_matrix:
    return without_rounding(matrix(*quintic(fine, coarse), coarse.n + 2))


def _three(values: Sequence[Any], first: Any) -> tuple[Any, ...]:
    return tuple(values) if len(values) == 3 else (first, *values)
