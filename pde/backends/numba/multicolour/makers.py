"""Makers of transfers and products by kernels, see `pde.levels.hierarchy.Makers`."""

from __future__ import annotations

from typing import Any

import numpy as np

from pde.backends.numba.multicolour import execute as kernels
from pde.backends.numba.multicolour.runner import Runner
from pde.backends.numba.multicolour.tables import Table
from pde.backends.numba.variants import has_seam
from pde.levels.black_box import FIRM, INTERIOR, WEAK, coarse_points
from pde.levels.corner_transfer import CornerTransfer
from pde.levels.truncated import TruncatedTransfer
from pde.problem.compact import CompactOperator
from pde.problem.operators import StencilOperator


def make_product(threads: int, A: Any, transfer: TruncatedTransfer, dtype: np.dtype, terms: Any) -> CompactOperator:
    """R A P of truncated transfers."""
    coefficients = np.empty((3**A.grid.ndim, *transfer.coarse.shape), dtype)
    Runner(Table(A, transfer, dtype), threads).product(coefficients)
    return CompactOperator(transfer.coarse, coefficients, terms, transfer.volume, transfer.inside)


def make_black_box(
    threads: int, A: Any, which: tuple[bool, ...], dtype: np.dtype
) -> tuple[CornerTransfer, np.ndarray] | None:
    """A transfer that follows the operator, and the coefficients of R A P; None where it has tips, or A walls."""
    alone = isinstance(A, StencilOperator) or (isinstance(A, CompactOperator) and A.inside is None)
    if not alone or A.terms.domain is not None or has_seam(A.grid):
        return None
    coarse = coarse_points(A.grid, which)[0]
    corners, volumes = np.empty((2**A.grid.ndim, *A.grid.shape), dtype), np.empty(coarse.shape, dtype)
    transfer = CornerTransfer(A.grid, which, corners, A.volumes, volumes)
    runner = Runner(Table(A, transfer, dtype), threads)
    flags, numbers = np.empty(A.grid.shape, dtype), np.array([WEAK, FIRM], dtype)
    runner.sweeps([kernels.WEAK], 0, 1, numbers, f=flags)
    if runner.sweeps([kernels.TIPS], 0, 1, numbers, f=flags).any():
        return None
    counts = range(1 + sum(which))
    runner.sweeps([kernels.CORNERS + k for k in counts], 0, 1, np.array([INTERIOR, 0], dtype))
    coefficients = np.empty((3**A.grid.ndim, *coarse.shape), dtype)
    runner.product(coefficients, volumes)
    return transfer, coefficients
