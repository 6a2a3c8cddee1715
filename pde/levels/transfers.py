"""Restriction and prolongation of the cycles, between a grid and its coarsening."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from pde.common.arrays import contiguous
from pde.levels.interpolation_1d import Gather, adjoint, linear_matrix, parts_of, restriction_matrix
from pde.problem.grid import Array, Axis, Grid


class BilinearTransfer:
    """Linear interpolation along each coarsened axis: (4.7)-(4.9) bilinear, on any spacing.

    Beyond the outermost unknowns it goes around a periodic axis, and elsewhere to what the side's condition makes of
    the outermost value: zero at a Dirichlet end; on cell-centred grids the same value at a Neumann end, and less at a
    Robin end, by its beta and by a of that side, `diffusion` (per axis low and high; 1 if not given).
    """

    def __init__(
        self, fine: Grid, which: tuple[bool, ...], dtype: np.dtype, diffusion: Sequence[tuple[float, float]] = ()
    ) -> None:
        self.fine, self.which, self.diffusion = fine, which, tuple(diffusion)
        self.coarse = fine.coarsen(which)
        self.along = {
            a: linear_matrix(fine.axes[a], self.coarse.axes[a], *diffusion[a : a + 1])
            for a in range(fine.ndim)
            if which[a]
        }
        self._prolong, self._restrict = (
            [
                Gather(parts_of(fine.axes[a], dtype, make, self.coarse.axes[a], *diffusion[a : a + 1]), a, fine.ndim)
                for a in self.along
            ]
            for make in (linear_matrix, restriction_matrix)
        )

    def prolong(self, e: Array, like: Array | None = None) -> Array:
        """P e on the fine grid."""
        for step in self._prolong:
            e = step(e)
        return e

    def restrict(self, r: Array) -> Array:
        """R r = W_c^-1 P^T W_f r, the adjoint of P in the inner product of control volumes (full weighting)."""
        for step in self._restrict:
            r = step(r)
        return r

    def matrix(self) -> sp.csr_matrix:
        """P as a sparse matrix on flattened unknowns."""
        result = sp.identity(1)
        for a, axis in enumerate(self.fine.axes):
            result = sp.kron(result, self.along[a] if self.which[a] else sp.identity(axis.n))
        return sp.csr_matrix(result)

    def restriction(self) -> sp.csr_matrix:
        """R as a sparse matrix."""
        return adjoint(self.matrix(), self.fine.volumes().ravel(), self.coarse.volumes().ravel())


class MatrixTransfer:
    """P as a sparse matrix on flattened unknowns, and R = W_c^-1 P^T W_f."""

    def __init__(self, P: sp.csr_matrix, fine: Array, coarse: Array, dtype: np.dtype) -> None:
        """`fine` and `coarse` are the control volumes, arrays of the grids' shapes."""
        self._P = sp.csr_matrix(P).astype(dtype)
        self._R = adjoint(P, fine.ravel(), coarse.ravel()).astype(dtype)
        self._shapes = fine.shape, coarse.shape

    def prolong(self, e: Array, like: Array | None = None) -> Array:
        return _apply(self._P, e, *reversed(self._shapes))

    def restrict(self, r: Array) -> Array:
        return _apply(self._R, r, *self._shapes)

    def matrix(self) -> sp.csr_matrix:
        return self._P

    def restriction(self) -> sp.csr_matrix:
        """R as a sparse matrix."""
        return self._R


class LinearTransfer(MatrixTransfer):
    """Linear interpolation on triangles cut along the anti-diagonal (4.9), (4.14); two dimensions."""

    def __init__(
        self, fine: Grid, which: tuple[bool, ...], dtype: np.dtype, diffusion: Sequence[tuple[float, float]] = ()
    ) -> None:
        """`diffusion` is not needed: unknowns are nodes, so that no end lies beyond them but those of Dirichlet."""
        if fine.ndim != 2 or not all(which) or any(axis.cell for axis in fine.coarsen(which).axes):
            raise ValueError(
                "transfer='linear' is for two vertex-centred axes that coarsen together, (4.14); "
                f"got shape {fine.shape} with axes to coarsen {which}. Use transfer='bilinear'"
            )
        self.coarse = fine.coarsen(which)
        super().__init__(_triangle_matrix(fine, self.coarse), fine.volumes(), self.coarse.volumes(), dtype)


TRANSFERS: dict[str, type[BilinearTransfer] | type[LinearTransfer]] = {
    "bilinear": BilinearTransfer,
    "linear": LinearTransfer,
}


def _triangle_matrix(fine: Grid, coarse: Grid) -> sp.csr_matrix:
    """Barycentric weights of every fine point in its triangle of the coarse grid."""
    cells, offsets = [], []
    for f, c in zip(fine.axes, coarse.axes, strict=True):
        cell = np.clip(np.searchsorted(c.nodes, f.points, side="right") - 1, 0, len(c.nodes) - 2)
        cells.append(cell)
        offsets.append((f.points - c.nodes[cell]) / c.spacing[cell])
    i, j = np.meshgrid(*cells, indexing="ij")
    s, t = np.meshgrid(*offsets, indexing="ij")
    upper = s + t > 1
    corners = {
        (0, 0): np.where(upper, 0, 1 - s - t),
        (1, 0): np.where(upper, 1 - t, s),
        (0, 1): np.where(upper, 1 - s, t),
        (1, 1): np.where(upper, s + t - 1, 0),
    }
    rows, columns, values = [], [], []
    numbers = np.arange(fine.size).reshape(fine.shape)
    for (p, q), w in corners.items():
        (row, row_inside), (column, column_inside) = (
            _unknown(axis, index) for axis, index in zip(coarse.axes, (i + p, j + q), strict=True)
        )
        inside = (abs(w) > 1e-14) & row_inside & column_inside
        rows.append(numbers[inside])
        columns.append((row * coarse.shape[1] + column)[inside])
        values.append(w[inside])
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return sp.csr_matrix(entries, shape=(fine.size, coarse.size))


def _unknown(axis: Axis, node: Array) -> tuple[Array, Array]:
    """The unknowns at these nodes of a vertex-centred axis, and which of the nodes are unknown."""
    if axis.periodic:
        return node % axis.n, np.ones(node.shape, dtype=bool)
    unknown = node - axis.first
    return unknown, (unknown >= 0) & (unknown < axis.n)


def _apply(matrix: sp.csr_matrix, u: Array, source: tuple[int, ...], target: tuple[int, ...]) -> Array:
    flat = u.reshape(-1, int(np.prod(source)))
    return contiguous((matrix @ flat.T).T).reshape(u.shape[: -len(source)] + target)
