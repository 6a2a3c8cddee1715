"""Smoothers that solve for several unknowns at once or one after the other: lines, planes, lexicographic sweeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from pde.common.arrays import is_tensor
from pde.problem.grid import Array
from pde.problem.operators import MatrixOperator, Operator


class Zebra:
    """Relaxation on A d = r from d = 0 of lines along one axis or planes along two: group after group of them is
    solved for, times omega.

    They go by the parity of their place, then come those on a periodic seam (`block_groups`); `backwards` turns the
    order of the groups around.
    """

    def __init__(self, A: Operator, omega: float, axes: tuple[int, ...], backwards: bool = False) -> None:
        self.A, self.omega, self.axes, self.backwards = A, omega, axes, backwards
        groups = block_groups(A, axes)
        matrix = sp.csr_matrix(A.matrix().astype(float))
        ordered = groups[::-1] if backwards else groups
        factor = _factor if len(axes) < 2 else _factor_planes
        self._steps = [(g, matrix[g], factor(matrix[g][:, g])) for g in ordered]

    def __call__(self, r: Array) -> Array:
        flat = r.reshape(-1, self.A.grid.size).T.astype(float)
        d = np.zeros_like(flat)
        for number, (g, rows, factor) in enumerate(self._steps):
            rest = flat[g] - rows @ d if number else flat[g]
            d[g] += self.omega * factor.solve(rest)
        return np.ascontiguousarray(d.T).reshape(r.shape).astype(r.dtype)

    def moved(self, leaf: Callable[[Any], Any]) -> Zebra:
        return _for_arrays_only(self, leaf, "zebra" if len(self.axes) < 2 else "planes")

    def adjoint(self) -> Zebra:
        return Zebra(self.A, self.omega, self.axes, not self.backwards)

    def __getstate__(self) -> Any:
        return self.A, self.omega, self.axes, self.backwards

    def __setstate__(self, state: Any) -> None:
        self.__init__(*state)  # type: ignore[misc]


class Alternating:
    """One sweep after the other, each on the residual that those before it have left."""

    def __init__(self, A: Callable[[Array], Array], sweeps: Sequence[Any]) -> None:
        self.A, self.sweeps = A, list(sweeps)

    def __call__(self, r: Array) -> Array:
        d = self.sweeps[0](r)
        for sweep in self.sweeps[1:]:
            d = d + sweep(r - self.A(d))
        return d

    def adjoint(self) -> Alternating:
        return Alternating(self.A, [sweep.adjoint() for sweep in reversed(self.sweeps)])


class Lexicographic:
    """Gauss-Seidel (SOR) through the unknowns in C order: B = (D / omega - L)^-1, backwards with U for L."""

    def __init__(self, A: Operator, omega: float, backwards: bool = False) -> None:
        self.A, self.omega, self.backwards = A, omega, backwards
        matrix = A.matrix().astype(float)
        part = sp.triu(matrix, k=1) if backwards else sp.tril(matrix, k=-1)
        self._factor = _factor(part + sp.diags(matrix.diagonal() / omega))

    def __call__(self, r: Array) -> Array:
        flat = r.reshape(-1, self.A.grid.size).T.astype(float)
        return np.ascontiguousarray(self._factor.solve(flat).T).reshape(r.shape).astype(r.dtype)

    def moved(self, leaf: Callable[[Any], Any]) -> Lexicographic:
        return _for_arrays_only(self, leaf, "gauss-seidel")

    def adjoint(self) -> Lexicographic:
        return Lexicographic(self.A, self.omega, not self.backwards)

    def __getstate__(self) -> Any:
        return self.A, self.omega, self.backwards

    def __setstate__(self, state: Any) -> None:
        self.__init__(*state)  # type: ignore[misc]


def alternating_zebra(A: Operator, omega: float) -> Alternating:
    """Zebra lines along each axis with more than one unknown in turn."""
    axes = [a for a, n in enumerate(A.grid.shape) if n > 1] or [0]
    return Alternating(A, [Zebra(A, omega, (a,)) for a in axes])


def block_groups(A: Operator, axes: tuple[int, ...]) -> list[Array]:
    """The unknowns of the lines or planes along `axes`, in groups within which no two of them couple.

    Lines of a (2 d + 1)-point stencil go by the parity of the sum of their indices; those of 3^d points by the parity
    of each.
    """
    grid, diagonals = A.grid, isinstance(A, MatrixOperator)
    numbers = np.arange(grid.size).reshape(grid.shape)
    groups: dict[tuple[int, ...], list[Array]] = {}
    classes = [[(0, slice(None))] if a in axes else list(enumerate(ax.colours())) for a, ax in enumerate(grid.axes)]
    for choice in product(*classes):
        kinds, block = zip(*choice, strict=True)
        seam = sum(2**a for a, kind in enumerate(kinds) if kind == 2)
        parities = tuple(kind % 2 for kind in kinds)
        key = (seam, *(parities if diagonals else (sum(parities) % 2,)))
        groups.setdefault(key, []).append(numbers[block].ravel())
    return [group for key in sorted(groups) if (group := np.concatenate(groups[key])).size]


def _for_arrays_only(smoother: Any, leaf: Callable[[Any], Any], name: str) -> Any:
    """The smoother itself, whose factors take any dtype of the host; refused for tensors."""
    if is_tensor(leaf(np.zeros(()))):
        raise ValueError(
            f"smoother={name!r} uses sparse factors of the host and is not there for tensors; "
            "use 'sor', 'red-black', 'jacobi', 'two-step jacobi' or 'chebyshev', also in the place of 'auto', which "
            "takes lines and planes on stretched axes"
        )
    return smoother


def _factor(matrix: sp.spmatrix) -> Any:
    """LU without reordering: bands and triangles stay as they are."""
    return splu(sp.csc_matrix(matrix), permc_spec="NATURAL", diag_pivot_thresh=0.0)


def _factor_planes(matrix: sp.spmatrix) -> Any:
    """LU of planes that do not couple, in an order of minimum degree: n log n entries for n unknowns of a plane."""
    options = {"SymmetricMode": True}
    return splu(sp.csc_matrix(matrix), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
