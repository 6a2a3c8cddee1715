"""Boundary data and singular problems on compiled kernels, against the plain levels."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pde
from pde.backends.data import Data
from pde.backends.numba import recording
from tests.pde import rounding
from tests.pde.kernel_solvers import constant, fused, solvers, varying

HOW = {"threads": st.integers(1, 3), "seed": st.integers(0, 2**31)}
SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def singular_solvers(draw):
    """A solver of a problem with Neumann and periodic sides alone."""
    ndim = draw(st.sampled_from([2, 2, 3]))
    around = [draw(st.booleans()) for _ in range(ndim)]
    shape = [draw(st.integers(3, 16 if each else 30 if ndim == 2 else 14)) for each in around]
    kind = draw(st.sampled_from([constant, varying])) if ndim == 2 else constant
    problem = pde.Poisson(
        shape,
        extent=[draw(st.sampled_from([0.5, 1.0, 3.0])) for _ in shape],
        boundary=["periodic" if each else "neumann" for each in around],
        centering=draw(st.sampled_from(["vertex", "cell"])),
        **{**kind(draw, shape), "reaction": 0.0},
    )
    dtype = draw(st.sampled_from(["float64", "float64", "float32"])) if kind is constant else "float64"
    return pde.Multigrid(problem, dtype=dtype, levels=draw(st.sampled_from([None, 64])), kernels="numpy")


def sides_of(mg, rng, members=0):
    """Data on every side as rough as its grid, each about h^2 in size beside f, some common to all members."""
    shape, sides = mg.problem.shape, {}
    for a, axis in enumerate(mg.problem.grid.axes):
        for side in () if axis.periodic else (0, 1):
            batch = (members,) if members and rng.random() < 0.5 else ()
            sides[a, side] = rng.standard_normal((*batch, *shape[:a], *shape[a + 1 :])).astype(mg.dtype)
    return sides


def check_full_multigrid(mg, threads, seed):
    """One pass for rough data g, in one call, leg by leg and with guards, is that of the plain levels."""
    if len(mg.levels) == 1:
        return
    rng, backend = np.random.default_rng(seed), mg.backend
    f, sides = rng.standard_normal((2, *mg.problem.shape)).astype(mg.dtype), sides_of(mg, rng, 2)
    rhs = backend.project(backend.fold(f, sides))
    expected, _ = backend.full_multigrid(Data(f, sides=sides))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording, "PARALLEL", 1)
        mine = fused(mg, mg.levels, threads, mg.problem.singular)
        data = mine.side_data(f, sides)
        out = np.full_like(f, np.nan)
        plan = mine.executor.plan("nested")
        for k in range(2):
            mine.full_multigrid(rhs[k], out[k], sides=data[k])
            checked = np.full_like(out[k], np.nan)
            mine.executor.run(plan, rhs[k], None, checked, data[k], check=True)
            np.testing.assert_array_equal(checked, out[k])
            mine.full_multigrid(rhs[k], checked)  # and what one member had is gone with the next
            assert not sides or np.max(np.abs(checked - out[k])) > 0
    largest = max((float(np.max(np.abs(g))) for g in sides.values()), default=0.0)
    assert np.max(np.abs(out - expected)) <= rounding.of_a_cycle(mg, f, expected, np.array(largest))


@SETTINGS
@given(mg=solvers(), **HOW)
def test_full_multigrid_takes_boundary_data_of_every_kind_of_side(mg, threads, seed):
    check_full_multigrid(mg, threads, seed)


@SETTINGS
@given(mg=singular_solvers(), **HOW)
def test_full_multigrid_of_singular_problems(mg, threads, seed):
    check_full_multigrid(mg, threads, seed)


@pytest.mark.slow
@settings(SETTINGS, max_examples=30)
@given(mg=solvers(every=True), **HOW)
def test_full_multigrid_takes_boundary_data_with_every_kind_of_kernel(mg, threads, seed):
    check_full_multigrid(mg, threads, seed)


@SETTINGS
@given(mg=singular_solvers(), **HOW)
def test_a_vector_less_its_mean_is_the_plain_one(mg, threads, seed):
    if len(mg.levels) == 1:
        return
    v = (7 + np.random.default_rng(seed).standard_normal(mg.problem.shape)).astype(mg.dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording, "PARALLEL", 1)
        results = []
        for count in (1, threads):
            mine, out, here = fused(mg, mg.levels, count, True), np.full_like(v, np.nan), v.copy()
            mine.centre(v, out)
            mine.centre(here, here)
            np.testing.assert_array_equal(here, out)
            results.append(out)
    np.testing.assert_array_equal(results[1], results[0])
    # a mean of n numbers of size 10 in either dtype, from sums in any order
    bound = 10 * v.size**0.5 * float(np.finfo(mg.dtype).eps)
    np.testing.assert_allclose(out, mg.backend.project(v), rtol=0, atol=bound)


@SETTINGS
@given(
    mg=st.one_of(solvers(), singular_solvers()),
    size=st.sampled_from([1e-6, 1.0]),
    rough=st.booleans(),
    one_by_one=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_a_solve_is_the_plain_one(mg, size, rough, one_by_one, seed):
    """With data that are lifted or folded, in one call or in a call for each cycle."""
    if len(mg.levels) == 1:
        return
    problem, rng = mg.problem, np.random.default_rng(seed)
    compiled = pde.Multigrid(
        problem, smoother=mg.smoother, nu=mg.nu, dtype=mg.dtype, levels=mg._limit, kernels="numba", threads=2
    )
    g = {key: size * (v if rough else v.flat[0]) for key, v in sides_of(mg, rng).items()}
    f = rng.standard_normal((2, *problem.shape)).astype(mg.dtype)
    how = {"g": g, "rtol": 1e-3, "incompatible": 1.0, "callback": (lambda progress: None) if one_by_one else None}
    a, b = mg.solve(f, **how), compiled.solve(f, **how)
    for x, y in zip(a.members, b.members, strict=True):
        assert (x.reason, x.cycles) == (y.reason, y.cycles)
    largest = np.array(max((float(np.max(np.abs(v))) for v in g.values()), default=0.0))
    bound = max(1, a.cycles) * rounding.of_a_cycle(mg, f, a.u, largest)
    np.testing.assert_allclose(b.u, a.u, rtol=0, atol=bound)
    if problem.singular:
        W = problem.control_volumes()
        assert np.max(np.abs(np.sum(W * b.u, axis=tuple(range(1, b.u.ndim)))) / W.sum()) <= bound
