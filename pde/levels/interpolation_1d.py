"""Maps along one axis as sparse matrices: linear and cubic interpolation, adjoints, data on coarse points."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from pde.common.caching import once_per_axis
from pde.problem.grid import Array, Axis, Side


def as_weights(M: sp.csr_matrix, most: int | None = None, rows: Array | None = None) -> tuple[Array, Array]:
    """(indices, weights), (k, rows), of a sparse matrix: entry k of each row, or of the chosen `rows`.

    k is `most`, or the most entries of a row; missing ones weigh 0.
    """
    if not M.has_sorted_indices:
        M = M.sorted_indices()
    start, count = M.indptr[:-1], np.diff(M.indptr)
    if rows is not None:
        start, count = start[rows], count[rows]
    k, some = most or max(1, int(count.max(initial=1))), count > 0
    indices, weights = np.zeros((k, len(count)), dtype=np.int64), np.zeros((k, len(count)))
    indices[:, some] = M.indices[start[some]]
    row = np.repeat(np.arange(len(count)), count)
    number = np.arange(len(row)) - (np.cumsum(count) - count)[row]
    entry = start[row] + number
    indices[number, row], weights[number, row] = M.indices[entry], M.data[entry]
    return indices, weights


def matrix(indices: Array, weights: Array, columns: int) -> sp.csr_matrix:
    """The map whose value j is sum_k weights[k, j] * old[indices[k, j]]."""
    rows = np.tile(np.arange(indices.shape[1]), len(indices))
    return sp.csr_matrix((weights.ravel(), (rows, indices.ravel())), shape=(indices.shape[1], columns))


def without_rounding(weights: sp.spmatrix) -> sp.csr_matrix:
    """Drop the entries that rounding has made of zeros; sort by column."""
    result = sp.csr_matrix(weights)
    result.data[abs(result.data) < 1e-14] = 0
    result.eliminate_zeros()
    result.sort_indices()
    return result


def with_dirichlet_ends(axis: Axis) -> Array:
    """The points of an axis with its Dirichlet ends."""
    low, high = (side.kind == "dirichlet" for side in axis.sides)
    return np.concatenate((axis.nodes[:1] if low else [], axis.points, axis.nodes[-1:] if high else []))


def lagrange(nodes: Array, x: Array, size: int, period: float | None = None) -> tuple[Array, Array]:
    """(indices, weights), (size, len(x)): interpolation at x through the `size` nodes around each x."""
    indices, windows = _around(nodes, x, size, period)
    return indices, _lagrange_weights(windows, x)


def _around(nodes: Array, x: Array, size: int, period: float | None) -> tuple[Array, Array]:
    """(indices, coordinates), (size, len(x)), of the `size` nodes around each x, or of as many as there are."""
    size = size if period else min(size, len(nodes))
    index = np.arange(len(nodes))
    if period is not None:
        periods = -(-size // len(nodes))
        index = np.tile(index, 2 * periods + 1)
        nodes = np.concatenate([nodes + k * period for k in range(-periods, periods + 1)])
    bracket = np.searchsorted(nodes, x, side="right") - 1
    starts = np.clip(bracket - (size // 2 - 1), 0, len(nodes) - size)
    window = starts + np.arange(size)[:, None]
    return index[window], nodes[window]


def _lagrange_weights(windows: Array, x: Array) -> Array:
    weights = np.ones(windows.shape)
    for j in range(len(windows)):
        for k in range(len(windows)):
            if k != j:
                weights[j] *= (x - windows[k]) / (windows[j] - windows[k])
    return weights


def cubic(fine: Axis, coarse: Axis, rediscretised: bool = True) -> tuple[Array, Array]:
    """(indices, weights), (4, fine n): cubic interpolation through the points of `with_dirichlet_ends(coarse)`.

    Finite volumes take the difference of two cells for the flux at their face. Where coarsening has left the last cell
    another width h than the H before it, the face lies (H - h)/4 off the middle of their centres, and the last value is
    u + (H^2 - h^2)/8 u''. With u'' from the three other values that of the coarse axis is subtracted, that of the fine
    axis added, where coarse values come from finite volumes (`rediscretised`).
    """
    nodes, period = with_dirichlet_ends(coarse), fine.length if fine.periodic else None
    indices, windows = _around(nodes, fine.points, 4, period)
    weights = _lagrange_weights(windows, fine.points)
    if not rediscretised or coarse.n < 4 or coarse.left_over == fine.left_over == 0:
        return indices, weights
    last = indices == len(nodes) - 1
    others = (np.where(last.any(axis=0), last.argmax(axis=0), 3) + np.arange(1, 4)[:, None]) % 4
    a, b, c = np.take_along_axis(windows, others, axis=0)
    second = np.zeros(weights.shape)
    parts = 2 / ((a - b) * (a - c)), 2 / ((b - a) * (b - c)), 2 / ((c - a) * (c - b))
    np.put_along_axis(second, others, np.stack(parts), axis=0)
    weights = weights - coarse.left_over * np.sum(weights * last, axis=0) * second
    weights[:, -1] += fine.left_over * second[:, -1]
    return indices, weights


def quintic(fine: Axis, coarse: Axis) -> tuple[Array, Array]:
    """(indices, weights), (6, fine n): degree 5 through the points of `with_dirichlet_ends(coarse)`."""
    return lagrange(with_dirichlet_ends(coarse), fine.points, 6, fine.length if fine.periodic else None)


def linear_matrix(fine: Axis, coarse: Axis, diffusion: tuple[float, float] = (1.0, 1.0)) -> sp.csr_matrix:
    """Linear interpolation through the coarse unknowns and the ends, without boundary data."""
    return linear(fine, coarse, diffusion)[0]


@once_per_axis
def linear(fine: Axis, coarse: Axis, diffusion: tuple[float, float]) -> tuple[sp.csr_matrix, Array]:
    """(P, Q): P u + Q (g_low, g_high) interpolates linearly through the coarse unknowns and the values at the ends.

    The value at an end is share u + q g; see `_share`.
    """
    n, nodes, values = coarse.n, coarse.points, np.arange(coarse.n)
    shares, data = np.ones(n), np.zeros((n, 2))
    for side, d, a in zip((0, 1), coarse.ends, diffusion, strict=True):
        if coarse.periodic or d == 0:
            continue
        share, q = _share(coarse.sides[side], d, a)
        position = len(nodes) if side else 0
        nodes = np.insert(nodes, position, coarse.nodes[-side])
        values, shares = np.insert(values, position, -side % n), np.insert(shares, position, share)
        data = np.insert(data, position, np.where(np.arange(2) == side, q, 0.0), axis=0)
    through, weights = lagrange(nodes, fine.points, 2, fine.length if fine.periodic else None)
    P = without_rounding(matrix(values[through], weights * shares[through], n))
    return P, (weights[:, :, None] * data[through]).sum(axis=0)


@once_per_axis
def restriction_matrix(fine: Axis, coarse: Axis, diffusion: tuple[float, float] = (1.0, 1.0)) -> sp.csr_matrix:
    """R = W_c^-1 P^T W_f, the adjoint of linear interpolation."""
    return adjoint(linear_matrix(fine, coarse, diffusion), fine.width, coarse.width)


def feels_diffusion(coarse: Axis) -> bool:
    """Whether linear interpolation from this axis depends on a at its sides: beyond cells beside a Robin end."""
    return coarse.cell and any(side.beta > 0 for side in coarse.sides)


def _share(side: Side, d: float, a: float) -> tuple[float, float]:
    """(share, q): the value at an end is share u + q g, u being at the distance d: a du/dn + beta u = g, or u = g."""
    if side.kind == "dirichlet":
        return 0.0, 1.0
    share = 1 / (1 + side.beta * d / a)
    return share, share * d / a


def linear_along_side(fine: Axis, coarse: Axis) -> sp.csr_matrix:
    """Linear interpolation along a side, of data that are not zero at its corners: a cubic gives their values there."""
    if coarse.periodic:
        ends, period = [], coarse.length
    else:
        ends, period = [end for end, d in zip(coarse.nodes[[0, -1]], coarse.ends, strict=True) if d > 0], None
    through = matrix(*lagrange(coarse.points, np.array(ends), 4), coarse.n) if ends else sp.csr_matrix((0, coarse.n))
    nodes, values = np.append(coarse.points, ends), sp.vstack([sp.identity(coarse.n), through], format="csr")
    order = np.argsort(nodes)
    return sp.csr_matrix(matrix(*lagrange(nodes[order], fine.points, 2, period), len(nodes)) @ values[order])


@once_per_axis
def cubic_matrix(fine: Axis, coarse: Axis) -> sp.csr_matrix:
    """Cubic interpolation as a matrix; the columns of Dirichlet ends, as for zero boundary values, are dropped."""
    first = int(coarse.sides[0].kind == "dirichlet")
    C = matrix(*cubic(fine, coarse), len(with_dirichlet_ends(coarse)))
    return without_rounding(C[:, first : first + coarse.n])


@once_per_axis
def cubic_ends(fine: Axis, coarse: Axis) -> Array:
    """(2, n): the weights of the values at a low and a high Dirichlet end, which `cubic_matrix` leaves out."""
    C = without_rounding(matrix(*cubic(fine, coarse), len(with_dirichlet_ends(coarse)))).tocsc()
    ends = zip(C[:, [0, -1]].toarray().T, coarse.sides, strict=True)
    return np.stack([weights if side.kind == "dirichlet" else np.zeros(fine.n) for weights, side in ends])


def adjoint(P: sp.csr_matrix, fine: Array, coarse: Array) -> sp.csr_matrix:
    """W_c^-1 P^T W_f."""
    R = sp.csr_matrix(P.T)
    R.data = np.repeat(1 / coarse, np.diff(R.indptr)) * R.data * fine[R.indices]
    return R


@once_per_axis
def data_matrix(fine: Axis) -> sp.csr_matrix:
    """`DataRestriction` along one axis."""
    if not fine.cell:
        return _sharpened_adjoint(fine, fine.coarsen())
    means = matrix(*fine.injection(), fine.n)
    means.eliminate_zeros()
    return means


def _sharpened_adjoint(fine: Axis, coarse: Axis) -> sp.csr_matrix:
    """(1 - H^2/16 d^2/dx^2) R: on equal intervals H, R f = f + H^2/16 f'' + ...

    No flux through the ends keeps the sum of f; beside a Dirichlet end, where one point hardly matters to u, the result
    is f itself. A shorter interval there would give R f a term in f': the difference across the last gap is taken from
    f plus the change that R makes in the point before.
    """
    flux = coarse.gaps / 16
    closed = len(flux) == coarse.n
    after = flux if closed else np.append(flux, 0.0)
    before = np.roll(after, 1)
    i, w = np.arange(coarse.n), 1 / coarse.width
    neighbours = np.stack((i - 1, i, i + 1)) % coarse.n
    sharpen = matrix(neighbours, np.stack((-w * before, 1 + (w * before + w * after), -w * after)), coarse.n)
    kept, beside, fixed = fine.injection()[0][0], i.copy(), np.zeros(coarse.n)
    for side, end, inwards in zip(coarse.sides, (0, coarse.n - 1), (1, -1), strict=True):
        if side.kind == "dirichlet" and coarse.n > 2:
            beside[end], fixed[end] = end + inwards, 1.0
    R = matrix(beside[None], np.ones((1, coarse.n)), coarse.n) @ restriction_matrix(fine, coarse, (1.0, 1.0))
    data = sp.csr_matrix(sharpen @ (R + matrix(np.stack((kept, kept[beside])), np.stack((fixed, -fixed)), fine.n)))
    row = np.repeat(i, np.diff(data.indptr))
    for side, end in zip(coarse.sides, (0, coarse.n - 1), strict=True):
        if side.kind == "dirichlet":
            data.data[row == end] = (data.indices == kept[end])[row == end]
    data.eliminate_zeros()
    data.sort_indices()
    return data
