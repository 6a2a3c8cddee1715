"""The operator of a problem on its own grid, by its domain."""

from __future__ import annotations

import numpy as np

from pde.common.arrays import cast
from pde.problem.coefficients import Terms
from pde.problem.grid import Array, Grid
from pde.problem.masked import MaskedOperator
from pde.problem.operators import StencilOperator

Finest = StencilOperator | MaskedOperator
"""The operators that a problem may have."""


def finest_operator(grid: Grid, dtype: np.dtype, terms: Terms) -> Finest:
    """A: of the box, with closed faces where there are some; behind a mask where the walls hold values alone."""
    box = StencilOperator(grid, dtype, terms)
    if terms.domain is None or terms.closed:
        return box
    return MaskedOperator(box, terms.domain.inside, _beyond_spacing(grid, terms, dtype))


def _beyond_spacing(grid: Grid, terms: Terms, dtype: np.dtype) -> Array | None:
    """The share of the diagonal that walls nearer than the next point add to that of the box; None: there are none."""
    assert terms.domain is not None
    each = zip(terms.domain.walls, terms.domain.weights, strict=True)
    near = [(wall, weight, wall.theta) for wall, weight in each if wall.theta is not None]
    if not near:
        return None
    extra = np.zeros(grid.size)
    for wall, weight, theta in near:
        extra[wall.cells] += weight * (1 - theta)
    return cast(extra.reshape(grid.shape), dtype)
