"""A lifting of boundary data: a function w that has them, so that u - w has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from pde.common.arrays import cast, expand, like
from pde.problem.boundary import fold
from pde.problem.coefficients import Terms
from pde.problem.grid import ENDS, Array, Axis, Grid, Sides, trailing, window

WEAK = 1e-4
"""Robin sides with beta L / a below this at both ends of an axis count as Neumann sides in the lifting."""

NOTHING = 64 * float(np.finfo(float).eps)
"""A second difference of this share of what it is made of is rounding."""

LEAST_BETA = 1e-3
"""A beta that falls below this share of its largest value is replaced by its mean in the lifting."""


@dataclass(frozen=True)
class Products:
    """A sum of products of a function of one axis, and one of all others.

    Args:
        terms: of each product the axis, the function along it, ready to broadcast, and an array with one entry along
            it, which may have a batch axis.
    """

    grid: Grid
    terms: list[tuple[int, Array, Any]] = field(default_factory=list)

    def sum(self) -> Array:
        """The sum as an array."""
        w: Any = 0.0
        for _, along, across in self.terms:
            w = w + across * like(along, across)
        return w

    def of(self, members: Any) -> Products:
        """The same, zero for the members that are not chosen."""
        factor = np.asarray(members, float).reshape((-1,) + (1,) * self.grid.ndim)
        return Products(self.grid, [(a, along, across * like(factor, across)) for a, along, across in self.terms])

    def layer(self, a: int, side: int) -> Any:
        """The sum beside a side, of the side's shape."""
        ndim = self.grid.ndim
        total: Any = 0.0
        end = window(a, ndim, ENDS[side])
        for b, along, across in self.terms:
            part = across * like(along[end], across) if a == b else across[end] * like(along, across)
            total = total + part
        return total[trailing([0 if b == a else slice(None) for b in range(ndim)])]

    def packed(self, k: int) -> Array:
        """The products of member k for kernels: their number, of each (axis of three, two offsets), and the arrays."""
        parts, numbers = list[Array](), [float(len(self.terms))]
        begin = 1 + 3 * len(self.terms)
        for a, along, across in self.terms:
            one = across[min(k, len(across) - 1)] if across.ndim > self.grid.ndim else across
            shape = [1 if b == a else n for b, n in enumerate(self.grid.shape)]
            parts += [along.ravel(), np.broadcast_to(one, shape).ravel()]
            numbers += [2 if a == self.grid.ndim - 1 else a, begin, begin + along.size]
            begin += along.size + parts[-1].size
        return np.concatenate([np.array(numbers, float), *parts])


def lifting(sides: Sides, grid: Grid, terms: Terms) -> Array:
    """The `lifting_products` as an array."""
    return lifting_products(sides, grid, terms).sum()


def lifting_products(sides: Sides, grid: Grid, terms: Terms) -> Products:
    """w, (..., *grid.shape), for boundary data `sides` in float64, some at least; it has the batch axes of the data.

    Axis by axis, the straight line (between two Neumann sides a parabola) that has the data of both ends, less the part
    of the axes before: transfinite interpolation. It gives constants, linear functions and x^2 - y^2 as they are. Of a
    full tensor, whose fluxes it does not know, it has the Dirichlet data, which would otherwise miss corners.
    """
    products = Products(grid)
    found = products.terms
    for a in sorted(range(grid.ndim), key=partial(_lateness, grid, terms)):
        if not grid.axes[a].periodic:
            data = [_missing(products, sides, grid, terms, a, side) for side in (0, 1)]
            some = [g for g in data if not isinstance(g, float)]
            if some:
                diffusion = [_diffusion(terms, a, side, some[0]) for side in (0, 1)]
                of_u = [_of_u(grid, terms, a, side, some[0]) for side in (0, 1)]
                coefficients = _through(grid.axes[a], of_u, diffusion, *data)
                found += [(a, p, c) for p, c in zip(_powers(grid, a), coefficients, strict=True) if np.ndim(c)]
    return products


def _lateness(grid: Grid, terms: Terms, a: int) -> tuple[bool, bool, bool]:
    """Order of the axes: those of one unknown between slopes first, which others would hide, the freest first."""
    axis = grid.axes[a]
    holds = any(not side.of_flux for side in axis.sides)
    return _hides_fluxes(grid, terms, a), axis.n > 1 or holds, any(side.of_u for side in axis.sides)


def _hides_fluxes(grid: Grid, terms: Terms, a: int) -> bool:
    """Whether only the Dirichlet data of an axis are lifted."""
    return terms.tensor is not None and any(not side.of_flux for side in grid.axes[a].sides)


def unlifted(w: Array, sides: Sides, grid: Grid, A: Any) -> Array:
    """The right-hand side of u - w for f = 0 and data `sides`, in float64: g less A w, from small differences."""
    lacking, tensor = Sides(), A.terms.tensor
    for a, axis in enumerate(grid.axes):
        for side, end in enumerate(axis.sides):
            beside = w[trailing([-side if b == a else slice(None) for b in range(grid.ndim)])]
            if not axis.periodic and (end.of_u or (a, side) in sides) and (tensor is None or end.of_flux):
                lacking[a, side] = sides.get((a, side), 0.0) - like(A.terms.of_u(grid, a, side), w) * beside
    if tensor is not None:
        inflow = tensor.inflow(tensor.nodes(w, sides)) / like(grid.volumes(), w)
        return fold(inflow - like(np.asarray(A.terms.reaction), w) * w, lacking, grid, A.terms)
    return fold(-A.add_differences(w, A.reaction * w), lacking, grid, A.terms)


