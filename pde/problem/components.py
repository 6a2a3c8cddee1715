"""The parts of a domain that no held value reaches: u is determined up to a constant on each of them."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from pde.common.arrays import as_numpy, cast, convert, namespace
from pde.problem.grid import Array, Grid
from pde.problem.inner_product import Volumes
from pde.problem.operators import StencilOperator

UNSEEN = 64 * float(np.finfo(float).eps)
"""Reactions and Robin sides that are this weak beside the diagonal of A are lost in the rounding of A u."""


class Components(Volumes):
    """The inner product of `Volumes` with a mean of its own for each component.

    Args:
        labels: the number of each unknown's component, 0 to count - 1, and -1 where no mean is taken; integers of the
            grid's shape.
        W: as in `Volumes`.

    Attributes:
        count: how many components there are.
        labels: as given.
        sizes: the volume of each in units of the largest control volume, (count,).

    >>> parts = Components(np.array([0, 0, -1, 1]), np.ones(4))
    >>> parts.without_mean(np.array([1.0, 3.0, 7.0, 5.0])).tolist()
    [-1.0, 1.0, 7.0, 0.0]
    """

    def __init__(self, labels: Array, W: Array | Grid) -> None:
        super().__init__(W)
        volumes = np.asarray(W.volumes() if isinstance(W, Grid) else W, dtype=float).ravel()
        volumes = volumes / volumes.max()  # so that products with small u do not underflow
        self.labels, self.count = labels, int(labels.max(initial=-1)) + 1
        self._numbers, self._volumes = labels.ravel().astype(np.intp) + 1, volumes
        self.sizes = np.bincount(self._numbers, volumes, self.count + 1)[1:]

    def to(self, device: Any, dtype: Any) -> Self:
        """The same for tensors; sums over components stay in float64."""
        if device is None:
            return self
        names = ("_numbers", "_volumes", "sizes")
        double = {name: convert(getattr(self, name), device, np.dtype(float)) for name in names}
        return super().to(device, dtype).changed(**double)

    def integrals(self, u: Array) -> Array:
        """sum W u over each component in units of the largest W, (..., count)."""
        xp, flat = namespace(u), cast(u.reshape(-1, self._size), np.dtype(float))
        sums = [xp.bincount(self._numbers, self._volumes * v, self.count + 1)[1:] for v in flat]
        return xp.stack(sums).reshape(*u.shape[: u.ndim - len(self._shape)], self.count)

    def means(self, u: Array) -> Array:
        """The mean of u over each component, (..., count)."""
        return self.integrals(u) / namespace(u).where(self.sizes > 0, self.sizes, 1.0)

    def example(self, k: int) -> tuple[tuple[int, ...], int]:
        """The index of the first unknown of component k, and the number of its unknowns."""
        numbers = np.flatnonzero(as_numpy(self._numbers) == k + 1)
        return tuple(int(i) for i in np.unravel_index(numbers[0], self._shape)), len(numbers)

    def without_mean(self, u: Array) -> Array:
        """u less its mean over each component, and as it is elsewhere."""
        if not self.count:
            return u
        xp = namespace(u)
        means = self.means(u).reshape(-1, self.count)
        means = xp.concatenate((0 * means[:, :1], means), axis=1)  # -1 has the first place
        return u - cast(means[:, self._numbers].reshape(u.shape), u.dtype)


def closed_components(A: StencilOperator, share: float = 0.0) -> Array:
    """The component of each unknown that no held value and no reaction reaches, as `Components` numbers them.

    Components follow the couplings of A; an unknown without any is a component by itself.

    Args:
        share: the integral of A 1 over a component, relative to that of A's diagonal, up to which it counts as zero.
    """
    matrix = sp.csr_matrix(A.symmetric_matrix())
    matrix.eliminate_zeros()
    count, number = connected_components(matrix, directed=False)
    inside = np.ones(A.grid.size, dtype=bool) if A.terms.inside is None else A.terms.inside.ravel()
    held = (A.volumes * A(np.ones(A.grid.shape))).ravel()  # exactly 0 where nothing is held: no row sums
    hold, diagonal, size = (np.bincount(number, values, count) for values in (abs(held), matrix.diagonal(), inside))
    free = (hold <= share * diagonal) & (size > 0)
    labels = np.where(inside, np.where(free, np.cumsum(free) - 1, -1)[number], -1)
    return np.asarray(labels).reshape(A.grid.shape)
