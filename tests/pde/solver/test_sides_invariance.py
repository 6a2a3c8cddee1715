"""Scaling, permuting and translating a problem with any sides does the same to its solution."""

import numpy as np
import pytest
from hypothesis import given, settings

from pde import Multigrid, Poisson
from tests.pde.reference import EPS, SEEDS
from tests.pde.sides_reference import Box, make_box
from tests.pde.sides_table import boxes_of_any_sides


@pytest.mark.parametrize("scale", [1000.0, 1e-6])
@pytest.mark.parametrize("kinds", [("DN", "R"), ("N", "P"), ("RD", "P")], ids="/".join)
def test_scaling_the_problem_changes_nothing(kinds, scale):
    box = make_box(kinds, [20, 17], a=(1.0, 2.0), c=0.0 if "P" in kinds else 1.5)
    lines = [
        type(line)(
            line.n, tuple(s if isinstance(s, str) else (s[0], s[1] * scale) for s in line.pair), a=line.a * scale
        )
        for line in box.lines
    ]
    scaled = Box(lines, box.c * scale)
    f = np.random.default_rng(1).standard_normal(box.shape)
    f -= box.mean(f)
    u, v = (Multigrid(Poisson(**b.arguments())).solve(k * f, rtol=1e-10) for b, k in ((box, 1.0), (scaled, scale)))
    assert u.cycles == v.cycles
    np.testing.assert_allclose(v.u, u.u, rtol=0, atol=1e-10 * np.abs(u.u).max())


@settings(max_examples=30)
@given(boxes_of_any_sides(), SEEDS)
def test_permuting_the_axes_permutes_the_solution(box, seed):
    other = Box(box.lines[::-1], box.c)
    f = np.random.default_rng(seed).standard_normal(box.shape)
    if box.singular:
        f -= box.mean(f)
    u, v = (
        Multigrid(Poisson(**b.arguments())).solve(w, rtol=1e-10, max_cycles=100) for b, w in ((box, f), (other, f.T))
    )
    assert u.converged
    assert v.converged
    np.testing.assert_allclose(v.u.T, u.u, rtol=0, atol=1e-7 * max(np.abs(u.u).max(), EPS))


@pytest.mark.parametrize("shape", [(16,), (17,), (12, 8), (9, 8), (15, 7), (8, 6, 5)])
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
def test_translating_f_translates_u(shape, cell):
    mg = Multigrid(Poisson(shape, boundary="periodic", centering="cell" if cell else "vertex"))
    f = np.random.default_rng(3).standard_normal(shape)
    f -= f.mean()
    shift = tuple(range(1, len(shape) + 1))
    axes = tuple(range(len(shape)))
    u, v = mg.solve(f, rtol=1e-12), mg.solve(np.roll(f, shift, axes), rtol=1e-12)
    np.testing.assert_allclose(v.u, np.roll(u.u, shift, axes), rtol=0, atol=1e-10 * np.abs(u.u).max())


@pytest.mark.parametrize("shape", [(16,), (12, 8), (8, 6, 4)])
def test_translating_by_a_coarse_point_commutes_with_a_cycle(shape):
    """Two fine points are one coarse point; every colour falls on itself."""
    mg = Multigrid(Poisson(shape, boundary="periodic"), levels=2)
    f = np.random.default_rng(4).standard_normal(shape)
    f -= f.mean()
    axes = tuple(range(len(shape)))
    u, v = mg.cycle(f), mg.cycle(np.roll(f, (2,) * len(shape), axes))
    gap = v - np.roll(u, (2,) * len(shape), axes)
    np.testing.assert_allclose(gap - gap.mean(), 0, atol=1e3 * EPS * np.abs(u).max())
