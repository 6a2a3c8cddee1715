"""Direct solvers of the coarsest level: by sparse factors, or axis by axis where the operator is separable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from inspect import signature
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from pde.common.arrays import Frozen, cast, contiguous, convert, is_tensor
from pde.problem.coefficients import Terms
from pde.problem.grid import Array, Grid
from pde.problem.masked import regular_matrix
from pde.problem.operators import Operator, StencilOperator

LARGEST_DENSE = 8192
"""Unknowns at most for which tensors get a dense inverse: half a gigabyte in float64."""


class Factored(Frozen):
    """Sparse factors cannot be pickled: the object is pickled as its arguments, and makes them anew."""

    def __reduce__(self) -> Any:
        return type(self), tuple(getattr(self, name) for name in signature(type(self)).parameters)


class DirectSolver(Factored):
    """B = A^-1 by sparse factors.

    Where A is singular (constants are its null space) it subtracts the mean of r and finds the d of zero mean, both in
    the inner product of control volumes. One equation then follows from the others: it is left out, that unknown is
    zero, the remaining matrix is definite, and the mean of d is subtracted afterwards.
    """

    def __init__(self, A: Operator, singular: bool = False) -> None:
        self.A, self.singular = A, singular
        matrix, free = regular_matrix(A).astype(float), np.arange(A.grid.size)
        if singular:
            free = np.delete(free, np.argmax(matrix.diagonal()))  # the unknown that is tied to others most strongly
            matrix = matrix[free][:, free]
        self._share, self._free = A.volumes.ravel() / A.volumes.sum(), free
        self._factor = factor_of_definite(matrix) if len(free) else None

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

    def to(self, device: Any, dtype: Any) -> DirectSolver | DenseSolver:
        """The same for tensors; of arrays it takes any dtype, and computes in float64."""
        if device is None:
            return self
        size = self.A.grid.size
        if size > LARGEST_DENSE:
            raise ValueError(
                f"levels: on tensors the coarsest level is solved by a dense inverse, of {LARGEST_DENSE} unknowns at "
                f"most; it has {size} here, allow more levels"
            )
        columns = self(np.eye(size).reshape(-1, *self.A.grid.shape)).reshape(size, size)
        return DenseSolver(convert(columns, device, np.dtype(float)))


def factor_of_definite(matrix: sp.spmatrix) -> Any:
    """LU of a matrix that volumes make symmetric and definite: in an order of minimum degree, without pivots."""
    options = {"SymmetricMode": True}
    return splu(sp.csc_matrix(matrix), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)


LONGEST = 512
"""Unknowns along an axis at most for `SeparableSolver`: it has the eigenvectors of each axis as a matrix."""

THINNEST = 1e-6
"""Control volumes of an axis at least, of its length, for `SeparableSolver`: rounding of its largest eigenvalue, some
4 / h^2, would hide the least one. Sparse factors do not mind.
"""


class SeparableSolver(Frozen):
    """B = A^-1 for A = A_0 (x) I + I (x) A_1 + c, by the eigenvectors of each axis (fast diagonalisation).

    Every A_a is self-adjoint in the inner product of its widths. A singular A is treated as `DirectSolver` does it.

    Attributes:
        parts: (to, inverse, back): matrices to and from eigenvectors, one per axis; 1 over the eigenvalues between.
    """

    def __init__(self, A: StencilOperator, singular: bool = False) -> None:
        grid, terms = A.grid, A.terms
        total: Any = np.asarray(terms.reaction)
        to, back = [], []
        for axis, a in zip(grid.axes, terms.diffusion, strict=True):
            line = StencilOperator(Grid((axis,)), np.dtype(float), Terms((a,)))
            root = np.sqrt(axis.width / axis.width.max())  # of size 1: h may be far from it
            values, vectors = _eigenvectors((root[:, None] * line.matrix().toarray() / root).tobytes(), axis.n)
            to.append(vectors.T * root)
            back.append(vectors / root[:, None])
            total = np.add.outer(total, values)
        if singular:
            total[(0,) * grid.ndim] = 0.0
        self.parts: Any = to, np.divide(1.0, total, out=np.zeros_like(total), where=total != 0), back

    def __call__(self, r: Any) -> Any:
        to, inverse, back = self.parts
        x = r if is_tensor(r) else r.astype(float)
        d = along_axes(back, inverse * along_axes(to, x))
        return contiguous(d) if is_tensor(r) else d.astype(r.dtype, copy=False)

    def to(self, device: Any, dtype: Any) -> SeparableSolver:
        """The same for tensors; of arrays it takes any dtype, and computes in float64."""
        return self if device is None else self.changed(parts=convert(self.parts, device, dtype))


@lru_cache(maxsize=4)
def _eigenvectors(matrix: bytes, n: int) -> tuple[Array, Array]:
    """Eigenvalues and eigenvectors of a symmetric matrix; axes are often alike, also those of the next solver."""
    values, vectors = np.linalg.eigh(np.frombuffer(matrix).reshape(n, n))
    values[values < np.finfo(float).eps * values.max()] = 0.0  # rounding has left nothing of them
    return values, vectors


def along_axes(matrices: Sequence[Any], x: Any) -> Any:
    """Multiply x, (..., *shape), by one matrix along each axis."""
    shape = x.shape
    for a, M in enumerate(matrices, start=-len(matrices)):
        behind = math.prod(shape[len(shape) + a + 1 :])
        x = M @ x.reshape(-1, len(M), behind) if behind > 1 else x.reshape(-1, len(M)) @ M.T
    return x.reshape(shape)


def is_separable(A: Operator) -> bool:
    """Whether A is a sum of operators along single axes, none of them too long or too uneven for `SeparableSolver`."""
    terms = A.terms
    alike = isinstance(A, StencilOperator) and not (terms.varies or terms.betas) and isinstance(terms.reaction, float)
    even = all(axis.width.min() >= THINNEST * axis.length for axis in A.grid.axes)
    return alike and even and max(A.grid.shape) <= LONGEST


def multiplications(grid: Grid) -> int:
    """Multiplications of one solution by a `SeparableSolver`, to the eigenvectors and back."""
    return 2 * grid.size * sum(n for n in grid.shape if n > 1)


class DirectStart(Frozen):
    """The level on which full multigrid begins with a direct solution, where that costs less than cycles from there.

    Args:
        level: its number, 0 the finest.
        A: its operator, which is separable.
        like: the device and dtype of its vectors, as `to` takes them.
    """

    def __init__(self, level: int, A: StencilOperator, singular: bool, like: tuple[Any, Any] = (None, None)) -> None:
        self.level, self.A, self.singular, self.like = level, A, singular, like

    @cached_property
    def solver(self) -> SeparableSolver:
        """The solver, whose eigenvectors are made when they are first needed."""
        return SeparableSolver(self.A, self.singular).to(*self.like)

    def to(self, device: Any, dtype: Any) -> DirectStart:
        return DirectStart(self.level, self.A, self.singular, (device, dtype))


def direct_solver(A: Operator, singular: bool) -> DirectSolver | SeparableSolver:
    """A solver of A u = f that is not iterative."""
    if isinstance(A, StencilOperator) and is_separable(A):
        return SeparableSolver(A, singular)
    return DirectSolver(A, singular)


@dataclass(frozen=True, eq=False)
class DenseSolver:
    """B = A^-1 as a matrix, for tensors; `columns` is its transpose, in float64 whatever the dtype of r.

    In float32 it would leave eps ||A|| ||A^-1|| of a residual, and cycles would diverge where that is above 1; the
    rounding of r and of A^-1 r is harmless.
    """

    columns: Any

    def __call__(self, r: Any) -> Any:
        x = cast(r.reshape(-1, len(self.columns)), self.columns.dtype)
        return cast(contiguous(x @ self.columns), r.dtype).reshape(r.shape)
