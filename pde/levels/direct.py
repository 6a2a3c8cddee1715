"""Direct solvers of the coarsest level: by sparse factors, or axis by axis where the operator is separable."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from pde.common.arrays import cast, contiguous, is_tensor, tensors
from pde.problem.coefficients import Terms
from pde.problem.grid import Array, Grid
from pde.problem.operators import Operator, StencilOperator

LARGEST_DENSE = 8192
"""Unknowns at most for which tensors get a dense inverse: half a gigabyte in float64."""


class DirectSolver:
    """B = A^-1; the factorisation is made anew where the object is unpickled.

    Where A is singular (constants are its null space) it solves for the d of zero mean, after taking from r what no d
    can give: both in the inner product of control volumes. The equation of one unknown then follows from the others;
    without it and with that unknown zero the factors are those of a definite matrix, and the mean goes afterwards.
    """

    def __init__(self, A: Operator, singular: bool = False) -> None:
        self.A, self.singular = A, singular
        matrix = A.matrix().astype(float)
        self._share = A.volumes.ravel() / A.volumes.sum()
        self._free = np.arange(A.grid.size)
        if singular:
            self._free = np.delete(self._free, np.argmax(matrix.diagonal()))  # where it is tied to others most strongly
            matrix = matrix[self._free][:, self._free]
        self._factor = _factor_of_definite(matrix) if len(self._free) else None

    def __call__(self, r: Array) -> Array:
        flat = r.reshape(-1, self.A.grid.size).astype(float)
        if self.singular:
            flat = flat - (flat @ self._share)[:, None]
        d = np.zeros_like(flat)
        if self._factor is not None:
            d[:, self._free] = self._factor.solve(flat[:, self._free].T).T
        if self.singular:
            d -= (d @ self._share)[:, None]
        return np.ascontiguousarray(d).reshape(r.shape).astype(r.dtype)

    def moved(self, leaf: Callable[[Any], Any]) -> DirectSolver | DenseSolver:
        """The same for tensors, or for arrays of another dtype; see `pde.common.arrays.moved`."""
        like = leaf(np.zeros(()))
        if not is_tensor(like):
            return self
        size = self.A.grid.size
        if size > LARGEST_DENSE:
            raise ValueError(
                f"levels: on tensors the coarsest level is solved by a dense inverse, of {LARGEST_DENSE} unknowns at "
                f"most; it has {size} here, allow more levels"
            )
        columns = self(np.eye(size).reshape(-1, *self.A.grid.shape)).reshape(size, size)
        return DenseSolver(tensors(like.device, np.dtype(float))(columns))

    def __getstate__(self) -> tuple[Operator, bool]:
        return self.A, self.singular

    def __setstate__(self, state: tuple[Operator, bool]) -> None:
        self.__init__(*state)  # type: ignore[misc]


def _factor_of_definite(matrix: sp.spmatrix) -> Any:
    """LU of a matrix that volumes make symmetric and definite: in an order of minimum degree, without pivots."""
    options = {"SymmetricMode": True}
    return splu(sp.csc_matrix(matrix), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)


LONGEST = 512
"""Unknowns along an axis at most for `SeparableSolver`: it has the eigenvectors of each axis as a matrix."""


class SeparableSolver:
    """B = A^-1 for A = A_0 (x) I + I (x) A_1 + c, by the eigenvectors of each axis (fast diagonalisation).

    Every A_a is self-adjoint in the inner product of its widths. A singular A is treated as `DirectSolver` does it.
    """

    def __init__(self, A: StencilOperator, singular: bool = False) -> None:
        assert isinstance(A.terms.reaction, float)
        self._to: list[Any] = []
        self._back: list[Any] = []
        total: Any = np.asarray(A.terms.reaction)
        for a, axis in enumerate(A.grid.axes):
            line = StencilOperator(Grid((axis,)), np.dtype(float), Terms((A.terms.diffusion[a],)))
            root = np.sqrt(axis.width / axis.width.max())  # of size 1: h may be far from it
            values, vectors = np.linalg.eigh(root[:, None] * line.matrix().toarray() / root)
            values[values < np.finfo(float).eps * values.max()] = 0.0  # rounding has left nothing of them
            self._to.append(vectors.T * root)
            self._back.append(vectors / root[:, None])
            total = np.add.outer(total, values)
        if singular:
            total[(0,) * A.grid.ndim] = 0.0
        self._inverse: Any = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)

    def __call__(self, r: Any) -> Any:
        x = r if is_tensor(r) else r.astype(float)
        d = along_axes(self._back, self._inverse * along_axes(self._to, x))
        return contiguous(d) if is_tensor(r) else d.astype(r.dtype, copy=False)

    @property
    def parts(self) -> tuple[Sequence[Array], Array, Sequence[Array]]:
        """(to, inverse, back): matrices to and from eigenvectors, one per axis; 1 over the eigenvalues between."""
        return self._to, self._inverse, self._back

    def moved(self, leaf: Callable[[Any], Any]) -> SeparableSolver:
        """The same for tensors; for arrays of another dtype it computes in float64."""
        result = self
        if is_tensor(leaf(np.zeros(()))):
            result = copy.copy(self)
            result._to, result._back = [*map(leaf, self._to)], [*map(leaf, self._back)]
            result._inverse = leaf(self._inverse)
        return result


def along_axes(matrices: Sequence[Any], x: Any) -> Any:
    """x, (..., *shape), times one matrix along each axis."""
    shape = x.shape
    for a, M in enumerate(matrices, start=-len(matrices)):
        behind = math.prod(shape[len(shape) + a + 1 :])
        x = M @ x.reshape(-1, len(M), behind) if behind > 1 else x.reshape(-1, len(M)) @ M.T
    return x.reshape(shape)


def is_separable(A: Operator) -> bool:
    """Whether A is a sum of operators along single axes, and none of these too long for `SeparableSolver`."""
    alike = isinstance(A, StencilOperator) and not A.terms.varies and isinstance(A.terms.reaction, float)
    return alike and max(A.grid.shape) <= LONGEST


def direct_solver(A: Operator, singular: bool) -> DirectSolver | SeparableSolver:
    """A solver of A u = f that is not iterative."""
    if isinstance(A, StencilOperator) and is_separable(A):
        return SeparableSolver(A, singular)
    return DirectSolver(A, singular)


class DenseSolver:
    """B = A^-1 as a matrix, for tensors; `columns` is its transpose, in float64 whatever the dtype of r.

    Rounded to float32 it would leave eps ||A|| ||A^-1|| of a residual, which grows from cycle to cycle where that
    is above 1; what rounding does to r and to A^-1 r the next cycle takes away.
    """

    def __init__(self, columns: Any) -> None:
        self._columns = columns

    def __call__(self, r: Any) -> Any:
        x = cast(r.reshape(-1, len(self._columns)), self._columns.dtype)
        return cast(contiguous(x @ self._columns), r.dtype).reshape(r.shape)
