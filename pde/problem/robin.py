"""Robin sides whose beta varies along the side: read, and put into the axes of a grid as means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pde.common.arguments import evaluate, finite, real_array
from pde.problem.boundary import side_points
from pde.problem.coefficients import Betas
from pde.problem.grid import Array, Axis, Grid, Side
from pde.problem.inner_product import Volumes


def read_betas(given: Mapping[tuple[int, int], Any], grid: Grid) -> tuple[Grid, Betas]:
    """The grid whose Robin sides have their mean beta, and beta itself of the sides along which it varies.

    Args:
        given: by (axis, side) arrays of the side's shape, or callables of all coordinates.

    Raises:
        TypeError, ValueError: naming the side, what came and what is allowed.
    """
    betas: Betas = {}
    axes = list(grid.axes)
    for (a, side), value in given.items():
        beta = _read_beta(f"boundary[{a}][{side}]: beta of 'robin'", value, grid, a, side)
        if beta.ndim and np.ptp(beta) > 0:
            betas[a, side] = beta
            mean = float(Volumes(Grid(tuple(axis for b, axis in enumerate(grid.axes) if b != a))).mean(beta))
        else:
            mean = float(beta.flat[0])
        axes[a] = _with_beta(axes[a], side, mean)
    return Grid(tuple(axes)), betas


def with_sides(grid: Grid, sides: tuple[tuple[Side, Side], ...]) -> Grid:
    """The same grid with other betas: sides of the same kinds; axes whose sides stay are the same objects."""
    pairs = zip(grid.axes, sides, strict=True)
    return Grid(tuple(axis if axis.sides == pair else replace(axis, sides=pair) for axis, pair in pairs))


def _read_beta(name: str, value: Any, grid: Grid, a: int, side: int) -> Array:
    beta = evaluate(name, value, side_points(grid, a, side)) if callable(value) else real_array(name, value)
    shape = tuple(n for b, n in enumerate(grid.shape) if b != a)
    if beta.ndim and beta.shape != shape:
        raise ValueError(f"{name} must be a number or have the side's shape {shape}, got {beta.shape}")
    beta = finite(name, beta, np.dtype(float))
    if np.min(beta) < 0:
        raise ValueError(f"{name} must be zero or positive, got values down to {np.min(beta)}")
    return np.array(beta)


def _with_beta(axis: Axis, side: int, beta: float) -> Axis:
    low, high = (replace(end, beta=beta) if number == side else end for number, end in enumerate(axis.sides))
    return replace(axis, sides=(low, high))
