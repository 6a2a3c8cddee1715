"""Restriction, prolongation and the interpolation of full multigrid between a grid and its coarsening."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from pde.grid import Array, Axis, Grid, Side, along, window

Sides = dict[tuple[int, int], Array]
"""Boundary values {(axis, side): array}, side 0 low and 1 high; a missing side is zero."""


class Gather:
    """A linear map along one axis: each new value is a weighted sum of a few old ones.

    Args:
        indices, weights: (k, n): new value j is sum_k weights[k, j] * old[indices[k, j]].
        axis: which of the ndim trailing axes.
    """

    def __init__(self, indices: Array, weights: Array, axis: int, ndim: int, dtype: np.dtype) -> None:
        self._axis = axis - ndim
        self._terms = [
            (_progression(i), along(w.astype(dtype), axis, ndim))
            for i, w in zip(indices, weights, strict=True)
            if w.any()
        ]

    def __call__(self, u: Array) -> Array:
        total: Any = None
        for i, w in self._terms:
            old = u[window(0, -self._axis, i)] if isinstance(i, slice) else np.take(u, i, self._axis)
            if total is None:
                total = w * old
            else:
                total += w * old
        return total


class BilinearTransfer:
    """Linear interpolation along each coarsened axis: (4.7)-(4.9) bilinear, on any spacing.

    Beyond the outermost unknowns it goes around a periodic axis, and elsewhere to what the side's condition makes of
    the outermost value: zero at a Dirichlet end; on cell-centred grids the same value at a Neumann end, and less at a
    Robin end, by its beta and by a of that side, `diffusion` (per axis low and high; 1 if not given).
    """

    def __init__(
        self, fine: Grid, which: tuple[bool, ...], dtype: np.dtype, diffusion: Sequence[tuple[float, float]] = ()
    ) -> None:
        self.fine, self.which = fine, which
        self.coarse = fine.coarsen(which)
        self.along = {
            a: _prolongation_matrix(fine.axes[a], self.coarse.axes[a], *diffusion[a : a + 1])
            for a in range(fine.ndim)
            if which[a]
        }
        self._prolong = [Gather(*_rows(P), a, fine.ndim, dtype) for a, P in self.along.items()]
        self._restrict = [
            Gather(*_rows(_adjoint(P, fine.axes[a].width, self.coarse.axes[a].width)), a, fine.ndim, dtype)
            for a, P in self.along.items()
        ]

    def prolong(self, e: Array, like: Array | None = None) -> Array:
        """P e on the fine grid."""
        for step in self._prolong:
            e = step(e)
        return e

    def restrict(self, r: Array) -> Array:
        """R r = W_c^-1 P^T W_f r, the adjoint of P in the inner product of control volumes (full weighting)."""
        for step in self._restrict:
            r = step(r)
        return r

    def matrix(self) -> sp.csr_matrix:
        """P as a sparse matrix on flattened unknowns."""
        result = sp.identity(1)
        for a, axis in enumerate(self.fine.axes):
            result = sp.kron(result, self.along[a] if self.which[a] else sp.identity(axis.n))
        return sp.csr_matrix(result)


class MatrixTransfer:
    """P as a sparse matrix on flattened unknowns, and R = W_c^-1 P^T W_f."""

    def __init__(self, P: sp.csr_matrix, fine: Array, coarse: Array, dtype: np.dtype) -> None:
        """`fine` and `coarse` are the control volumes, arrays of the grids' shapes."""
        self._P = sp.csr_matrix(P).astype(dtype)
        self._R = _adjoint(P, fine.ravel(), coarse.ravel()).astype(dtype)
        self._shapes = fine.shape, coarse.shape

    def prolong(self, e: Array, like: Array | None = None) -> Array:
        return _apply(self._P, e, *reversed(self._shapes))

    def restrict(self, r: Array) -> Array:
        return _apply(self._R, r, *self._shapes)

    def matrix(self) -> sp.csr_matrix:
        return self._P


