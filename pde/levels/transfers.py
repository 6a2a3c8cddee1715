"""Restriction and prolongation of the cycles, between a grid and its coarsening."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from mgcore import stencils
from pde.common.arrays import Frozen, multiplied
from pde.levels.axis_maps import AlongAxes, along_axes
from pde.levels.interpolation_1d import adjoint, linear_matrix, restriction_matrix
from pde.problem.grid import Array, Axis, Grid


@dataclass(frozen=True, eq=False)
class SparseMap(Frozen):
    """A sparse matrix between grid functions with leading batch axes."""

    matrix: Any
    source: tuple[int, ...]
    target: tuple[int, ...]
    arrays = ("matrix",)

    def __call__(self, u: Array, like: Array | None = None) -> Array:
        return multiplied(self.matrix, u, len(self.source), self.target)


@dataclass(frozen=True, eq=False)
class Transfer(Frozen):
    """P, with its adjoint R = W_c^-1 P^T W_f in the inner product of control volumes.

    Args:
        coarse: the coarse grid.
        prolong: P.
        restrict: R.
    """

    coarse: Grid
    prolong: AlongAxes | SparseMap
    restrict: AlongAxes | SparseMap
    arrays = ("prolong", "restrict")

    def __call__(self, e: Array, like: Array | None = None) -> Array:
        """P e on the fine grid."""
        return self.prolong(e)

    def adjoint(self) -> Callable[[Array], Array]:
        """R."""
        return self.restrict


class BilinearTransfer(Transfer):
    """Linear interpolation along each coarsened axis: (4.7)-(4.9) bilinear, on any spacing.

    Beyond the outermost unknowns it goes around a periodic axis, and elsewhere to the end value by the side's
    condition: zero at a Dirichlet end; on cell-centred grids the outermost value at a Neumann end, and less at a Robin
    end, by its beta and by a of that side, `diffusion` (per axis low and high; 1 if not given).
    """

    def __init__(
        self, fine: Grid, which: tuple[bool, ...], dtype: np.dtype, diffusion: Sequence[tuple[float, float]] = ()
    ) -> None:
        self.fine, self.which, self.diffusion = fine, which, tuple(diffusion)
        coarse = fine.coarsen(which)
        further = (coarse.axes, diffusion) if len(diffusion) else (coarse.axes,)
        P, R = (along_axes(fine, which, dtype, make, *further) for make in (linear_matrix, restriction_matrix))
        super().__init__(coarse, P, R)

    def matrix(self) -> sp.csr_matrix:
        """P as a sparse matrix on flattened unknowns."""
        result = sp.identity(1)
        for a, (fine, coarse) in enumerate(zip(self.fine.axes, self.coarse.axes, strict=True)):
            along = linear_matrix(fine, coarse, *self.diffusion[a : a + 1]) if self.which[a] else sp.identity(fine.n)
            result = sp.kron(result, along)
        return sp.csr_matrix(result)

    def restriction(self) -> sp.csr_matrix:
        """R as a sparse matrix."""
        return adjoint(self.matrix(), self.fine.volumes().ravel(), self.coarse.volumes().ravel())


class MatrixTransfer(Transfer):
    """P as a sparse matrix on flattened unknowns; `fine` and `volumes` are the control volumes of both grids."""

    prolong: SparseMap
    restrict: SparseMap

    def __init__(self, coarse: Grid, P: sp.csr_matrix, fine: Array, volumes: Array, dtype: np.dtype) -> None:
        self.volumes = volumes
        R = adjoint(P, fine.ravel(), volumes.ravel()).astype(dtype)
        P = SparseMap(sp.csr_matrix(P).astype(dtype), coarse.shape, fine.shape)
        super().__init__(coarse, P, SparseMap(R, fine.shape, coarse.shape))

    def matrix(self) -> sp.csr_matrix:
        """P as a sparse matrix."""
        return self.prolong.matrix

    def restriction(self) -> sp.csr_matrix:
        """R as a sparse matrix."""
        return self.restrict.matrix


class LinearTransfer(MatrixTransfer):
    """Linear interpolation on triangles cut along the anti-diagonal (4.9), (4.14); two dimensions."""

    kernel = stencils.LINEAR
    """P as a stencil, which is the same at every coarse point."""

    def __init__(
        self, fine: Grid, which: tuple[bool, ...], dtype: np.dtype, diffusion: Sequence[tuple[float, float]] = ()
    ) -> None:
        """`diffusion` is not read: the unknowns are nodes, and no value beyond them depends on it."""
        coarse = fine.coarsen(which)
        if fine.ndim != 2 or not all(which) or any(axis.cell for axis in coarse.axes):
            raise ValueError(
                "transfer='linear' is for two vertex-centred axes that coarsen together, (4.14); "
                f"got shape {fine.shape} with axes to coarsen {which}. Use transfer='bilinear'"
            )
        super().__init__(coarse, _triangle_matrix(fine, coarse), fine.volumes(), coarse.volumes(), dtype)


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
    corners = {
        (0, 0): np.maximum(1 - s - t, 0),
        (1, 0): np.minimum(s, 1 - t),
        (0, 1): np.minimum(t, 1 - s),
        (1, 1): np.maximum(s + t - 1, 0),
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
