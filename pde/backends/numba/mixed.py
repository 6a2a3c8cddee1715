"""Mixed precision on compiled kernels: each cycle is one call in float32, and one pass in float64 around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mgcore import Iteration, Remaining
from pde.backends.data import LARGE, SMALL, Data, Options
from pde.backends.iterations import Cycling
from pde.backends.mixed import Mixed, scale_of
from pde.backends.numba.backend import Numba
from pde.levels.hierarchy import Hierarchy
from pde.problem.grid import Array

SINGLE = np.dtype(np.float32)

FAR = 2.0**30
"""A residual whose size differs by more from what it was taken for is scaled again: float32 holds 2^-126 to 2^127."""


class MixedNumba(Mixed):
    """Defect correction by compiled cycles in float32; `start` drives them without a pass of NumPy.

    Args:
        inner: compiled cycles in float32, of levels with constant or variable coefficients.
    """

    inner: Numba

    def __init__(self, hierarchy: Hierarchy, inner: Numba, options: Options) -> None:
        super().__init__(hierarchy, inner)
        self._options = options
        self._correction: Any = None

    @property
    def correction(self) -> Any:
        """The `Correction` of the finest grid, made when it is first needed."""
        if self._correction is None:
            from pde.backends.numba.correction import Correction

            info = self.hierarchy.levels[0].info
            self._correction = Correction(info.grid, info.operator.terms, self._options.cores)
        return self._correction

    def held(self) -> Sequence[Any]:
        return [*super().held(), self.correction]

    def prepare(self, progress: bool = False) -> None:
        super().prepare(progress)
        self.correction.prepare()

    def start(
        self, kind: str, accel: str | None, data: Data, u: Array | None = None, out: Array | None = None
    ) -> Iteration:
        sizes = data.sizes
        if accel is None and sizes is not None and all(SMALL < size < LARGE for size in sizes):
            return Correcting(self, kind, data, u, out)
        return super().start(kind, accel, data, u, out)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_correction": None}


class Correcting(Cycling):
    """u <- u + s d, where d is a cycle from zero for the residual over s in float32; s is near its size.

    The residual of u and its norm come with u, scaled for the next cycle by what its size was before.
    """

    def __init__(
        self, backend: MixedNumba, kind: str, data: Data, u: Array | None = None, out: Array | None = None
    ) -> None:
        super().__init__(backend, kind, data, u, out)
        self._data = self._data.each(np.ascontiguousarray)
        self._u = self._guess = None if u is None else np.ascontiguousarray(u)
        self._r = np.empty(data.rhs.shape, SINGLE)
        self._d = np.empty(data.rhs.shape[1:], SINGLE)
        self._next = scale_of(self._sizes)
        self._scales = np.ones(len(self._r))
        self._centred = True

    def norms(self) -> Sequence[float]:
        return [self._correct(k, None, None) for k in range(len(self._r))]

    def advance(self, left: Sequence[Remaining]) -> Sequence[Sequence[float]]:
        make = self._nested if self._u is None and self._kind == "fmg" else self._cycle
        out, norms = self._space(), []
        for k, member in enumerate(left):
            make(k)
            norms.append([self._correct(k, self._d, out[k]) / member.scale])
        self._u, self._owned, self._centred = out, True, not self._backend.hierarchy.choices.singular
        return norms

    def u(self) -> Array:
        self._centre()
        return super().u()

    def attainable(self) -> Sequence[float] | None:
        self._centre()
        return super().attainable()

    def keep(self, members: Sequence[int]) -> None:
        self._centre()
        super().keep(members)
        self._r, self._scales, self._next = (each[members] for each in (self._r, self._scales, self._next))

    def _space(self) -> Array:
        """Memory for the next iterate: that of the last one if it may be overwritten."""
        if self._u is not None:
            return self._u if self._owned else np.empty_like(self._u)
        out = self._take_out()
        return out if out is not None and out.flags.c_contiguous else np.empty_like(self._data.rhs)

    def _cycle(self, k: int) -> None:
        """d <- one cycle for the residual of a member."""
        kind = "V" if self._kind == "fmg" else self._kind
        self._backend.inner.kernels.cycle(kind, self._r[k], None, self._d, measure="nothing")

    def _nested(self, k: int) -> None:
        """d <- full multigrid for the right-hand side of a member, which is its residual."""
        inner, s, data = self._backend.inner, self._scales[k], self._data.select([k], self._r.ndim - 1)
        if inner.measures(data):
            inner.kernels.full_multigrid(self._r[k], self._d, "nothing")
            return
        f = None if data.f is None else (data.f / s).astype(SINGLE)
        sides = {key: (g / s).astype(SINGLE) for key, g in data.sides.items()}
        self._d[...] = inner.full_multigrid(Data(self._r[k : k + 1], f, sides))[0][0]

    def _correct(self, k: int, d: Array | None, out: Array | None) -> float:
        """Add s d to the u of a member; return the norm of its residual, which is kept over the next s."""
        f, u, t = self._data.rhs[k], None if self._u is None else self._u[k], self._next[k]
        norm = self._backend.correction(f, u, d, self._scales[k], out, self._r[k], t)
        if not t / FAR < norm < t * FAR:  # the residual left float32, or its squares float64
            u = u if d is None else out
            norm = float(self._backend.norms(f if u is None else f - self._backend.apply(u)))
            t = float(scale_of(norm))
            self._backend.correction(f, u, None, 1.0, None, self._r[k], t)
        self._scales[k], self._next[k] = t, scale_of(norm)
        return norm

    def _centre(self) -> None:
        """Take the mean from u where the problem is singular; no residual shows it."""
        if not self._centred:
            self._u[...] = self._backend.project(self._u)
            self._centred = True
