"""`Poisson.embed`: u with the points of the boundary."""

import numpy as np
import pytest

from pde import Poisson
from pde.boundary import closed_points
from tests.pde.sides_reference import Manufactured, make_box
from tests.pde.sides_table import NAMES, TABLE


@pytest.mark.parametrize("kinds", TABLE, ids=NAMES)
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
def test_embed_closes_the_box_to_second_order(kinds, cell):
    """The exact u with the exact data gives the exact values on the boundary, edges and corners aside."""
    errors = []
    for intervals in (8, 16):
        box = make_box(kinds, [intervals] * len(kinds), cell, by_intervals=True)
        exact, problem = Manufactured(box), Poisson(**box.arguments())
        points = [closed_points(axis) for axis in problem.grid.axes]
        whole = problem.embed(exact.u(*problem.points()), exact.g())
        assert whole.shape == tuple(map(len, points))
        for line, x in zip(box.lines, points, strict=True):
            assert np.all(np.diff(x) > 0)
            assert x[-1] - x[0] == pytest.approx(line.ends[1] - line.ends[0])
        gap = abs(whole - exact.u(*np.meshgrid(*points, indexing="ij")))
        between = sum(
            np.expand_dims(~np.isin(x, line.points), [b for b in range(box.ndim) if b != a]).astype(int)
            for a, (line, x) in enumerate(zip(box.lines, points, strict=True))
        )
        errors.append(gap[np.broadcast_to(between, gap.shape) <= 1].max())
    assert errors[0] <= 1e-12 or errors[1] <= 0.35 * errors[0]


def test_embed_of_batches_keeps_members_apart():
    problem = Poisson((4, 5), boundary=(("neumann", "dirichlet"), "periodic"), centering="cell")
    u, g = np.random.default_rng(6).standard_normal((2, 4, 5)), np.random.default_rng(7).standard_normal((2, 5))
    whole = problem.embed(u, {(0, 1): g})
    for member in range(2):
        np.testing.assert_array_equal(whole[member], problem.embed(u[member], {(0, 1): g[member]}))
