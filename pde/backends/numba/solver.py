"""A solver's levels compiled into programs, and its cycles by them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any
from weakref import WeakSet

import numba
import numpy as np

from mgcore import Level
from mgcore.solve import Remaining
from pde.backends.numba.executor import Executor
from pde.backends.numba.fused_sweep import RESIDUAL
from pde.backends.numba.jit import reported
from pde.backends.numba.level_data import Tables
from pde.backends.numba.states import Packed, Sweeping
from pde.backends.numba.variants import smoother, variant_of
from pde.problem.grid import Array

AT_HAND = 1 << 21
"""Unknowns at most for all cycles in one call."""

MOST = 16
"""Cycles in one call, in which no signal is looked at."""


class Fused:
    """The cycles of a solver by programs, for one right-hand side at a time; made by `fuse`.

    The programs own the storage that they work in: two cycles at once wait for each other.
    """

    def __init__(self, levels: Sequence[Level], packed: Packed, sweeping: Sweeping, threads: int) -> None:
        self.programs, self._size = Executor(levels, packed, sweeping, threads), levels[0].info.grid.size
        self._volumes = [float(np.prod([axis.width.sum() for axis in level.info.grid.axes])) for level in levels]
        self._lock = Lock()
        _EVERY.add(self)

    def prepare(self, report: Callable[[int], Any]) -> list[str]:
        """As `Executor.prepare`; `report` is told how many functions have been compiled, from 0 on if there is one."""
        with self._lock, reported(report):
            return self.programs.prepare()

    def cycle(self, cycle: str, f: Array, u: Array | None, out: Array, start: int = 0) -> float:
        """A cycle that begins on level `start`, from u (None: zero) to `out`, which may be u.

        Returns:
            The root mean square of f - A u over the box.
        """
        with self._lock:
            return self._rms(self.programs.cycle(cycle, start, f, u, out), start)

    def full_multigrid(self, f: Array, out: Array, norm: int = RESIDUAL) -> float:
        """One pass of full multigrid for zero boundary data; returns what `cycle` does, or the same of u (ITERATE)."""
        with self._lock:
            return self._rms(self.programs.cycle("nested", 0, f, None, out, norm), 0)

    @property
    def at_hand(self) -> bool:
        """Whether there is `solve`: the grid is small, and a program is one call."""
        return self._size <= AT_HAND and self.programs.is_one_call

    def solve(self, kind: str, f: Array, u: Array | None, out: Array, remaining: Remaining) -> list[float]:
        """Cycles from u to `out` in one call, until the residual is small enough or does not halve.

        Args:
            kind: of the cycles, or "fmg": full multigrid for zero boundary data, then V-cycles.

        Returns:
            The relative norm after each cycle.
        """
        norms = np.empty(min(remaining.cycles, MOST) + 1)
        norms[0] = remaining.last
        scale = np.array((self._volumes[0], remaining.scale))
        with self._lock:
            count = self.programs.solve(kind, f, u, out, norms, scale, remaining.tolerance)
        return norms[1 : count + 1].tolist()

    def _rms(self, total: float, level: int) -> float:
        return float(np.sqrt(total / self._volumes[level]))


_EVERY: WeakSet[Fused] = WeakSet()


def _unlock() -> None:
    """In a child of a process one of whose threads was in a cycle: that thread is not there to end it."""
    for each in _EVERY:
        each._lock = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


def fuse(levels: Sequence[Level], dtype: np.dtype, threads: int) -> Fused | str:
    """Fused levels for plain ones, or the reason why there are none."""
    variant = variant_of(levels, dtype)
    if isinstance(variant, str):
        return variant
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return "NUMBA_DISABLE_JIT keeps Numba from compiling"
    varying = variant.coefficients == "varying"
    tables = Tables(dtype, varying)
    for level in levels[:-1]:
        info = level.info
        tables.add(info.grid, info.operator.terms, smoother(level).args[1], info.to_coarse)
    packed = Packed(*tables.pack(), None if variant.ndim == 2 else True, True if varying else None, tables.faces)
    return Fused(levels, packed, _sweeping(levels[0]), threads)


def _sweeping(level: Level) -> Sweeping:
    def reverse(B: Sequence[Any]) -> bool:
        return bool(B and B[0].keywords.get("reverse", False))

    return Sweeping(len(level.B), len(level.B_post), reverse(level.B), reverse(level.B_post))
