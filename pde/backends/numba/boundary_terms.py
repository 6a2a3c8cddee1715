"""The share of boundary data in full multigrid on every level, as one sparse map of the data on the sides.

`side_terms` has the layout that kernels read: of each level its data folded into a right-hand side ("fold"), and the
values that a first guess takes beside the sides ("guess").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial, reduce
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from mgcore import Level
from pde.backends.numba.simd import MOST
from pde.levels.interpolation_1d import cubic_matrix, matrix
from pde.problem.coefficients import side_weights
from pde.problem.grid import Array, Axis, Sides


class Part(NamedTuple):
    """The terms of a level: of kind "fold" or "guess"."""

    kind: str
    level: int


class SideData(NamedTuple):
    """The boundary data of one right-hand side.

    Attributes:
        nodal: f without these data; None where there are none.
        terms: the map of them; None where there are none.
    """

    nodal: Array | None = None
    terms: Array | None = None


NO_SIDES = SideData()


def offsets(shapes: Sequence[Sequence[int]], is_3d: bool) -> Mapping[Part, int]:
    """Where the terms of each level begin, and Part("end", 0); `shapes` are those of three axes, finest first."""
    found, end = {}, 0
    for l, shape in enumerate(shapes):
        for kind in ("fold", "guess"):
            if (kind, l) != ("fold", 0):
                found[Part(kind, l)] = end
                end += sum(2 * length for length in _lengths(shape, is_3d))
    return {**found, Part("end", 0): end}


def _lengths(shape: Sequence[int], is_3d: bool) -> list[int]:
    """The numbers across each axis of (planes, rows, points) on one side."""
    planes, rows, points = shape
    return [rows * points, planes * points if is_3d else 0, planes * rows]


class BoundaryTerms:
    """The map of boundary data to the terms of all levels.

    Args:
        levels: rediscretised ones, with bilinear transfers.
    """

    def __init__(self, levels: Sequence[Level]) -> None:
        grids = [level.info.grid for level in levels]
        self._grid, ndim = grids[0], grids[0].ndim
        shapes = [[*grid.shape[:-1], *[1] * (3 - ndim), grid.shape[-1]] for grid in grids]
        starts, end = offsets(shapes, ndim == 3), 0
        columns = {}
        for key in self._keys():
            columns[key], end = end, end + self._grid.size // self._grid.shape[key[0]]
        blocks: list[tuple[int, int, Any]] = []
        down = [sp.identity(axis.n, format="csr") for axis in self._grid.axes]
        for l, level in enumerate(levels):
            lengths = _lengths(shapes[l], ndim == 3)
            for a, side in columns:
                number = 2 if a == ndim - 1 else a
                start = 2 * sum(lengths[:number]) + side * lengths[number]
                for kind, make in (("fold", _folded), ("guess", _guessed)):
                    M = make(level, a, side, down) if Part(kind, l) in starts else None
                    if M is not None:
                        blocks.append((starts[Part(kind, l)] + start, columns[a, side], M.tocoo()))
            if level.info.to_coarse is not None:
                halved = level.info.to_coarse.which
                down = [_injection(x) @ d if h else d for x, d, h in zip(grids[l].axes, down, halved, strict=True)]
        rows, cols, values = (
            np.concatenate(parts) for parts in zip(*((M.row + r, M.col + c, M.data) for r, c, M in blocks), strict=True)
        )
        self._size = starts[Part("end", 0)]
        self._map = sp.csr_matrix((values, (rows, cols)), shape=(self._size, end))

    def __call__(self, sides: Sides, dtype: np.dtype) -> Array:
        """The terms, (members, numbers), one member where none of the data have a batch axis."""
        members = max((len(g) for g in sides.values() if g.ndim == self._grid.ndim), default=1)
        parts = []
        for a, side in self._keys():
            size = self._grid.size // self._grid.shape[a]
            g = sides.get((a, side))
            parts.append(np.zeros((1, size)) if g is None else np.reshape(g, (-1, size)))
        data = np.concatenate([np.broadcast_to(part, (members, part.shape[1])) for part in parts], axis=1)
        terms = np.zeros((members, self._size + MOST), dtype)  # loops read whole lanes
        for row, each in zip(terms, data, strict=True):
            row[: self._size] = self._map @ each.astype(float)
        return terms

    def _keys(self) -> list[tuple[int, int]]:
        return [(a, side) for a, axis in enumerate(self._grid.axes) if not axis.periodic for side in (0, 1)]


def _folded(level: Level, a: int, side: int, down: Sequence[Any]) -> Any:
    """The map of a side's data to their share in the right-hand side of a level."""
    others = [M for b, M in enumerate(down) if b != a]
    weight = side_weights(level.info.grid, level.info.operator.terms, a, side)
    return _split_last(
        sp.diags(np.broadcast_to(weight, [len_of(M) for M in others]).ravel()) @ _product(others), level, a
    )


def _guessed(level: Level, a: int, side: int, down: Sequence[Any]) -> Any:
    """The map to their values in a first guess, before the weight across the side; None where it has none."""
    transfer, axes = level.info.to_coarse, level.info.grid.axes
    if transfer is None or not transfer.which[a] or axes[a].sides[side].kind != "dirichlet":
        return None
    others = []
    for b, (axis, M) in enumerate(zip(axes, down, strict=True)):
        if b > a and transfer.which[b]:
            others.append(cubic_matrix(axis, axis.coarsen()) @ (_injection(axis) @ M))
        elif b != a:
            others.append(M)
    return _split_last(_product(others), level, a)


def _injection(axis: Axis) -> sp.csr_matrix:
    return matrix(*axis.injection(), axis.n)


def len_of(M: Any) -> int:
    return int(M.shape[0])


def _product(maps: Sequence[Any]) -> Any:
    return reduce(partial(sp.kron, format="csr"), maps) if maps else sp.identity(1, format="csr")


def _split_last(M: Any, level: Level, a: int) -> Any:
    """M with rows of unknowns split by parity, unless they are across the side."""
    shape = list(level.info.grid.shape)
    if a == len(shape) - 1:
        return M
    del shape[a]
    numbers = np.arange(int(np.prod(shape))).reshape(-1, shape[-1])
    order = np.concatenate((numbers[:, ::2], numbers[:, 1::2]), axis=1).ravel()
    return sp.csr_matrix(M)[order]
