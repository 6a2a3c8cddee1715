"""Mixed precision on compiled kernels: each cycle is one call in float32, and one pass in float64 around it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any
from weakref import finalize

import numpy as np

from mgcore import Iteration, Remaining
from pde.backends.base import Backend, Moments
from pde.backends.data import Data, Norms, Options, Vector
from pde.backends.full_multigrid import is_homogeneous
from pde.backends.iterations import Cycling
from pde.backends.mixed import Mixed, scale_of
from pde.backends.numba.backend import LARGE_VECTOR, Numba, space
from pde.backends.plane_means import PlaneMeans
from pde.levels.hierarchy import Hierarchy
from pde.problem.grid import Array

SINGLE = np.dtype(np.float32)

LONGEST = {2: 128, 3: 256}
"""Unknowns along an axis up to which full multigrid in float32 saves time: it leaves a residual of about 3e-9 n^2 ||f||
by rounding alone, and in float64 4 n^-2 ||f|| where f is smooth. That takes some cycles from there on."""

TINY, HUGE = 1e-110, 1e110
"""Data whose sizes are between these have residuals with exact squares, down to rounding."""

FLOOR = 3e-9
"""That residual is FLOOR n^2 ||f|| for n unknowns along the longest axis; cycles in float32 end above it."""

EXPECTED = 0.03
"""Factor of a cycle, until one has been measured."""

FAR = 2.0**30
"""A residual whose size differs by more from what it was taken for is scaled again: float32 holds 2^-126 to 2^127."""


class MixedNumba(Mixed):
    """Defect correction by compiled cycles in float32; `start` drives them without a pass of NumPy.

    Args:
        inner: cycles in float32, of levels with constant or variable coefficients.
        double: the same in float64 for full multigrid, where that needs it; see `LONGEST`.
    """

    inner: Numba

    def __init__(self, hierarchy: Hierarchy, inner: Numba, double: Numba | None, options: Options) -> None:
        super().__init__(hierarchy, inner)
        self.double, self._options = double, options
        self._correction: Any = None
        self._spare: list[tuple[Array, Array]] = []
        self.is_small = hierarchy.levels[0].info.grid.size < LARGE_VECTOR

    @cached_property
    def means(self) -> PlaneMeans:
        """Means over the finest grid."""
        return PlaneMeans(self.hierarchy.levels[0].info.grid)

    @property
    def correction(self) -> Any:
        """The `Correction` of the finest grid, made when it is first needed."""
        if self._correction is None:
            from pde.backends.numba.correction import Correction

            info = self.hierarchy.levels[0].info
            self._correction = Correction(info.grid, info.operator.terms, self._options.cores)
        return self._correction

    def held(self) -> Sequence[Any]:
        spare = [each for pair in self._spare for each in pair]
        return [*super().held(), self.correction, *spare, *(() if self.double is None else self.double.held())]

    def prepare(self, progress: bool = False) -> None:
        super().prepare(progress)
        self.correction.prepare()
        if self.double is not None:
            self.double.prepare(progress)

    def vector(self, x: Array, *, level: int = 0) -> Vector:
        return np.ascontiguousarray(x)

    def mean(self, v: Array) -> np.ndarray:
        """The mean of each member."""
        return np.asarray(self.hierarchy.volumes[0].mean(v) if self.is_small else self.means(v))

    def moments(self, v: Array) -> Moments:
        return Moments(self.mean(v), self.mean(abs(v)), self.norms(v))

    def dot(self, v: Vector, w: Vector, *, level: int = 0) -> Any:
        return self.mean(v * w).reshape((-1,) + (1,) * (v.ndim - 1))

    def without_mean(self, v: Array, out: Array | None = None) -> Array:
        return np.asarray(np.subtract(v, self.mean(v).reshape((-1,) + (1,) * (v.ndim - 1)), out=out))

    def project(self, v: Vector, *, level: int = 0, out: Vector = None) -> Vector:
        return self.without_mean(v, out) if self.hierarchy.choices.singular else v

    def centred(self, v: Array) -> tuple[Array, np.ndarray, np.ndarray]:
        out = self.without_mean(self.without_mean(v))  # twice: once leaves the rounding of a large mean
        return out, self.norms(v), self.norms(out)

    def sizes(self, v: Array) -> np.ndarray:
        return self.norms(v)

    def norms(self, v: Vector, *, level: int = 0) -> np.ndarray:
        if self.is_small:
            return super().norms(v)
        found = np.array([self._norm(np.ascontiguousarray(each)) for each in v])
        for k in np.flatnonzero(~((found > TINY) & (found < HUGE))):  # their squares are not exact
            size = self.inner.largest(v[k : k + 1])[0]
            unit = np.ldexp(1.0, np.frexp(size)[1] - 1)
            found[k] = unit * self._norm(v[k] / unit) if size > 0 and np.isfinite(size) else size
        return found

    def _norm(self, v: Array) -> float:
        norm: float = self.correction(v, None, None, 1.0, None, None, 1.0)
        return norm

    def lend(self, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """Memory for the residuals of members and a correction: that of a solve which has ended, or new one."""
        with suppress(IndexError):
            r, d = self._spare.pop()
            if r.shape == shape:
                return r, d
        return self.residuals(shape), self.residuals((1, *shape[1:]))[0]

    def residuals(self, shape: tuple[int, ...]) -> Array:
        """New memory in float32, (members, ...)."""
        return np.empty(shape, SINGLE)

    def space(self, like: Array, out: Array | None = None) -> Array:
        """Memory for iterates: `out` where kernels can write to it, or new one."""
        return space(like, out)

    def take_back(self, r: Array, d: Array) -> None:
        """Keep this memory for the next solve."""
        if not self._spare:
            self._spare.append((r, d))

    def full_multigrid(self, data: Data, *, out: Vector = None, measure: str | None = None) -> tuple[Vector, Norms]:
        if self.double is not None:
            return self.double.full_multigrid(data, out=out, measure=measure)
        out, ndim = space(data.nodal, out), data.nodal.ndim - 1
        for k, each in enumerate(out):
            member = data.select([k], ndim)
            s = scale_of(self.norms(member.nodal))
            np.multiply(s, self.nested_cycles(member, s), out=each[None])
        return out, None

    def nested_cycles(self, data: Data, s: Any) -> Array:
        """Full multigrid in float32 for data over s."""
        f, sides = (data.nodal / s).astype(SINGLE), {key: (g / s).astype(SINGLE) for key, g in data.sides.items()}
        u: Array = self.inner.full_multigrid(Data(f, sides=sides), measure="iterate")[0]
        return u

    def start(
        self, kind: str, accel: str | None, data: Data, u: Array | None = None, out: Array | None = None
    ) -> Iteration:
        sizes, batches = data.sizes, self.inner.batches
        if batches and batches.take(len(data.rhs)):  # members of small grids side by side
            return super().start(kind, accel, data, u, out)
        if accel is None and sizes is not None and all(size == 0 or TINY < size < HUGE for size in sizes):
            return Correcting(self, kind, data, u, out)
        return super().start(kind, accel, data, u, out)

    def symmetric(self) -> Backend:
        other = copy.copy(self)
        inner: Any = self.inner.symmetric()
        other.inner, other._correction = inner, self.correction
        return other

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_correction": None, "_spare": []}


class Correcting(Cycling):
    """u <- u + s d, where d is a cycle from zero for the residual over s in float32; s is near its size.

    Several cycles in float32 make a d where rounding leaves them an effect; the norms between them are of float32. The
    residual of u and its norm come with u, scaled for the next cycle by what its size was before.
    """

    def __init__(
        self, backend: MixedNumba, kind: str, data: Data, u: Array | None = None, out: Array | None = None
    ) -> None:
        super().__init__(backend, kind, data, u, out)
        self._r, self._d = backend.lend(data.rhs.shape)
        finalize(self, backend.take_back, self._r, self._d)
        self._next = scale_of(self._sizes)
        self._scales = np.ones(len(self._r))
        self._centred = True

    def norms(self) -> Sequence[float]:
        return [self._correct(k, None, None) for k in range(len(self._r))]

    def advance(self, left: Sequence[Remaining]) -> Sequence[Sequence[float]]:
        nested, out = self._u is None and self._kind == "fmg", self._space()
        if nested and self._backend.double is not None:
            self._u, _ = self._backend.double.full_multigrid(self._data, out=out, measure="iterate")
            norms = [self._correct(k, None, None) for k in range(len(left))]
            found: list[list[float]] = [[norm] for norm in norms]
        else:
            found = []
            for k, member in enumerate(left):
                d, between = self._cycles(k, member, nested)
                found.append([*between, self._correct(k, d, out[k])])
            self._u = out
        self._owned, self._centred = True, not self._backend.hierarchy.choices.singular
        return [[norm / member.scale for norm in norms] for norms, member in zip(found, left, strict=True)]

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
        if self._u is None:
            return self._backend.space(self._data.rhs, self._take_out())
        return self._u if self._owned else self._backend.space(self._u)

    def _cycles(self, k: int, left: Remaining, nested: bool) -> tuple[Array, list[float]]:
        """Cycles for the residual of a member, and the norms between them.

        There is another one while the residual has halved, is above the tolerance, and is expected to be above what
        rounding leaves after that.
        """
        unit, tolerance = float(self._scales[k]), left.tolerance * left.scale
        first = last = left.last * left.scale
        longest = max(self._backend.hierarchy.levels[0].info.grid.shape)
        floor, rate, between = FLOOR * longest**2 * first, EXPECTED, list[float]()
        d: Array | None = None
        while True:
            more = len(between) + 1 < left.cycles and last * rate**2 > floor and last * rate > tolerance
            d, norm = self._cycle(k, d, nested and d is None, "residual" if more else "nothing")
            norm *= unit
            if not more or not tolerance < norm <= 0.5 * last or norm * norm / last < floor:
                return d, between
            between.append(norm)
            rate, last = norm / last, norm

    def _cycle(self, k: int, d: Array | None, nested: bool, measure: str) -> tuple[Array, float]:
        """One cycle from d for the residual of a member, or full multigrid for it; the norm that it leaves."""
        kernels, r, out = self._backend.inner.kernels, self._r[k], self._d
        if not nested:
            kind = "V" if self._kind == "fmg" else self._kind
            return out, kernels.cycle(kind, r, d, out, measure=measure)
        if is_homogeneous(self._data, self._backend.hierarchy):
            return out, kernels.full_multigrid(r, out, measure)
        data = self._data.select([k], self._r.ndim - 1)  # of right-hand sides, r is not all
        return np.ascontiguousarray(self._backend.nested_cycles(data, self._scales[k])[0]), 0.0

    def _correct(self, k: int, d: Array | None, out: Array | None) -> float:
        """Add s d to the u of a member; return the norm of its residual, which is kept over the next s."""
        f, u, t = self._data.rhs[k], None if self._u is None else self._u[k], self._next[k]
        norm = self._backend.correction(f, u, d, self._scales[k], out, self._r[k], t)
        if not t / FAR < norm < t * FAR:  # the residual left float32, or its squares float64
            u = u if d is None else out
            r = f if u is None else f - self._backend.apply(u)
            norm = float(self._backend.norms(r[None])[0])
            t = float(scale_of(norm))
            self._backend.correction(f, u, None, 1.0, None, self._r[k], t)
        self._scales[k], self._next[k] = t, scale_of(norm)
        return norm

    def _centre(self) -> None:
        """Take the mean from u where the problem is singular; no residual shows it."""
        if self._u is not None and not self._centred:
            self._u[...] = self._backend.project(self._u)
            self._centred = True
