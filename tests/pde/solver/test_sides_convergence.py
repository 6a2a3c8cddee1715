"""V-cycles converge fast with every kind of side: at any size, in flat boxes, with unequal coefficients."""

import numpy as np
import pytest

from pde import Multigrid, Poisson
from tests.pde.sides_reference import make_box
from tests.pde.sides_table import MIXED


def cycles(kinds, n, cell):
    box = make_box(kinds, [n] * len(kinds), cell)
    f = np.random.default_rng(n).standard_normal(box.shape)
    if box.singular:
        f -= box.mean(f)
    solution = Multigrid(Poisson(**box.arguments())).solve(f, rtol=1e-9, cycle="V")
    assert solution.converged, solution.message
    return solution.cycles


@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
@pytest.mark.parametrize("kinds", [("D", "D"), ("N", "N"), ("P", "P"), ("R", "R"), *MIXED[4:]], ids="/".join)
def test_every_size_converges_in_2d(kinds, cell):
    assert max(cycles(kinds[:2], n, cell) for n in (*range(1, 12), 17, 20, 23, 33, 37, 39, 40)) <= 14


@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
@pytest.mark.parametrize("kinds", MIXED, ids="/".join)
def test_every_size_converges_in_3d(kinds, cell):
    assert max(cycles(kinds, n, cell) for n in (*range(1, 10), 11, 16, 17)) <= 17


@pytest.mark.parametrize("n", [17, 33, 65, 129, 66])
@pytest.mark.parametrize("kinds", [("DN", "DN"), ("P", "R"), ("N", "N"), ("P", "P")], ids="/".join)
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
def test_a_point_more_than_a_power_of_two_costs_nothing(kinds, n, cell):
    """One interval is left over on every level; it must not shrink to a sliver beside those that double."""
    assert cycles(kinds, n, cell) <= 13


@pytest.mark.parametrize("kinds", [("D", "D"), ("N", "N"), ("P", "P"), ("R", "R"), ("P", "N")], ids="/".join)
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
@pytest.mark.parametrize("lengths", [(1.0, 10.0), (1.0, 1000.0), (1000.0, 1.0)])
def test_flat_boxes_of_any_sides(kinds, cell, lengths):
    """The strong axis goes down to one unknown before the weak one is coarsened: no axis is left with two."""
    box = make_box(kinds, [48, 40], cell, lengths=lengths)
    assert Multigrid(Poisson(**box.arguments())).measure_factor(cycles=14) <= 0.3


@pytest.mark.parametrize("kinds", [("N", "N"), ("P", "N"), ("R", "R")], ids="/".join)
@pytest.mark.parametrize("a", [(1.0, 1000.0), (1000.0, 1.0)])
def test_strongly_unequal_coefficients(kinds, a):
    box = make_box(kinds, [48, 40], a=a)
    assert Multigrid(Poisson(**box.arguments())).measure_factor(cycles=14) <= 0.3


@pytest.mark.parametrize("shape", [(64, 63), (16, 21, 18)])
@pytest.mark.parametrize("sides", [("robin", 1.0), ("robin", 100.0), (("robin", 3.0), "neumann")])
@pytest.mark.parametrize("coefficient", [1.0, 0.01])
def test_cells_beside_robin_sides_converge_as_beside_others(shape, sides, coefficient):
    """With a correction that stays constant up to a Robin end V(1,1) took 0.38 in two dimensions, 0.60 in three."""
    for extent in (1.0, (10.0,) + (1.0,) * (len(shape) - 1)):
        problem = Poisson(shape, extent, [sides] * len(shape), "cell", coefficient=coefficient)
        assert Multigrid(problem).measure_factor(cycles=10) <= (0.16 if len(shape) == 2 else 0.27)
