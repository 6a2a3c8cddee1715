"""`Poisson.embed`: u with the points of the boundary."""

from itertools import product

import numpy as np
import pytest

from pde import Poisson
from pde.problem.boundary import closed_points
from tests.pde.reference import EPS, PROBLEMS, coordinates
from tests.pde.sides_reference import Manufactured, make_box
from tests.pde.sides_table import NAMES, TABLE


def affine(*x):
    return 2.0 + sum((a + 1) * value for a, value in enumerate(x))


def as_dict(shape, extent, make):
    """g on every side by `make(coordinates of the side)`."""
    whole = coordinates(shape, extent, ends=True)
    result = {}
    for a, side in product(range(len(shape)), (0, 1)):
        index = [slice(1, -1)] * len(shape)
        index[a] = -side
        result[a, side] = make([np.array(x[tuple(index)]) for x in whole])
    return result


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("kind", ["callable", "dict of arrays", "dict of callables"])
def test_embed_puts_u_inside_and_g_around_it(name, kind):
    shape, extent = PROBLEMS[name]
    problem = Poisson(shape, extent)
    g = {
        "callable": lambda: affine,
        "dict of arrays": lambda: as_dict(shape, extent, lambda x: affine(*x)),
        "dict of callables": lambda: as_dict(shape, extent, lambda x: affine),
    }[kind]()
    u = np.random.default_rng(1).standard_normal((3, *shape))
    whole = problem.embed(u, g)
    assert whole.shape == (3, *(n + 2 for n in shape))
    inside = (slice(None), *(slice(1, -1),) * len(shape))
    np.testing.assert_array_equal(whole[inside], u)
    expected = affine(*coordinates(shape, extent, ends=True))
    on_a_side = np.zeros(expected.shape, int)
    for a in range(len(shape)):
        for side in (0, -1):
            on_a_side[tuple(side if b == a else slice(None) for b in range(len(shape)))] += 1
    np.testing.assert_allclose(
        whole[:, on_a_side == 1],
        np.broadcast_to(expected[on_a_side == 1], (3, (on_a_side == 1).sum())),
        rtol=16 * EPS,
    )
    # edges and corners: within the values beside them
    assert whole[:, on_a_side > 1].min(initial=np.inf) >= expected.min() - 1e-12
    assert whole[:, on_a_side > 1].max(initial=-np.inf) <= expected.max() + 1e-12


@pytest.mark.parametrize("name", PROBLEMS)
def test_embed_of_a_scalar_and_of_nothing(name):
    shape, extent = PROBLEMS[name]
    problem, u = Poisson(shape, extent), np.full(PROBLEMS[name][0], 4.0)
    np.testing.assert_allclose(problem.embed(u, 4), np.full([n + 2 for n in shape], 4.0), rtol=4 * EPS)
    for nothing in (None, 0, {}):
        whole = problem.embed(u, nothing)
        assert whole.sum() == u.sum()
        assert (whole == 0).sum() == whole.size - u.size


def test_embed_leaves_sides_without_data_zero_and_takes_data_per_member():
    problem, u = Poisson((2, 3)), np.zeros((2, 2, 3))
    g = np.arange(6.0).reshape(2, 3) + 1
    whole = problem.embed(u, {(0, 1): g})
    np.testing.assert_array_equal(whole[:, -1, 1:-1], g)
    assert (whole[:, 0] == 0).all()
    assert (whole[:, 1:-1, [0, -1]] == 0).all()
    np.testing.assert_array_equal(whole[0, -1, 0], (1 + 0) / 2)  # a corner: the mean of its neighbours


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
