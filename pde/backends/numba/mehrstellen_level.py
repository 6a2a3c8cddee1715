"""The moves of a level of fourth order on compiled kernels, for one right-hand side at a time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from mgcore import Level
from mgcore.moves import Moves
from pde.backends.numba.mehrstellen import (
    CORRECT,
    DESCEND,
    INTERPOLATE,
    LOAD,
    NORM,
    RELAX,
    RESIDUAL,
    RESTRICT,
    STORE,
    ZERO,
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


class Pending(NamedTuple):
    """Data f, and the iterate: u, or what a `buffer` with a halo holds; `first` is the step that brings it there."""

    f: Array
    u: Array | None = None
    first: int = ZERO
    buffer: Array | None = None


class MehrstellenLevel:
    """The moves of a compact `Level` in two or three dimensions with coloured sweeps; `suits` tells which it is.

    The iterate stays in a buffer from cycle to cycle, until it is stored.
    """

    def __init__(self, level: Level, threads: int) -> None:
        A, sweep, fine = level.A, sweep_of(level), level.info.grid
        coarse, dtype = level.info.to_coarse.coarse, A.coefficients.dtype
        self.shape, self.threads = _three(fine.shape, 1), threads
        self._coarse, self._closed = coarse.shape, [n + 2 for n in coarse.shape]
        points = np.arange(fine.shape[-1]) % 2
        relaxation = np.stack((np.full(points.size, sweep.omega), 1 - points, points)).astype(dtype)
        self._stencil = _stencil(A), relaxation, np.array(_three([axis.periodic for axis in fine.axes], False))
        self._maps = tuple(_maps(fine, coarse, make, dtype) for make in (restriction_matrix, linear_matrix, _quintic))
        pre, post = (
            [step for B in sweeps for step in _relax(B.reverse, fine.ndim)] for sweeps in (level.B, level.B_post)
        )
        to_coarse = [(DESCEND, 0)] if fine.ndim == 2 else [(RESIDUAL, 0), (RESTRICT, 0)]
        self._down, self._up = [*pre, *to_coarse], post
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
        return Pending(f, u, ZERO if u is None else LOAD)

    def interpolated(self, u: Array) -> Pending:
        """The first guess from coarse values with those around them."""
        return Pending(u, u, INTERPOLATE)

    def smooth(self, state: Pending) -> Pending:
        """Leave it to `restrict`."""
        if state.buffer is not None:
            return state
        return state._replace(buffer=self._spare.pop() if self._spare else self._new(state.f.dtype))

    def restrict(self, state: Pending, coarse: Moves[Any]) -> Any:
        r = np.empty((1, *self._coarse), state.f.dtype)
        first = [] if state.first == CORRECT else [(state.first, 0)]
        self._run([*first, *self._down], state, np.empty_like(state.f), r)
        return coarse.start_from_residual(r, None)

    def correct(self, state: Pending, coarse: Any, before: Any, after: Any, *, post: bool = True) -> Pending:
        d = np.ascontiguousarray(coarse.change(before, after))
        self._run([(CORRECT, 0), *(self._up if post else [])], state, state.f, d)
        return Pending(state.f, None, CORRECT, state.buffer)

    def feature(self, state: Pending) -> Pending:
        return state

    def store(self, state: Pending, out: Array, measured: bool = True) -> float:
        """Write u to `out`, and return the root mean square of its residual where it is `measured`."""
        steps = [(STORE, 0), *[(NORM, 0)] * measured]
        squares = self._run(steps, state, out, np.empty(self._coarse, out.dtype))
        self._spare.append(state.buffer)  # type: ignore[arg-type]
        return float(np.sqrt(squares / out.size))

    def restricted(self, f: Array) -> Array:
        """The right-hand side of the next coarser grid."""
        out = np.empty((1, *self._coarse), f.dtype)
        self._run([(RESTRICT, 0)], Pending(f, buffer=np.empty((1, 1, 1), f.dtype)), f, out)
        return out

    def _new(self, dtype: Any) -> Array:
        return np.zeros([n + 2 for n in self.shape], dtype)

    def _run(self, steps: Any, state: Pending, result: Array, coarse: Array) -> float:
        """Make steps with all threads; return the sum of squares of the last residual."""
        blocks = 4 * self.threads if result.size >= PARALLEL and self.threads > 1 else 1
        sums, counters = np.zeros(blocks), new_counters()
        guess = state.f if state.u is None else state.u
        of_guess = self._closed if state.first == INTERPOLATE else self.shape
        given = zip((guess, state.f, result, coarse), (of_guess, self.shape, self.shape, self._coarse), strict=True)
        arrays = state.buffer, *(v.reshape(_three(shape, 1)) for v, shape in given)
        call = np.array(steps), blocks, arrays, self._stencil, self._maps, sums, counters
        for _ in range(self.threads - 1 if blocks > 1 else 0):  # one that comes late finds nothing left to do
            thread_pool(self.threads - 1).ask(execute, *call, False)
        execute(*call, True)
        return float(sums.sum())


def _relax(reverse: bool, ndim: int) -> list[tuple[int, int]]:
    """The steps of a sweep, one per class of rows; backwards the odd columns come first."""
    classes = [2 * i + j for i, j in product(range(ndim - 1), range(2))]
    return [(RELAX, 2 * c + reverse) for c in (reversed(classes) if reverse else classes)]


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
