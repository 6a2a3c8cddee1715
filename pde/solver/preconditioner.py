"""A symmetric cycle as a SciPy operator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse.linalg import LinearOperator

from pde.problem.grid import Array


class Preconditioner(LinearOperator):
    """An approximate inverse of W A on flattened unknowns; see `pde.Multigrid.as_preconditioner`.

    Args:
        apply: the cycle, of arrays (n,) or (n, members).
        size: n.
        cycle: "V" or "W".
        dtype: of the cycle.
    """

    def __init__(self, apply: Callable[[Array], Array], size: int, cycle: str, dtype: np.dtype) -> None:
        super().__init__(dtype, (size, size))
        self._apply, self._cycle = apply, cycle

    def _matvec(self, x: Array) -> Array:
        return self._apply(x)

    _rmatvec = _matmat = _rmatmat = _matvec

    def __repr__(self) -> str:
        rows, columns = self.shape
        whose = "problem.matrix(symmetric=True), not problem.matrix()"
        return f"<{rows}x{columns} Preconditioner: one {self._cycle}-cycle for {whose}>"
