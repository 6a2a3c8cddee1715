"""The maps along an axis as the compiled kernels have them, against the sparse matrices that they stand for."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pde.backends.numba.level_data import halved_line, halved_rows, same_rows
from pde.levels.interpolation_1d import cubic_matrix, data_matrix, linear_matrix, restriction_matrix
from pde.problem.grid import Axis, Grid, Side, is_constant

EPS = float(np.finfo(float).eps)
ENDS = [Side("dirichlet"), Side("neumann"), Side("robin", 2.0)]


@st.composite
def axes(draw):
    """Axes of any ends, vertices or cells, even or stretched."""
    n, cell, periodic = draw(st.integers(2, 60)), draw(st.booleans()), draw(st.booleans())
    sides = (Side("periodic"),) * 2 if periodic else (draw(st.sampled_from(ENDS)), draw(st.sampled_from(ENDS)))
    axis = Axis.uniform(2 * n if periodic else n, draw(st.sampled_from([1.0, 3.0])), sides, cell)
    if draw(st.booleans()):
        rng = np.random.default_rng(draw(st.integers(0, 99)))
        axis = Axis(np.append(0, np.cumsum(rng.uniform(0.5, 1.0, len(axis.nodes) - 1))), axis.sides, axis.cell)
    assume(axis.can_coarsen)
    return axis


def dense(origins, weights, columns):
    result = np.zeros((origins.shape[1], columns))
    np.add.at(result, (np.arange(len(result)), origins), weights)
    return result


@given(axes(), st.sampled_from([(), ((1.0, 4.0),)]))
@settings(max_examples=60, deadline=None)
def test_rows_are_the_rows_of_the_matrices(axis, sides):
    coarse = axis.coarsen()
    rows, P = halved_rows(axis, coarse, *sides), linear_matrix(axis, coarse, *sides).toarray()
    assert np.array_equal(dense(rows.parent, rows.prolong, coarse.n), P)
    R = restriction_matrix(axis, coarse, *sides).toarray()
    following = (rows.first + np.arange(len(rows.restrict))[:, None]) % axis.n
    own = np.where(rows.restrict != 0, following, 0)
    assert np.array_equal(dense(own, rows.restrict, axis.n), R)
    assert np.all(rows.restrict[np.arange(len(rows.restrict))[:, None] > rows.last - rows.first] == 0)
    cubic = np.maximum(rows.cubic_parent, 0)
    assert np.array_equal(dense(cubic, rows.cubic, coarse.n), cubic_matrix(axis, coarse).toarray())
    assert np.all(rows.cubic[rows.cubic_parent < 0] == 0)
    assert np.array_equal(dense(rows.data_from, rows.data, axis.n), data_matrix(axis).toarray())
    for c in range(coarse.n):  # every row that has a share lies between the first and the last
        between = np.arange(rows.first[c], rows.last[c] + 1) % axis.n
        assert set(np.flatnonzero(R[c])) <= set(between)
        assert len(between) <= 2 * np.count_nonzero(R[c])


@given(axes(), st.sampled_from([(), ((1.0, 4.0),)]), st.sampled_from(["float64", "float32"]))
@settings(max_examples=60, deadline=None)
def test_taps_and_ends_are_the_rows_of_the_matrices(axis, sides, dtype):
    coarse = axis.coarsen()
    line = halved_line(axis, coarse, np.dtype(dtype), *sides)
    fine_rows, coarse_rows = np.arange(axis.n), np.arange(coarse.n)
    maps = {
        "prolonged": (linear_matrix(axis, coarse, *sides), ("e", "o"), fine_rows // 2 - 1, 2),
        "cubic": (cubic_matrix(axis, coarse), ("ce", "co"), fine_rows // 2 - 2, 4),
        "restricted": (restriction_matrix(axis, coarse, *sides), ("r", "r"), 2 * coarse_rows - 1, 4),
        "data": (data_matrix(axis), ("d", "d"), 2 * coarse_rows - 3, 8),
    }
    for name, (M, (even, odd), first, count) in maps.items():
        rows, columns = M.shape
        made = np.zeros(M.shape)
        for i in range(rows):
            taps = line.taps[odd if i % 2 else even]
            assert len(taps) == count
            for t, tap in enumerate(taps):
                j = first[i] + t + (i % 2 if even != odd else 0)
                if axis.periodic or 0 <= j < columns:
                    made[i, j % columns] += tap
        points, origins, weights = line.ends[name]
        made[points] = dense(origins, weights, columns)
        assert np.abs(made - M.toarray()).max() <= 16 * float(np.finfo(dtype).eps) * max(M.shape)
        assert axis.n < 32 or not is_constant(axis.spacing) or len(points) <= 8


def test_rows_that_stay_are_made_from_themselves():
    rows, eye = same_rows(5), np.eye(5)
    for origins, weights in (
        (rows.parent, rows.prolong),
        (rows.first[None], rows.restrict),
        (rows.data_from, rows.data),
    ):
        assert np.array_equal(dense(origins, weights, 5), eye)
    assert np.array_equal(dense(np.maximum(rows.cubic_parent, 0), rows.cubic, 5), eye)
    assert np.array_equal(rows.first, np.arange(5))
    assert np.array_equal(rows.last, np.arange(5))


@given(st.lists(axes(), min_size=1, max_size=2))
@settings(max_examples=40, deadline=None)
def test_volumes_are_known_to_be_equal_without_making_them(some):
    grid = Grid(tuple(some))
    assert grid.volumes_are_equal == is_constant(grid.volumes().ravel())