class LinearTransfer(MatrixTransfer):
    """Linear interpolation on triangles cut along the anti-diagonal (4.9), (4.14); two dimensions."""

    def __init__(
        self, fine: Grid, which: tuple[bool, ...], dtype: np.dtype, diffusion: Sequence[tuple[float, float]] = ()
    ) -> None:
        """`diffusion` is not needed: unknowns are nodes, so that no end lies beyond them but those of Dirichlet."""
        if fine.ndim != 2 or not all(which) or any(axis.cell for axis in fine.coarsen(which).axes):
            raise ValueError(
                "transfer='linear' is for two vertex-centred axes that coarsen together, (4.14); "
                f"got shape {fine.shape} with axes to coarsen {which}. Use transfer='bilinear'"
            )
        self.coarse = fine.coarsen(which)
        super().__init__(_triangle_matrix(fine, self.coarse), fine.volumes(), self.coarse.volumes(), dtype)


TRANSFERS: dict[str, type[BilinearTransfer] | type[LinearTransfer]] = {
    "bilinear": BilinearTransfer,
    "linear": LinearTransfer,
}


class CubicInterpolation:
    """Interpolation for full multigrid: cubic along each coarsened axis, through the boundary values of its ends."""

    def __init__(self, fine: Grid, which: tuple[bool, ...], dtype: np.dtype) -> None:
        self.fine, self.which = fine, which
        self.restrict_data = DataRestriction(fine, which, dtype)
        self._axes: dict[int, Gather] = {}
        for a, axis in enumerate(fine.axes):
            if which[a]:
                nodes = _with_dirichlet_ends(axis.coarsen())
                period = axis.length if axis.periodic else None
                self._axes[a] = Gather(*_lagrange(nodes, axis.points, 4, period), a, fine.ndim, dtype)

    def __call__(self, u: Array, sides: Sides) -> Array:
        """From the coarse unknowns u to the fine ones; `sides` are the boundary data of the fine grid."""
        waiting = list(self._axes)
        for a, interpolate in self._axes.items():
            waiting.remove(a)
            u = interpolate(self._with_ends(u, a, sides, waiting))
        return u

    def _with_ends(self, u: Array, a: int, sides: Sides, waiting: Sequence[int]) -> Array:
        """u with the values at the Dirichlet ends of axis a; the axes in `waiting` are still coarse."""
        ndim, parts = self.fine.ndim, [u]
        for side in (0, 1):
            if self.fine.axes[a].sides[side].kind != "dirichlet":
                continue
            values = sides.get((a, side))
            if values is None:
                end = np.zeros_like(u[window(a, ndim, slice(0, 1))])
            else:
                end = np.expand_dims(_coarsen_side(values, self.fine, a, waiting), a - ndim)
                end = np.broadcast_to(end, u[window(a, ndim, slice(0, 1))].shape)
            parts.insert(0 if side == 0 else len(parts), end)
        return np.concatenate(parts, axis=a - ndim)


class BoundaryTerm:
    """E g: what boundary data add to linear interpolation, P u + E g, in the points beside the ends of coarsened axes.

    Galerkin right-hand sides need it: u is P u_c + E g with the g of the coarse grid, so that R A (P u_c + E g) = R f.
    """

    def __init__(
        self, fine: Grid, which: tuple[bool, ...], dtype: np.dtype, diffusion: Sequence[tuple[float, float]]
    ) -> None:
        """`diffusion` is a of the two sides per axis, as in `BilinearTransfer`."""
        self.fine, self._shape = fine, fine.coarsen(which).shape
        self._axes: dict[int, tuple[Gather, Array]] = {}
        for a, axis in enumerate(fine.axes):
            if which[a]:
                P, Q = _linear(axis, axis.coarsen(), diffusion[a])
                self._axes[a] = Gather(*_rows(P), a, fine.ndim, dtype), Q.astype(dtype)
        self._along = {
            (across, a): Gather(*_rows(_linear_along(axis, axis.coarsen())), a - (a > across), fine.ndim - 1, dtype)
            for across in self._axes
            for a, axis in enumerate(fine.axes)
            if which[a] and a != across
        }

    def __call__(self, f: Array, sides: Sides) -> Array:
        """E g of f's batch axes, for the boundary data `sides` of the fine grid."""
        ndim = self.fine.ndim
        done: list[int] = []
        e = np.zeros(f.shape[: f.ndim - ndim] + self._shape, dtype=f.dtype)
        for a, (prolong, Q) in self._axes.items():
            e = prolong(e)
            for side in (0, 1):
                if (a, side) in sides:
                    values = np.expand_dims(self._linear(sides[a, side], a, done), a - ndim)
                    e += values * Q[:, side].reshape((-1,) + (1,) * (ndim - 1 - a))
            done.append(a)
        return e

    def _linear(self, values: Array, across: int, axes: Sequence[int]) -> Array:
        """The data of a side on the coarse grid, interpolated linearly along these axes."""
        values = _coarsen_side(values, self.fine, across, list(self._axes))
        for a in axes:
            if a != across:
                values = self._along[across, a](values)
        return values

    def between(self, sides: Sides) -> Sides:
        """The Dirichlet data less what linear interpolation along their side makes of those of the coarse grid.

        P u_c + E g knows the sides no better than that.
        """
        return {
            (across, side): values - self._linear(values, across, list(self._axes))
            for (across, side), values in sides.items()
            if across in self._axes and self.fine.axes[across].sides[side].kind == "dirichlet"
        }


