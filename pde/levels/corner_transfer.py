"""Operator-dependent transfers as weights of the corners of the coarse cell around each point."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import scipy.sparse as sp

from pde.common.arrays import convert
from pde.levels.black_box import OperatorTransfer, coarse_points
from pde.levels.interpolation_1d import adjoint
from pde.levels.transfers import SparseMap
from pde.problem.grid import Array, Grid


class CornerTransfer(OperatorTransfer):
    """The P of an `OperatorTransfer` without tips; its sparse matrices are made when they are needed.

    Args:
        fine: the fine grid.
        corners: (2^ndim, *fine.shape): the weight of the low (0) or high (1) coarse point along each axis, in the order
            of `itertools.product`. A coarse point is its own low corner, and has no high one.
        volumes: control volumes of the fine grid.
        coarse_volumes: P^T W 1.
    """

    def __init__(
        self, fine: Grid, which: tuple[bool, ...], corners: Array, volumes: Array, coarse_volumes: Array
    ) -> None:
        coarse, self.kept = coarse_points(fine, which)
        object.__setattr__(self, "coarse", coarse)
        self.fine, self.corners, self.fine_volumes, self.volumes = fine, corners, volumes, coarse_volumes
        self.lines = [
            corners_along(axis.n, kept, axis.periodic) for axis, kept in zip(fine.axes, self.kept, strict=True)
        ]

    def adjoint(self) -> Callable[[Array], Array]:
        return self.restricted

    def restricted(self, r: Array) -> Array:
        """R r."""
        return self.restrict(r)

    def to(self, device: Any, dtype: Any) -> Any:
        maps = {name: convert(getattr(self, name), device, dtype) for name in ("prolong", "restrict")}
        corners = self.corners.astype(dtype, copy=False) if device is None else self.corners
        return self.changed(corners=corners, **(maps if device is not None else {}))

    @cached_property
    def prolong(self) -> SparseMap:  # type: ignore[override]
        return SparseMap(self._prolongation.astype(self.corners.dtype), self.coarse.shape, self.fine.shape)

    @cached_property
    def restrict(self) -> SparseMap:  # type: ignore[override]
        R = adjoint(self._prolongation, self.fine_volumes.ravel(), self.volumes.ravel())
        return SparseMap(R.astype(self.corners.dtype), self.fine.shape, self.coarse.shape)

    @property
    def _prolongation(self) -> sp.csr_matrix:
        rows, columns, values = [], [], []
        numbers = np.arange(self.fine.size).reshape(self.fine.shape)
        for bits, weights in zip(product((0, 1), repeat=self.fine.ndim), self.corners, strict=True):
            index = np.ix_(*(line[bit] for line, bit in zip(self.lines, bits, strict=True)))
            column, some = (
                np.broadcast_to(np.ravel_multi_index(index, self.coarse.shape), self.fine.shape),
                weights != 0,
            )
            rows.append(numbers[some])
            columns.append(column[some])
            values.append(weights[some].astype(float))
        entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
        return sp.csr_matrix(entries, shape=(self.fine.size, self.coarse.size))


def corners_along(n: int, kept: Array, periodic: bool) -> Array:
    """(2, n): the coarse index of the low and the high corner of every point along an axis, 0 where there is none."""
    coarse = np.full(n, -1)
    coarse[kept] = np.arange(len(kept))
    low, high = np.roll(coarse, 1), np.roll(coarse, -1)
    if not periodic:
        low[0] = high[-1] = -1
    corners = np.where(coarse >= 0, [coarse, coarse], [low, high])
    return np.maximum(corners, 0)
