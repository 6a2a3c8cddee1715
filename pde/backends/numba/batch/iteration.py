"""The solve of a batch whose members are side by side in the lanes of vectors; see `mgcore.Iteration`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mgcore import Remaining
from pde.backends.data import LARGE, SMALL, Data
from pde.problem.grid import Array


class CyclesOfBatch:
    """Cycles of all members in one call, each until it ends; rows of arrays stay where they are.

    Args:
        backend: makes the cycles that are no kernels' task: full multigrid with boundary data, and data whose norms
            have no squares.
    """

    def __init__(self, backend: Any, kind: str, data: Data, u: Array | None, out: Array | None) -> None:
        self._backend, self._batches, self._kind, self._data = backend, backend.batches, kind, data
        self._f = np.ascontiguousarray(data.rhs)
        self._sizes: np.ndarray = backend.norms(data.rhs) if data.sizes is None else data.sizes
        self.scale: Sequence[float] = self._sizes.tolist()
        self._active = np.arange(len(self._f))
        self._guess = None if u is None else np.ascontiguousarray(u)
        self._out = out if out is not None and out.flags.c_contiguous else None
        self._u: Array | None = None
        self._given_away = False

    def norms(self) -> Sequence[float]:
        return self._norms().tolist()

    def advance(self, left: Sequence[Remaining]) -> Sequence[Sequence[float]]:
        every, source = np.array(left, float), self._guess if self._u is None else self._u
        nested = self._kind == "fmg" and source is None
        out = self._space()
        good = bool(np.all((every[:, 1] > SMALL) & (every[:, 1] < LARGE)))
        if not good or (nested and not self._batches.takes_homogeneous(self._data)):
            return self._plainly(source, out, every[:, 1])
        kind = "V" if self._kind == "fmg" and not nested else self._kind
        norms, counts = self._batches.solve(kind, self._f, source, out, self._active, every)
        rows = norms[:, : counts.max(initial=1)].tolist()
        return [row[:count] for row, count in zip(rows, counts.tolist(), strict=True)]

    def attainable(self) -> Sequence[float] | None:
        if self._u is None:
            return None
        return self._backend.rounding(self._of(self._u), self._of(self._sizes)).tolist()

    def failures(self) -> Sequence[str | None]:
        return [None] * len(self._active)

    def u(self) -> Array:
        if self._u is None:
            return np.zeros_like(self._f) if self._guess is None else self._guess.copy()
        self._given_away = True
        return self._u

    def keep(self, members: Sequence[int]) -> None:
        self._active = self._active[members]

    def _space(self) -> Array:
        """Memory for the next iterates, where members that have ended are already."""
        if self._u is None:
            self._u = np.empty_like(self._f) if self._out is None else self._out
            if len(self._active) < len(self._f):
                self._u[...] = 0 if self._guess is None else self._guess
        elif self._given_away:
            self._u = self._u.copy()
        self._given_away = False
        return self._u

    def _plainly(self, source: Array | None, out: Array, scales: np.ndarray) -> Sequence[Sequence[float]]:
        """One cycle of the backend."""
        data = self._data if self._is_whole else self._data.select(self._active.tolist(), self._f.ndim - 1)
        if self._kind == "fmg" and source is None:
            u = self._backend.full_multigrid(data)[0]
        else:
            kind = "V" if self._kind == "fmg" else self._kind
            u = self._backend.cycle(kind, data, None if source is None else self._of(source))[0]
        out[self._active] = self._backend.project(u)
        return (self._norms() / scales)[:, None].tolist()

    def _norms(self) -> np.ndarray:
        u = self._guess if self._u is None else self._u
        f = self._of(self._f)
        return np.asarray(self._backend.norms(f if u is None else f - self._backend.apply(self._of(u))))

    @property
    def _is_whole(self) -> bool:
        return len(self._active) == len(self._f)

    def _of(self, v: Array) -> Array:
        """The rows of the members that take part."""
        return v if self._is_whole else v[self._active]
