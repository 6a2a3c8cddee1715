"""The compact operator of fourth order on the 3^d nearest points, Collatz's Mehrstellen, and its right-hand side.

With D_i the second difference along axis i and m_i = h_i^2/12 D_i, M = 1 + sum_i m_i, the equations are A u = M f with

    A = -sum_i a_i D_i (1 + sum_{j != i} m_j) + c M,

which is 9 points in two dimensions and 19 in three: a_i D_i has the error a_i m_i d^2/dx_i^2, and the equation itself
turns the sum of these into terms of f and mixed differences. Where the last interval of a coarse axis is shorter, m_i
has the weights that keep D_i u = (1 + m_i) u'' up to the third derivative of u''.

Source: Collatz, "The Numerical Treatment of Differential Equations", 1960, appendix, table VI.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import scipy.sparse as sp

from pde.common.arguments import evaluate
from pde.common.arrays import cast, convert, expand, zeros
from pde.problem.boundary import fold
from pde.problem.coefficients import Terms
from pde.problem.compact import CompactOperator, offsets, on_block
from pde.problem.grid import ENDS, Array, Axis, Grid, Sides, along, is_constant, trailing, window

THROUGH = 5
"""Points through which values at the ends of a line are extrapolated: f on Dirichlet sides, g at corners."""

Weights = tuple[Any, Any]
"""Of the differences to the point before and to the point after, numbers or arrays along an axis."""


class Mehrstellen(CompactOperator):
    """A of fourth order for constant coefficients on vertex-centred axes, with zero boundary data.

    Attributes:
        second, mean: per axis the `Weights` of D_i and of m_i.

    >>> from pde import Poisson
    >>> A = Mehrstellen(Poisson((3, 3), 4.0).grid, np.dtype(float))
    >>> (6 * A.coefficients).ravel().round(12).tolist()
    [-1.0, -4.0, -1.0, -4.0, 20.0, -4.0, -1.0, -4.0, -1.0]
    """

    arrays = (*CompactOperator.arrays, "second", "mean")

    def __init__(self, grid: Grid, dtype: np.dtype, terms: Terms | None = None) -> None:
        terms = Terms((1.0,) * grid.ndim) if terms is None else terms
        weights = [_weights(axis) for axis in grid.axes]
        second, mean = ([_shaped(w[k], grid.ndim, a) for a, w in enumerate(weights)] for k in (0, 1))
        super().__init__(grid, _coefficients(second, mean, terms).astype(dtype), terms)
        self.second, self.mean = convert([second, mean], None, dtype)

    def symmetric_matrix(self) -> sp.csr_matrix:
        """W A as a sparse matrix."""
        return sp.csr_matrix(sp.diags_array(self.volumes.ravel()) @ self.matrix())

    def right_hand_side(self, f: Array, ends: Sides | None = None) -> Array:
        """M f of nodal values (..., *shape) on a grid with equal spacing along each axis.

        `ends` are f on Dirichlet sides, extrapolated where they are missing.
        """
        grid, weight = self.grid, 1 / 12
        total = f * (1 - 2 * weight * grid.ndim)
        share = weight * f
        for a, axis in enumerate(grid.axes):
            first, last = (window(a, grid.ndim, part) for part in (slice(None, -1), slice(1, None)))
            total[last] += share[first]
            total[first] += share[last]
            for side, layer in enumerate(ENDS):
                known = (ends or {}).get((a, side))
                if axis.periodic:
                    beyond = f[window(a, grid.ndim, ENDS[1 - side])]
                elif known is None:
                    beyond = _extrapolated(f, grid, a, side)
                else:
                    beyond = expand(cast(known, f.dtype), a - grid.ndim)
                total[window(a, grid.ndim, layer)] += weight * beyond
        return total

    def fold(self, f: Array, sides: Sides) -> Array:
        """The right-hand side for zero boundary data: f, and what the boundary data add to it."""
        ndim, shape = self.grid.ndim, f.shape[: -self.grid.ndim]
        if not sides:
            return f
        for values in sides.values():
            shape = np.broadcast_shapes(shape, values.shape[: values.ndim - ndim + 1])
        around = self.surrounded(zeros((*shape, *self.grid.shape), like=f), sides)
        f = f + zeros((*shape, *(1,) * ndim), like=f)
        for a, side in self._ends:
            beside = tuple(ENDS[side] if b == a else slice(None) for b in range(ndim))
            for offset, k, part in zip(offsets(ndim), self.coefficients, self._shifts(beside), strict=True):
                if offset[a] == 2 * side - 1:
                    f[trailing(beside)] -= on_block(beside, k) * around[part]
            around[window(a, ndim, ENDS[side])] = 0.0  # edges count once
        return f

    def unlifted(self, w: Array, sides: Sides) -> Array:
        """The right-hand side of u - w for f = 0 and data `sides`: -A w, from small differences."""
        grid, u = self.grid, self.surrounded(w, sides)
        axes, terms = range(grid.ndim), self.terms
        total = -terms.reaction * (_inside(u, grid) + sum(self._mean_of(u, a) for a in axes))
        for a in axes:
            d = _differences(u, a, grid, self.second[a])
            total = total + terms.diffusion[a] * (_inside(d, grid) + sum(self._mean_of(d, b) for b in axes if b != a))
        return total

    def _mean_of(self, u: Array, a: int) -> Array:
        return _inside(_differences(u, a, self.grid, self.mean[a]), self.grid)

    def surrounded(self, u: Array, sides: Sides) -> Array:
        """u with a value more at each end of every axis: of the sides, of their edges, or around a periodic axis."""
        grid, ndim = self.grid, self.grid.ndim
        padded, inner = self._padded(u)
        inner[...] = u
        for (a, side), values in sides.items():
            padded[_at(ndim, [(a, side)])] = expand(cast(values, u.dtype), a - ndim)
        for count in range(2, ndim + 1 if sides else 0):
            for edge in combinations(self._ends, count):
                if len({a for a, _ in edge}) == count:
                    guesses = [
                        _extrapolated(padded[_at(ndim, [end for end in edge if end != one])], grid, *one)
                        for one in edge
                    ]
                    padded[_at(ndim, edge)] = sum(guesses) / count
        self._wrap(padded)
        return padded

    @property
    def _ends(self) -> list[tuple[int, int]]:
        """The Dirichlet sides, as (axis, side)."""
        return [(a, side) for a, axis in enumerate(self.grid.axes) for side in (0, 1) if not axis.periodic]


def check_order(order: Any, grid: Grid, terms: Terms, is_open: bool = False) -> None:
    """Refuse an order that is neither 2 nor 4, or 4 where there is no compact operator of fourth order.

    Raises:
        ValueError: naming what `order=4` needs, and what came.
    """
    if np.ndim(order) or order not in (2, 4):
        raise ValueError(f"order must be 2 or 4, got {order!r}")
    if order == 2:
        return
    kinds = {"open"} if is_open else {side.kind for axis in grid.axes for side in axis.sides}
    for allowed, wanted in (
        (terms.domain is None, "a box, got a domain or closed faces"),
        (kinds <= {"dirichlet", "periodic"}, f"Dirichlet or periodic sides, got {', '.join(sorted(kinds))}"),
        (not any(axis.cell for axis in grid.axes), 'centering "vertex", got "cell"'),
        (all(is_constant(axis.spacing) for axis in grid.axes), "equal spacing, got stretched coordinates"),
        (terms.tensor is None, "a diagonal coefficient, got a full tensor"),
        (not terms.varies and not terms.resistances, "a constant coefficient, got one that varies"),
        (isinstance(terms.reaction, float), "a constant reaction, got one that varies"),
    ):
        if not allowed:
            raise ValueError(f"order=4 needs {wanted}")


def at_ends(f: Callable[..., Any], grid: Grid) -> Sides:
    """The values of f on the Dirichlet sides, but for sides where they are not all finite."""
    sides: Sides = {}
    for a, axis in enumerate(grid.axes):
        for side in range(0 if axis.periodic else 2):
            lines = [x.nodes[[-side]] if b == a else x.points for b, x in enumerate(grid.axes)]
            with np.errstate(all="ignore"):
                values = evaluate("f", f, np.meshgrid(*lines, indexing="ij"), imaginary=True)
            shape = tuple(len(line) for line in lines)
            try:
                values = np.broadcast_to(values, shape).squeeze(a)
            except ValueError:
                raise ValueError(
                    f"f: on side ({a}, {side}) the callable must return a scalar or an array of shape {shape}, got "
                    f"shape {values.shape}; where order is 4 give an array in its place if it cannot"
                ) from None
            if np.isfinite(values).all():
                sides[a, side] = values
    return sides


def fold_sides(f: Array, sides: Sides, A: Any) -> Array:
    """Add the boundary data to the right-hand side of an operator; f itself if there are none."""
    return A.fold(f, sides) if isinstance(A, Mehrstellen) else fold(f, sides, A.grid, A.terms)


def _weights(axis: Axis) -> tuple[Weights, Weights]:
    """(before, after) of D and of m along an axis."""
    after = axis.gaps if axis.periodic else axis.spacing[1:]
    before = np.roll(after, 1) if axis.periodic else axis.spacing[:-1]
    length = before + after
    slope, curvature = (after - before) / 3, (before**2 - before * after + after**2) / 12
    second = 2 / (before * length), 2 / (after * length)
    mean = (
        curvature * second[0] - slope * after / (before * length),
        curvature * second[1] + slope * before / (after * length),
    )
    return second, mean


def _shaped(weights: Weights, ndim: int, a: int) -> Weights:
    before, after = (along(w, a, ndim) for w in weights)
    return before, after


def _coefficients(second: Sequence[Weights], mean: Sequence[Weights], terms: Terms) -> Array:
    """The coefficients of `CompactOperator`; they sum to the reaction, of which the one in the middle takes care."""
    ndim, axes = len(second), range(len(second))
    total = []
    for offset in offsets(ndim):
        value: Any = terms.reaction * sum(_entry(offset, {a: mean[a]}) for a in axes)
        for a in axes:
            mixed = sum(_entry(offset, {a: second[a], b: mean[b]}) for b in axes if b != a)
            value = value - terms.diffusion[a] * (_entry(offset, {a: second[a]}) + mixed)
        total.append(value)
    coefficients = np.stack(np.broadcast_arrays(*total, np.zeros((1,) * ndim))[:-1])
    middle = len(coefficients) // 2
    coefficients[middle] = 0.0
    coefficients[middle] = terms.reaction - coefficients.sum(axis=0)
    return coefficients


def _entry(offset: Sequence[int], factors: Mapping[int, Weights]) -> Any:
    """The coefficient of the point at an offset in a product of differences along single axes."""
    if any(o for a, o in enumerate(offset) if a not in factors):
        return 0.0
    value: Any = 1.0
    for a, (before, after) in factors.items():
        value = value * (after, -(before + after), before)[1 - offset[a]]
    return value


def _differences(u: Array, a: int, grid: Grid, weights: Weights) -> Array:
    """after (u_{i+1} - u_i) - before (u_i - u_{i-1}) along an axis that has a value more at each end."""
    first, last = (window(a, grid.ndim, part) for part in (slice(None, -1), slice(1, None)))
    step = u[last] - u[first]
    before, after = weights
    return after * step[last] - before * step[first]


def _inside(u: Array, grid: Grid) -> Array:
    """The values at the unknowns, of an array with a value more at each end of some axes."""
    sizes = zip(u.shape[-grid.ndim :], grid.shape, strict=True)
    return u[trailing([slice(1, -1) if more > n else slice(None) for more, n in sizes])]


def _extrapolated(u: Array, grid: Grid, a: int, side: int) -> Array:
    """The values at a Dirichlet end of an axis, by the polynomial through the points beside it."""
    axis = grid.axes[a]
    nearest = np.arange(axis.n)[:: -1 if side else 1][:THROUGH]
    x = axis.points[nearest] - axis.nodes[-side]
    total: Any = 0.0
    for i, k in enumerate(nearest):
        others = np.delete(x, i)
        total = total + float(np.prod(others / (others - x[i]))) * u[window(a, grid.ndim, slice(k, k + 1))]
    return total


def _at(ndim: int, ends: Sequence[tuple[int, int]]) -> Any:
    """The index of an array with a value more at each end that takes these ends, and of other axes the unknowns."""
    parts = {a: ENDS[side] for a, side in ends}
    return trailing([parts.get(a, slice(1, -1)) for a in range(ndim)])
