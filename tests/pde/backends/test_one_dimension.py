"""Grids of one dimension on the kernels for two, through the solver: boundary data, stretched axes, precisions."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pde
from pde.backends.numba.executor import Executor
from pde.backends.numba.interpreter import PASS
from pde.backends.numba.variants import variant_of
from pde.backends.numba.workspace import row_length
from tests.pde import rounding
from tests.pde.kernel_solvers import fused

ENDS = ["dirichlet", "neumann", ("robin", 2.0)]


@st.composite
def problems(draw):
    """Constant coefficients on an evenly spaced or a stretched axis, any ends and parity; singular ones too."""
    n, periodic = draw(st.integers(12, 90)), draw(st.booleans())
    sides = "periodic" if periodic else (draw(st.sampled_from(ENDS)), draw(st.sampled_from(ENDS)))
    options = {"boundary": [sides], "centering": draw(st.sampled_from(["vertex", "cell"]))}
    problem = pde.Poisson((n,), **options)
    if draw(st.booleans()) and not periodic:
        x = np.concatenate(([0.0], problem.points()[0].ravel(), [1.0]))
        options["coordinates"] = [np.unique(x) ** 1.25] if options["centering"] == "vertex" else None
    return pde.Poisson((n,), **{key: value for key, value in options.items() if value is not None})


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(problem=problems(), seed=st.integers(0, 2**31), accel=st.sampled_from([None, "cg"]))
def test_solves_with_boundary_data_as_the_plain_levels_do(problem, seed, accel):
    rng = np.random.default_rng(seed)
    f, grid = rng.standard_normal(problem.shape), problem.grid
    g = {(0, side): rng.standard_normal() for side in (0, 1) if not grid.axes[0].periodic}
    plain = pde.Multigrid(problem, kernels="numpy", smoother="sor")
    if isinstance(variant_of(plain.levels, plain.dtype), str):  # one level
        return
    mine = pde.Multigrid(problem, kernels="numba", smoother="sor")
    if problem.singular:
        g = {}
        f -= np.sum(grid.volumes() * f) / np.sum(grid.volumes())
    data = [np.broadcast_to(each, ()) for each in g.values()]
    expected, u = plain.full_multigrid(f, g or None), mine.full_multigrid(f, g or None)
    assert np.max(np.abs(u - expected)) <= 4 * rounding.of_a_cycle(plain, f, expected, *data)
    one, other = (mg.solve(f, g or None, accel=accel, rtol=1e-10) for mg in (mine, plain))
    assert one.reason == other.reason
    assert abs(one.cycles - other.cycles) <= 1  # where rounding decides


@pytest.mark.parametrize("dtype", ["float64", "float32", "mixed"])
def test_large_grids(dtype):
    problem = pde.Poisson((200_000,), reaction=1e8)
    f = np.random.default_rng(0).standard_normal(problem.shape)
    mg, plain = (pde.Multigrid(problem, dtype=dtype, kernels=kernels) for kernels in ("numba", "numpy"))
    assert "compiled kernels, " in str(mg)
    assert "in one dimension" in str(pde.Multigrid(problem, dtype=dtype))
    rtol = 1e-4 if dtype == "float32" else 1e-8
    one, other = mg.solve(f, rtol=rtol), plain.solve(f, rtol=rtol)
    assert one.converged
    assert other.converged
    norm = np.linalg.norm(problem.apply(one.u.astype(float)) - f) / np.linalg.norm(f)
    assert norm <= 2 * rtol


def test_a_pass_keeps_each_row_once():
    """The rings of planes would hold the only one again and again."""
    mg = pde.Multigrid(pde.Poisson((1000,)), nu=(3, 3), kernels="numpy")
    executor: Executor = fused(mg, mg.levels, 1).executor
    plan = executor.plan("V")
    sizes = [plan.divisions[step["division"]]["size"] for step in plan.steps if step["op"] == PASS]
    assert max(sizes) <= 9 * row_length(1000)
