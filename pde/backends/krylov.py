"""Conjugate gradients with a symmetric cycle as preconditioner, one iteration at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pde.common.arrays import cast, namespace, numpy_dtype
from pde.problem.grid import Array
from pde.problem.inner_product import Volumes


class ConjugateGradients:
    """iterate(f, u) -> u: one more step for A u = f, in the inner product in which A and the preconditioner M are
    self-adjoint; leading batch axes are separate problems, of which `keep` leaves some.

    `project` takes what rounding adds outside of the range of a singular A away again. Made anew for each solve, since
    it remembers the residual and the direction of the last step. The residual is updated step by step, and computed
    from u where it has come down by the root of eps; directions begin anew where rounding had carried it away.
    """

    def __init__(
        self,
        A: Callable[[Array], Array],
        M: Callable[[Array], Array],
        volumes: Volumes,
        project: Callable[[Array], Array],
    ) -> None:
        self._A, self._M, self._volumes, self._project = A, M, volumes, project
        self._r: Any = None
        self._p: Any = None
        self._rz: Any = None
        self._computed: Any = None  # (r, M r) of the last residual that was computed

    def __call__(self, f: Array, u: Array | None) -> Array:
        if self._r is None or (self._rz < _eps(f) * self._computed).any():
            self._compute(f, u)
        z = self._project(self._M(self._r))
        rz = self._dot(self._r, z)
        self._computed = rz if self._computed is None else self._computed
        self._p = z if self._p is None else z + _ratio(rz, self._rz) * self._p
        Ap = self._A(self._p)
        step = _ratio(rz, self._dot(self._p, Ap))
        self._r, self._rz = self._project(self._r - step * Ap), rz
        return step * self._p if u is None else u + step * self._p

    def _compute(self, f: Array, u: Array | None) -> None:
        """The residual of u."""
        r = self._project(f if u is None else f - self._A(u))
        if self._r is not None:
            away = self._dot(r - self._r, r - self._r) > 1e-2 * self._dot(r, r)
            self._rz = namespace(r).where(away, np.inf, self._rz)
        self._r, self._computed = r, None

    def keep(self, members: Sequence[int]) -> None:
        """Go on with these members of the batch alone."""
        if self._r is not None:
            self._r, self._p, self._rz, self._computed = (
                v[members] for v in (self._r, self._p, self._rz, self._computed)
            )

    def _dot(self, v: Array, w: Array) -> Array:
        """The inner product, shaped to multiply grid functions."""
        product = self._volumes.mean(v * w)
        return cast(product.reshape(product.shape + (1,) * (v.ndim - product.ndim)), v.dtype)


def _eps(f: Array) -> float:
    return float(np.finfo(numpy_dtype(f.dtype)).eps)


def _ratio(a: Array, b: Array) -> Array:
    """a / b, and 0 where a member of the batch has nothing left to do."""
    return (b != 0) * a / (b + (b == 0))
