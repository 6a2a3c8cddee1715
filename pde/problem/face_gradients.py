"""|grad u|^2 at faces: the difference across a face, and along it the mean of the differences of both neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product
from typing import Any

import numpy as np

from pde.problem.grid import ENDS, Array, Axis, Grid, trailing
from pde.problem.operators import Block


class FaceGradients:
    """Squares of the gradient at the faces around unknowns, for u padded by one neighbour at each end.

    The difference along an axis at one unknown has three weights: it is of second order between neighbours at unequal
    distances, and one-sided at Neumann and Robin ends, whose neighbours beyond are no values of u.
    """

    def __init__(self, grid: Grid, dtype: np.dtype) -> None:
        self.grid = grid
        self._weights = [_weights(axis, dtype) for axis in grid.axes]
        self._beyond = [_beyond(axis) for axis in grid.axes]
        self._per_square = [[(1 / gaps**2).astype(dtype) for gaps in _gaps(axis)] for axis in grid.axes]

    def fill_edges(self, padded: Array) -> None:
        """Extrapolate the data of two Dirichlet sides to the edge where they meet, and take their mean."""
        ndim, axes = self.grid.ndim, self.grid.axes
        for a, b in combinations(range(ndim), 2):
            for s, t in product((0, 1), repeat=2):
                if axes[a].sides[s].kind == axes[b].sides[t].kind == "dirichlet":
                    edge = [ENDS[s] if c == a else ENDS[t] if c == b else slice(None) for c in range(ndim)]
                    padded[trailing(edge)] = (self.beyond(padded, edge, a, s) + self.beyond(padded, edge, b, t)) / 2

    def beyond(self, padded: Array, halo: Sequence[slice], a: int, side: int) -> Array:
        """The values of a halo beyond a side across an axis by the parabola through the three unknowns beside it."""
        total: Any = 0.0
        for k, weight in enumerate(self._beyond[a][side], start=1):
            inner = slice(k, k + 1) if side == 0 else slice(-k - 1, -k)
            total = total + weight * padded[trailing([inner if c == a else part for c, part in enumerate(halo)])]
        return total

    def squares(self, padded: Array, block: Block) -> Array:
        """|grad u|^2 at the unknowns of a block."""
        differences = (self._difference(padded, block, b, (0,) * self.grid.ndim) for b in range(self.grid.ndim))
        total: Array = sum(d**2 for d in differences)  # type: ignore[assignment]
        return total

    def across(self, padded: Array, block: Block, a: int, offset: int, step: Array) -> tuple[Array, Array]:
        """|grad u|^2 at the faces below (offset -1) or above (1) along an axis, and step/2 times its derivative.

        Args:
            step: u less its neighbour, of the block's shape; the derivative is with respect to u.
        """
        ndim = self.grid.ndim
        squares = step * step
        squares *= self.per_square(block, a, offset)
        slope = squares.copy()
        for b in range(ndim):
            if b != a:
                t = self.along(padded, block, a, offset, b)
                centre = self._weights[b][1]
                if centre is not None:
                    slope += step * t * (_on(centre, block, b) / 2)
                squares += t * t
        return squares, slope

    def along(self, padded: Array, block: Block, a: int, offset: int, b: int) -> Array:
        """du/dx_b at the faces below or above along an axis a: the mean of both sides."""
        here, there = ([by if c == a else 0 for c in range(self.grid.ndim)] for by in (0, offset))
        t = self._difference(padded, block, b, here) + self._difference(padded, block, b, there)
        t /= 2
        return t

    def per_square(self, block: Block, a: int, offset: int) -> Array:
        """1/h^2 of the differences across the faces below or above along an axis."""
        square: Array = _on(self._per_square[a][offset > 0], block, a)
        return square

    def weights(self, block: Block, b: int) -> list[Array | None]:
        """The weights of u before, at and behind an unknown in du/dx_b there; None where they are all zero."""
        return [None if w is None else _on(w, block, b) for w in self._weights[b]]

    def weights_beyond(self, a: int, side: int) -> Array:
        """The weights of the unknowns along an axis in the value one neighbour beyond an end."""
        weights, n = self._beyond[a][side], self.grid.shape[a]
        return np.pad(weights, (0, n - len(weights)))[:: -1 if side else 1]

    def _difference(self, padded: Array, block: Block, b: int, shift: Sequence[int]) -> Array:
        """du/dx_b at the unknowns of a block shifted by `shift`."""
        low, centre, high = self._weights[b]

        def at(offset: int) -> Array:
            return padded[shifted(block, [s + offset * (c == b) for c, s in enumerate(shift)])]

        result = at(1) * _on(high, block, b)
        result += at(-1) * _on(low, block, b)
        if centre is not None:
            result += at(0) * _on(centre, block, b)
        return result


def shifted(block: Block, by: Sequence[int]) -> Any:
    """The index of a block in an array with one more unknown at each end, moved by so many unknowns along each axis."""
    parts = []
    for s, offset in zip(block, by, strict=True):
        start, stop = s.start + 1 + offset, offset - 1 if s.stop is None else s.stop + 1 + offset
        parts.append(slice(start, None if stop == 0 else stop, s.step))
    return trailing(parts)


def _beyond(axis: Axis) -> list[list[float]]:
    """The weights of the three unknowns beside each end, the nearest first, in their parabola one neighbour beyond."""
    result = []
    for end, gap in ((0, -_gaps(axis)[0][0]), (-1, _gaps(axis)[1][-1])):
        x = axis.points[:: -1 if end else 1][:3] - axis.points[end] - gap
        result.append([float(np.prod([z / (z - y) for z in x if z != y])) for y in x])
    return result


def _on(values: Array, block: Block, a: int) -> Any:
    """Values along an axis, (n,), on a block."""
    return values[block[a]].reshape((-1,) + (1,) * (len(block) - 1 - a))


def _gaps(axis: Axis) -> tuple[Array, Array]:
    """The distances to the neighbours before and behind; beyond sides with fluxes as far as on the other side."""
    if axis.periodic:
        return np.roll(axis.gaps, 1), axis.gaps
    inner = axis.gaps if axis.n > 1 else np.array([axis.length])
    low, high = (
        distance if side.kind == "dirichlet" else gap
        for side, distance, gap in zip(axis.sides, axis.ends, (inner[0], inner[-1]), strict=True)
    )
    gaps = np.concatenate(([low], axis.gaps, [high]))
    return gaps[:-1], gaps[1:]


def _weights(axis: Axis, dtype: np.dtype) -> tuple[Array, Array | None, Array]:
    """The weights, (n,) each, of u before, at and behind an unknown in du/dx there; None where they are all zero."""
    before, behind = _gaps(axis)
    low, high = -behind / (before * (before + behind)), before / (behind * (before + behind))
    centre = -(low + high)
    even = np.all(abs(centre) <= 64 * np.finfo(float).eps * axis.n * abs(high).max())
    return low.astype(dtype), None if even else centre.astype(dtype), high.astype(dtype)
