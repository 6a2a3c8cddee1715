"""Couplings of an unknown with its neighbours, as numbers where they are alike, and the points of the faces between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pde.problem.grid import ENDS, Array, Axis, Grid, is_constant, window
from pde.problem.operators import StencilOperator


def couplings(box: StencilOperator, a: int, dtype: np.dtype) -> list[Array | float]:
    """The coefficients of u_i - u_{i-1} and u_i - u_{i+1} along an axis, (n,), or one number where they are alike.

    Dirichlet ends are neighbours.
    """
    axis = box.grid.axes[a]
    lower, upper = (np.array(np.broadcast_to(np.ravel(k), axis.n), dtype) for k in (box.lower[a], box.upper[a]))
    if not axis.periodic:
        lower[0], upper[-1] = (
            float(np.ravel(k)[0]) if side.kind == "dirichlet" else 0.0
            for k, side in zip(box.ends[a], axis.sides, strict=True)
        )
    return [float(k[0]) if is_constant(k) else k for k in (lower, upper)]


def held(box: StencilOperator, dtype: np.dtype) -> Array | None:
    """The coefficients of u beside Robin sides, of the grid's shape; None where there is no such side."""
    grid, held = box.grid, np.zeros(box.grid.shape, dtype)
    for a, axis in enumerate(grid.axes):
        for part, side, k in zip(ENDS, axis.sides, box.ends[a], strict=True):
            if side.kind == "robin":
                held[window(a, grid.ndim, part)] += k
    return held if held.any() else None


def face_points(grid: Grid, a: int) -> tuple[Sequence[Array], Sequence[Array]]:
    """The coordinates of the faces below and above the unknowns along an axis, arrays of the grid's shape."""
    pair = []
    for faces in _faces(grid.axes[a]):
        lines = [faces if b == a else axis.points for b, axis in enumerate(grid.axes)]
        views = np.meshgrid(*lines, indexing="ij", sparse=True)
        pair.append([np.broadcast_to(view, grid.shape) for view in views])
    return pair[0], pair[1]


def _faces(axis: Axis) -> tuple[Array, Array]:
    """Halfway to the unknown before and to the one behind; to an end that is no unknown, halfway to the end."""
    x = axis.points
    if axis.periodic:
        above = axis.wrapped(x + axis.gaps / 2)
        return np.roll(above, 1), above
    faces = np.concatenate((axis.nodes[:1], x, axis.nodes[-1:]))
    faces = (faces[:-1] + faces[1:]) / 2
    return faces[:-1], faces[1:]
