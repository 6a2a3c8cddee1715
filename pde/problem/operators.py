"""The discrete operator A of a level, matrix-free on a tensor grid, with its relaxations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import product
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp

from pde.common.arrays import Frozen, cast, contiguous, expand, is_tensor, like, zeros
from pde.problem.coefficients import AxisCoefficients, Terms, grid_coefficients, grid_fluxes
from pde.problem.grid import ENDS, Array, Grid, along, trailing, window

Block = tuple[slice, ...]
"""Unknowns that are relaxed at once: a slice per axis."""


class StencilOperator(Frozen):
    """A = -div(a grad) + c on a tensor grid with zero boundary data; it is self-adjoint in `volumes`.

    Two coefficients per axis multiply the differences of neighbours and one per side the unknown beside it, so that
    A 1 is exactly 0 where it should be.

    Attributes:
        lower, upper: per axis the coefficients of u_i - u_{i-1} and of u_i - u_{i+1}.
        ends: per axis the coefficients of u beside the low and the high side.
        colours: the blocks of each colour, see `coloured_blocks`.
    """

    arrays = ("lower", "upper", "ends", "reaction", "diagonal")

    def __init__(self, grid: Grid, dtype: np.dtype, terms: Terms | None = None) -> None:
        ndim = grid.ndim
        self.grid, self.terms = grid, Terms((1.0,) * ndim) if terms is None else terms
        coefficients = [_per_volume(grid_coefficients(grid, self.terms, a), self.terms, a) for a in range(ndim)]
        self.lower = [_shaped(c.lower, a, ndim, dtype) for a, c in enumerate(coefficients)]
        self.upper = [_shaped(c.upper, a, ndim, dtype) for a, c in enumerate(coefficients)]
        self.ends = [
            tuple(
                _beside(like(self.terms.of_u(grid, a, side), weight) * weight, a, ndim, dtype)
                for side, weight in enumerate((c.low, c.high))
            )
            for a, c in enumerate(coefficients)
        ]
        c = self.terms.reaction + self.terms.held
        self.reaction = c if isinstance(c, float) else cast(c, dtype)
        self._dtype = dtype
        self.nonzeros = grid.size * (2 * ndim + 1)
        self.colours = coloured_blocks(grid)

    @cached_property
    def diagonal(self) -> Any:
        """The coefficient of u_i in row i, made when it is first needed: compiled cycles do without."""
        total: Any = sum((self._centre(a) for a in range(self.grid.ndim)), self.reaction)
        if self.terms.closed:  # a point with no open face is relaxed to zero
            total = np.where(total == 0, sum(self.grid.couplings(self.terms.typical)), total).astype(self._dtype)
        return total

    @property
    def volumes(self) -> Array:
        """W: the control volume of each unknown."""
        return control_volumes(self.grid, self.terms)

    def __call__(self, u: Array) -> Array:
        """A u for u of shape (..., *grid.shape)."""
        return self.add_differences(u, self.add_ends(u, self.reaction * u))

    def add_ends(self, u: Array, result: Array) -> Array:
        """Add the terms of u beside the sides to `result`, and return it."""
        for a, ends in enumerate(self.ends):
            for part, k in zip(ENDS, ends, strict=True):
                if not isinstance(k, float) or k != 0:
                    side = window(a, self.grid.ndim, part)
                    result[side] += k * u[side]
        return result

    def add_differences(self, u: Array, result: Array, axes: Sequence[int] | None = None) -> Array:
        """Add the terms of the differences of neighbours along all axes, or some of them, to `result`; return it."""
        ndim = self.grid.ndim
        for a in range(ndim) if axes is None else axes:
            lower, upper = self.lower[a], self.upper[a]
            alike = isinstance(lower, float) and lower == upper
            for here, there in self.grid.axes[a].neighbours():
                first, last = window(a, ndim, here), window(a, ndim, there)
                step = u[last] - u[first]
                if alike:
                    step *= lower
                result[last] += step if alike else _part(lower, a, ndim, there) * step
                result[first] -= step if alike else _part(upper, a, ndim, here) * step
        return result

    def _centre(self, a: int) -> Array | float:
        """The share of an axis in the coefficient of u_i: the sum over its two differences and the ends."""
        ndim, axis = self.grid.ndim, self.grid.axes[a]
        parts = [self.lower[a], self.upper[a], *self.ends[a]]
        some: Any = next((v for v in parts if not isinstance(v, float)), np.zeros(()))
        total = zeros(np.broadcast_shapes(_along(axis.n, a, ndim), *map(np.shape, parts)), some)
        for here, there in axis.neighbours():
            total[window(a, ndim, there)] += _part(parts[0], a, ndim, there)
            total[window(a, ndim, here)] += _part(parts[1], a, ndim, here)
        for part, k in zip(ENDS, parts[2:], strict=True):
            total[window(a, ndim, part)] += k
        return total if is_tensor(total) or total.size > axis.n else along(total.ravel(), a, ndim)

    def coloured_sweep(self, r: Array, omega: float, reverse: bool = False) -> Array:
        """One red-black sweep with relaxation omega on A d = r from d = 0; `reverse` takes the last colour first."""
        ndim = self.grid.ndim
        padded = zeros(r.shape[:-ndim] + tuple(n + 2 for n in r.shape[-ndim:]), like=r)
        d = padded[trailing((slice(1, -1),) * ndim)]
        for number, blocks in enumerate(reversed(self.colours) if reverse else self.colours):
            if number > 0:
                self._wrap(padded)
            for block in blocks:
                total = r[trailing(block)] if number == 0 else r[trailing(block)] + self._neighbours(padded, block)
                d[trailing(block)] = (omega / _block(self.diagonal, block)) * total
        return contiguous(d)

    def _wrap(self, padded: Array) -> None:
        """Fill the halo of periodic axes."""
        for a, axis in enumerate(self.grid.axes):
            if axis.periodic:
                for halo, source in zip(ENDS, (slice(-2, -1), slice(1, 2)), strict=True):
                    padded[window(a, self.grid.ndim, halo)] = padded[window(a, self.grid.ndim, source)]

    def _neighbours(self, padded: Array, block: Block) -> Array:
        """Sum over the 2 ndim neighbours of the points of a block, each times its coefficient."""
        total: Any = 0.0
        for a, coefficients in enumerate(zip(self.lower, self.upper, strict=True)):
            for offset, coefficient in zip((0, 2), coefficients, strict=True):
                offsets = [offset if b == a else 1 for b in range(len(block))]
                index = [slice(s.start + o, s.stop + o, s.step) for s, o in zip(block, offsets, strict=True)]
                total = total + _block(coefficient, block) * padded[trailing(index)]
        return total

    def matrix(self) -> sp.csr_matrix:
        """A as a sparse matrix on the flattened unknowns (C order); its rows sum to the reaction and the ends."""
        rest = self.add_ends(np.ones(self.grid.shape), np.array(np.broadcast_to(self.reaction, self.grid.shape), float))
        return _assembled(self.grid, self.lower, self.upper, rest)

    def symmetric_matrix(self) -> sp.csr_matrix:
        """W A, symmetric to the last bit: each flux through a face is one number for both of its volumes."""
        grid, ndim = self.grid, self.grid.ndim
        rest = self.volumes * np.broadcast_to(self.terms.reaction + self.terms.held, grid.shape)
        below, above = [], []
        for a, axis in enumerate(grid.axes):
            flux = grid_fluxes(grid, self.terms, a)
            flux = flux.reshape(_along(axis.n + 1, a, ndim)) if flux.ndim == 1 else flux
            area = _area(grid, a)
            below.append(area * flux[window(a, ndim, slice(None, -1))])
            above.append(area * flux[window(a, ndim, slice(1, None))])
            if not axis.periodic:
                for part, faces in zip(ENDS, (below[-1], above[-1]), strict=True):
                    rest[window(a, ndim, part)] += faces[window(a, ndim, part)]
        return _assembled(grid, below, above, rest)


class Operator(Protocol):
    """The properties that levels need of A, whatever keeps its coefficients."""

    grid: Grid
    terms: Terms
    nonzeros: int

    @property
    def diagonal(self) -> Any: ...

    @property
    def volumes(self) -> Array: ...

    def __call__(self, u: Array) -> Array: ...

    def coloured_sweep(self, r: Array, omega: float, reverse: bool = False) -> Array: ...

    def matrix(self) -> sp.csr_matrix: ...

    def to(self, device: Any, dtype: Any) -> Any: ...


def control_volumes(grid: Grid, terms: Terms) -> Array:
    """W: the open part of the volume that belongs to each unknown."""
    return grid.volumes() if terms.fraction is None else terms.fraction * grid.volumes()


def coloured_blocks(grid: Grid, axes: Sequence[int] = (), diagonals: bool = False) -> list[list[Block]]:
    """The colours of points, or of lines or planes along `axes`: lists of blocks within which no two couple.

    An even index sum is red and comes first, then come the black ones. Of each, the first points around an odd
    period come after the others, as the last points are their neighbours. With `diagonals` (3^d points) the parity of
    each index makes a colour, and the first points come after all others.
    """
    classes = [[(0, slice(0, None))] if a in axes else enumerate(axis.colours()) for a, axis in enumerate(grid.axes)]
    colours: dict[tuple[int, ...], list[Block]] = {}
    for choice in product(*classes):
        numbers, block = zip(*choice, strict=True)
        seam, parities = sum(2**a for a, number in enumerate(numbers) if number == 2), [n % 2 for n in numbers]
        key = (seam, *parities) if diagonals else (sum(parities) % 2, seam)
        if all(s.start < n for s, n in zip(block, grid.shape, strict=True)):
            colours.setdefault(key, []).append(block)
    return [colours[key] for key in sorted(colours)]


def _assembled(grid: Grid, lower: Sequence[Any], upper: Sequence[Any], rest: Array) -> sp.csr_matrix:
    """The matrix with these coefficients of differences along each axis, and `rest` added to its diagonal."""
    ndim, centre = grid.ndim, np.zeros(grid.shape)
    diagonals = {0: centre}  # by offset, each by column
    stride = grid.size
    for a, coefficients in enumerate(zip(lower, upper, strict=True)):
        stride //= grid.shape[a]
        for way, (here, there) in enumerate(grid.axes[a].neighbours()):
            step = (grid.shape[a] - 1) * stride if way else -stride  # from the last to the first, or to the next
            for offset, row, column, k in zip((step, -step), (there, here), (here, there), coefficients, strict=True):
                values = diagonals.setdefault(offset, np.zeros(grid.shape))
                values[window(a, ndim, column)] -= _part(k, a, ndim, row)
                centre[window(a, ndim, row)] += _part(k, a, ndim, row)
    centre += rest
    parts = np.stack([values.ravel() for values in diagonals.values()])
    return sp.csr_matrix(sp.dia_matrix((parts, list(diagonals)), shape=(grid.size, grid.size)))


def _along(n: int, axis: int, ndim: int) -> tuple[int, ...]:
    """The shape of n values along an axis."""
    return (1,) * axis + (n,) + (1,) * (ndim - 1 - axis)


def _area(grid: Grid, across: int) -> Array:
    """The areas of the faces across an axis, of the grid's shape with one entry along it."""
    area = np.ones(())
    for a, axis in enumerate(grid.axes):
        area = np.multiply.outer(area, np.ones(1) if a == across else axis.width)
    return area


