"""A symmetric cycle as a SciPy operator."""

from __future__ import annotations

import numpy as np
from scipy.sparse.linalg import LinearOperator

from pde.backends.base import Backend
from pde.backends.data import Data
from pde.common.arguments import real_array
from pde.common.arrays import as_numpy
from pde.problem.grid import Array


class Preconditioner(LinearOperator):
    """An approximate inverse of W A on flattened unknowns; see `pde.Multigrid.as_preconditioner`.

    Args:
        backend: one with symmetric cycles.
        cycle: "V" or "W".
        W: the control volumes.
        inside: the domain, outside of which there are no unknowns; None is everywhere.
    """

    def __init__(self, backend: Backend, cycle: str, W: Array, inside: Array | None = None) -> None:
        self._unknowns = slice(None) if inside is None else np.flatnonzero(inside)
        size = W.size if inside is None else len(self._unknowns)  # type: ignore[arg-type]
        super().__init__(backend.dtype, (size, size))
        self._backend, self._cycle, self._W = backend, cycle, W

    def _matvec(self, x: Array) -> Array:
        """The cycle for W^-1 x, of flattened unknowns (n,) or (n, members)."""
        backend, W = self._backend, self._W
        x = real_array("y", x)  # a cast would drop imaginary parts
        rows = x.T.reshape(-1, self.shape[0])
        whole = np.zeros((len(rows), W.size), rows.dtype)
        whole[:, self._unknowns] = rows
        r = backend.device.convert((whole.reshape(-1, *W.shape) / W).astype(backend.dtype), backend.dtype)
        u, _ = backend.cycle(self._cycle, Data(backend.project(backend.vector(r))))
        return as_numpy(backend.array(backend.project(u))).reshape(-1, W.size)[:, self._unknowns].T.reshape(x.shape)

    _rmatvec = _matmat = _rmatmat = _matvec

    def __repr__(self) -> str:
        rows, columns = self.shape
        whose = "problem.matrix(symmetric=True), not problem.matrix()"
        return f"<{rows}x{columns} Preconditioner: one {self._cycle}-cycle for {whose}>"
