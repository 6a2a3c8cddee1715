"""The compiled cycles of fourth order against the plain levels that specify them."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pde import Multigrid, Poisson
from pde.backends.numba import mehrstellen_level
from pde.backends.numba.mehrstellen_level import MehrstellenLevel
from tests.pde.reference import EPS, SEEDS


@st.composite
def problems(draw):
    """Shapes of every parity with two levels or more; axes that are coarsened later than others among them."""
    ndim = draw(st.sampled_from([2, 2, 3]))
    axes = [draw(st.sampled_from(["dirichlet", "dirichlet", "periodic"])) for _ in range(ndim)]
    shape = [draw(st.integers(3, 40 if ndim == 2 else 14)) for _ in range(ndim)]
    shape[0] = max(shape[0], 34 if ndim == 2 else 12)
    extent = [draw(st.sampled_from([1.0, 1.5, 4.0])) for _ in range(ndim)]
    a = [draw(st.sampled_from([1.0, 2.0])) for _ in range(ndim)]
    return Poisson(shape, extent, axes, coefficient=a, reaction=draw(st.sampled_from([0.5, 20.0])), order=4)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    problem=problems(),
    threads=st.integers(1, 3),
    nu=st.sampled_from([(1, 1), (2, 1), (0, 2), (1, 0)]),
    levels=st.sampled_from([2, None]),
    parallel=st.sampled_from([1, 1 << 30]),
    seed=SEEDS,
)
def test_cycles_are_those_of_the_plain_levels(problem, threads, nu, levels, parallel, seed):
    f, u = np.random.default_rng(seed).standard_normal((2, 2, *problem.shape))
    options = {"nu": nu, "levels": levels}
    plain = Multigrid(problem, kernels="numpy", **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mehrstellen_level, "PARALLEL", parallel)
        fused = Multigrid(problem, kernels="numba", threads=threads, **options)
        pairs = [[mg.cycle(f, guess, kind) for mg in (plain, fused)] for kind in "VWF" for guess in (u, None)]
        g = None if all(axis.periodic for axis in problem.grid.axes) else 0.5
        pairs.append([mg.full_multigrid(f, g) for mg in (plain, fused)])
        if nu == (1, 1):
            pairs.append([mg.solve(f, g, rtol=1e-3, accel="cg").u for mg in (plain, fused)])
    for one, other in pairs:
        # a cycle is a sum of some hundred terms each of which is rounded; u0 enters with the size of its residual
        size = max(abs(one).max(), abs(u).max())
        assert abs(one - other).max() <= 1e4 * EPS * size


def test_where_they_run():
    big = Multigrid(Poisson((129, 129), order=4), kernels="numba")
    assert isinstance(big.backend._top(0), MehrstellenLevel)
    odd = Multigrid(Poisson((129, 128), boundary=["periodic", "dirichlet"], order=4), kernels="numpy")
    assert not isinstance(odd.backend._top(0), MehrstellenLevel)
    assert not MehrstellenLevel.suits(odd.hierarchy.compact[0])


@pytest.mark.parametrize("kind", ["V", "fmg"])
def test_norms_are_those_of_the_residual(kind):
    problem = Poisson((70, 45), order=4)
    f = np.random.default_rng(1).standard_normal(problem.shape)
    mg = Multigrid(problem, kernels="numba")
    for cycles in (1, 2):
        solution = mg.solve(f, rtol=1e-14, max_cycles=cycles, cycle=kind)
        M = problem._operator.right_hand_side(f)
        relative = np.linalg.norm(M - problem.apply(solution.u)) / np.linalg.norm(M)
        assert abs(solution.residual_norms[-1] / relative - 1) < 1e-9


@pytest.mark.parametrize("accel", ["none", "cg"])
def test_data_in_any_order_of_memory(accel):
    """Kernels write into results, which were once copied where f was in Fortran's order."""
    f = np.random.default_rng(2).standard_normal((65, 64))
    mg = Multigrid(Poisson((65, 64), order=4), kernels="numba", threads=1)
    columns = np.asfortranarray(f)
    for run in (mg.full_multigrid, mg.cycle, lambda f: mg.solve(f, u0=f, accel=accel, strict=True).u):
        np.testing.assert_array_equal(run(columns), run(f))


def test_print_tells_of_kernels_on_the_finest_grid_alone():
    text = str(Multigrid(Poisson((65, 64), order=4), kernels="numba", threads=2))
    assert "compact   Numba" in text
    assert text.endswith("compiled kernels, 2 threads")
