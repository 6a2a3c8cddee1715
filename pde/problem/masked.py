"""The operator of a box on the points of a domain alone, with u = 0 at all others: held walls."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from pde.common.arrays import Frozen, cast, contiguous, zeros
from pde.problem.grid import Array, trailing
from pde.problem.operators import Operator, StencilOperator, _block


class MaskedOperator(Frozen):
    """A u = M (A_box M u + extra u), M the mask: its results are zero outside, whatever u is there.

    Args:
        box: the operator without the mask.
        inside: where unknowns are, a boolean array of the grid's shape.
        extra: what walls between grid points add to the diagonal, an array of that shape; None is nothing.

    Attributes:
        diagonal: that of the box with `extra`, also outside, so that it may divide.

    >>> from pde import Poisson
    >>> from pde.problem.operators import StencilOperator
    >>> box = StencilOperator(Poisson(3, 4.0).grid, np.dtype(float))
    >>> bool(np.all(MaskedOperator(box, np.array([True, True, False]))(np.ones(3)) == [1, 1, 0]))
    True
    """

    arrays = ("box", "inside", "extra", "diagonal")

    def __init__(self, box: StencilOperator, inside: Array, extra: Array | None = None) -> None:
        self.box, self.inside = box, inside
        self.grid, self.terms, self.colours = box.grid, box.terms, box.colours
        self.extra = None if extra is None else cast(extra, np.result_type(box.diagonal))
        self.diagonal: Any = box.diagonal if self.extra is None else box.diagonal + self.extra
        self.nonzeros = int(np.count_nonzero(inside)) * (2 * box.grid.ndim + 1)

    @property
    def volumes(self) -> Array:
        """W: the control volume of each point."""
        return self.box.volumes

    def __call__(self, u: Array) -> Array:
        """A u for u of shape (..., *grid.shape)."""
        u = self.inside * u
        result = self.box(u)
        if self.extra is not None:
            result += self.extra * u
        result *= self.inside
        return result

    def coloured_sweep(self, r: Array, omega: float, reverse: bool = False) -> Array:
        """One red-black sweep with relaxation omega on A d = r from d = 0, which stays zero outside."""
        ndim = self.grid.ndim
        padded = zeros(tuple(r.shape[:-ndim]) + tuple(n + 2 for n in self.grid.shape), like=r)
        d = padded[trailing((slice(1, -1),) * ndim)]
        for number, blocks in enumerate(reversed(self.colours) if reverse else self.colours):
            if number > 0:
                self.box._wrap(padded)
            for block in blocks:
                total = r[trailing(block)]
                if number > 0:
                    total = total + self.box._neighbours(padded, block)
                d[trailing(block)] = (omega / _block(self.diagonal, block)) * (self.inside[block] * total)
        return contiguous(d)

    def matrix(self) -> sp.csr_matrix:
        """A as a sparse matrix on the flattened points (C order), with empty rows and columns outside."""
        return self._masked(self.box.matrix(), 1.0)

    def symmetric_matrix(self) -> sp.csr_matrix:
        """W A in the same way, symmetric to the last bit."""
        return self._masked(self.box.symmetric_matrix(), self.volumes)

    def _masked(self, matrix: sp.csr_matrix, weight: Any) -> sp.csr_matrix:
        if self.extra is not None:
            matrix = matrix + sp.diags((weight * self.extra).ravel())
        M = sp.diags(self.inside.ravel().astype(float))
        result = sp.csr_matrix(M @ matrix @ M)
        result.eliminate_zeros()
        return result


def regular_matrix(A: Operator) -> sp.csr_matrix:
    """A as a matrix, with the diagonal of its box outside a domain, where its own rows are empty."""
    matrix = A.matrix()
    if isinstance(A, MaskedOperator):
        matrix = sp.csr_matrix(matrix + sp.diags((~A.inside * A.box.diagonal).ravel()))
    return matrix
