"""Insulated walls of a level set: the open fractions of faces and of control volumes, and the wall inside each volume.

phi is linear between the corners of control volumes. The fractions follow from the divergence theorem, dimension by
dimension: an edge is open up to the wall, a face or volume is the sum of pyramids over its open sides, with their
apex on the wall. They are exact for planes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from pde.problem.grid import ENDS, Array, Axis, along, window
from pde.problem.level_set import LevelSet

LEAST = 2.0**-40
"""Edges that are open or closed up to this share are so as a whole: the volumes that it leaves can divide."""


@dataclass(frozen=True)
class OpenFractions:
    """The open parts of the control volumes of a grid, and the wall in them.

    Args:
        faces: for each axis the open fractions of the faces across it, one entry more along it.
        volumes: the open fractions of the control volumes, an array of the grid's shape.
        cells: the flat indices of the control volumes that the wall crosses.
        areas: the area of the wall in each of them: the length of the sum of the vectors of their open faces.
        points: a point of the wall in each of them, one array per axis.
    """

    faces: tuple[Array, ...]
    volumes: Array
    cells: Array
    areas: Array
    points: tuple[Array, ...]

    def inflow(self, flux: Any) -> Array:
        """The integral over the wall in each control volume of a flux there, a number or an entry for each cut one."""
        inflow = np.bincount(self.cells, self.areas * flux, self.volumes.size)
        return inflow.reshape(self.volumes.shape)


def open_fractions(level_set: LevelSet) -> OpenFractions:
    """The open fractions of the control volumes, where phi < 0.

    The control volume of a point reaches halfway to its neighbours and to Dirichlet ends. An array of phi is
    interpolated to the corners, and extrapolated at the ends of the box. A wall that no edge meets is not seen.

    >>> from pde.problem.level_set import read_level_set
    >>> level_set = read_level_set(lambda x: x - 2.25, Grid((Axis.uniform(4, 4.0, cell=True),)))
    >>> open_fractions(level_set).volumes.tolist()
    [1.0, 1.0, 0.25, 0.0]
    """
    grid, edges = level_set.grid, [_edges(axis) for axis in level_set.grid.axes]
    axes, ends = tuple(range(grid.ndim)), _EdgeRoots(level_set, edges)
    volumes, apex = ends.fraction(axes), ends.apex(axes)
    faces = tuple(ends.fraction(tuple(b for b in axes if b != a)) for a in axes)
    for a, axis in enumerate(grid.axes):
        _close(faces[a], volumes == 0, a, axis.periodic)
    steps = (np.diff(face, axis=a) / along(grid.axes[a].width, a, grid.ndim) for a, face in enumerate(faces))
    areas = grid.volumes() * np.sqrt(sum(map(np.square, steps)))
    cells = np.flatnonzero(areas)
    indices = np.unravel_index(cells, grid.shape)
    points = tuple(e[i] + np.diff(e)[i] * x.ravel()[cells] for e, i, x in zip(edges, indices, apex, strict=True))
    return OpenFractions(faces, volumes, cells, areas.ravel()[cells], points)


class _EdgeRoots:
    """Where the wall meets the edges of the boxes between `edges`, and the open fractions that follow.

    A set of axes names the faces, or volumes, that they span: arrays with n entries along these, n + 1 along others.
    """

    def __init__(self, level_set: LevelSet, edges: Sequence[Array]) -> None:
        phi = _corners(level_set, edges)
        self._inside, self._ndim = phi < 0, phi.ndim
        self._roots = [self._along(level_set, edges, phi, a) for a in range(phi.ndim)]

    def _along(self, level_set: LevelSet, edges: Sequence[Array], phi: Array, a: int) -> Array:
        """The share of each edge along an axis at which the wall lies, NaN where it does not meet it."""
        low, high = (window(a, self._ndim, part) for part in (slice(None, -1), slice(1, None)))
        cut = np.nonzero(self._inside[low] != self._inside[high])
        begin, end = phi[low][cut], phi[high][cut]
        if level_set.function is None:
            share = begin / (begin - end)
        else:
            start = [e[i + (end < 0)] if b == a else e[i] for b, (e, i) in enumerate(zip(edges, cut, strict=True))]
            share = level_set.root(start, a, np.where(end < 0, -1, 1) * np.diff(edges[a])[cut[a]])
            share = np.where(end < 0, 1 - share, share)
        roots = np.full(phi[low].shape, np.nan)
        roots[cut] = np.where(share < LEAST, 0.0, np.where(share > 1 - LEAST, 1.0, share))
        return roots

    def fraction(self, axes: tuple[int, ...]) -> Array:
        """The open fraction of what these axes span, in [0, 1]."""
        if not axes:
            return self._inside.astype(float)
        total: Array | float = 0.0
        for a, x in zip(axes, self.apex(axes), strict=True):
            sides = self.fraction(tuple(b for b in axes if b != a))
            low, high = (sides[window(a, self._ndim, part)] for part in (slice(None, -1), slice(1, None)))
            total = total + x * low + (1 - x) * high
        return np.asarray(total / len(axes))

    def apex(self, axes: tuple[int, ...]) -> list[Array]:
        """The mean of the points where edges meet the wall: its share of the way along each of `axes`; else 1/2."""
        shape = tuple(n - (a in axes) for a, n in enumerate(self._inside.shape))
        sums, count = [np.zeros(shape) for _ in axes], np.zeros(shape)
        for edge in axes:
            for corner in product(*((0,) if a == edge or a not in axes else (0, 1) for a in range(self._ndim))):
                root = self._roots[edge][tuple(slice(k, k + n) for k, n in zip(corner, shape, strict=True))]
                cut = ~np.isnan(root)
                count += cut
                for total, a in zip(sums, axes, strict=True):
                    total += np.where(cut, root if a == edge else corner[a], 0.0)
        return [np.where(count > 0, total / np.maximum(count, 1), 0.5) for total in sums]


def _edges(axis: Axis) -> Array:
    """The n + 1 ends of the control volumes of an axis."""
    if axis.cell:
        return axis.nodes
    middles = (axis.nodes[1:] + axis.nodes[:-1]) / 2
    if axis.periodic:
        return np.append(middles[-1] - axis.length, middles)
    low, high = axis.ends
    return np.concatenate((axis.nodes[: int(low == 0)], middles, axis.nodes[len(axis.nodes) - int(high == 0) :]))


def _corners(level_set: LevelSet, edges: Sequence[Array]) -> Array:
    """phi at the corners of the control volumes."""
    if level_set.function is None:
        phi = level_set.values
        for a, (axis, e) in enumerate(zip(level_set.grid.axes, edges, strict=True)):
            phi = np.moveaxis(_interpolated(np.moveaxis(phi, a, 0), axis, e), 0, a)
    else:
        phi = level_set.at(np.broadcast_arrays(*np.meshgrid(*edges, indexing="ij", sparse=True))).copy()
    for a, axis in enumerate(level_set.grid.axes):
        if axis.periodic:
            phi[window(a, phi.ndim, ENDS[1])] = phi[window(a, phi.ndim, ENDS[0])]
    return phi


def _interpolated(values: Array, axis: Axis, at: Array) -> Array:
    """Values (n, ...) at the unknowns of an axis, linear between them and beyond the first and the last."""
    x = axis.points
    if axis.periodic:
        x = np.concatenate((x[-1:] - axis.length, x, x[:1] + axis.length))
        values = np.concatenate((values[-1:], values, values[:1]))
    if len(x) == 1:
        return np.repeat(values, len(at), 0)
    i = np.clip(np.searchsorted(x, at) - 1, 0, len(x) - 2)
    share = ((at - x[i]) / (x[i + 1] - x[i])).reshape((-1,) + (1,) * (values.ndim - 1))
    return (1 - share) * values[i] + share * values[i + 1]


def _close(face: Array, closed: Array, a: int, periodic: bool) -> None:
    """Close the faces across an axis of closed control volumes, and make the two at a periodic seam one."""
    for part in (slice(None, -1), slice(1, None)):
        face[window(a, face.ndim, part)][closed] = 0.0
    if periodic:
        first, last = (window(a, face.ndim, part) for part in ENDS)
        face[first] = face[last] = np.minimum(face[first], face[last])
