"""Means by sums of planes: those of control volumes, and the same bits for planes in any parts."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pde
from pde.backends.plane_means import PlaneMeans
from tests.pde import rounding

GRIDS = [
    pde.Poisson((61, 300)),
    pde.Poisson((40, 17, 12), boundary=["periodic", "neumann", ("dirichlet", "neumann")]),
    pde.Poisson((30, 700), coordinates=[np.linspace(0, 1, 32) ** 1.2, np.linspace(0, 1, 702) ** 1.1]),
    pde.Poisson((2, 70_000), coordinates=[None, np.linspace(0, 1, 70_002) ** 1.1]),
]


@pytest.mark.parametrize("problem", GRIDS)
def test_they_are_means_of_control_volumes(problem):
    v, W = np.random.default_rng(0).standard_normal((3, *problem.shape)), problem.control_volumes()
    axes = tuple(range(1, v.ndim))
    expected, size = np.sum(W * v, axis=axes) / W.sum(), np.sum(W * abs(v), axis=axes) / W.sum()
    assert np.all(abs(PlaneMeans(problem.grid)(v) - expected) <= rounding.EPS * problem.grid.size * size)
    assert PlaneMeans(problem.grid)(v[:0]).shape == (0,)


@given(st.sampled_from(GRIDS), st.sets(st.integers(1, 60), max_size=4), st.integers(0, 99))
def test_parts_change_no_bit(problem, cuts, seed):
    grid, n = problem.grid, problem.shape[0]
    v = np.random.default_rng(seed).standard_normal((2, *problem.shape))
    cuts = [0, *sorted(cut for cut in cuts if cut < n), n]
    parts = [slice(*each) for each in pairwise(cuts)]
    sums = []

    def join(found):
        sums.append(found)
        return np.concatenate(sums)

    for part in parts:
        found = PlaneMeans(grid, part, join)(v[:, part])
    assert np.array_equal(found, PlaneMeans(grid)(v))
    assert np.array_equal(found, PlaneMeans(grid)(np.asfortranarray(v)))
