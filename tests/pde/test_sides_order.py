"""Solutions are of second order with every kind of side, centring and smooth spacing."""

import numpy as np
import pytest

from pde import Multigrid, Poisson
from tests.pde.sides_reference import SIDES, Manufactured, make_box, smooth


def order(kinds, cell, size, c=0.0, stretch=None, a=None):
    """Observed order between meshes that are halved exactly."""
    errors = []
    for intervals in (size, 2 * size):
        box = make_box(kinds, [intervals] * len(kinds), cell, c=c, a=a, stretch=stretch, by_intervals=True)
        exact = Manufactured(box)
        problem = Poisson(**box.arguments())
        solution = Multigrid(problem).solve(exact.f, exact.g(), rtol=1e-10, max_cycles=200)
        assert solution.converged, solution.message
        u = exact.u(*problem.points())
        if box.singular:
            u = u - box.mean(u)
        errors.append(np.abs(solution.u - u).max())
    return np.log2(errors[0] / errors[1])


ORDERS = [
    *(((kind,), 256) for kind in SIDES),
    *(
        (kinds, 128)
        for kinds in [("D", "D"), ("N", "N"), ("P", "P"), ("R", "R"), ("DN", "P"), ("RD", "NR"), ("N", "D")]
    ),
]


@pytest.mark.parametrize(("kinds", "size"), ORDERS, ids=["/".join(k) for k, _ in ORDERS])
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
@pytest.mark.parametrize("c", [0.0, 3.0])
def test_order_two(kinds, size, cell, c):
    assert abs(order(kinds, cell, size, c) - 2) <= 0.05


@pytest.mark.parametrize("kinds", [("D", "N", "P"), ("R", "DN", "NR")], ids="/".join)
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
def test_order_two_in_3d(kinds, cell):
    assert abs(order(kinds, cell, 16, 1.0, a=(1.0, 1.5, 0.8)) - 2) <= (0.25 if cell else 0.1)  # coarse grids


@pytest.mark.parametrize(("kinds", "size"), ORDERS[: len(SIDES)], ids=["/".join(k) for k, _ in ORDERS[: len(SIDES)]])
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
def test_order_two_on_a_smoothly_stretched_axis(kinds, size, cell):
    assert abs(order(kinds, cell, 2 * size, 0.5, stretch=smooth) - 2) <= 0.05


@pytest.mark.parametrize("kinds", [("D", "N"), ("P", "R")], ids="/".join)
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
def test_order_two_on_smoothly_stretched_axes_in_2d(kinds, cell):
    assert abs(order(kinds, cell, 48, 0.5, stretch=smooth) - 2) <= (0.1 if cell else 0.05)  # 1.91, then 1.94
