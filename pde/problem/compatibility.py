"""Check the data of a singular problem: inflow through sources and sides must equal outflow."""

from __future__ import annotations

import numpy as np

from pde.common.arguments import finite
from pde.common.arrays import as_numpy, cast, numpy_dtype
from pde.problem.boundary import fold
from pde.problem.coefficients import Terms
from pde.problem.grid import Array, Grid, Sides
from pde.problem.inner_product import Volumes

FEW = 8
"""Axes with no more unknowns than this are too short for their spacing to say how well f is resolved."""


def allowed_share(grid: Grid) -> float:
    """max(1e-2, 10 h^2) with the largest spacing relative to its axis: discretising an f that fits leaves less."""
    h = max((float(axis.spacing.max() / axis.length) for axis in grid.axes if axis.n > FEW), default=0.0)
    return max(1e-2, 10 * h**2)


def incompatible_share(
    f: Array, sides: Sides, grid: Grid, terms: Terms, volumes: Volumes, allowed: float | None
) -> np.ndarray:
    """|integral of f| over the integral of |f|, both with g, for each member of a batch (..., *shape).

    Raises:
        ValueError: it is more than `allowed` (None: `allowed_share`) and than rounding makes, or f is not finite.
    """
    total, size = _means(f, sides, grid, terms, volumes)
    if not np.isfinite(size).all():
        finite("f", f, np.dtype(float))
        small = 2.0**-200  # f is finite, and its sum is not
        total, size = _means(f * small, {key: g * small for key, g in sides.items()}, grid, terms, volumes)
    share = abs(total) / np.where(size > 0, size, 1)
    allowed = allowed_share(grid) if allowed is None else allowed
    rounding = 16 * float(np.finfo(numpy_dtype(f.dtype)).eps) * grid.size**0.5
    if np.max(share) > allowed + rounding:
        k = int(np.argmax(share))
        raise ValueError(
            "f does not fit this singular problem (no Dirichlet or Robin side, no reaction above rounding): the mean "
            f"of f, with the inflow of g, must be zero; it is {total.flat[k]:.3g} where the mean of |f| and |g| is "
            f"{size.flat[k]:.3g}, a share of {share.flat[k]:.1e}, and incompatible={allowed:.1e} may be removed"
        )
    return np.minimum(share, 1.0)


def _means(f: Array, sides: Sides, grid: Grid, terms: Terms, volumes: Volumes) -> tuple[np.ndarray, np.ndarray]:
    """The means of f and of |f| over the box, with g and |g| folded in."""
    f = cast(f, np.dtype(float))
    total, size = volumes.mean(f), volumes.mean(abs(f))
    if sides:
        total = total + volumes.mean(fold(0 * f, sides, grid, terms))
        size = size + volumes.mean(fold(0 * f, {key: abs(g) for key, g in sides.items()}, grid, terms))
    return np.asarray(as_numpy(total)), np.asarray(as_numpy(size))
