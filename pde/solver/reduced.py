"""Data that a solve iterates on: without boundary values, and of a size whose squares are numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from mgcore import Level
from pde.backends.base import Backend
from pde.backends.data import Data
from pde.backends.device import host
from pde.common.arrays import as_numpy, cast, like, namespace, numpy_dtype
from pde.problem.boundary import fold
from pde.problem.grid import Array, Sides
from pde.problem.lifting import lifting, unlifted
from pde.problem.mehrstellen import Mehrstellen, fold_sides
from pde.problem.poisson import Poisson
from pde.problem.wall_lifting import wall_lifting

WORTH = 10.0
"""g is lifted where that leaves data smaller by this factor than folding does; a g as rough as the grid is folded."""

Sizes = np.ndarray
"""One number for each member of a batch."""


@dataclass(frozen=True)
class Reduced:
    """A v = rhs with zero boundary values, where u = unit v + w; batches (members, *shape).

    Args:
        data: the right-hand side, as nodal values and boundary data too where g has been folded into it. Its sizes are
            those of u's residuals, max(||f||, ||rhs||) before the division by `unit`, over `unit`.
        guess: of v; None is zero.
        w: a lifting of g; None is zero.
        unit: a power of two for each member; None is 1.
    """

    data: Data
    guess: Array | None = None
    w: Array | None = None
    unit: Sizes | None = None

    def restored(self, v: Array) -> Array:
        """u in the memory of v."""
        if self.unit is not None:
            v *= _column(self.unit, v, v.ndim - 1)
        if self.w is not None:
            v += self.w
        return v

    def overflows(self, v: Array, unit: Sizes) -> Any:
        """Whether unit v leaves the range of numbers, for each member."""
        largest = as_numpy(namespace(v).amax(abs(v.reshape(len(v), -1)), 1)).astype(float)
        with np.errstate(over="ignore"):
            return ~(largest * unit <= float(np.finfo(numpy_dtype(v.dtype)).max))


class Reduction:
    """Makes `Reduced` data of f, g and a first guess, arrays on the device of a backend.

    Args:
        levels: NumPy's.
    """

    def __init__(self, problem: Poisson, levels: Sequence[Level], backend: Backend) -> None:
        self.problem, self.device, self._A = problem, backend.device, levels[0].info.operator
        self.grid, self.terms, self.dtype = problem.grid, problem.terms, backend.dtype
        self._here = backend.hierarchy.levels[0].A
        limits = np.finfo(self.dtype)
        self._least, self._largest = float(limits.tiny) ** (1 / 3), float(limits.max) ** (1 / 3)
        parts = problem.components
        self.volumes = backend.hierarchy.volumes[0] if parts is None else parts.to(self.device.where, self.dtype)

    @cached_property
    def exact(self) -> Any:
        """A in float64."""
        double = np.dtype(float)
        A = self._A if self.dtype == double else self.problem._operator
        return A.to(self.device.where, double) if self.device.on_tensors else A

    @property
    def lifts_always(self) -> bool:
        """Whether cycles see zero boundary data: on domains, and with full tensors."""
        return self.terms.domain is not None or self.terms.tensor is not None

    def __call__(self, f: Array, sides: Sides, u0: Array | None = None) -> Reduced:
        reduced = self._lifted(f, sides)
        if u0 is not None:
            guess = u0 if reduced.w is None else cast(u0 - reduced.w, self.dtype)
            sizes = reduced.data.sizes
            if not np.all(sizes):  # zero data have the solution zero, whatever is guessed
                guess = _choose(sizes == 0, 0 * guess, guess, self.grid.ndim)
            reduced = replace(reduced, guess=self.mean_free(guess))
        return self._of_good_size(reduced)

    def mean_free(self, u: Array) -> Array:
        """u, of zero mean where the problem is singular."""
        return self.volumes.without_mean(u) if self.problem.singular else u

    def _on_domain(self, f: Array, sides: Sides) -> Reduced:
        """Data of a domain: values of u are lifted, and fluxes folded."""
        assert self.terms.domain is not None
        of_f = self.volumes.rms(self._fitting(f))
        lifted = wall_lifting(host(sides), self.grid, self.terms, self.problem._operator) if sides else None
        if lifted is None:
            folded = fold(f, {key: cast(g, self.dtype) for key, g in sides.items()}, self.grid, self.terms)
            data = self._fitting(folded * like(self.terms.domain.inside, f) if sides else folded)
            return Reduced(Data(data, sizes=np.maximum(of_f, self.volumes.rms(data))))
        w, left = (like(part, f) for part in lifted)
        left = _choose((of_f == 0) & self._is_rounding(left, w), 0 * left, left, self.grid.ndim)
        data = self._fitting(cast(f + left, self.dtype))
        return Reduced(Data(data, sizes=np.maximum(of_f, self.volumes.rms(data))), w=cast(w, self.dtype))

    def _lifted(self, f: Array, sides: Sides) -> Reduced:
        """Data with g lifted for the members where that is worth it, and folded for the others."""
        if self.terms.domain is not None:
            return self._on_domain(f, sides)
        if not sides:
            data = self._fitting(f)
            return Reduced(Data(data, f, sizes=self.volumes.rms(data)))
        g = {key: cast(values, self.dtype) for key, values in sides.items()}
        folded = self._fitting(fold_sides(f, g, self._here))
        size = self.volumes.rms(folded)
        of_f = self.volumes.rms(self._fitting(f))
        if not np.any(size > WORTH * of_f) and self.terms.tensor is None:
            return Reduced(Data(folded, f, g, np.maximum(of_f, size)))
        ndim, w = self.grid.ndim, lifting(sides, self.grid, self.terms)
        A = self.exact
        left = A.unlifted(w, sides) if isinstance(A, Mehrstellen) else unlifted(w, sides, self.grid, A)
        left = _choose((of_f == 0) & self._is_rounding(left, w), 0 * left, left, ndim)
        data = self._fitting(cast(f + left, self.dtype))
        smaller = self.volumes.rms(data)
        lifted = (WORTH * smaller < size) | (self.terms.tensor is not None)
        sizes = np.maximum(of_f, np.where(lifted, smaller, size))
        if lifted.all():
            return Reduced(Data(data, sizes=sizes), w=w)
        rest = {key: _choose(lifted, 0 * values, values, ndim - 1) for key, values in g.items()}
        data, f = _choose(lifted, data, folded, ndim), _choose(lifted, data, f, ndim)
        return Reduced(Data(data, f, rest, sizes), w=_choose(lifted, w, 0 * w, ndim) if lifted.any() else None)

    def _fitting(self, f: Array) -> Array:
        """f, and where the problem is singular f less its mean: zero where only rounding is left."""
        if not self.problem.singular:
            return f
        fits = self.volumes.without_mean(
            self.volumes.without_mean(f)
        )  # twice: once leaves the rounding of a large mean
        nothing = self.volumes.rms(fits) <= 16 * float(np.finfo(self.dtype).eps) * self.volumes.rms(f)
        return _choose(nothing, 0 * fits, fits, self.grid.ndim)

    def _is_rounding(self, left: Array, w: Array) -> Any:
        """Whether the residual of a lifting is rounding alone: one sweep would change w in its last digits."""
        largest = as_numpy(namespace(w).amax(abs(w), axis=tuple(range(-self.grid.ndim, 0))))
        return self.volumes.rms(left / self.exact.diagonal) <= 8 * np.finfo(float).eps * largest

    def _of_good_size(self, reduced: Reduced) -> Reduced:
        """Members whose squares or cubes would leave the range of numbers, divided by a power of two."""
        data, ndim = reduced.data, self.grid.ndim
        sizes: Sizes = data.sizes  # type: ignore[assignment]
        if all(self._least < size < self._largest for size in sizes.tolist()):
            return reduced
        limits = np.finfo(self.dtype)
        good = (sizes > self._least) & (sizes < self._largest)
        good |= (sizes == 0) | ~np.isfinite(sizes)
        if good.all():
            return reduced
        exponent = np.clip(np.round(np.log2(np.where(good, 1.0, sizes))), limits.minexp + 8, limits.maxexp - 8)
        unit = np.exp2(exponent)
        guess = None if reduced.guess is None else reduced.guess * _column(1 / unit, reduced.guess, ndim)
        scaled = data.each(lambda v: v * _column(1 / unit, v, ndim))
        sides = {key: g * _column(1 / unit, g, ndim - 1) for key, g in data.sides.items()}
        return replace(reduced, data=replace(scaled, sides=sides, sizes=sizes / unit), guess=guess, unit=unit)


def _column(values: Sizes, v: Array, ndim: int) -> Array:
    """A number per member, ready to multiply arrays like v with ndim axes behind."""
    return cast(like(values.reshape((-1,) + (1,) * ndim), v), v.dtype)


def _choose(members: Any, these: Array, those: Array, ndim: int) -> Array:
    """`these` for the chosen members and `those` for the others; arrays with ndim axes behind."""
    where = np.asarray(members)
    if where.all() or not where.any():
        return these if where.all() else those
    column = like(where.reshape((-1,) + (1,) * ndim), these)
    return namespace(these).where(column, these, those)
