"""Restriction, prolongation and the interpolation of full multigrid between a grid and its coarsening."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from pde.grid import Array, Axis, Grid, along, trailing, window

Sides = dict[tuple[int, int], Array]
"""Boundary values {(axis, side): array}, side 0 low and 1 high; a missing side is zero."""


class BilinearTransfer:
    """Linear interpolation along each coarsened axis: (4.7)-(4.9) bilinear, on any spacing, zero at the ends."""

    def __init__(self, fine: Grid, which: tuple[bool, ...], dtype: np.dtype) -> None:
        self.fine, self.which = fine, which
        self.coarse = fine.coarsen(which)
        self._steps = [
            _AxisTransfer(fine.axes[a], self.coarse.axes[a], a, fine.ndim, dtype) for a in range(fine.ndim) if which[a]
        ]

    def prolong(self, e: Array, like: Array | None = None) -> Array:
        """P e on the fine grid."""
        for step in self._steps:
            e = step.prolong(e)
        return e

    def restrict(self, r: Array) -> Array:
        """R r = W_c^-1 P^T W_f r, the adjoint of P in the inner product of control volumes (full weighting)."""
        for step in self._steps:
            r = step.restrict(r)
        return r

    def matrix(self) -> sp.csr_matrix:
        """P as a sparse matrix on flattened unknowns."""
        result = sp.identity(1)
        for a, axis in enumerate(self.fine.axes):
            one = _prolongation_matrix(axis, self.coarse.axes[a]) if self.which[a] else sp.identity(axis.n)
            result = sp.kron(result, one)
        return sp.csr_matrix(result)


class LinearTransfer:
    """Linear interpolation on triangles cut along the anti-diagonal (4.9), (4.14); two dimensions."""

    def __init__(self, fine: Grid, which: tuple[bool, ...], dtype: np.dtype) -> None:
        if fine.ndim != 2 or not all(which):
            raise ValueError(
                "transfer='linear' is for two axes that coarsen together, (4.14); "
                f"got shape {fine.shape} with axes to coarsen {which}. Use transfer='bilinear'"
            )
        self.coarse = fine.coarsen(which)
        self._shapes = fine.shape, self.coarse.shape
        self._P = _triangle_matrix(fine, self.coarse).astype(dtype)
        weights = [np.multiply.outer(*(axis.width for axis in g.axes)).ravel() for g in (fine, self.coarse)]
        self._R = sp.csr_matrix(sp.diags(1 / weights[1]) @ self._P.T @ sp.diags(weights[0])).astype(dtype)

    def prolong(self, e: Array, like: Array | None = None) -> Array:
        return _apply(self._P, e, *reversed(self._shapes))

    def restrict(self, r: Array) -> Array:
        return _apply(self._R, r, *self._shapes)

    def matrix(self) -> sp.csr_matrix:
        return self._P


Transfer = BilinearTransfer | LinearTransfer
TRANSFERS: dict[str, type[BilinearTransfer] | type[LinearTransfer]] = {
    "bilinear": BilinearTransfer,
    "linear": LinearTransfer,
}


class CubicInterpolation:
    """Interpolation for full multigrid: cubic along each coarsened axis, through the boundary values of its ends."""

    def __init__(self, fine: Grid, which: tuple[bool, ...], dtype: np.dtype) -> None:
        self.fine, self.which = fine, which
        self._axes = {a: _cubic_weights(axis, dtype) for a, axis in enumerate(fine.axes) if which[a]}

    def __call__(self, u: Array, sides: Sides) -> Array:
        """From the coarse unknowns u to the fine ones; `sides` are the boundary values of the fine grid."""
        ndim, waiting = self.fine.ndim, list(self._axes)
        for a, (starts, weights) in self._axes.items():
            waiting.remove(a)
            nodes = self._with_ends(u, a, sides, waiting)
            middle: Array | float = 0.0
            for j, w in enumerate(weights):
                middle = middle + w.reshape((-1,) + (1,) * (ndim - 1 - a)) * np.take(nodes, starts + j, axis=a - ndim)
            shape = list(u.shape)
            shape[a - ndim] = self.fine.axes[a].n
            fine = np.empty(shape, dtype=u.dtype)
            fine[window(a, ndim, slice(1, None, 2))] = u
            fine[window(a, ndim, slice(0, None, 2))] = middle
            u = fine
        return u

    def _with_ends(self, u: Array, a: int, sides: Sides, waiting: Sequence[int]) -> Array:
        """u with the boundary values at both ends of axis a; the axes in `waiting` are still coarse."""
        ndim = self.fine.ndim
        ends = []
        for side in (0, 1):
            end = np.zeros_like(u[window(a, ndim, slice(0, 1))])
            if (a, side) in sides:
                pick = [slice(1, None, 2) if b in waiting else slice(None) for b in range(ndim) if b != a]
                end[...] = np.expand_dims(sides[a, side][trailing(pick)], a - ndim)
            ends.append(end)
        return np.concatenate((ends[0], u, ends[1]), axis=a - ndim)


def coarsen_sides(sides: Sides, which: tuple[bool, ...]) -> Sides:
    """The boundary values of the coarse grid: those of the fine grid at the points that stay."""
    result = {}
    for (a, side), values in sides.items():
        pick = [slice(1, None, 2) if halve else slice(None) for b, halve in enumerate(which) if b != a]
        result[a, side] = values[trailing(pick)].copy()
    return result


class _AxisTransfer:
    """P and R of one axis; fine points 1, 3, ... (from 0) are the coarse ones, 0, 2, ... lie between."""

    def __init__(self, fine: Axis, coarse: Axis, axis: int, ndim: int, dtype: np.dtype) -> None:
        self.axis, self.ndim, self.n = axis, ndim, fine.n
        left, right = _interpolation_weights(fine, coarse)
        m = coarse.n
        at, before, after = fine.width[1::2], fine.width[0::2][:m], fine.width[2::2]

        def shaped(values: Array) -> Array | float:
            return along(values.astype(dtype), axis, ndim) if len(values) else 0.0

        self.left = shaped(left[1:])  # weight of coarse k in the point after it
        self.right = shaped(right[:m])  # weight of coarse k in the point before it
        self.at = shaped(at / coarse.width)
        self.before = shaped(right[:m] * before / coarse.width)
        self.after = shaped(left[1:][: len(after)] * after / coarse.width[: len(after)])

    def prolong(self, e: Array) -> Array:
        shape = list(e.shape)
        shape[self.axis - self.ndim] = self.n
        fine = np.empty(shape, dtype=e.dtype)
        fine[self._index(1)] = e
        middle = fine[self._index(0)]
        m, later = e.shape[self.axis - self.ndim], (self.n - 1) // 2
        middle[self._part(slice(m, None))] = 0
        np.multiply(self.right, e, out=middle[self._part(slice(0, m))])
        middle[self._part(slice(1, None))] += self.left * e[self._part(slice(0, later))]
        return fine

    def restrict(self, r: Array) -> Array:
        m = self.n // 2
        coarse = self.at * r[self._index(1)]
        coarse += self.before * r[self._index(0)][self._part(slice(0, m))]
        later = r[self._index(2)]
        coarse[self._part(slice(0, later.shape[self.axis - self.ndim]))] += self.after * later
        return coarse

    def _index(self, start: int) -> tuple:
        return window(self.axis, self.ndim, slice(start, None, 2))

    def _part(self, part: slice) -> tuple:
        return window(self.axis, self.ndim, part)


def _interpolation_weights(fine: Axis, coarse: Axis) -> tuple[Array, Array]:
    """Weights of the coarse node before and after each fine point that is not a coarse one."""
    x = fine.points[0::2]
    before, after = coarse.nodes[: len(x)], coarse.nodes[1 : len(x) + 1]
    right = (x - before) / (after - before)
    return 1 - right, right


def _prolongation_matrix(fine: Axis, coarse: Axis) -> sp.csr_matrix:
    left, right = _interpolation_weights(fine, coarse)
    P = sp.lil_matrix((fine.n, coarse.n))
    for k in range(coarse.n):
        P[2 * k + 1, k] = 1
        P[2 * k, k] = right[k]
        if 2 * k + 2 < fine.n:
            P[2 * k + 2, k] = left[k + 1]
    return sp.csr_matrix(P)


def _triangle_matrix(fine: Grid, coarse: Grid) -> sp.csr_matrix:
    """Barycentric weights of every fine point in its triangle of the coarse grid."""
    cells, offsets = [], []
    for f, c in zip(fine.axes, coarse.axes, strict=True):
        cell = np.clip(np.searchsorted(c.nodes, f.points, side="right") - 1, 0, c.n)
        cells.append(cell)
        offsets.append((f.points - c.nodes[cell]) / c.spacing[cell])
    i, j = np.meshgrid(*cells, indexing="ij")
    s, t = np.meshgrid(*offsets, indexing="ij")
    upper = s + t > 1
    corners = {
        (0, 0): np.where(upper, 0, 1 - s - t),
        (1, 0): np.where(upper, 1 - t, s),
        (0, 1): np.where(upper, 1 - s, t),
        (1, 1): np.where(upper, s + t - 1, 0),
    }
    rows, columns, values = [], [], []
    numbers = np.arange(fine.size).reshape(fine.shape)
    for (p, q), w in corners.items():
        inside = (
            (abs(w) > 1e-14) & (i + p >= 1) & (i + p <= coarse.shape[0]) & (j + q >= 1) & (j + q <= coarse.shape[1])
        )
        rows.append(numbers[inside])
        columns.append(((i + p - 1) * coarse.shape[1] + j + q - 1)[inside])
        values.append(w[inside])
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return sp.csr_matrix(entries, shape=(fine.size, coarse.size))


def _cubic_weights(fine: Axis, dtype: np.dtype) -> tuple[Array, Array]:
    """For each fine point between coarse nodes: the first node of its window and its Lagrange weights (by row)."""
    nodes, x = fine.coarsen().nodes, fine.points[0::2]
    size = min(4, len(nodes))
    starts = np.clip(np.arange(len(x)) - 1, 0, len(nodes) - size)
    windows = nodes[starts[:, None] + np.arange(size)]
    weights = np.ones((size, len(x)))
    for j in range(size):
        for k in range(size):
            if k != j:
                weights[j] *= (x - windows[:, k]) / (windows[:, j] - windows[:, k])
    return starts, weights.astype(dtype)


def _apply(matrix: sp.csr_matrix, u: Array, source: tuple[int, ...], target: tuple[int, ...]) -> Array:
    flat = u.reshape(-1, int(np.prod(source)))
    return np.ascontiguousarray((matrix @ flat.T).T).reshape(u.shape[: -len(source)] + target)
