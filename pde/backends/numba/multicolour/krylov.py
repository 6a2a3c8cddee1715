"""Conjugate gradients in passes over the finest grid that do several things at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mgcore import Remaining
from pde.backends.data import Data
from pde.backends.iterations import Cycling
from pde.backends.numba.multicolour.execute import ADVANCE, CLEAR, COMBINE, DOT, ENERGY, NORM
from pde.problem.grid import Array


class CompiledConjugateGradients(Cycling):
    """Conjugate gradients with a symmetric cycle as preconditioner, as `pde.backends.krylov` makes them."""

    def __init__(self, backend: Any, kind: str, data: Data, u: Array | None = None, out: Array | None = None) -> None:
        super().__init__(backend, "V" if kind == "fmg" else kind, data, u, out)
        self._f = np.ascontiguousarray(self._data.rhs)
        self._z, self._p = np.empty_like(self._f), np.empty_like(self._f)
        self._rz, self._computed = np.zeros(len(self._f)), np.zeros(len(self._f))
        self._r: Any = None

    def advance(self, left: Sequence[Remaining]) -> Sequence[Sequence[float]]:
        eps = float(np.finfo(self._backend.dtype).eps)
        fresh = self._r is None or bool((self._rz < eps * self._computed).any())
        if fresh:
            self._compute()
        self._backend.cycle(self._kind, Data(self._r), out=self._z)
        rz = self._pass([DOT], 0.0, r=self._r, u=self._z)
        energy = self._pass([COMBINE, ENERGY], _ratio(rz, self._rz), u=self._z, p=self._p)
        self._indefinite = (energy <= 0) & (rz != 0)
        step = np.where(self._indefinite, 0.0, _ratio(rz, energy))
        self._rz, self._computed = rz, rz if fresh else self._computed
        begin = [CLEAR] if self._u is None else []
        u = self._own()
        squares = self._pass([*begin, ADVANCE, NORM], step, u=u, p=self._p, f=self._f, r=self._r)
        return self._accept(u, self._backend.norms_of(squares), left)

    def keep(self, members: Sequence[int]) -> None:
        super().keep(members)
        self._f = np.ascontiguousarray(self._data.rhs)
        self._z, self._p = self._z[members], self._p[members]
        self._rz, self._computed = self._rz[members], self._computed[members]
        self._r = None if self._r is None else self._r[members]

    def _compute(self) -> None:
        """The residual of u; directions begin anew where rounding had carried it away."""
        r = np.array(self._residual(), order="C")
        if self._r is not None:
            away = self._backend.norms(r - self._r) > 0.1 * self._backend.norms(r)
            self._rz = np.where(away, np.inf, self._rz)
        self._r = r

    def _pass(self, stages: Sequence[int], factor: Any, **buffers: Array) -> Array:
        """Make stages with a number per member; their sums per member."""
        level, members = self._backend.finest, len(self._f)
        numbers = level.numbers(1.0, *np.broadcast_to(factor, members))
        return level.runner.sweeps(stages, 0, members, numbers, **buffers).sum(axis=1)

    def _own(self) -> Array:
        """Memory for the iterate: the last one if it may be overwritten, else a copy."""
        if self._u is None:
            out = self._take_out()
            return out if out is not None and out.flags.c_contiguous else np.empty_like(self._f)
        return self._u if self._owned else np.array(self._u, order="C")


def _ratio(a: Array, b: Array) -> Array:
    """a / b, and 0 where a member of the batch has nothing left to do."""
    return np.where(b != 0, a / np.where(b != 0, b, 1.0), 0.0)
