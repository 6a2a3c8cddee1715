"""The operator of a problem on its own grid, by its domain."""

from __future__ import annotations

import numpy as np

from pde.common.arrays import cast
from pde.problem.coefficients import Terms
from pde.problem.grid import Grid
from pde.problem.masked import MaskedOperator
from pde.problem.mehrstellen import Mehrstellen
from pde.problem.operators import StencilOperator
from pde.problem.slab_stencil import stencil_operator
from pde.problem.tensor_operator import TensorOperator

Finest = StencilOperator | MaskedOperator | TensorOperator | Mehrstellen
"""The operators that a problem may have."""


def finest_operator(grid: Grid, dtype: np.dtype, terms: Terms, order: int = 2) -> Finest:
    """A: of the box, with closed faces where there are some; behind a mask where the walls hold values alone."""
    if order == 4:
        return Mehrstellen(grid, dtype, terms)
    if terms.tensor is not None:
        return TensorOperator(grid, dtype, terms)
    box = stencil_operator(grid, dtype, terms)
    if terms.domain is None or terms.closed:
        return box
    held = terms.domain.held
    return MaskedOperator(box, terms.domain.inside, None if isinstance(held, float) else cast(held, dtype))
