"""The discrete operator A of a level, matrix-free on a tensor grid or as a sparse matrix, with its relaxations."""

from __future__ import annotations

from itertools import product

import numpy as np
import scipy.sparse as sp

from pde.arrays import cast, contiguous, is_tensor, zeros
from pde.grid import Array, Axis, Grid, along, trailing, window
from pde.terms import Terms, grid_coefficients


class StencilOperator:
    """A = -div(a grad) + c on a tensor grid with zero boundary data: three coefficients per axis."""

    def __init__(self, grid: Grid, dtype: np.dtype, terms: Terms | None = None) -> None:
        self.grid = grid
        self.terms = Terms((1.0,) * grid.ndim) if terms is None else terms
        ndim = grid.ndim
        coefficients = [grid_coefficients(grid, self.terms, a) for a in range(ndim)]
        self.lower, self.upper, centre = (
            [_shaped(getattr(c, name), a, ndim, dtype) for a, c in enumerate(coefficients)]
            for name in ("lower", "upper", "centre")
        )
        c = self.terms.reaction
        self.diagonal = sum(centre) + (c if isinstance(c, float) else cast(c, dtype))
        self.nonzeros = grid.size * (2 * ndim + 1)
        self.colours = coloured_blocks(grid)

    @property
    def volumes(self) -> Array:
        """W: the control volume of each unknown."""
        return self.grid.volumes()

    def __call__(self, u: Array) -> Array:
        """A u for u of shape (..., *grid.shape)."""
        ndim = self.grid.ndim
        result = self.diagonal * u
        for a, (lower, upper) in enumerate(zip(self.lower, self.upper, strict=True)):
            for here, there in _pairs(self.grid.axes[a]):
                first, last = window(a, ndim, here), window(a, ndim, there)
                result[last] -= _part(lower, a, ndim, there) * u[first]
                result[first] -= _part(upper, a, ndim, here) * u[last]
        return result

    def coloured_sweep(self, r: Array, omega: float, reverse: bool = False) -> Array:
        """One red-black sweep with relaxation omega on A d = r from d = 0, the first point's colour first.

        The seam of an odd periodic axis comes last, in colours of its own. `reverse` takes the colours in the
        opposite order.
        """
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
                low, high = window(a, self.grid.ndim, slice(0, 1)), window(a, self.grid.ndim, slice(-1, None))
                padded[low] = padded[window(a, self.grid.ndim, slice(-2, -1))]
                padded[high] = padded[window(a, self.grid.ndim, slice(1, 2))]

    def _neighbours(self, padded: Array, block: tuple[slice, ...]) -> Array:
        """Sum over the 2 ndim neighbours of the points of a block, each times its coefficient."""
        total: Array | float = 0.0
        for a in range(self.grid.ndim):
            for offset, coefficient in ((-1, self.lower[a]), (1, self.upper[a])):
                index = [
                    slice(s.start + 1 + o, s.stop + 1 + o, s.step)
                    for s, o in zip(block, _unit(self.grid.ndim, a, offset), strict=True)
                ]
                total = total + _block(coefficient, block) * padded[trailing(index)]
        return total  # type: ignore[return-value]

    def matrix(self) -> sp.csr_matrix:
        """A as a sparse matrix on the flattened unknowns (C order)."""
        grid, ndim = self.grid, self.grid.ndim
        diagonals = {0: np.array(np.broadcast_to(self.diagonal, grid.shape), dtype=float)}  # by offset, each by column
        stride = grid.size
        for a, (lower, upper) in enumerate(zip(self.lower, self.upper, strict=True)):
            stride //= grid.shape[a]
            for way, (here, there) in enumerate(_pairs(grid.axes[a])):
                step = (grid.shape[a] - 1) * stride if way else -stride  # from the last to the first, or to the next
                for offset, row, column, coefficient in ((step, there, here, lower), (-step, here, there, upper)):
                    values = diagonals.setdefault(offset, np.zeros(grid.shape))
                    values[window(a, ndim, column)] -= _part(coefficient, a, ndim, row)
        parts = np.stack([values.ravel() for values in diagonals.values()])
        return sp.csr_matrix(sp.dia_matrix((parts, list(diagonals)), shape=(grid.size, grid.size)))


class MatrixOperator:
    """A as a sparse matrix; relaxation in a colour per class of indices, 2^ndim of them, for a 3^ndim-point stencil."""

    def __init__(
        self, grid: Grid, matrix: sp.csr_matrix, terms: Terms | None = None, volumes: Array | None = None
    ) -> None:
        self.grid = grid
        self.volumes = grid.volumes() if volumes is None else volumes
        self.terms = Terms((1.0,) * grid.ndim) if terms is None else terms
        self._matrix = sp.csr_matrix(matrix)
        centre = self._matrix.diagonal()
        self.diagonal = centre.reshape(grid.shape)
        self.nonzeros = self._matrix.nnz
        indices = np.arange(grid.size).reshape(grid.shape)
        blocks = product(*(axis.colours() for axis in grid.axes))
        self._colours = [(rows, self._matrix[rows], centre[rows]) for b in blocks if (rows := indices[b].ravel()).size]

    def __call__(self, u: Array) -> Array:
        flat = u.reshape(-1, self.grid.size)
        return contiguous((self._matrix @ flat.T).T).reshape(u.shape)

    def coloured_sweep(self, r: Array, omega: float, reverse: bool = False) -> Array:
        """One multicolour Gauss-Seidel sweep with relaxation omega on A d = r from d = 0."""
        flat = r.reshape(-1, self.grid.size).T
        d = zeros(tuple(flat.shape), like=r)
        for rows, block, centre in reversed(self._colours) if reverse else self._colours:
            d[rows] += omega * (flat[rows] - block @ d) / centre[:, None]
        return contiguous(d.T).reshape(r.shape)

    def matrix(self) -> sp.csr_matrix:
        return self._matrix


Operator = StencilOperator | MatrixOperator


def coloured_blocks(grid: Grid) -> list[list[tuple[slice, ...]]]:
    """The colours of a (2 ndim + 1)-point stencil, each a list of blocks of unknowns that do not couple.

    Red are the points with an even index sum, then come the black ones, then those on the seam of an odd periodic
    axis, by the parity of the other indices.
    """
    colours: dict[tuple[int, int], list[tuple[slice, ...]]] = {}
    for classes in product(*(enumerate(axis.colours()) for axis in grid.axes)):
        numbers, block = zip(*classes, strict=True)
        seam = sum(2**a for a, number in enumerate(numbers) if number == 2)
        if all(s.start < n for s, n in zip(block, grid.shape, strict=True)):
            colours.setdefault((seam, sum(number % 2 for number in numbers) % 2), []).append(block)
    return [colours[key] for key in sorted(colours)]


def _pairs(axis: Axis) -> list[tuple[slice, slice]]:
    """The neighbours along an axis: (all but the last, all but the first), and around a periodic one (last, first)."""
    pairs = [(slice(None, -1), slice(1, None))]
    return [*pairs, (slice(-1, None), slice(0, 1))] if axis.periodic else pairs


def _unit(ndim: int, axis: int, offset: int) -> list[int]:
    return [offset if a == axis else 0 for a in range(ndim)]


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


def _block(coefficient: Array | float, block: tuple[slice, ...]) -> Array | float:
    """The values of a coefficient on a block; axes of length one broadcast."""
    if np.ndim(coefficient) == 0:
        return coefficient
    shape = np.shape(coefficient)
    return coefficient[tuple(s if n > 1 else slice(None) for s, n in zip(block[-len(shape) :], shape, strict=True))]  # type: ignore[index]
