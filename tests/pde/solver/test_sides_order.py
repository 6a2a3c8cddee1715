"""Solutions are of second order with every kind of side, centring and smooth spacing."""

import numpy as np
import pytest

from pde import Multigrid, Poisson
from tests.pde.sides_reference import SIDES, Manufactured, make_box, smooth


def largest_error(kinds, cell, intervals, c, stretch, a):
    box = make_box(kinds, [intervals] * len(kinds), cell, c=c, a=a, stretch=stretch, by_intervals=True)
    exact = Manufactured(box)
    problem = Poisson(**box.arguments())
    solution = Multigrid(problem).solve(exact.f, exact.g(), rtol=1e-10, max_cycles=200)
    assert solution.converged, solution.message
    u = exact.u(*problem.points())
    if box.singular:
        u = u - box.mean(u)
    return np.abs(solution.u - u).max()


def check_order_two(kinds, cell, size, c=0.0, stretch=None, a=None):
    """The observed orders p, q of two halvings tend to 2 as the error's next term lets them.

    Of C h^2 (1 + b h^k), p - 2 and q - 2 are b h^k (1 - 2^-k) / log 2 and 2^-k times that, so that |q - 2| is
    |p - q| / (2^k - 1) <= |p - q| for k >= 1; twice that leaves room for the term after it. The points miss the maximum
    by up to half a spacing, a share m = (kappa h)^2 / 8 of it per axis, of the coarsest mesh 4 m: |q - 2| + 2 |p - q|
    feels (m + 2 (4 m + 2 m)) / log 2. Any order below 1.75 fails.
    """
    e = [largest_error(kinds, cell, intervals, c, stretch, a) for intervals in (size // 2, size, 2 * size)]
    p, q = np.log2(e[0] / e[1]), np.log2(e[1] / e[2])
    kappa = [2 * np.pi if kind == "P" else 2.3 for kind in kinds]
    h = (1 if stretch is None else 1.6) / size
    m = sum((k * h) ** 2 / 8 for k in kappa)
    assert abs(q - 2) <= min(0.25, 2 * abs(p - q) + 13 * m / np.log(2))


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
    check_order_two(kinds, cell, size, c)


@pytest.mark.parametrize("kinds", [("D", "N", "P"), ("R", "DN", "NR")], ids="/".join)
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
def test_order_two_in_3d(kinds, cell):
    check_order_two(kinds, cell, 16, 1.0, a=(1.0, 1.5, 0.8))


@pytest.mark.parametrize(("kinds", "size"), ORDERS[: len(SIDES)], ids=["/".join(k) for k, _ in ORDERS[: len(SIDES)]])
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
def test_order_two_on_a_smoothly_stretched_axis(kinds, size, cell):
    check_order_two(kinds, cell, 2 * size, 0.5, stretch=smooth)


@pytest.mark.parametrize("kinds", [("D", "N"), ("P", "R")], ids="/".join)
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
def test_order_two_on_smoothly_stretched_axes_in_2d(kinds, cell):
    check_order_two(kinds, cell, 48, 0.5, stretch=smooth)
