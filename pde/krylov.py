"""Conjugate gradients with a symmetric cycle as preconditioner, one iteration at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pde.arrays import cast
from pde.grid import Array
from pde.norms import Volumes

DRIFT = 1e-5
"""Updates of the residual may bring it down by this factor before it is computed anew."""


class ConjugateGradients:
    """iterate(f, u) -> u: one more step for A u = f, in the inner product in which A and the preconditioner M are
    self-adjoint; leading batch axes are separate problems, of which `keep` leaves some.

    `project` takes what rounding adds outside of the range of a singular A away again. Made anew for each solve, since
    it remembers the residual and the direction of the last step. The residual is updated step by step, and computed
    from u where it has become so small that rounding may have carried it away from the true one.
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
        if self._r is None or (self._rz < DRIFT**2 * self._computed).any():
            self._r, self._computed = f if u is None else f - self._A(u), None
        self._r = self._project(self._r)
        z = self._project(self._M(self._r))
        rz = self._dot(self._r, z)
        self._computed = rz if self._computed is None else self._computed
        self._p = z if self._p is None else z + _ratio(rz, self._rz) * self._p
        Ap = self._A(self._p)
        step = _ratio(rz, self._dot(self._p, Ap))
        self._r, self._rz = self._r - step * Ap, rz
        return step * self._p if u is None else u + step * self._p

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


def _ratio(a: Array, b: Array) -> Array:
    """a / b, and 0 where a member of the batch has nothing left to do."""
    return (b != 0) * a / (b + (b == 0))
