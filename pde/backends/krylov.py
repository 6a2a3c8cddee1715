"""Conjugate gradients with a symmetric cycle as preconditioner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mgcore import Remaining
from pde.backends.data import Data
from pde.backends.iterations import Cycling
from pde.common.arrays import as_numpy, namespace
from pde.problem.grid import Array


class ConjugateGradients(Cycling):
    """Conjugate gradients with a symmetric cycle M as preconditioner, one iteration at a time.

    `project` takes away again what rounding adds outside of the range of a singular A. The residual is updated step by
    step, and computed from u where it has come down by the root of eps; directions begin anew where rounding had
    carried it away. A member ends as "indefinite" where (p, A p) <= 0, and keeps the u it had.
    """

    def __init__(self, backend: Any, kind: str, data: Data, u: Array | None = None, out: Array | None = None) -> None:
        super().__init__(backend, "V" if kind == "fmg" else kind, data, u, out)
        self._r: Any = None
        self._p: Any = None
        self._rz: Any = None
        self._computed: Any = None  # (r, M r) of the last residual that was computed

    def advance(self, left: Sequence[Remaining]) -> Sequence[Sequence[float]]:
        backend, eps = self._backend, float(np.finfo(self._backend.dtype).eps)
        if self._r is None or (self._rz < eps * self._computed).any():
            self._compute()
        z = backend.project(backend.project(backend.cycle(self._kind, Data(self._r))[0]))  # once leaves what rounds
        rz = backend.dot(self._r, z)
        self._computed = rz if self._computed is None else self._computed
        self._p = z if self._p is None else z + _ratio(rz, self._rz) * self._p
        Ap = backend.apply(self._p)
        curvature = backend.dot(self._p, Ap)
        wrong = (curvature <= 0) & (rz != 0)
        self._indefinite = as_numpy(wrong).reshape(len(wrong))
        step = _ratio(rz, curvature) * ~wrong
        self._r, self._rz = backend.project(self._r - step * Ap), rz
        u = step * self._p if self._u is None else self._u + step * self._p
        return self._accept(backend.project(u), None, left)

    def keep(self, members: Sequence[int]) -> None:
        super().keep(members)
        if self._r is not None:
            self._r, self._p, self._rz, self._computed = (
                v[members] for v in (self._r, self._p, self._rz, self._computed)
            )

    def _compute(self) -> None:
        """The residual of u."""
        r = self._backend.project(self._residual())
        if self._r is not None:
            difference = r - self._r
            away = self._backend.dot(difference, difference) > 1e-2 * self._backend.dot(r, r)
            self._rz = namespace(away).where(away, np.inf, self._rz)
        self._r, self._computed = r, None


def _ratio(a: Any, b: Any) -> Any:
    """a / b, and 0 where a member of the batch has nothing left to do."""
    return (b != 0) * a / (b + (b == 0))
