"""Odd periodic axes on the kernels, each set of them, against the plain levels: sweeps in order and adjoint ones."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pde
from mgcore import CYCLES
from pde.backends.numba import recording
from pde.levels.hierarchy import symmetric
from tests.pde import rounding
from tests.pde.kernel_solvers import constant, fused, varying

NU = [(1, 1), (2, 1), (0, 1), (2, 2)]


@st.composite
def solvers(draw):
    """A solver on plain levels, of a box with odd periodic axes; coefficients vary in two dimensions, in float64."""
    ndim, kind = draw(st.sampled_from([(1, constant), (2, constant), (2, varying), (3, constant)]))
    around = draw(st.lists(st.booleans(), min_size=ndim, max_size=ndim).filter(any))
    shape = [2 * draw(st.integers(1, 5)) + 1 if each else draw(st.integers(3, 12)) for each in around]
    problem = pde.Poisson(
        shape,
        boundary=["periodic" if each else draw(st.sampled_from(["dirichlet", "neumann"])) for each in around],
        centering=draw(st.sampled_from(["vertex", "cell"])),
        **kind(draw, shape),
    )
    dtype = draw(st.sampled_from(["float64", "float32"])) if kind is constant else "float64"
    return pde.Multigrid(problem, smoother="sor", nu=draw(st.sampled_from(NU)), dtype=dtype, levels=64, kernels="numpy")


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    mg=solvers(),
    adjoint=st.booleans(),
    kind=st.sampled_from(["V", "W", "F"]),
    tile=st.sampled_from([1, 1 << 20]),
    seed=st.integers(0, 2**31),
)
def test_a_cycle_is_that_of_the_plain_levels_on_any_number_of_threads(mg, adjoint, kind, tile, seed):
    if len(mg.levels) == 1:
        return
    levels = symmetric(mg.levels) if adjoint else mg.levels
    f, u = np.random.default_rng(seed).standard_normal((2, *mg.problem.shape)).astype(mg.dtype)
    expected, found = CYCLES[kind](levels, f, u), []
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("PARALLEL", 1), ("TILE", tile), ("LEAST_ROWS", 3)):
            patch.setattr(recording, name, value)
        for threads, check in ((1, True), (1, False), (2, False), (3, True), (4, False)):
            executor, out = fused(mg, levels, threads).executor, np.full_like(f, np.nan)
            total = executor.run(executor.plan(kind), f, u, out, check=check)
            found.append((out, total))
    assert np.max(np.abs(found[0][0] - expected)) <= rounding.of_a_cycle(mg, f, expected, u, levels=levels)
    for out, total in found[1:]:
        np.testing.assert_array_equal(out, found[0][0])
        assert total == found[0][1]


@pytest.mark.parametrize("shape", [(11, 7), (9, 12), (12, 9), (7, 9, 11)])
@pytest.mark.parametrize("nu", [(1, 1), (2, 2)])
def test_the_preconditioner_is_self_adjoint(shape, nu):
    """It is where the sweeps after the correction are the adjoint ones to rounding; those in order are not."""
    mg = pde.Multigrid(pde.Poisson(shape, boundary="periodic", reaction=1.0), nu=nu, levels=64, kernels="numba")
    M = mg.as_preconditioner() @ np.eye(int(np.prod(shape)))
    assert np.max(np.abs(M - M.T)) <= 16 * len(mg.levels) * np.finfo(float).eps * np.linalg.cond(M) * np.max(np.abs(M))
    assert np.min(np.linalg.eigvalsh((M + M.T) / 2)) > 0


@pytest.mark.parametrize("shape", [(65, 77), (1001,), (19, 15, 17)])
@pytest.mark.parametrize("dtype", ["float64", "mixed"])
@pytest.mark.parametrize("accel", [None, "cg"])
def test_singular_solves_take_the_cycles_of_the_plain_ones(shape, dtype, accel):
    problem = pde.Poisson(shape, boundary="periodic")
    f = np.random.default_rng(0).standard_normal(shape)
    f -= np.mean(f)
    one, other = (
        pde.Multigrid(problem, kernels=kernels, smoother="sor", dtype=dtype).solve(f, accel=accel)
        for kernels in ("numba", "numpy")
    )
    assert one.converged
    assert abs(one.cycles - other.cycles) <= 1  # where rounding decides
    assert np.linalg.norm(problem.apply(one.u) - f) <= 2e-8 * np.linalg.norm(f)
