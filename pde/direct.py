"""The direct solver of the coarsest level."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from pde.arrays import contiguous, is_tensor
from pde.grid import Array
from pde.operators import Operator

LARGEST_DENSE = 8192
"""Unknowns at most for which tensors get a dense inverse: half a gigabyte in float64."""


class DirectSolver:
    """B = A^-1; the factorisation is made anew where the object is unpickled.

    Where A is singular (constants are its null space) it solves for the d of zero mean, after taking from r what no d
    can give: both in the inner product of control volumes.
    """

    def __init__(self, A: Operator, singular: bool = False) -> None:
        self.A, self.singular = A, singular
        matrix = A.matrix().astype(float)
        if singular:
            volumes = A.volumes.ravel()
            border = np.full((A.grid.size, 1), abs(matrix.diagonal()).max() or 1.0)
            matrix = sp.bmat([[matrix, border], [(volumes / volumes.sum())[None, :], None]])
        self._factor = splu(sp.csc_matrix(matrix))

    def __call__(self, r: Array) -> Array:
        flat = r.reshape(-1, self.A.grid.size).astype(float)
        if self.singular:
            flat = np.concatenate((flat, np.zeros((len(flat), 1))), axis=1)
        d = self._factor.solve(flat.T).T[:, : self.A.grid.size]
        return np.ascontiguousarray(d).reshape(r.shape).astype(r.dtype)

    def moved(self, leaf: Callable[[Any], Any]) -> DirectSolver | DenseSolver:
        """The same for tensors, or for arrays of another dtype; see `pde.arrays.moved`."""
        if not is_tensor(leaf(np.zeros(()))):
            return self
        size = self.A.grid.size
        if size > LARGEST_DENSE:
            raise ValueError(
                f"levels: on tensors the coarsest level is solved by a dense inverse, of {LARGEST_DENSE} unknowns at "
                f"most; it has {size} here, allow more levels"
            )
        columns = self(np.eye(size).reshape(-1, *self.A.grid.shape)).reshape(size, size)
        return DenseSolver(leaf(columns))

    def __getstate__(self) -> tuple[Operator, bool]:
        return self.A, self.singular

    def __setstate__(self, state: tuple[Operator, bool]) -> None:
        self.__init__(*state)  # type: ignore[misc]


class DenseSolver:
    """B = A^-1 as a matrix, for tensors; `columns` is its transpose."""

    def __init__(self, columns: Any) -> None:
        self._columns = columns

    def __call__(self, r: Any) -> Any:
        return contiguous(r.reshape(-1, len(self._columns)) @ self._columns).reshape(r.shape)
