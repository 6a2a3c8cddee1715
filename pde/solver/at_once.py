"""A solve that is one call of compiled kernels: one right-hand side with zero boundary data on a small grid."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from mgcore import Remaining, Solution
from pde.backends.data import LARGE, SMALL
from pde.problem.grid import Array
from pde.solver.inputs import Reader
from pde.solver.output import check_out, work_space

LARGEST = 1 << 16
"""Unknowns at most: on larger grids what is around the call does not count."""


class AtOnce:
    """Solves in one call where that is all that it takes; others run through `mgcore.solve_batch`.

    Args:
        reader: of the solver.
        backend: of a problem that is not singular, and whose data without boundary values are f itself.
        work_units: work_units(cycle, cycles), as of the solver.
    """

    def __init__(self, reader: Reader, backend: Any, work_units: Callable[[str, int], float]) -> None:
        self._reader, self._backend, self._work_units = reader, backend, work_units
        limits = np.finfo(reader.dtype)
        self._least = max(SMALL, float(limits.tiny) ** (1 / 3))
        self._largest = min(LARGE, float(limits.max) ** (1 / 3))

    def __call__(self, f: Any, out: Any, cycle: str, rtol: float, atol: float, max_cycles: int) -> Solution | None:
        """The solution of one right-hand side, with the numbers of the loop; None where it does not converge at once.

        Raises:
            TypeError, ValueError: `out` cannot take the result.
        """
        reader = self._reader
        if not reader.is_read(f) or f.shape != reader.problem.shape or not f.flags.c_contiguous:
            return None
        if out is not None:
            check_out(reader.device, out, f.shape, reader.dtype, False)
            if work_space(out, f) is None:
                return None
        began = time.perf_counter()
        scale = float(self._backend.sizes(f[None])[0])
        if not self._least < scale < self._largest or max_cycles == 0:
            return None
        tolerance = max(rtol, atol / scale)
        if tolerance >= 1:
            return None
        u: Array = np.empty_like(f) if out is None else out
        norms = self._backend.solve_at_once(cycle, f, u, Remaining(1.0, scale, tolerance, max_cycles))
        if norms is None or not norms[-1] <= tolerance:
            return None
        seconds = time.perf_counter() - began
        units = self._work_units(cycle, len(norms))
        return Solution(u, True, "converged", (1.0, *norms), len(norms), seconds, tolerance, None, units)
