"""The operator A of a full tensor: -div(a grad) + c on the 3^d nearest points."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from pde.common.arrays import expand
from pde.problem.coefficients import Terms, side_weights
from pde.problem.compact import CompactOperator, offsets
from pde.problem.grid import ENDS, Array, Grid, window


class TensorOperator(CompactOperator):
    """A on a tensor grid with zero boundary data; see `pde.problem.tensor`."""

    def __init__(self, grid: Grid, dtype: np.dtype, terms: Terms) -> None:
        coefficients = symmetric_coefficients(grid, terms)
        coefficients /= grid.volumes()
        super().__init__(grid, coefficients.astype(dtype, copy=False), terms)

    def symmetric_matrix(self) -> sp.csr_matrix:
        """W A, symmetric to the last bit."""
        return CompactOperator(self.grid, symmetric_coefficients(self.grid, self.terms)).matrix()


def symmetric_coefficients(grid: Grid, terms: Terms) -> Array:
    """The coefficients of W A."""
    assert terms.tensor is not None
    ndim, W, stencil = grid.ndim, grid.volumes(), terms.tensor.stencil()
    centre = stencil[(0,) * ndim]
    centre += W * terms.reaction
    for a, axis in enumerate(grid.axes):
        for side, end in enumerate(ENDS):
            if axis.sides[side].kind == "robin":
                of_u = np.asarray(terms.of_u(grid, a, side) * side_weights(grid, terms, a, side))
                centre[window(a, ndim, end)] += W[window(a, ndim, end)] * expand(of_u, a - ndim if of_u.ndim else 0)
    zero = np.zeros(grid.shape)
    return np.stack([stencil.get(offset, zero) for offset in offsets(ndim)])