def residual_products(w: Products, sides: Sides, A: Any) -> tuple[Products, Sides]:
    """`unlifted` where coefficients are constant: products inside, and data to be folded beside the sides."""
    grid, terms, every = w.grid, A.terms, []
    for a, along, across in w.terms:
        others = [b for b in range(grid.ndim) if b != a]
        every.append((a, along, -A.add_differences(across, A.reaction * across, others)))
        slope = A.add_differences(along, np.zeros_like(along), [a])
        largest = float(np.max(A.lower[a])) * float(np.max(abs(along)))
        slope[abs(slope) <= NOTHING * largest] = 0.0  # of straight lines inside only rounding is left
        if slope.any():
            every.append((a, -slope, across))
    lacking = Sides()
    for a, axis in enumerate(grid.axes):
        for side, end in enumerate(axis.sides):
            if not axis.periodic and (end.of_u or (a, side) in sides):
                beside = w.layer(a, side)
                lacking[a, side] = sides.get((a, side), 0.0) - like(terms.of_u(grid, a, side), beside) * beside
    return Products(grid, every), lacking


def _powers(grid: Grid, a: int) -> list[Array]:
    axis, shape = grid.axes[a], [-1 if b == a else 1 for b in range(grid.ndim)]
    t = (axis.points - axis.nodes[0]).reshape(shape)
    return [np.ones_like(t), t, t**2 / (2 * axis.length)]


def _missing(products: Products, sides: Sides, grid: Grid, terms: Terms, a: int, side: int) -> Array | float:
    """The data of a side less the lifting along the axes before."""
    ndim, end = grid.ndim, grid.axes[a].sides[side]
    if end.of_flux and _hides_fluxes(grid, terms, a):
        return 0.0
    g = sides.get((a, side))
    lacking: Any = 0.0 if g is None else expand(cast(g, np.dtype(float)), a - ndim)
    for _, power, c in products.terms:
        value, slope = _at_end(c, grid, a, side)
        has: Any = _of_u(grid, terms, a, side, c) * value
        if end.of_flux:
            has = has + _diffusion(terms, a, side, c) * slope
        lacking = lacking - like(power, c) * has
    return lacking


def _at_end(c: Array, grid: Grid, a: int, side: int) -> tuple[Array, Array]:
    """The value and the outward derivative at an end of the parabola through the three unknowns beside it."""
    axis = grid.axes[a]
    nearest = range(axis.n)[:: -1 if side else 1][:3]
    x = [abs(axis.points[i] - axis.nodes[-side]) for i in nearest]
    near = [c[window(a, grid.ndim, slice(i, i + 1))] for i in nearest]
    value, slope = near[0], 0.0 * near[0]
    for k in range(1, len(x)):
        others = [j for j in range(len(x)) if j != k]
        scale = np.prod([x[k] - x[j] for j in others])
        rise = near[k] - near[0]
        value = value + float(np.prod([-x[j] for j in others]) / scale) * rise
        slope = slope + float(sum(-x[j] for j in others) / scale if len(x) > 2 else 1 / scale) * -1.0 * rise
    return value, slope


def _diffusion(terms: Terms, a: int, side: int, x: Any) -> Any:
    """a beside a side, with one entry along its axis, as x is."""
    values = terms.beside(a, side)
    return values if isinstance(values, float) else like(expand(values, a), x)


def _of_u(grid: Grid, terms: Terms, a: int, side: int, x: Any) -> Any:
    """The coefficient of u in the condition of a side, with one entry along its axis; a beta near zero as its mean."""
    beta = terms.betas.get((a, side))
    if beta is None or beta.min() < LEAST_BETA * beta.max():
        return grid.axes[a].sides[side].of_u
    return like(np.expand_dims(beta, a), x)


def _through(axis: Axis, of_u: Sequence[Any], diffusion: Sequence[Any], low: Any, high: Any) -> list[Any]:
    """(p, q, r) of p + q t + r t^2 / 2 L with of_u w + of_flux a dw/dn = low and high at the ends."""
    L, (first, last) = axis.length, axis.sides
    b0, b1 = of_u
    k0, k1 = (side.of_flux * a for side, a in zip(axis.sides, diffusion, strict=True))
    if first.of_flux and last.of_flux and max(_most(b0), _most(b1)) * L < WEAK * float(min(_least(k0), _least(k1))):
        q = -low / k0
        return [0.0, q, (high - (k1 + b1 * L) * q) / (k1 + b1 * L / 2)]
    q = (b0 * high - b1 * low) / (b0 * (k1 + b1 * L) + k0 * b1)
    return [(low + k0 * q) / b0 if first.of_u else (high - (k1 + b1 * L) * q) / b1, q, 0.0]


def _most(k: Any) -> float:
    return k if isinstance(k, float) else float(k.max())


def _least(k: Any) -> float:
    return k if isinstance(k, float) else float(k.min())
