"""Problems of every kind, drawn by hypothesis."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import pde

ENDS = ["dirichlet", "neumann", ("robin", 2.0)]
FIELDS = {
    "constant": lambda *x: 2.0,
    "smooth": lambda *x: 1 + 0.5 * np.sin(3 * x[0]) * x[-1],
    "jump": lambda *x: np.where(x[0] < 0.4, 30.0, 1.0),
}


@st.composite
def problems(draw: Any) -> pde.Poisson:
    """Any number of dimensions, kinds of sides, centrings, coefficients and reactions, on small grids."""
    ndim = draw(st.sampled_from([1, 2, 2, 3]))
    axes = [
        "periodic" if draw(st.integers(0, 3)) == 0 else (draw(st.sampled_from(ENDS)), draw(st.sampled_from(ENDS)))
        for _ in range(ndim)
    ]
    return pde.Poisson(
        [draw(st.integers(2, (60, 20, 8)[ndim - 1])) for _ in range(ndim)],
        boundary=axes,
        centering=draw(st.sampled_from(["vertex", "cell"])),
        coefficient=FIELDS[draw(st.sampled_from(list(FIELDS)))],
        reaction=draw(st.sampled_from([0.0, 1.0, lambda *x: 1.0 + x[0]])),
    )
