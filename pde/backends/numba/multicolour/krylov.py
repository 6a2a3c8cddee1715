"""Conjugate gradients in passes over the finest grid that do several things at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mgcore import Remaining
from pde.backends.data import Data
from pde.backends.iterations import Cycling
from pde.backends.numba.multicolour.execute import ADD, CLEAR, COMBINE, DOT, ENERGY, RESIDUAL
from pde.problem.grid import Array


class CompiledConjugateGradients(Cycling):
    """Conjugate gradients with a symmetric cycle as preconditioner; see `pde.backends.krylov`.

    The residual is computed from u in each iteration, in the pass that changes u.
    """

    def __init__(self, backend: Any, kind: str, data: Data, u: Array | None = None, out: Array | None = None) -> None:
        super().__init__(backend, "V" if kind == "fmg" else kind, data, u, out)
        self._f = np.ascontiguousarray(self._data.rhs)
        self._r: Any = None
        self._z, self._p = np.empty_like(self._f), np.empty_like(self._f)
        self._rz = np.zeros(len(self._f))

    def advance(self, left: Sequence[Remaining]) -> Sequence[Sequence[float]]:
        if self._r is None:
            self._r = np.ascontiguousarray(self._residual()) if self._u is not None else self._f
        self._backend.cycle(self._kind, Data(self._r), out=self._z)
        rz = self._pass([DOT], 0.0, r=self._r, u=self._z)
        energy = self._pass([COMBINE, ENERGY], _ratio(rz, self._rz), u=self._z, p=self._p)
        step, self._rz = _ratio(rz, energy), rz
        begin = [CLEAR] if self._u is None else []
        u = self._own()
        r = np.empty_like(self._f) if self._r is self._f else self._r
        squares = self._pass([*begin, ADD, RESIDUAL], step, u=u, p=self._p, f=self._f, r=r)
        self._r = r
        return self._accept(u, self._backend.norms_of(r, squares), left)

    def keep(self, members: Sequence[int]) -> None:
        super().keep(members)
        self._f = np.ascontiguousarray(self._data.rhs)
        self._z, self._p, self._rz = self._z[members], self._p[members], self._rz[members]
        self._r = None if self._r is None else self._r[members]

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