def _beside(k: Any, axis: int, ndim: int, dtype: np.dtype) -> Array | float:
    """The coefficient beside a side, a number or an array of the side's shape, with an entry along the axis."""
    if not is_tensor(k) and np.ndim(k) == 0:
        return float(k)
    return cast(expand(k, axis - ndim), dtype)


def _per_volume(c: AxisCoefficients, terms: Terms, axis: int) -> AxisCoefficients:
    """The coefficients along an axis where a share of each control volume is open."""
    if terms.fraction is None:
        return c
    low, high = (terms.fraction[window(axis, terms.fraction.ndim, part)].squeeze(axis) for part in ENDS)
    lower, centre, upper = (k / terms.fraction for k in c[:3])
    return AxisCoefficients(lower, centre, upper, c.low / low, c.high / high)


def _shaped(values: Array, axis: int, ndim: int, dtype: np.dtype) -> Array | float:
    """Coefficients of an axis, (n,) or of the grid's shape, ready to multiply a grid function of this dtype."""
    if is_tensor(values) or values.ndim > 1:
        return cast(values, dtype)
    shaped = along(values, axis, ndim)  # before they are rounded: a weak Robin side differs by less than float32 shows
    return shaped if isinstance(shaped, float) else cast(shaped, dtype)


def _part(coefficient: Array | float, axis: int, ndim: int, part: slice) -> Array | float:
    """`part` along an axis of a coefficient, which may have no axes before that one."""
    if np.ndim(coefficient) == 0:
        return coefficient
    return coefficient[part] if np.ndim(coefficient) < ndim else coefficient[window(axis, ndim, part)]  # type: ignore[index]


def _block(coefficient: Array | float, block: Block) -> Array | float:
    """The values of a coefficient on a block; axes of length one broadcast."""
    if np.ndim(coefficient) == 0:
        return coefficient
    shape = np.shape(coefficient)
    return coefficient[tuple(s if n > 1 else slice(None) for s, n in zip(block[-len(shape) :], shape, strict=True))]  # type: ignore[index]
