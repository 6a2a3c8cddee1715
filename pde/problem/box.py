"""Read a box: unknowns per axis, lengths, sides and coordinates make its grid."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from pde.common.arguments import count, described, finite, real_array
from pde.problem.grid import Axis, Grid, Side

LARGEST = sys.maxsize // 16  # unknowns whose numbers can be addressed


def read_shape(shape: int | Sequence[int]) -> tuple[int, ...]:
    given = tuple(shape) if np.iterable(shape) else (shape,)
    if len(given) not in (1, 2, 3):
        raise ValueError(f"shape must have 1, 2 or 3 entries, one per dimension; got {len(given)}: {described(shape)}")
    sizes = tuple(count(f"shape[{axis}]", n, least=1) for axis, n in enumerate(given))
    if math.prod(sizes) > LARGEST:
        raise ValueError(f"shape must have at most {LARGEST} unknowns, whose numbers can be addressed; got {sizes}")
    return sizes


def read_grid(
    shape: tuple[int, ...], extent: Any, sides: Sequence[tuple[Side, Side]], cell: bool, coordinates: Any
) -> Grid:
    """The grid of these unknowns; see `Poisson`.

    Raises:
        TypeError, ValueError: naming extent or coordinates, what came and what is allowed.
    """
    lengths = _read_extent(extent, len(shape))
    axes = [Axis.uniform(n, L, pair, cell) for n, L, pair in zip(shape, lengths, sides, strict=True)]
    for a, nodes in enumerate(_per_axis("coordinates", coordinates, len(shape))):
        if nodes is not None:
            axes[a] = _stretched(f"coordinates[{a}]", nodes, axes[a])
    _check_range(grid := Grid(tuple(axes)), "extent" if coordinates is None else "coordinates")
    return grid


def _read_extent(extent: float | Sequence[float], ndim: int) -> tuple[float, ...]:
    given = np.atleast_1d(real_array("extent", extent)).astype(float)
    if given.ndim != 1 or len(given) not in (1, ndim):
        raise ValueError(f"extent must be one length or {ndim}, one per axis; got {described(extent)}")
    if not (np.isfinite(given).all() and (given > 0).all()):
        raise ValueError(f"extent must be positive and finite, got {described(extent)}")
    return tuple(float(L) for L in (np.repeat(given, ndim) if len(given) == 1 else given))


def _check_range(grid: Grid, name: str) -> None:
    smallest = math.prod(float(axis.width.min()) for axis in grid.axes)
    largest = math.prod(float(axis.width.sum()) for axis in grid.axes)
    if not grid.fits(np.dtype(float)) or not 1e-300 < smallest <= largest < 1e300:
        lengths, steps = ([float(f(axis.spacing)) for axis in grid.axes] for f in (np.sum, np.min))
        raise ValueError(
            f"{name}: control volumes or 1/h^2 leave the range of float64 for {grid.shape}, "
            f"got lengths {lengths} with steps down to {steps}"
        )


def _per_axis(name: str, values: Any, ndim: int) -> list[Any]:
    if values is None:
        return [None] * ndim
    listed = isinstance(values, list | tuple) or (isinstance(values, np.ndarray) and values.ndim > 0)
    if not listed or len(values) != ndim:
        came = f"{len(values)} entries" if listed else described(values)
        raise ValueError(f"{name} must hold {ndim} entries, one per axis; got {came}")
    return list(values)


def _stretched(name: str, nodes: Any, uniform: Axis) -> Axis:
    """The axis with these nodes instead of equally spaced ones."""
    given = finite(name, real_array(name, nodes), np.dtype(float))
    if given.shape != uniform.nodes.shape:
        raise ValueError(
            f"{name} must hold {len(uniform.nodes)} nodes for {uniform.n} unknowns, got shape {given.shape}"
        )
    if not (np.diff(given) > 0).all():
        raise ValueError(f"{name} must increase, got steps down to {np.diff(given).min()}")
    return Axis(given.copy(), uniform.sides, uniform.cell)
