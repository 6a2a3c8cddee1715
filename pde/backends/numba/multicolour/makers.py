"""Makers of transfers and products by kernels, see `pde.levels.hierarchy.Makers`."""

from __future__ import annotations

from typing import Any

import numpy as np

from pde.backends.numba.multicolour.runner import Runner
from pde.backends.numba.multicolour.tables import Table
from pde.levels.truncated import TruncatedTransfer
from pde.problem.compact import CompactOperator


def make_product(threads: int, A: Any, transfer: TruncatedTransfer, dtype: np.dtype, terms: Any) -> CompactOperator:
    """R A P of truncated transfers."""
    coefficients = np.empty((3**A.grid.ndim, *transfer.coarse.shape), dtype)
    Runner(Table(A, transfer, dtype), threads).galerkin(coefficients)
    return CompactOperator(transfer.coarse, coefficients, terms, transfer.volume, transfer.inside)


def make_black_box(threads: int, A: Any, which: tuple[bool, ...], dtype: np.dtype) -> Any:
    """A transfer that follows the operator, and the coefficients of R A P."""
    return None
