"""Linear maps along the axes of a grid, applied to arrays or tensors with any leading batch axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pde.common.arrays import Frozen, take
from pde.common.caching import once_per_axis
from pde.levels.interpolation_1d import as_weights
from pde.problem.grid import Array, Axis, Grid, along, window

Part = tuple[Array | slice, Array | float]
"""The old values of a summand, a slice where their indices are an arithmetic progression, and their weights, a number
where all are equal."""


@dataclass(frozen=True, eq=False)
class Gather(Frozen):
    """A linear map along one axis: each new value is a weighted sum of a few old ones.

    Args:
        parts: the summands, weights with an axis of length one for each axis behind.
        axis: counted from the last one, -1.
    """

    parts: Sequence[Part]
    axis: int
    arrays = ("parts",)

    def __call__(self, u: Array) -> Array:
        total: Any = None
        for i, w in self.parts:
            old = u[window(0, -self.axis, i)] if isinstance(i, slice) else take(u, i, self.axis)
            if total is None:
                total = w * old
            else:
                total += w * old
        return total


@dataclass(frozen=True, eq=False)
class AlongAxes(Frozen):
    """A linear map as the product of maps along single axes, the first one applied first."""

    steps: tuple[Gather, ...]
    arrays = ("steps",)

    def __call__(self, u: Array, like: Array | None = None) -> Array:
        for step in self.steps:
            u = step(u)
        return u


def gather(fine: Axis, axis: int, ndim: int, dtype: np.dtype, make: Callable[..., Any], *arguments: Any) -> Gather:
    """make(fine, *arguments), a sparse matrix or (indices, weights), as a map along one of the ndim trailing axes."""
    behind = (1,) * (ndim - 1 - axis)
    parts = _parts(fine, dtype, make, *arguments)
    return Gather([(i, w if isinstance(w, float) else w.reshape((-1, *behind))) for i, w in parts], axis - ndim)


def along_axes(
    fine: Grid, which: tuple[bool, ...], dtype: np.dtype, make: Callable[..., Any], *coarse: Sequence[Any]
) -> AlongAxes:
    """The product of make(axis, ...) over the axes in `which`; `coarse` holds its further arguments, one per axis."""
    axes = [(a, axis) for a, axis in enumerate(fine.axes) if which[a]]
    return AlongAxes(tuple(gather(axis, a, fine.ndim, dtype, make, *(x[a] for x in coarse)) for a, axis in axes))


@once_per_axis
def _parts(fine: Axis, dtype: np.dtype, make: Callable[..., Any], *arguments: Any) -> list[Part]:
    """Split (indices, weights), (k, n), by k: new value j is sum_k weights[k, j] * old[indices[k, j]]."""
    made = make(fine, *arguments)
    indices, weights = made if isinstance(made, tuple) else as_weights(made)
    used = weights.any(axis=1)
    shaped = [along(w, 0, 1) for w in weights[used]]
    typed = [w if isinstance(w, float) else w.astype(dtype) for w in shaped]
    return [(_progression(i), w) for i, w in zip(indices[used], typed, strict=True)]


def _progression(indices: Array) -> Array | slice:
    """The indices as a slice where they are an arithmetic progression: a view is cheaper than a copy."""
    if len(indices) < 2:
        return indices
    step = int(indices[1] - indices[0])
    if step <= 0 or np.any(np.diff(indices) != step):
        return indices
    return slice(int(indices[0]), int(indices[-1]) + 1, step)
