"""Smoothers that solve for several unknowns at once or one after the other: zebra lines and lexicographic sweeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from pde.arrays import is_tensor
from pde.grid import Array, Grid
from pde.operators import Operator


class Zebra:
    """Line relaxation along one axis on A d = r from d = 0: group after group of lines is solved for, times omega.

    The lines go by the parity of their place, then come those on a periodic seam (`line_groups`); `backwards` turns
    the order of the groups around.
    """

    def __init__(self, A: Operator, omega: float, axis: int, backwards: bool = False) -> None:
        self.A, self.omega, self.axis, self.backwards = A, omega, axis, backwards
        groups = line_groups(A.grid, axis)
        matrix = sp.csr_matrix(A.matrix().astype(float))
        ordered = groups[::-1] if backwards else groups
        self._steps = [(g, matrix[g], _factor(matrix[g][:, g])) for g in ordered]

    def __call__(self, r: Array) -> Array:
        flat = r.reshape(-1, self.A.grid.size).T.astype(float)
        d = np.zeros_like(flat)
        for number, (g, rows, factor) in enumerate(self._steps):
            rest = flat[g] - rows @ d if number else flat[g]
            d[g] += self.omega * factor.solve(rest)
        return np.ascontiguousarray(d.T).reshape(r.shape).astype(r.dtype)

    def moved(self, leaf: Callable[[Any], Any]) -> Zebra:
        return _on_host(self, leaf, "zebra")

    def adjoint(self) -> Zebra:
        return Zebra(self.A, self.omega, self.axis, not self.backwards)

    def __getstate__(self) -> Any:
        return self.A, self.omega, self.axis, self.backwards

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
        return _on_host(self, leaf, "gauss-seidel")

    def adjoint(self) -> Lexicographic:
        return Lexicographic(self.A, self.omega, not self.backwards)

    def __getstate__(self) -> Any:
        return self.A, self.omega, self.backwards

    def __setstate__(self, state: Any) -> None:
        self.__init__(*state)  # type: ignore[misc]


def alternating_zebra(A: Operator, omega: float) -> Alternating:
    """Zebra lines along each axis with more than one unknown in turn."""
    axes = [a for a, n in enumerate(A.grid.shape) if n > 1] or [0]
    return Alternating(A, [Zebra(A, omega, a) for a in axes])


def line_groups(grid: Grid, axis: int) -> list[Array]:
    """The unknowns of the lines along `axis`, by the colours of the other indices; lines of a group do not couple."""
    numbers = np.arange(grid.size).reshape(grid.shape)
    groups: dict[tuple[int, int], list[Array]] = {}
    classes = [[(0, slice(None))] if a == axis else list(enumerate(ax.colours())) for a, ax in enumerate(grid.axes)]
    for choice in product(*classes):
        kinds, block = zip(*choice, strict=True)
        seam = sum(2**a for a, kind in enumerate(kinds) if kind == 2)
        groups.setdefault((seam, sum(kind % 2 for kind in kinds) % 2), []).append(numbers[block].ravel())
    return [np.concatenate(groups[key]) for key in sorted(groups)]


def _on_host(smoother: Any, leaf: Callable[[Any], Any], name: str) -> Any:
    """The smoother itself, whose factors take any dtype of the host; refused for tensors."""
    if is_tensor(leaf(np.zeros(()))):
        raise ValueError(
            f"smoother={name!r} uses sparse factors of the host and is not there for tensors; "
            "use 'sor', 'red-black', 'jacobi', 'two-step jacobi' or 'chebyshev'"
        )
    return smoother


def _factor(matrix: sp.spmatrix) -> Any:
    """LU without reordering: bands and triangles stay as they are."""
    return splu(sp.csc_matrix(matrix), permc_spec="NATURAL", diag_pivot_thresh=0.0)
