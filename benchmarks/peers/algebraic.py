"""PyAMG: algebraic multigrid with its defaults, as preconditioner of conjugate gradients."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import scipy.sparse as sp


class RugeStueben:
    """solve(): `u` to a relative residual of `rtol`, from the f that `load` puts there; `setup` is in seconds.

    Raises:
        ImportError: where PyAMG is not installed.
    """

    name = "PyAMG Ruge-Stüben + CG"

    def __init__(self, matrix: sp.csr_matrix, rtol: float) -> None:
        import pyamg

        began = perf_counter()
        self._solver = pyamg.ruge_stuben_solver(matrix)
        self.setup = perf_counter() - began
        self._rtol = rtol

    def load(self, f: np.ndarray) -> None:
        self._f, self.u = f, np.zeros_like(f)

    def solve(self) -> None:
        self.u = self._solver.solve(self._f.ravel(), tol=self._rtol, accel="cg", maxiter=50).reshape(self._f.shape)
