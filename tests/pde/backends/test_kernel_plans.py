"""Plans of kernels: printed, pickled, run in one call or leg by leg, and checked for what they read and write."""

import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pde
from pde.backends.numba import recording
from pde.backends.numba.buffers import Buffer, Buffers
from pde.backends.numba.fused_sweep import INNER, ITERATE, RESIDUAL
from pde.backends.numba.workspace import WorkSpace, of_a_pass, of_direct_solution
from tests.pde.kernel_solvers import fused, solvers

KINDS = ["V", "W", "F", "backslash", "nested"]


def executor_of(mg, threads=1):
    return fused(mg, mg.levels, threads).executor


def data(mg, seed=0):
    return np.random.default_rng(seed).standard_normal((2, *mg.problem.shape)).astype(mg.dtype)


def run(executor, plan, f, u, **options):
    out = np.full_like(f, np.nan)
    return out, executor.run(plan, f, u, out, **options)


def assert_same(one, other):
    np.testing.assert_array_equal(one[0], other[0])
    assert one[1] == other[1]


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    mg=solvers(),
    kind=st.sampled_from(KINDS),
    norm=st.sampled_from([RESIDUAL, ITERATE, INNER]),
    threads=st.sampled_from([1, 2, 3]),
    guess=st.booleans(),
    tile=st.sampled_from([1, 1 << 20]),
    seed=st.integers(0, 2**31),
)
def test_steps_one_by_one_give_the_bits_of_one_call(mg, kind, norm, threads, guess, tile, seed):
    """And nothing is read in the work space before it is written, nor written beyond the ends of areas and buffers."""
    if len(mg.levels) == 1:
        return
    f, u = data(mg, seed)
    u = u if guess else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording, "PARALLEL", 1)
        patch.setattr(recording, "TILE", tile)
        patch.setattr(recording, "LEAST_ROWS", 3)
        executor = executor_of(mg, threads)
        plan = executor.plan(kind, 0, norm)
        at_once = run(executor, plan, f, u)
        seen = []
        assert_same(run(executor, plan, f, u, before=seen.append), at_once)
        assert [len(leg.steps) for leg in seen] == [1] * len(plan.steps)
        assert_same(run(executor, plan, f, u, check=True), at_once)


@pytest.mark.parametrize("shape", [(33, 40), (9, 12, 17)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_is_pickled_and_run_elsewhere(shape, kind):
    mg = pde.Multigrid(pde.Poisson(shape), kernels="numpy", levels=64)
    f, u = data(mg)
    one, other = executor_of(mg), executor_of(mg)
    plan = one.plan(kind)
    again = pickle.loads(pickle.dumps(plan))
    assert str(again) == str(plan)
    assert_same(run(other, again, f, u), run(one, plan, f, u))


def test_variable_coefficients_are_buffers_too():
    field = 1 + np.random.default_rng(1).random((33, 40)) / 2
    mg = pde.Multigrid(pde.Poisson(field.shape, coefficient=field, reaction=field), kernels="numpy")
    f, u = data(mg)
    one, other = executor_of(mg), executor_of(mg)
    assert_same(run(other, pickle.loads(pickle.dumps(one.plan("F"))), f, u), run(one, one.plan("F"), f, u))


def test_sparse_factors_are_a_step_of_the_host(monkeypatch):
    """A leg ends before it; the numbers are those of one call to the rounding of another direct solver."""
    mg = pde.Multigrid(pde.Poisson((33, 40)), kernels="numpy")
    f, u = data(mg)
    executor = executor_of(mg)
    expected = run(executor, executor.plan("V"), f, u)
    host = executor_of(mg)
    monkeypatch.setattr(host, "is_one_call", False)
    out, total = run(host, host.plan("V"), f, u)
    np.testing.assert_allclose(out, expected[0], rtol=0, atol=1e-12 * np.abs(expected[0]).max())
    legs = []
    assert_same(run(host, host.plan("V"), f, u, before=legs.append), (out, total))
    assert len(legs) == len(host.plan("V").steps)


def test_a_step_of_the_host_may_change_a_buffer():
    """Doubling the coarse residual where the next step reads it: as an exchange of halos would write to it."""
    mg = pde.Multigrid(pde.Poisson((33, 40)), kernels="numpy")
    f, u = data(mg)
    executor = executor_of(mg)
    plan, direct = executor.plan("V"), []

    def double(leg):
        if "solve directly" in str(leg):
            direct.append(executor.buffer(plan, "f1").copy())
            executor.buffer(plan, "f1")[:] *= 2

    out, _ = run(executor, plan, f, u, before=double)
    assert len(direct) == 1
    assert np.abs(out - run(executor, plan, f, u)[0]).max() > 1e-4
    for name in ("f", "u9"):
        with pytest.raises(KeyError, match=f"name must be one of .*'f1'.*; got '{name}'"):
            executor.buffer(plan, name)


def test_a_plan_says_what_it_does():
    mg = pde.Multigrid(pde.Poisson((31, 33), boundary=["periodic", "dirichlet"], centering="cell", reaction=1.0))
    mg = pde.Multigrid(
        pde.Poisson((32, 33), boundary=["periodic", "dirichlet"], reaction=1.0), nu=(2, 1), kernels="numpy"
    )
    lines = str(executor_of(mg).plan("V")).splitlines()
    assert lines[0].split() == ["level", "grid", "does", "reads", "writes"]
    assert [line.split("  ")[0] for line in lines[1:]] == ["0", "0", "1", "0", "0"]
    for line, words in zip(
        lines[1:],
        [
            ("32 x 33", "copy halo", "u"),
            ("load u, relax x 2, residual, restrict to f1, store out", "f, u, halo", "out, f1"),
            ("16 x 16", "solve directly", "f1", "u1"),
            ("copy halo", "out"),
            ("load out, correct by u1, relax x 1, residual, store out, norm of the residual", "out, halo", "u1"),
        ],
        strict=True,
    ):
        assert all(word in line for word in words), line
    nested = str(executor_of(mg).plan("nested", 0, ITERATE))
    assert "restrict right-hand side" in nested
    assert "interpolate u1" in nested
    assert "norm of u" in nested


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_write_into_a_guard_is_found(dtype):
    n, m = np.array([9, 5, 7]), np.array([5, 3, 3])
    for division in (of_a_pass(n, m, 3, 2), of_a_pass(n, m, 3, 2, 4), of_direct_solution(24)):
        work = WorkSpace(np.dtype(dtype), int(division["size"]))
        work.poison(division)
        work.check(division)
        work.numbers[-1] = np.nan
        with pytest.raises(RuntimeError, match="beyond the end of"):
            work.check(division)
    buffers, f1 = Buffers(np.dtype(dtype), []), Buffer("f1", 20)
    buffers[f1][:] = 1
    buffers.poison()
    buffers.check()
    buffers._whole(f1)[20] = 1
    with pytest.raises(RuntimeError, match="beyond the end of f1"):
        buffers.check()


@pytest.mark.parametrize("name", ["f", "u", "out"])
def test_arrays_that_kernels_cannot_address_are_named(name):
    mg = pde.Multigrid(pde.Poisson((33, 40)), kernels="numpy")
    executor, arrays = executor_of(mg), {each: np.zeros((33, 40)) for each in ("f", "u", "out")}
    for wrong, error in (
        (np.zeros((40, 33)).T, ValueError),
        (np.zeros(5), ValueError),
        (np.zeros(1320, "f4"), TypeError),
    ):
        with pytest.raises(error, match=f"{name} must be"):
            executor.run(executor.plan("V"), **{**arrays, name: wrong})
