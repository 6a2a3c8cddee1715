"""The levels of a linearised problem: R A P through every second unknown, whatever couplings A has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse.linalg import splu

from mgcore import Level
from pde.levels.hierarchy import COARSEST_SIZE_MASKED, LevelInfo
from pde.levels.smoothers import RedBlack
from pde.levels.truncated import TruncatedTransfer, product, scaling
from pde.problem.compact import CompactOperator
from pde.problem.grid import Array


@dataclass(frozen=True)
class Factors:
    """A^-1 by sparse factors with pivots: J may be neither symmetric nor definite."""

    A: CompactOperator

    def __post_init__(self) -> None:
        matrix = self.A.matrix().astype(float).tocsc()
        object.__setattr__(self, "_factors", splu(matrix))

    def __call__(self, r: Array) -> Array:
        flat = r.reshape(-1, self.A.grid.size).astype(float)
        solved: Array = self._factors.solve(flat.T).T  # type: ignore[attr-defined]
        return np.ascontiguousarray(solved).reshape(r.shape).astype(r.dtype)


def linearised_levels(A: CompactOperator, sweeps: tuple[int, int]) -> list[Level]:
    """Levels for A e = r, finest first, with Gauss-Seidel sweeps of 2^d colours.

    Raises:
        RuntimeError: the coarsest operator is singular.
    """
    levels: list[Level] = []
    while True:
        which = A.grid.axes_to_coarsen(A.terms.typical)
        small = A.grid.size <= COARSEST_SIZE_MASKED or not any(which)
        transfer = None if small else TruncatedTransfer(A.grid, which, A.diagonal.dtype, scaling(A), A.volumes)
        if transfer is None or not transfer.inside.any():
            info = LevelInfo(A.grid, A, "Galerkin", "direct", None)
            return [*levels, Level(A, [Factors(A)], info=info)]
        B, (pre, post) = RedBlack(A, 1.0), sweeps
        info = LevelInfo(A.grid, A, "Galerkin", f"Gauss-Seidel ({pre},{post})", transfer)
        levels.append(Level(A, [B] * pre, R=transfer.adjoint(), P=transfer, B_post=[B] * post, info=info))
        A = product(A, transfer, A.diagonal.dtype, A.terms)
