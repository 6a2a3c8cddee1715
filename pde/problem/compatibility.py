"""Check the data of a singular problem: inflow through sources and sides must equal outflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pde.common.arguments import finite
from pde.common.arrays import as_numpy, cast, numpy_dtype
from pde.problem.boundary import fold
from pde.problem.coefficients import Terms, side_weights
from pde.problem.components import Components
from pde.problem.grid import Array, Grid, Sides
from pde.problem.inner_product import Volumes, layer_volumes

FEW = 8
"""Axes with no more unknowns than this are too short for their spacing to say how well f is resolved."""

UNSEEN = 64
"""On a component, a mean of f of so many eps of the largest |f| in the whole domain is rounding, and counts as zero."""


def allowed_share(grid: Grid) -> float:
    """max(1e-2, 10 h^2) with the largest spacing relative to its axis: discretising an f that fits leaves less."""
    h = max((float(axis.spacing.max() / axis.length) for axis in grid.axes if axis.n > FEW), default=0.0)
    return max(1e-2, 10 * h**2)


def incompatible_share(
    f: Array,
    sides: Sides,
    grid: Grid,
    terms: Terms,
    volumes: Volumes,
    allowed: float | None,
    means: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """|integral of f| over the integral of |f|, both with g, for each member of a batch (..., *shape).

    Of several components it is the largest share; each counts its own f, less what rounding leaves of the largest |f|.

    Args:
        means: of f and of |f| where they are known.

    Raises:
        ValueError: it is more than `allowed` (None: `allowed_share`) and than rounding makes, or f is not finite.
    """
    if means is not None and np.isfinite(means[1]).all():
        total, size = means[0] + inflow(sides, grid, terms), means[1] + inflow(sides, grid, terms, abs)
    else:
        total, size = _means(f, sides, grid, terms, volumes)
    if not np.isfinite(size).all():
        finite("f", f, np.dtype(float))
        small = 2.0**-200  # f is finite, and its sum is not
        total, size = _means(f * small, {key: g * small for key, g in sides.items()}, grid, terms, volumes)
    share = abs(total) / np.where(size > 0, size, 1)
    allowed = allowed_share(grid) if allowed is None else allowed
    rounding = 16 * float(np.finfo(numpy_dtype(f.dtype)).eps) * grid.size**0.5
    if np.max(share, initial=0.0) > allowed + rounding:
        k = int(np.argmax(share))
        raise ValueError(
            "f does not fit this singular problem (no Dirichlet or Robin side, no reaction above rounding): the mean "
            f"of f, with the inflow of g, must be zero{_where(k, volumes)}; it is {total.flat[k]:.3g} where the mean "
            f"of |f| and |g| is {size.flat[k]:.3g}, a share of {share.flat[k]:.1e}, and "
            f"incompatible={allowed:.1e} may be removed"
        )
    share = share.max(axis=-1, initial=0.0) if isinstance(volumes, Components) else share
    return np.minimum(share, 1.0)


def _where(k: int, volumes: Volumes) -> str:
    """The component that entry k of the shares belongs to, as text."""
    if not isinstance(volumes, Components):
        return ""
    index, size = volumes.example(k % volumes.count)
    return (
        f" on each part of the domain that nothing holds, and on one of {size} unknowns, that of index {index}, is not"
    )


def inflow(sides: Sides, grid: Grid, terms: Terms, change: Callable[[Any], Any] = np.asarray) -> Any:
    """The mean over the box of data folded into zero, for each member, as its data are or as `change` makes them."""
    total: Any = 0.0
    for (axis, side), g in sides.items():
        weight = layer_volumes(grid, axis, side) * side_weights(grid, terms, axis, side)
        total = total + np.sum(weight * change(as_numpy(g)), axis=tuple(range(1 - grid.ndim, 0)))
    return total


def _means(f: Array, sides: Sides, grid: Grid, terms: Terms, volumes: Volumes) -> tuple[np.ndarray, np.ndarray]:
    """The means of f and of |f| over the box or its components, with g and |g| folded in."""
    unseen, f = UNSEEN * float(np.finfo(numpy_dtype(f.dtype)).eps), cast(f, np.dtype(float))
    parts = isinstance(volumes, Components)
    mean = volumes.means if isinstance(volumes, Components) else volumes.mean
    total, size = mean(f), mean(abs(f))
    if sides:
        total = total + mean(fold(0 * f, sides, grid, terms))
        size = size + mean(fold(0 * f, {key: abs(g) for key, g in sides.items()}, grid, terms))
    total, size = np.asarray(as_numpy(total)), np.asarray(as_numpy(size))
    if parts:
        largest = np.max(abs(as_numpy(f)), axis=tuple(range(-grid.ndim, 0)))[..., None]
        total = np.sign(total) * np.maximum(abs(total) - unseen * largest, 0.0)
    return total, size