class DataRestriction:
    """The data f of full multigrid on the coarse grid, to second order without a term in h^2 Laplace f.

    R, the adjoint of linear interpolation, has one; in 3-D it outweighs the discretisation error. Cells take means, and
    nodes take R f less what R has smoothed. The sum of f over the control volumes stays, so that an f that is not
    smooth, a point source say, is not lost as by injection.
    """

    def __init__(self, fine: Grid, which: tuple[bool, ...], dtype: np.dtype) -> None:
        self._steps = []
        for a, axis in enumerate(fine.axes):
            if which[a]:
                self._steps.append(Gather(*_rows(data_matrix(axis)), a, fine.ndim, dtype))

    def __call__(self, f: Array) -> Array:
        for step in self._steps:
            f = step(f)
        return f


def data_matrix(fine: Axis) -> sp.csr_matrix:
    """`DataRestriction` along one axis."""
    if not fine.cell:
        return _sharpened_adjoint(fine, fine.coarsen())
    indices, weights = fine.injection()
    rows = np.broadcast_to(np.arange(indices.shape[1]), indices.shape)
    matrix = sp.csr_matrix((weights.ravel(), (rows.ravel(), indices.ravel())), shape=(indices.shape[1], fine.n))
    matrix.eliminate_zeros()
    return matrix


def coarsen_sides(sides: Sides, fine: Grid, which: tuple[bool, ...]) -> Sides:
    """The boundary data of the coarse grid: those of the fine grid at the points that stay, or the means of cells."""
    halved = [a for a, halve in enumerate(which) if halve]
    return {(a, side): _coarsen_side(values, fine, a, halved) for (a, side), values in sides.items()}


def _coarsen_side(values: Array, fine: Grid, across: int, halved: Sequence[int]) -> Array:
    """Data of a side across one axis, taken to the coarse points of the axes in `halved`."""
    others = [a for a in range(fine.ndim) if a != across]
    for position, a in enumerate(others):
        if a in halved:
            indices, weights = fine.axes[a].injection()
            values = Gather(indices, weights, position, len(others), values.dtype)(values)
    return values


def _with_dirichlet_ends(axis: Axis) -> Array:
    """The points of an axis with those ends at which the boundary value is known."""
    low, high = (side.kind == "dirichlet" for side in axis.sides)
    return np.concatenate((axis.nodes[:1] if low else [], axis.points, axis.nodes[-1:] if high else []))


