"""Data without boundary values: sums of products and sums over sides give those that arrays of the grid's size do."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pde
from pde.problem.boundary import fold
from pde.solver.reduced import Reduction
from tests.pde import rounding
from tests.pde.problems import ENDS

SHAPES = [(33, 20), (12, 9, 17), (8, 1), (1, 6, 5)]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    shape=st.sampled_from(SHAPES),
    centering=st.sampled_from(["vertex", "cell"]),
    ends=st.lists(st.sampled_from([*[(a, b) for a in ENDS for b in ENDS], "periodic"]), min_size=3, max_size=3),
    size=st.sampled_from([1.0, 1e-5]),
    smooth=st.booleans(),
    reaction=st.sampled_from([0.0, 2.0]),
    scale=st.sampled_from([0.0, 1.0]),
    seed=st.integers(0, 2**31),
)
def test_products_give_the_data_that_arrays_do(shape, centering, ends, size, smooth, reaction, scale, seed):
    sides = [("dirichlet", "dirichlet") if n == 1 else end for n, end in zip(shape, ends, strict=False)]
    problem = pde.Poisson(shape, boundary=sides, centering=centering, reaction=reaction)
    rng = np.random.default_rng(seed)
    f, mg = scale * rng.standard_normal((2, *shape)), pde.Multigrid(problem, kernels="numpy")
    g = {
        (a, side): size * (np.full(other, 3.0 + side) if smooth else rng.standard_normal(other))
        for a, axis in enumerate(problem.grid.axes)
        for side in (() if axis.periodic else (0, 1))
        for other in [shape[:a] + shape[a + 1 :]]
    }
    inputs = mg._reader.inputs(f, g)
    one = mg._reduction(inputs.members, inputs.sides)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Reduction, "_is_alike", False)
        other = mg._reduction(inputs.members, inputs.sides)
    assert (one.w is None) == (other.w is None)
    largest = np.array(6 * len(shape) * size)  # a lifting has some times its data, and what the axes before it have
    bound = rounding.of_a_residual(mg, f, largest) * max(axis.length for axis in problem.grid.axes)
    np.testing.assert_allclose(one.data.rhs, other.data.rhs, rtol=0, atol=8 * bound)
    np.testing.assert_allclose(one.data.sizes, other.data.sizes, rtol=1e-10, atol=8 * bound)
    if one.w is not None:
        np.testing.assert_allclose(one.w.sum(), other.w, rtol=0, atol=64 * rounding.EPS * largest)
        v = rng.standard_normal(f.shape)
        np.testing.assert_array_equal(mg.backend.add_products(v, one.w), v + one.w.sum())


def test_the_size_of_folded_data_counts_corners_once():
    """Two sides add to the equation at a corner, and the square of their sum is not that of each."""
    problem = pde.Poisson((3, 4, 5))
    mg, rng = pde.Multigrid(problem, kernels="numpy"), np.random.default_rng(0)
    f = rng.standard_normal((1, 3, 4, 5))
    sides = {key: rng.standard_normal(g.shape) for key, g in mg._reader.inputs(f, 1.0).sides.items()}
    _, size = mg._reduction._sizes(f, sides)
    folded = fold(f, sides, problem.grid, problem.terms)
    assert size[0] == pytest.approx(np.sqrt(np.mean(folded**2)), rel=64 * rounding.EPS)
