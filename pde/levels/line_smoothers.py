"""Smoothers that solve for many unknowns at once or one after the other: lines, planes, lexicographic sweeps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from pde.levels.direct import Factored, factor_of_definite
from pde.problem.compact import CompactOperator
from pde.problem.grid import Array
from pde.problem.masked import regular_matrix
from pde.problem.operators import Operator, coloured_blocks


class Zebra(Factored):
    """Relax lines along one axis or planes along two, group after group: solve exactly, times omega.

    Lines and planes go by the parity of their index; on a periodic seam they have groups of their own (`block_groups`).

    Args:
        axes: those along the lines or planes.
        reverse: take the groups in the opposite order.
    """

    def __init__(self, A: Operator, omega: float, axes: tuple[int, ...], reverse: bool = False) -> None:
        self.A, self.omega, self.axes, self.reverse = A, omega, axes, reverse
        groups, matrix = block_groups(A, axes), sp.csr_matrix(regular_matrix(A).astype(float))
        factor = _factor if len(axes) < 2 else factor_of_definite
        steps = [(g, matrix[g], factor(matrix[g][:, g])) for g in groups]
        self._steps = steps[::-1] if reverse else steps

    def __call__(self, r: Array) -> Array:
        flat = r.reshape(-1, self.A.grid.size).T.astype(float)
        d = np.zeros_like(flat)
        for number, (g, rows, factor) in enumerate(self._steps):
            rest = flat[g] - rows @ d if number else flat[g]
            d[g] += self.omega * factor.solve(rest)
        return np.ascontiguousarray(d.T).reshape(r.shape).astype(r.dtype)

    def adjoint(self) -> Zebra:
        return self.changed(reverse=not self.reverse, _steps=self._steps[::-1])

    def to(self, device: Any, dtype: Any, A: Any = None) -> Zebra:
        _refuse(device, "zebra" if len(self.axes) < 2 else "planes")
        return self


@dataclass(frozen=True, eq=False)
class Alternating:
    """One sweep after the other, each on the residual that those before it have left."""

    A: Any
    sweeps: tuple[Any, ...]

    def __call__(self, r: Array) -> Array:
        d = self.sweeps[0](r)
        for sweep in self.sweeps[1:]:
            d = d + sweep(r - self.A(d))
        return d

    def adjoint(self) -> Alternating:
        return replace(self, sweeps=tuple(sweep.adjoint() for sweep in reversed(self.sweeps)))

    def to(self, device: Any, dtype: Any, A: Any = None) -> Alternating:
        A = self.A.to(device, dtype) if A is None else A
        return Alternating(A, tuple(sweep.to(device, dtype, A) for sweep in self.sweeps))


class Lexicographic(Factored):
    """Gauss-Seidel (SOR) through the unknowns in C order: B = (D / omega - L)^-1, in reverse with U for L."""

    def __init__(self, A: Operator, omega: float, reverse: bool = False) -> None:
        self.A, self.omega, self.reverse = A, omega, reverse
        matrix = regular_matrix(A).astype(float)
        part = sp.triu(matrix, k=1) if reverse else sp.tril(matrix, k=-1)
        self._factor = _factor(part + sp.diags(matrix.diagonal() / omega))

    def __call__(self, r: Array) -> Array:
        flat = r.reshape(-1, self.A.grid.size).T.astype(float)
        return np.ascontiguousarray(self._factor.solve(flat).T).reshape(r.shape).astype(r.dtype)

    def adjoint(self) -> Lexicographic:
        return Lexicographic(self.A, self.omega, not self.reverse)

    def to(self, device: Any, dtype: Any, A: Any = None) -> Lexicographic:
        _refuse(device, "gauss-seidel")
        return self


def alternating_zebra(A: Operator, omega: float) -> Alternating:
    """Zebra lines along each axis with more than one unknown in turn."""
    axes = [a for a, n in enumerate(A.grid.shape) if n > 1] or [0]
    return Alternating(A, tuple(Zebra(A, omega, (a,)) for a in axes))


def block_groups(A: Operator, axes: tuple[int, ...]) -> list[Array]:
    """The unknowns of the lines or planes along `axes`, in groups within which no two of them couple."""
    numbers = np.arange(A.grid.size).reshape(A.grid.shape)
    colours = coloured_blocks(A.grid, axes, isinstance(A, CompactOperator))
    return [np.concatenate([numbers[block].ravel() for block in colour]) for colour in colours]


def _refuse(device: Any, name: str) -> None:
    """Refuse tensors: these factors are sparse matrices of SciPy, in float64 whatever the dtype of arrays."""
    if device is not None:
        raise ValueError(
            f"smoother={name!r} uses sparse factors of the host and is not there for tensors; "
            "use 'sor', 'red-black', 'jacobi', 'two-step jacobi' or 'chebyshev', also in the place of 'auto', which "
            "takes lines and planes on stretched axes"
        )


def _factor(matrix: sp.spmatrix) -> Any:
    """LU without reordering: bands and triangles stay as they are."""
    return splu(sp.csc_matrix(matrix), permc_spec="NATURAL", diag_pivot_thresh=0.0)
