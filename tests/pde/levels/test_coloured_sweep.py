"""A coloured sweep is Gauss-Seidel point by point; the seams of odd periodic axes have colours of their own."""

import numpy as np
import pytest

from pde import Poisson
from pde.problem.operators import StencilOperator
from tests.pde.reference import EPS, F8
from tests.pde.sides_reference import make_box, smooth


def point_order(shape, periodic):
    """Red, then black; of each the first points of odd periodic axes after the last ones, their neighbours."""

    def key(index):
        behind = sum(
            2**a
            for a, (i, n) in enumerate(zip(index, shape, strict=True))
            if periodic[a] and n % 2 == 1 and n > 1 and i == 0
        )
        return sum(index) % 2, behind

    return sorted(np.ndindex(*shape), key=key)


@pytest.mark.parametrize("shape", [(1,), (3,), (8,), (5, 4), (5, 7), (1, 5), (3, 3), (4, 6), (3, 5, 4), (3, 3, 3)])
@pytest.mark.parametrize("kinds", [("P", "P", "P"), ("P", "N", "P"), ("D", "P", "R")], ids="/".join)
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_coloured_sweep_is_gauss_seidel_point_by_point(shape, kinds, cell, reverse):
    kinds = kinds[: len(shape)]
    box = make_box(kinds, shape, cell, c=1.0, stretch=smooth)
    problem = Poisson(**box.arguments())
    A = box.matrix().toarray()
    r, omega = np.random.default_rng(5).standard_normal(shape), 1.15
    number = np.arange(len(A)).reshape(shape)
    order_of_points = point_order(shape, [kind == "P" for kind in kinds])
    d, flat = np.zeros(len(A)), r.ravel()
    for index in reversed(order_of_points) if reverse else order_of_points:
        i = number[index]
        d[i] += omega * (flat[i] - A[i] @ d) / A[i, i]
    swept = StencilOperator(problem.grid, F8, problem.terms).coloured_sweep(r, omega, reverse)
    np.testing.assert_allclose(swept.ravel(), d, rtol=0, atol=1e3 * EPS * np.abs(d).max())
