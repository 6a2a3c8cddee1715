"""Open sides: what they need of a problem and of f, and the values on them that u implies."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pde.common.arrays import as_numpy, namespace
from pde.problem.boundary import fold
from pde.problem.coefficients import Terms
from pde.problem.grid import ENDS, Array, Grid, Sides, is_constant, trailing, window
from pde.problem.operators import StencilOperator

NEARBY = 1e-4
"""The share of the largest |f| that may lie beside an open side: a Gaussian charge never ends."""


def check_open(grid: Grid, terms: Terms) -> None:
    """Refuse what Green's function of the lattice does not know.

    Raises:
        ValueError: naming the argument of `pde.Poisson`.
    """
    if grid.ndim == 1:
        raise ValueError("boundary: 'open' needs 2 or 3 dimensions, got shape " + str(grid.shape))
    if terms.domain is not None or terms.resistances:
        raise ValueError("boundary: 'open' takes no domain and no face_coefficients")
    for name, values in (("coefficient", terms.diffusion), ("reaction", (terms.reaction,))):
        if not all(isinstance(value, float) for value in values):
            raise ValueError(f"{name} must be constant where boundary is 'open'; got one that varies")
    if terms.least_reaction < 0:
        raise ValueError(f"reaction must be zero or positive where boundary is 'open'; got {terms.least_reaction}")
    if not all(is_constant(axis.spacing) for axis in grid.axes):
        raise ValueError("coordinates must have equal steps along each axis where boundary is 'open'")


def check_nearby(f: Array, grid: Grid, allowed: float | None) -> None:
    """Refuse a right-hand side (..., *shape) that is not small beside the sides.

    Raises:
        ValueError: it exceeds `allowed` (None: `NEARBY`) times the largest |f| there; names the place.
    """
    xp, allowed = namespace(f), NEARBY if allowed is None else allowed
    if not math.isfinite(allowed):
        return
    inner = tuple(range(-grid.ndim, 0))
    largest = as_numpy(xp.amax(abs(f), axis=inner, keepdims=True))
    for a in range(grid.ndim):
        for side, part in enumerate(ENDS):
            beside = abs(as_numpy(f[window(a, grid.ndim, part)]))
            if (wrong := beside > allowed * largest).any():
                index = np.unravel_index(int(np.argmax(beside * wrong)), beside.shape)
                raise ValueError(
                    f"f must vanish beside open sides; beside side ({a}, {side}) it is {beside[index]:.3g}, where the "
                    f"largest |f| is {largest.max():.3g}: enlarge the box, set f to 0 there, or "
                    f"allow a larger share than incompatible={allowed:.1e}"
                )


def implied_sides(u: Array, A: StencilOperator) -> Sides:
    """The values on open sides that u (..., *shape) belongs to: the equations beside them hold with f = 0.

    Beside an edge of the box one equation is left for the values on two sides: they are those of a straight line
    through two unknowns, but for the same error.
    """
    grid, ndim, guess = A.grid, A.grid.ndim, {}
    for a, axis in enumerate(grid.axes):
        for side, distance in enumerate(axis.ends):
            near, next_one = (u[trailing(_layer(a, ndim, i, side))] for i in (0, min(1, axis.n - 1)))
            guess[a, side] = near + distance / float(axis.width[0]) * (near - next_one)
    ones = {key: namespace(u).ones_like(v) for key, v in guess.items()}
    weight = fold(namespace(u).zeros_like(u), ones, grid, A.terms)
    lacking = A(u) - fold(namespace(u).zeros_like(u), guess, grid, A.terms)
    beside = {(a, side): trailing(_layer(a, ndim, 0, side)) for a, side in guess}
    return {key: v + lacking[beside[key]] / weight[beside[key]] for key, v in guess.items()}


def _layer(a: int, ndim: int, i: int, side: int) -> list[Any]:
    """Index of the layer of unknowns number i from a side."""
    return [(-1 - i if side else i) if b == a else slice(None) for b in range(ndim)]
