"""One full multigrid pass reaches the discretisation error with every kind of side."""

import numpy as np
import pytest

from pde import Multigrid, Poisson
from tests.pde.sides_reference import Manufactured, make_box
from tests.pde.sides_table import MIXED

FULL = [
    *((1, n, 0.5) for n in (255, 256)),
    *((2, n, 1.0) for n in (64, 128)),
    *((2, n, 1.0) for n in (53, 127)),
    (3, 32, 1.0),
    (3, 27, 2.0),
]


@pytest.mark.parametrize(("ndim", "intervals", "bound"), FULL)
@pytest.mark.parametrize("kinds", MIXED, ids="/".join)
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
def test_full_multigrid_reaches_the_discretisation_error(kinds, cell, ndim, intervals, bound):
    """One V(1,1) per level; of 27 cells per axis the grids with odd last cells are too coarse for it in 3-D."""
    box = make_box(kinds[:ndim], [intervals] * ndim, cell, by_intervals=True)
    exact, problem = Manufactured(box), Poisson(**box.arguments())
    mg, u = Multigrid(problem), exact.u(*problem.points())
    discrete = mg.solve(exact.f, exact.g(), rtol=1e-10, max_cycles=100).u
    if box.singular:
        u = u - box.mean(u)
    algebraic = np.abs(mg.full_multigrid(exact.f, exact.g()) - discrete).max()
    assert algebraic <= (bound if cell else 1) * np.abs(discrete - u).max()


@pytest.mark.parametrize("where", [(20, 20), (21, 21), (20, 33), (63, 40)])
def test_full_multigrid_keeps_a_point_source(where):
    f = np.zeros((64, 64))
    f[where] = 1
    mg = Multigrid(Poisson((64, 64), boundary=("dirichlet", "periodic")))
    u = mg.solve(f, rtol=1e-10).u
    far = np.abs(np.arange(64) - where[0]) > 12
    assert np.abs((mg.full_multigrid(f) - u)[far]).max() <= 0.05 * np.abs(u[far]).max()
