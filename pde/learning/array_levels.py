"""Smoothers, transfers and coarse operators of trained stencils on NumPy's arrays, for grids of any size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from pde.common.arrays import Frozen, convert, zeros
from pde.problem.compact import CompactOperator, offsets
from pde.problem.grid import Array, Grid, is_constant, trailing


@dataclass(frozen=True, eq=False)
class StencilSmoother:
    """One sweep d = S K S r from d = 0, with S = D^(-1/2) for the diagonal D of A: K r / a where D is a.

    Args:
        K: the stencil (k, ..., k), k odd.
        scale: S, a number, or an array where D varies.
    """

    K: Array
    scale: Any

    @classmethod
    def of(cls, K: Array, diagonal: Any) -> StencilSmoother:
        """The sweep for an operator with this diagonal.

        Where D is larger than inside, beside a shortened interval, a point hardly couples to others: the sweep is
        damped there by up to sum |K|, or K, which may be more than 1, would let it grow.
        """
        D = np.asarray(diagonal, float)
        first = float(D.flat[0])
        if is_constant(D.ravel()):
            return cls(K / first, 1.0)
        damping = max(1.0, float(abs(K).sum())) ** ((first / D - 1) / 2)
        return cls(K, (damping / np.sqrt(D)).astype(np.asarray(diagonal).dtype))

    def __call__(self, r: Array) -> Array:
        return self.scale * correlated(self.K, self.scale * r)

    def adjoint(self) -> StencilSmoother:
        """The adjoint sweep, where control volumes are equal."""
        return replace(self, K=np.flip(self.K))

    def to(self, device: Any, dtype: Any, A: Any = None) -> StencilSmoother:
        """The same sweep on tensors of a device (None: on arrays)."""
        return replace(self, scale=convert(self.scale, device, dtype))


class StencilTransfer(Frozen):
    """P and R by 3^ndim stencils between a grid and that of its unknowns 2, 4, ... along every axis.

    Beside a last interval that coarsening has shortened, P is smaller by what linear interpolation is there.

    Args:
        P: the share of a coarse value in the fine points around it; what leads beyond the sides is cut off.
        R: the share of a fine residual in the coarse ones, the same way round.

    Attributes:
        coarse: the coarse grid.
        rows: P and R are multiplied by it, a number or an array of the fine grid's shape.
    """

    arrays = ("rows",)

    def __init__(self, fine: Grid, P: Array, R: Array, dtype: Any = float) -> None:
        self.fine, self.coarse = fine, fine.coarsen((True,) * fine.ndim)
        self.which, self.P, self.R = (True,) * fine.ndim, P, R
        rows: Any = 1.0
        for a, axis in enumerate(fine.axes):
            left, right = axis.spacing[-2:]
            if axis.n % 2 and not is_constant(axis.spacing):
                line = np.ones(axis.n, dtype)
                line[-1] = 2 * right / (left + right)
                rows = rows * line.reshape(-1, *[1] * (fine.ndim - 1 - a))
        self.rows = rows

    def __call__(self, e: Array, like: Array | None = None) -> Array:
        """P e on the fine grid."""
        made = zeros(tuple(e.shape[: e.ndim - self.fine.ndim]) + self.fine.shape, e)
        for w, there, here in self._parts(self.P):
            made[there] += w * e[here]
        return self.rows * made

    def restricted(self, r: Array) -> Array:
        """R r on the coarse grid."""
        r = self.rows * r
        made = zeros(tuple(r.shape[: r.ndim - self.fine.ndim]) + self.coarse.shape, r)
        for w, there, here in self._parts(self.R):
            made[here] += w * r[there]
        return made

    def adjoint(self) -> Callable[[Array], Array]:
        """R."""
        return self.restricted

    def _parts(self, K: Array) -> Iterator[tuple[float, Any, Any]]:
        """Each weight with the indices of the fine points, and of the coarse ones that they belong to."""
        for index, w in np.ndenumerate(K):
            counts = [min(n // 2, (n + 1 - o) // 2) for n, o in zip(self.fine.shape, index, strict=True)]
            there = [slice(o, o + 2 * count, 2) for o, count in zip(index, counts, strict=True)]
            yield float(w), trailing(there), trailing([slice(count) for count in counts])


def galerkin_operator(A: Any, transfer: StencilTransfer, terms: Any, volume: float) -> CompactOperator:
    """R A P (5.11) for any size, from its values for 3^ndim vectors that are one at every third point.

    Args:
        volume: the control volume of every coarse point, 2^ndim fine ones: beside a shorter last interval too, so that
            R A P is self-adjoint for R = P^T / 2^ndim.
    """
    grid = transfer.coarse
    K = np.zeros((3**grid.ndim, *grid.shape))
    for colour in product(range(3), repeat=grid.ndim):
        e = np.zeros(grid.shape)
        e[tuple(slice(c, None, 3) for c in colour)] = 1.0
        response = transfer.restricted(A(transfer(e)))
        for k, offset in enumerate(offsets(grid.ndim)):
            part = tuple(slice((c - o) % 3, None, 3) for c, o in zip(colour, offset, strict=True))
            K[k][part] = response[part]
    return CompactOperator(grid, K, terms, volume)


def constant_operator(K: Array, grid: Grid, terms: Any, volume: float) -> CompactOperator:
    """The operator of one stencil at all points."""
    return CompactOperator(grid, K.reshape(-1, *[1] * grid.ndim), terms, volume)


def correlated(K: Array, u: Array) -> Array:
    """K u (3.7), with zeros beyond the sides."""
    shape: Sequence[int] = u.shape[u.ndim - K.ndim :]
    reach = K.shape[0] // 2
    padded = zeros(tuple(u.shape[: u.ndim - K.ndim]) + tuple(n + 2 * reach for n in shape), u)
    padded[trailing([slice(reach, reach + n) for n in shape])] = u
    made = zeros(tuple(u.shape), u)
    for index, w in np.ndenumerate(K):
        if w != 0:
            made += float(w) * padded[trailing([slice(o, o + n) for o, n in zip(index, shape, strict=True)])]
    return made
