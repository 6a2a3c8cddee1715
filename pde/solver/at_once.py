"""Solves that are one call of compiled kernels: right-hand sides with zero boundary data on small grids."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from mgcore import Remaining, Solution
from pde.backends.data import LARGE, SMALL
from pde.problem.grid import Array
from pde.solver.batch import solution_of_batch
from pde.solver.inputs import QUIET, Reader
from pde.solver.output import check_out, work_space

LARGEST = 1 << 16
"""Unknowns at most: on larger grids what is around the call does not count."""


class AtOnce:
    """Solves in one call where every member converges in it; others run through `mgcore.solve_batch`.

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
        """The solution, with the numbers of the loop; None where a member does not converge at once.

        Raises:
            TypeError, ValueError: `out` cannot take the result.
        """
        reader, began = self._reader, time.perf_counter()
        if max_cycles == 0 or not reader.is_read(f) or not f.flags.c_contiguous:
            return None
        if out is not None:
            check_out(reader.device, out, f.shape, reader.dtype, False)
            if work_space(out, f) is None:
                return None
        backend, alone = self._backend, f.ndim == len(reader.problem.shape)
        if not (backend.has_one_call if alone else backend.batches is not None):
            return None
        with np.errstate(**QUIET):
            sizes = backend.sizes(f.reshape(-1, *reader.problem.shape))
        if not (sizes.min() > self._least and sizes.max() < self._largest):
            return None
        if not alone:
            return self._many(f, out, cycle, sizes, np.maximum(rtol, atol / sizes), max_cycles, began)
        size = float(sizes[0])
        tolerance = max(rtol, atol / size)
        if tolerance >= 1:
            return None
        u: Array = np.empty_like(f) if out is None else out
        norms = backend.solve_at_once(cycle, f, u, Remaining(1.0, size, tolerance, max_cycles))
        if not norms[-1] <= tolerance:
            return None
        units, count = self._work_units(cycle, len(norms)), len(norms)
        seconds = time.perf_counter() - began
        return Solution(u, True, "converged", (1.0, *norms), count, seconds, tolerance, None, units)

    def _many(
        self, f: Array, out: Any, cycle: str, sizes: Array, tolerances: Array, most: int, began: float
    ) -> Solution | None:
        shape, batches = self._reader.problem.shape, self._backend.batches
        if tolerances.max() >= 1 or not batches.take(len(sizes)):
            return None
        u: Array = np.empty_like(f) if out is None else out
        left = np.stack((np.ones_like(sizes), sizes, tolerances, np.full_like(sizes, most)), axis=1)
        parts = f.reshape(-1, *shape), None, u.reshape(-1, *shape)
        norms, counts = batches.solve(cycle, *parts, np.arange(len(sizes)), left)
        if not (norms[np.arange(len(sizes)), counts - 1] <= tolerances).all():
            return None
        units = {count: self._work_units(cycle, count) for count in set(counts.tolist())}
        return solution_of_batch(u, norms, counts, tolerances, time.perf_counter() - began, units, len(shape))