def _lagrange(nodes: Array, x: Array, size: int, period: float | None = None) -> tuple[Array, Array]:
    """(indices, weights), (size, len(x)): interpolation at x through the `size` nodes around each x."""
    size = min(size, len(nodes) if period is None else 4)
    index = np.arange(len(nodes))
    if period is not None:
        turns = -(-size // len(nodes))
        index = np.tile(index, 2 * turns + 1)
        nodes = np.concatenate([nodes + k * period for k in range(-turns, turns + 1)])
    bracket = np.searchsorted(nodes, x, side="right") - 1
    starts = np.clip(bracket - (size // 2 - 1), 0, len(nodes) - size)
    windows = nodes[starts + np.arange(size)[:, None]]
    weights = np.ones((size, len(x)))
    for j in range(size):
        for k in range(size):
            if k != j:
                weights[j] *= (x - windows[k]) / (windows[j] - windows[k])
    return index[starts + np.arange(size)[:, None]], weights


def _prolongation_matrix(fine: Axis, coarse: Axis, diffusion: tuple[float, float] = (1.0, 1.0)) -> sp.csr_matrix:
    """Linear interpolation through the coarse unknowns and the ends, without boundary data."""
    return _linear(fine, coarse, diffusion)[0]


def _linear_along(fine: Axis, coarse: Axis) -> sp.csr_matrix:
    """Linear interpolation along a side, of data that are not zero at its corners: a cubic gives their values there."""
    if coarse.periodic:
        ends, period = [], coarse.length
    else:
        ends, period = [end for end, d in zip(coarse.nodes[[0, -1]], coarse.ends, strict=True) if d > 0], None
    through = _matrix(*_lagrange(coarse.points, np.array(ends), 4), coarse.n) if ends else sp.csr_matrix((0, coarse.n))
    nodes, values = np.append(coarse.points, ends), sp.vstack([sp.identity(coarse.n), through], format="csr")
    order = np.argsort(nodes)
    return sp.csr_matrix(_matrix(*_lagrange(nodes[order], fine.points, 2, period), len(nodes)) @ values[order])


def _matrix(indices: Array, weights: Array, columns: int) -> sp.csr_matrix:
    """The map whose value j is sum_k weights[k, j] * old[indices[k, j]]."""
    rows = np.tile(np.arange(indices.shape[1]), len(indices))
    return sp.csr_matrix((weights.ravel(), (rows, indices.ravel())), shape=(indices.shape[1], columns))


def _linear(fine: Axis, coarse: Axis, diffusion: tuple[float, float]) -> tuple[sp.csr_matrix, Array]:
    """(P, Q): P u + Q (g_low, g_high) interpolates linearly through the coarse unknowns and the values at the ends.

    The value at an end is share u + q g; see `_share`.
    """
    n = coarse.n
    nodes, values, data = coarse.points, sp.identity(n, format="csr"), np.zeros((n, 2))
    for side, d, a in zip((0, 1), coarse.ends, diffusion, strict=True):
        if coarse.periodic or d == 0:
            continue
        share, q = _share(coarse.sides[side], d, a)
        row = sp.csr_matrix(([share], ([0], [-side % n])), shape=(1, n))
        new = np.where(np.arange(2) == side, q, 0.0)[None]
        nodes = np.append(nodes, coarse.nodes[-1]) if side else np.append(coarse.nodes[:1], nodes)
        values = sp.vstack([values, row] if side else [row, values])
        data = np.concatenate((data, new) if side else (new, data))
    through = _matrix(*_lagrange(nodes, fine.points, 2, fine.length if fine.periodic else None), len(nodes))
    P = sp.csr_matrix(through @ values)
    P.data[abs(P.data) < 1e-14] = 0
    P.eliminate_zeros()
    P.sort_indices()
    return P, through @ data


def feels_diffusion(coarse: Axis) -> bool:
    """Whether linear interpolation from this axis depends on a at its sides: beyond cells beside a Robin end."""
    return coarse.cell and any(side.beta > 0 for side in coarse.sides)


def _share(side: Side, d: float, a: float) -> tuple[float, float]:
    """(share, q): the value at an end is share u + q g, u being at the distance d: a du/dn + beta u = g, or u = g."""
    if side.kind == "dirichlet":
        return 0.0, 1.0
    share = 1 / (1 + side.beta * d / a)
    return share, share * d / a


def cubic_matrix(fine: Axis, coarse: Axis) -> sp.csr_matrix:
    """Cubic interpolation as a matrix; the columns of Dirichlet ends, as for zero boundary values, are dropped."""
    indices, weights = _lagrange(_with_dirichlet_ends(coarse), fine.points, 4, fine.length if fine.periodic else None)
    rows = np.tile(np.arange(fine.n), len(indices))
    first = int(coarse.sides[0].kind == "dirichlet")
    columns = coarse.n + sum(side.kind == "dirichlet" for side in coarse.sides)
    C = sp.csr_matrix((weights.ravel(), (rows, indices.ravel())), shape=(fine.n, columns))[:, first : first + coarse.n]
    C.data[abs(C.data) < 1e-14] = 0
    C.eliminate_zeros()
    return sp.csr_matrix(C)


def _adjoint(P: sp.csr_matrix, fine: Array, coarse: Array) -> sp.csr_matrix:
    """W_c^-1 P^T W_f."""
    return sp.csr_matrix(sp.diags(1 / coarse) @ P.T @ sp.diags(fine))


def _sharpened_adjoint(fine: Axis, coarse: Axis) -> sp.csr_matrix:
    """(1 - H^2/16 d^2/dx^2) R: on equal intervals H, R f = f + H^2/16 f'' + ...

    There is no flux through the ends, which keeps the sum of f; beside a Dirichlet end, where u does not feel a point
    more or less, it is f itself.
    """
    n = coarse.n
    D = _differences(len(coarse.gaps), n)
    sharpen = sp.identity(n) + sp.diags(1 / coarse.width) @ D.T @ sp.diags(coarse.gaps / 16) @ D
    data = sp.lil_matrix(sharpen @ _adjoint(_prolongation_matrix(fine, coarse), fine.width, coarse.width))
    kept = fine.injection()[0][0]
    for side, end in zip(coarse.sides, (0, -1), strict=True):
        if side.kind == "dirichlet":
            data[end] = 0
            data[end, kept[end]] = 1
    return sp.csr_matrix(data)


def _differences(m: int, n: int) -> sp.csr_matrix:
    """m differences u_{i+1} - u_i of n values, around the end where m = n."""
    i = np.arange(m)
    return sp.csr_matrix((np.repeat([-1.0, 1.0], m), (np.tile(i, 2), np.append(i, (i + 1) % n))), shape=(m, n))


def _rows(matrix: sp.csr_matrix) -> tuple[Array, Array]:
    """(indices, weights), (k, rows), of a sparse matrix with at most k entries in a row; entry k follows a pattern."""
    n = matrix.shape[0]
    count = np.diff(matrix.indptr)
    k = max(1, int(count.max()))
    indices, weights = np.zeros((k, n), dtype=np.intp), np.zeros((k, n))
    for row in range(n):
        part = slice(matrix.indptr[row], matrix.indptr[row + 1])
        order = np.argsort(matrix.indices[part])
        indices[: count[row], row], weights[: count[row], row] = matrix.indices[part][order], matrix.data[part][order]
    return indices, weights


def _progression(indices: Array) -> Array | slice:
    """The indices as a slice where they are an arithmetic progression: a view is cheaper than a copy."""
    if len(indices) < 2:
        return indices
    step = int(indices[1] - indices[0])
    if step <= 0 or np.any(np.diff(indices) != step):
        return indices
    return slice(int(indices[0]), int(indices[-1]) + 1, step)


def _triangle_matrix(fine: Grid, coarse: Grid) -> sp.csr_matrix:
    """Barycentric weights of every fine point in its triangle of the coarse grid."""
    cells, offsets = [], []
    for f, c in zip(fine.axes, coarse.axes, strict=True):
        cell = np.clip(np.searchsorted(c.nodes, f.points, side="right") - 1, 0, len(c.nodes) - 2)
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
        (row, row_inside), (column, column_inside) = (
            _unknown(axis, index) for axis, index in zip(coarse.axes, (i + p, j + q), strict=True)
        )
        inside = (abs(w) > 1e-14) & row_inside & column_inside
        rows.append(numbers[inside])
        columns.append((row * coarse.shape[1] + column)[inside])
        values.append(w[inside])
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return sp.csr_matrix(entries, shape=(fine.size, coarse.size))


def _unknown(axis: Axis, node: Array) -> tuple[Array, Array]:
    """The unknowns at these nodes of a vertex-centred axis, and which of the nodes are unknown."""
    if axis.periodic:
        return node % axis.n, np.ones(node.shape, dtype=bool)
    unknown = node - axis.first
    return unknown, (unknown >= 0) & (unknown < axis.n)


def _apply(matrix: sp.csr_matrix, u: Array, source: tuple[int, ...], target: tuple[int, ...]) -> Array:
    flat = u.reshape(-1, int(np.prod(source)))
    return np.ascontiguousarray((matrix @ flat.T).T).reshape(u.shape[: -len(source)] + target)
