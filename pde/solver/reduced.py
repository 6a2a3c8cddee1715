"""Data that a solve iterates on: without boundary values, and of a size whose squares are numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from mgcore import Level
from pde.backends.base import Backend
from pde.backends.data import LARGE, SMALL, Data
from pde.backends.device import host
from pde.common.arrays import as_numpy, cast, like, namespace, numpy_dtype
from pde.problem.boundary import fold, fold_into
from pde.problem.coefficients import side_weights
from pde.problem.compatibility import inflow
from pde.problem.grid import Array, Sides, trailing
from pde.problem.inner_product import layer_volumes
from pde.problem.lifting import Products, lifting_products, residual_products, unlifted
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
        w: a lifting of g, an array or a sum of products; None is zero.
        add: leaves v and a sum of products in the memory of v.
        unit: a power of two for each member; None is 1.
        largest: finds the largest |v| of each member, where not all of it is here.
    """

    data: Data
    guess: Array | None = None
    w: Array | Products | None = None
    unit: Sizes | None = None
    add: Callable[[Array, Products], Array] | None = None
    largest: Callable[[Array], Sizes] | None = None

    def restored(self, v: Array) -> Array:
        """u in the memory of v."""
        if self.unit is not None:
            v *= _column(self.unit, v, v.ndim - 1)
        if isinstance(self.w, Products):
            assert self.add is not None
            return self.add(v, self.w)
        if self.w is not None:
            v += self.w
        return v

    def overflows(self, v: Array, unit: Sizes) -> Any:
        """Whether unit v leaves the range of numbers, for each member."""
        largest = largest_of(v) if self.largest is None else self.largest(v)
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
        self._backend = backend
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
        """Whether cycles see zero boundary data: on domains, and see `_lifts_sides`."""
        return self.terms.domain is not None or self._lifts_sides

    @cached_property
    def _lifts_sides(self) -> bool:
        """Whether data of the sides are lifted always: with full tensors, and R A P without terms for these data."""
        hierarchy = self._backend.hierarchy
        products = hierarchy.choices.coarse == "galerkin" and len(hierarchy.levels) > 1
        return self.terms.tensor is not None or (products and not hierarchy.boundary_terms)

    def __call__(self, f: Array, sides: Sides, u0: Array | None = None) -> Reduced:
        reduced = self._lifted(f, sides)
        if u0 is not None:
            w = self._sum(reduced.w) if isinstance(reduced.w, Products) else reduced.w
            guess = u0 if w is None else cast(u0 - w, self.dtype)
            sizes = reduced.data.sizes
            if not np.all(sizes):  # zero data have the solution zero, whatever is guessed
                guess = _choose(sizes == 0, 0 * guess, guess, self.grid.ndim)
            reduced = replace(reduced, guess=self.mean_free(guess))
        return self._of_good_size(reduced)

    def mean_free(self, u: Array, out: Array | None = None) -> Array:
        """u, of zero mean where the problem is singular; `out` is memory that it may be written to, and may be u."""
        if not self.problem.singular:
            return u
        return self._backend.without_mean(u, out) if self.problem.components is None else self.volumes.without_mean(u)

    @property
    def _is_alike(self) -> bool:
        """Whether coefficients are numbers, in arrays of the host, and there are neither domains nor wider stencils."""
        terms = self.terms
        special = terms.varies or terms.betas or self.lifts_always or self.problem.order != 2 or self.device.on_tensors
        return not special and isinstance(terms.reaction, float)

    def _add(self, v: Array, products: Products) -> Array:
        return self._backend.add_products(v, products, out=v)

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
            data, size = self._fitted(f)
            return Reduced(Data(data, f, sizes=size))
        g = {key: cast(values, self.dtype) for key, values in sides.items()}
        folded = None
        if self._is_alike:
            of_f, size = self._sizes(f, g)
        else:
            folded, size = self._fitted(self._folded(f, g))
            of_f = self._fitted(f)[1]
        if not np.any(size > WORTH * of_f) and not self._lifts_sides:
            folded = self._fitting(self._folded(f, g)) if folded is None else folded
            return Reduced(Data(folded, f, g, np.maximum(of_f, size)))
        ndim = self.grid.ndim
        w: Any
        if self._is_alike:
            w, data, smaller = self._by_products(f, sides, of_f)
        else:
            w, data, smaller = self._by_arrays(f, sides, of_f)
        lifted = (WORTH * smaller < size) | self._lifts_sides
        sizes = np.maximum(of_f, np.where(lifted, smaller, size))
        if lifted.all():
            return Reduced(Data(data, sizes=sizes), w=w, add=self._add)
        folded = self._fitting(self._folded(f, g)) if folded is None else folded
        rest = {key: _choose(lifted, 0 * values, values, ndim - 1) for key, values in g.items()}
        data, f = _choose(lifted, data, folded, ndim), _choose(lifted, data, f, ndim)
        if not lifted.any():
            return Reduced(Data(data, f, rest, sizes))
        w = w.of(lifted) if isinstance(w, Products) else _choose(lifted, w, 0 * w, ndim)
        return Reduced(Data(data, f, rest, sizes), w=w, add=self._add)

    def _by_arrays(self, f: Array, sides: Sides, of_f: Sizes) -> tuple[Array, Array, Sizes]:
        """A lifting w of g, the data of u - w, and their size."""
        w = self._sum(lifting_products(sides, self.grid, self.terms))
        left = self._unlifted(w, sides)
        left = _choose((of_f == 0) & self._is_rounding(left, w), 0 * left, left, self.grid.ndim)
        return w, *self._fitted(cast(f + left, self.dtype))

    def _by_products(self, f: Array, sides: Sides, of_f: Sizes) -> tuple[Products, Array, Sizes]:
        """The same from sums of products, in one pass over the grid."""
        w, A = lifting_products(sides, self.grid, self.terms), self.exact
        products, lacking = residual_products(w, sides, A)
        if not of_f.all():
            left = self._fold_into(self._sum(products), lacking)
            nothing = (of_f == 0) & self._is_rounding(left, self._sum(w))
            if nothing.any():
                return w, *self._fitted(cast(f + _choose(nothing, 0 * left, left, self.grid.ndim), self.dtype))
        data = self._backend.add_products(f, products)
        return w, *self._fitted(self._fold_into(data, lacking))

    def _folded(self, f: Array, g: Sides) -> Array:
        """f with boundary data folded into it."""
        return fold_sides(f, g, self._here)

    def _fold_into(self, f: Array, g: Sides) -> Array:
        """The same in the memory of f, for coefficients that are numbers."""
        return fold_into(f, g, self.grid, self.exact.terms)

    def _unlifted(self, w: Array, sides: Sides) -> Array:
        """The right-hand side of u - w for f = 0."""
        A = self.exact
        return A.unlifted(w, sides) if isinstance(A, Mehrstellen) else unlifted(w, sides, self.grid, A)

    def _sum(self, products: Products) -> Array:
        """A sum of products as an array."""
        return products.sum()

    def _layer(self, f: Array, a: int, side: int) -> Array:
        """f beside a side, in float64."""
        at = [-side if b == a else slice(None) for b in range(self.grid.ndim)]
        return as_numpy(f[trailing(at)]).astype(float)

    def _sizes(self, f: Array, g: Sides) -> tuple[Sizes, Sizes]:
        """The sizes of f, and of f with g folded into it, from sums over f and over the sides."""
        mean, _, rms = self._backend.moments(f)
        with np.errstate(over="ignore"):
            change = self._change_of_squares(f, g)
            folded = np.sqrt(np.maximum(rms**2 + change, 0.0))
        means = (mean, mean + inflow(g, self.grid, self.terms)) if self.problem.singular else (0.0, 0.0)
        of_f, size = (_deviation(*each) for each in zip((rms, folded), means, strict=True))
        if np.isnan([*of_f, *size]).any():
            return self._fitted(f)[1], self._fitted(self._folded(f, g))[1]
        return of_f, size

    def _change_of_squares(self, f: Array, g: Sides) -> Any:
        """By how much the mean square of f grows as g is folded into it: 2 (f, d) + (d, d), d beside the sides."""
        grid, total, before = self.grid, 0.0, list[tuple[int, int, Any]]()
        for (a, side), values in g.items():
            W = layer_volumes(grid, a, side)
            d = side_weights(grid, self.terms, a, side) * as_numpy(values).astype(float)
            here = self._layer(f, a, side)
            for b, other, e in before:  # what another side has added on an edge, or along all of a single layer
                if b != a:
                    edge: list[Any] = [slice(None)] * (grid.ndim - 1)
                    edge[b - (b > a)], part = -other, [slice(None)] * (grid.ndim - 1)
                    part[a - (a > b)] = -side
                    here[trailing(edge)] += e[trailing(part)]
                elif grid.shape[a] == 1:
                    here = here + e
            total = total + np.sum(W * d * (2 * here + d), axis=tuple(range(1 - grid.ndim, 0)))
            before.append((a, side, d))
        return total

    def _fitting(self, f: Array) -> Array:
        """f, and where the problem is singular f less its mean: zero where only rounding is left."""
        return self._fitted(f)[0] if self.problem.singular else f

    def _fitted(self, f: Array) -> tuple[Array, Sizes]:
        """The same, and its root mean square."""
        if not self.problem.singular:
            return f, self.volumes.rms(f) if self.lifts_always else self._backend.sizes(f)
        if self.problem.components is None:
            fits, size, left = self._backend.centred(f)
        else:
            fits = self.volumes.without_mean(self.volumes.without_mean(f))  # twice: once leaves rounding
            size, left = self.volumes.rms(f), self.volumes.rms(fits)
        nothing = left <= 16 * float(np.finfo(self.dtype).eps) * size
        return _choose(nothing, 0 * fits, fits, self.grid.ndim), np.where(nothing, 0.0, left)

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


def largest_of(v: Array) -> Sizes:
    """The largest |v| of each member."""
    return as_numpy(namespace(v).amax(abs(v.reshape(len(v), -1)), 1)).astype(float)


def _column(values: Sizes, v: Array, ndim: int) -> Array:
    """A number per member, ready to multiply arrays like v with ndim axes behind."""
    return cast(like(values.reshape((-1,) + (1,) * ndim), v), v.dtype)


def _deviation(rms: Sizes, mean: Any) -> Sizes:
    """The root mean square of v less its mean; NaN where that is not exact."""
    with np.errstate(over="ignore", invalid="ignore"):
        square = rms**2 - np.square(mean)
        exact = (square > 1e-4 * rms**2) & (rms > SMALL) & (rms < LARGE) | (rms == 0)
        return np.where(exact, np.sqrt(square), np.nan)


def _choose(members: Any, these: Array, those: Array, ndim: int) -> Array:
    """`these` for the chosen members and `those` for the others; arrays with ndim axes behind."""
    where = np.asarray(members)
    if where.all() or not where.any():
        return these if where.all() else those
    column = like(where.reshape((-1,) + (1,) * ndim), these)
    return namespace(these).where(column, these, those)
