"""The discrete operator A of a level, matrix-free on a tensor grid or as a sparse matrix, with its relaxations."""

from __future__ import annotations

from itertools import product

import numpy as np
import scipy.sparse as sp

from pde.grid import Array, Axis, Grid, along, trailing, window


def axis_coefficients(axis: Axis) -> tuple[Array, Array, Array]:
    """(lower, centre, upper) of -d^2/dx^2 by finite volumes on the axis: centre u_i - lower u_{i-1} - upper u_{i+1}."""
    lower, upper = 1 / (axis.width * axis.spacing[:-1]), 1 / (axis.width * axis.spacing[1:])
    return lower, lower + upper, upper


def parities(ndim: int, colour: int) -> list[tuple[slice, ...]]:
    """The stride-2 blocks of the points whose index sum has the parity `colour` (0: red, with the first point)."""
    return [tuple(slice(p, None, 2) for p in ps) for ps in product((0, 1), repeat=ndim) if sum(ps) % 2 == colour]


class StencilOperator:
    """A = -Laplacian on a tensor grid with zero boundary values: three coefficients per axis."""

    def __init__(self, grid: Grid, dtype: np.dtype) -> None:
        self.grid = grid
        ndim = grid.ndim
        coefficients = [[c.astype(dtype) for c in axis_coefficients(axis)] for axis in grid.axes]
        self.lower = [along(c[0], a, ndim) for a, c in enumerate(coefficients)]
        self.upper = [along(c[2], a, ndim) for a, c in enumerate(coefficients)]
        self.diagonal = sum(along(c[1], a, ndim) for a, c in enumerate(coefficients))
        self.norm_bound = 2 * float(np.max(self.diagonal))
        self.nonzeros = grid.size * (2 * ndim + 1)

    def __call__(self, u: Array) -> Array:
        """A u for u of shape (..., *grid.shape)."""
        ndim = self.grid.ndim
        result = self.diagonal * u
        for a, (lower, upper) in enumerate(zip(self.lower, self.upper, strict=True)):
            first, last = window(a, ndim, slice(None, -1)), window(a, ndim, slice(1, None))
            result[last] -= _part(lower, a, ndim, slice(1, None)) * u[first]
            result[first] -= _part(upper, a, ndim, slice(None, -1)) * u[last]
        return result

    def coloured_sweep(self, r: Array, omega: float, reverse: bool = False) -> Array:
        """One red-black sweep with relaxation omega on A d = r from d = 0: first colour first, second colour last."""
        ndim = self.grid.ndim
        padded = np.zeros(r.shape[:-ndim] + tuple(n + 2 for n in r.shape[-ndim:]), dtype=r.dtype)
        d = padded[trailing((slice(1, -1),) * ndim)]
        colours = (1, 0) if reverse else (0, 1)
        for block in parities(ndim, colours[0]):
            d[trailing(block)] = (omega / _block(self.diagonal, block)) * r[trailing(block)]
        for block in parities(ndim, colours[1]):
            total = r[trailing(block)] + self._neighbours(padded, block)
            d[trailing(block)] = (omega / _block(self.diagonal, block)) * total
        return np.ascontiguousarray(d)

    def _neighbours(self, padded: Array, block: tuple[slice, ...]) -> Array:
        """Sum over the 2 ndim neighbours of the points of a block, each times its coefficient."""
        ndim, shape = self.grid.ndim, self.grid.shape
        total: Array | float = 0.0
        for a in range(ndim):
            for offset, coefficient in ((-1, self.lower[a]), (1, self.upper[a])):
                index = [slice(s.start + 1, n + 1, 2) for s, n in zip(block, shape, strict=True)]
                index[a] = slice(index[a].start + offset, shape[a] + 1 + offset, 2)
                total = total + _block(coefficient, block) * padded[trailing(index)]
        return np.asarray(total)

    def matrix(self) -> sp.csr_matrix:
        """A as a sparse matrix on the flattened unknowns (C order)."""
        return _kronecker_sum([_tridiagonal(axis) for axis in self.grid.axes])


class MatrixOperator:
    """A as a sparse matrix; relaxation in 2^ndim colours by index parity, which decouples a 3^ndim stencil."""

    def __init__(self, grid: Grid, matrix: sp.csr_matrix) -> None:
        self.grid = grid
        self._matrix = sp.csr_matrix(matrix)
        centre = self._matrix.diagonal()
        self.diagonal = centre.reshape(grid.shape)
        self.norm_bound = float(abs(self._matrix).sum(axis=1).max())
        self.nonzeros = self._matrix.nnz
        indices = np.arange(grid.size).reshape(grid.shape)
        blocks = product(*((slice(0, None, 2), slice(1, None, 2)) for _ in grid.shape))
        self._colours = [(rows, self._matrix[rows], centre[rows]) for b in blocks if (rows := indices[b].ravel()).size]

    def __call__(self, u: Array) -> Array:
        flat = u.reshape(-1, self.grid.size)
        return np.ascontiguousarray((self._matrix @ flat.T).T).reshape(u.shape)

    def coloured_sweep(self, r: Array, omega: float, reverse: bool = False) -> Array:
        """One multicolour Gauss-Seidel sweep with relaxation omega on A d = r from d = 0."""
        flat = r.reshape(-1, self.grid.size).T
        d = np.zeros_like(flat)
        for rows, block, centre in reversed(self._colours) if reverse else self._colours:
            d[rows] += omega * (flat[rows] - block @ d) / centre[:, None]
        return np.ascontiguousarray(d.T).reshape(r.shape)

    def matrix(self) -> sp.csr_matrix:
        return self._matrix


Operator = StencilOperator | MatrixOperator


def _tridiagonal(axis: Axis) -> sp.csr_matrix:
    lower, centre, upper = axis_coefficients(axis)
    return sp.csr_matrix(sp.diags([-lower[1:], centre, -upper[:-1]], [-1, 0, 1]))


def _kronecker_sum(matrices: list[sp.csr_matrix]) -> sp.csr_matrix:
    total = matrices[0]
    for matrix in matrices[1:]:
        n, m = total.shape[0], matrix.shape[0]
        total = sp.kron(total, sp.identity(m)) + sp.kron(sp.identity(n), matrix)
    return sp.csr_matrix(total)


def _part(coefficient: Array | float, axis: int, ndim: int, part: slice) -> Array | float:
    """`part` of a coefficient that `along` has shaped for `axis`."""
    return coefficient if np.ndim(coefficient) == 0 else coefficient[part]  # type: ignore[index]


def _block(coefficient: Array | float, block: tuple[slice, ...]) -> Array | float:
    """The values of a coefficient on a block; axes of length one broadcast."""
    if np.ndim(coefficient) == 0:
        return coefficient
    shape = np.shape(coefficient)
    return coefficient[tuple(s if n > 1 else slice(None) for s, n in zip(block[-len(shape) :], shape, strict=True))]  # type: ignore[index]
