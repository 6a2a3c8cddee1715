"""Means and norms of grid functions in the inner product of control volumes, safe against overflow and underflow."""

from __future__ import annotations

import math
from functools import cache, cached_property
from typing import Any, Self

import numpy as np

from pde.common.arrays import Frozen, as_numpy, cast, convert, is_tensor, namespace
from pde.problem.grid import Array, Grid, is_constant
from pde.problem.operators import StencilOperator


class Volumes(Frozen):
    """The inner product (u, v) = sum W u v / sum W with control volumes W; results have the shape of the batch axes.

    Args:
        W: an array, or the grid that has these control volumes: the array is then made when it is first needed.
    """

    rows: Array | None = None

    def __init__(self, W: Array | Grid) -> None:
        self._W = W
        self._shape, self._axes, self._size = W.shape, tuple(range(-W.ndim, 0)), W.size
        self._uniform = W.volumes_are_equal if isinstance(W, Grid) else is_constant(W.ravel())

    @cached_property
    def _weights(self) -> Array:
        W = self._W.volumes() if isinstance(self._W, Grid) else self._W
        return W / W.sum()

    @property
    def shares(self) -> Any:
        """W / sum W, one number where all are equal."""
        return 1 / self._size if self._uniform else self._weights

    def to(self, device: Any, dtype: Any) -> Self:
        """The same for tensors; arrays of any dtype have it as it is."""
        if device is None or (self._uniform and self.rows is None):
            return self
        weights = {} if self._uniform else {"_weights": convert(self._weights, device, dtype)}
        return self.changed(rows=convert(self.rows, device, dtype), **weights)

    def with_rows(self, rows: Array | None) -> Self:
        """The same, but that norms take each row of residuals times its entry in `rows`; see `row_scale`."""
        return self.changed(rows=rows)

    def mean(self, u: Array) -> Array:
        """sum W u / sum W."""
        if self._uniform:
            return namespace(u).mean(u, axis=self._axes)
        return namespace(u).sum(self._weights * u, axis=self._axes)

    def without_mean(self, u: Array) -> Array:
        """u less its mean."""
        mean = self.mean(u).reshape(u.shape[: u.ndim - len(self._shape)] + (1,) * len(self._shape))
        return u - cast(mean, u.dtype)

    def rms(self, u: Array) -> Array:
        """sqrt(sum W u^2 / sum W): the same for every grid size and dtype; an array on the host also of tensors."""
        if self.rows is not None:
            u = cast(self.rows, u.dtype) * u
        if is_tensor(u):
            return as_numpy(self._rms_of_any_size(u)).astype(float)
        flat = u.reshape(-1, self._size)
        with np.errstate(over="ignore", under="ignore"):
            weighted = flat if self._uniform else self._weights.ravel() * flat
            if len(flat) < MANY:
                squares = [_dot(w, v) for w, v in zip(weighted, flat, strict=True)]
            else:
                squares = np.matmul(weighted[:, None], flat[:, :, None]).ravel().tolist()
            squares = [square / self._size for square in squares] if self._uniform else squares
        small, large = _limits(u.dtype)
        result = np.array([math.sqrt(square) if square >= 0 else math.nan for square in squares])
        outside = [i for i, square in enumerate(squares) if not small < square < large / self._size]
        if outside:
            result[outside] = self._rms_of_any_size(flat[outside].reshape(-1, *self._shape))
        batch = u.shape[: u.ndim - len(self._shape)]
        return result if len(batch) == 1 else result.reshape(batch)

    def _rms_of_any_size(self, u: Array) -> Array:
        xp = namespace(u)
        largest = cast(xp.amax(xp.abs(u), axis=self._axes, keepdims=True), np.dtype(float))
        scaled = u / xp.where(largest > 0, largest, 1)
        return largest.reshape(largest.shape[: -len(self._shape)]) * xp.sqrt(self.mean(scaled**2))


def layer_volumes(grid: Grid, axis: int, side: int) -> Array:
    """The control volumes beside a side, of its shape, in shares of the box."""
    axes = [a.width / a.width.sum() for a in grid.axes]
    layer: Any = axes.pop(axis)[-side]
    for width in axes:
        layer = np.multiply.outer(layer, width)
    return np.asarray(layer)


def row_scale(A: Any) -> Array | None:
    """min(1, D_box / D) for each row, D the diagonal of A and D_box that of the whole box; None where it is 1 for all.

    A wall close to an unknown, or a cut cell's small volume, makes D large, and residuals with it: a norm of residuals
    as they are would be that of a few rows, and data of the wall would set their scale.
    """
    box = getattr(A, "box", None)
    if A.terms.domain is not None and A.terms.domain.box is not None:
        box = StencilOperator(A.grid, np.dtype(float), A.terms.domain.box)
    if box is None:
        return None
    larger = A.diagonal > box.diagonal
    if not np.any(larger):
        return None
    return np.broadcast_to(np.where(larger, box.diagonal, 1.0) / np.where(larger, A.diagonal, 1.0), A.grid.shape)


MANY = 64
"""Members from which on the call of a BLAS for each of them costs more than its speed gains."""

PIECE = 1 << 13
"""Numbers that a BLAS multiplies on one thread: more would stay busy for a while, and cycles need the cores."""


def _dot(u: Array, v: Array) -> float:
    if len(u) <= PIECE:
        return float(np.dot(u, v))
    return sum(float(np.dot(u[k : k + PIECE], v[k : k + PIECE])) for k in range(0, len(u), PIECE))


@cache
def _limits(dtype: np.dtype) -> tuple[float, float]:
    """Squares between these numbers are exact."""
    return float(np.finfo(dtype).tiny) * 1e8, float(np.finfo(dtype).max)
