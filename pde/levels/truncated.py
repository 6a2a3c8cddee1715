"""Transfers and coarse operators on a domain inside a box: linear interpolation, cut off where there are no unknowns.

A coarse point is in the domain where the fine point at its place is. P = S P_box M_c, with P_box bilinear interpolation
through every second point, S a number per fine point that is zero outside, and M_c the coarse mask. R is the adjoint;
coarse control volumes are all equal, so that R A P is symmetric as it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from pde.common.arrays import Frozen, cast
from pde.levels.axis_maps import AlongAxes, along_axes
from pde.levels.black_box import through_points
from pde.levels.galerkin import coefficients_of, collapsed, scaled, stencil_of
from pde.levels.interpolation_1d import linear_matrix
from pde.problem.coefficients import Terms
from pde.problem.compact import CompactOperator
from pde.problem.grid import Array, Axis, Grid, is_constant
from pde.problem.masked import MaskedOperator
from pde.problem.operators import StencilOperator

Domain = MaskedOperator | CompactOperator
"""Operators on a domain; of a `CompactOperator` all points with entries beside the diagonal, if it is given no mask."""


class TruncatedTransfer(Frozen):
    """P = S P_box M_c and its adjoint R.

    Args:
        fine: the fine grid.
        which: the axes that coarsen.
        rows: S, a mask or numbers that are zero outside, an array of the grid's shape.
        volumes: W of the fine grid, an array of its shape.

    Attributes:
        coarse: the coarse grid.
        kept: the fine index of every coarse point, per axis.
        inside: M_c, a boolean array of its shape.
        volume: the control volume of every coarse point.
        weights: S W / mean(W), which R multiplies by.
    """

    arrays = ("rows", "weights", "inside", "prolong", "restrict")

    def __init__(self, fine: Grid, which: tuple[bool, ...], dtype: np.dtype, rows: Array, volumes: Array) -> None:
        self.fine, self.which = through_points(fine, which), which
        self.coarse = self.fine.coarsen(which)
        self.rows = rows if rows.dtype == bool else cast(rows, dtype)
        mean, uniform = float(volumes.mean()), is_constant(volumes.ravel())
        self.weights = self.rows if uniform else cast(rows * (volumes / mean), dtype)
        self.volume = mean * 2 ** sum(which)
        axes = zip(self.fine.axes, which, strict=True)
        self.kept = [axis.injection()[0][0] if halve else np.arange(axis.n) for axis, halve in axes]
        self.inside = rows[np.ix_(*self.kept)] != 0
        self.prolong: AlongAxes = along_axes(self.fine, which, dtype, linear_matrix, self.coarse.axes)
        self.restrict: AlongAxes = along_axes(self.fine, which, dtype, _half_transposed, self.coarse.axes)

    def __call__(self, e: Array, like: Array | None = None) -> Array:
        """P e on the fine grid."""
        return self.rows * self.prolong(self.inside * e)

    def adjoint(self) -> Callable[[Array], Array]:
        """R."""
        return TruncatedRestriction(self)

    def matrix(self) -> sp.csr_matrix:
        """P as a sparse matrix on flattened points."""
        return sp.csr_matrix(sp.diags(self._flat(self.rows)) @ self._box @ sp.diags(self._flat(self.inside)))

    def restriction(self) -> sp.csr_matrix:
        """R as a sparse matrix."""
        share = 0.5 ** sum(self.which)
        return sp.csr_matrix(
            sp.diags(share * self._flat(self.inside)) @ self._box.T @ sp.diags(self._flat(self.weights))
        )

    @cached_property
    def _box(self) -> sp.csr_matrix:
        result = sp.identity(1)
        for fine, coarse, halve in zip(self.fine.axes, self.coarse.axes, self.which, strict=True):
            result = sp.kron(result, linear_matrix(fine, coarse) if halve else sp.identity(fine.n))
        return sp.csr_matrix(result)

    @staticmethod
    def _flat(values: Array) -> Array:
        return values.ravel().astype(float)


class TruncatedRestriction:
    """R = W_c^-1 P^T W of a transfer."""

    def __init__(self, transfer: TruncatedTransfer) -> None:
        self.transfer = transfer

    def __call__(self, r: Array) -> Array:
        return self.transfer.inside * self.transfer.restrict(self.transfer.weights * r)


def product(
    A: StencilOperator | Domain, transfer: TruncatedTransfer, dtype: np.dtype, terms: Terms | None = None
) -> CompactOperator:
    """R A P (5.11); outside the coarse mask the diagonal is a positive number, and all else zero."""
    stencil = scaled(stencil_of(A), transfer.weights, transfer.rows, A.grid)
    for a, halve in enumerate(transfer.which):
        stencil = collapsed(stencil, transfer.fine, a) if halve else stencil
    inside = transfer.inside
    stencil = scaled(stencil, 0.5 ** sum(transfer.which) * inside, inside, transfer.coarse)
    centre = stencil[(0,) * A.grid.ndim]
    centre[~inside] = centre.max()
    coefficients = coefficients_of(stencil, inside.shape).astype(dtype, copy=False)
    return CompactOperator(transfer.coarse, coefficients, terms, transfer.volume, inside)


def scaling(A: StencilOperator | Domain) -> Array:
    """S: the mask, and beside walls between grid points less, by the ratio of the box's diagonal to that of A."""
    if isinstance(A, MaskedOperator):
        return A.inside if A.extra is None else A.inside * (A.box.diagonal / A.diagonal)
    inside: Any = A.inside if isinstance(A, CompactOperator) else None
    return np.ones(A.grid.shape, dtype=bool) if inside is None else inside


def _half_transposed(fine: Axis, coarse: Axis) -> sp.csr_matrix:
    return sp.csr_matrix(linear_matrix(fine, coarse).T) * 0.5
