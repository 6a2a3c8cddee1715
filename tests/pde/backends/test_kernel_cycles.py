"""The cycles of the compiled kernels against the plain levels that specify them, on one thread and on several."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from threading import Thread

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mgcore
import pde
from mgcore import CYCLES
from pde.backends.numba import executor, recording
from pde.backends.numba.direct import LARGEST_INVERSE
from pde.backends.numba.interpreter import DIRECT, PASS
from pde.backends.numba.thread_pool import ThreadPool
from pde.levels.direct import DirectSolver
from pde.levels.hierarchy import symmetric
from tests.pde import rounding
from tests.pde.kernel_solvers import check_every_cycle, fused, solvers

HANGS = 1000
"""Seconds after which a thread or a process hangs, on the slowest machine too."""

HOW_THEY_RUN = {
    "threads": st.integers(1, 3),
    "shares": st.sampled_from([1, 4]),
    "streamed": st.sampled_from([1, 1 << 30]),
    "seed": st.integers(0, 2**31),
    "tile": st.sampled_from([1, 1 << 20]),
}


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(mg=solvers(), **HOW_THEY_RUN)
def test_every_cycle_is_that_of_the_plain_levels(mg, threads, shares, streamed, seed, tile):
    check_every_cycle(mg, threads, shares, streamed, seed, tile)


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])  # kernels of its own
def test_factors_solve_a_coarsest_grid_that_is_not_small(dtype):
    reaction = 3 + 0.1 * np.random.default_rng(0).random((63, 59))
    mg = pde.Multigrid(pde.Poisson((63, 59), reaction=reaction), levels=2, kernels="numpy", dtype=dtype)
    assert mg.levels[-1].info.grid.size > LARGEST_INVERSE
    assert isinstance(mg.levels[-1].B[0], DirectSolver)
    check_every_cycle(mg, 1, 4, 1 << 30, seed=0)


@pytest.mark.parametrize("other", ["W", "F", "backslash"])
def test_kernels_make_whatever_cycle_there_is(other, monkeypatch):
    """There is no second copy of a cycle: with another one in the place of "V" that one is made."""
    mg = pde.Multigrid(pde.Poisson((33, 40), reaction=1.0), levels=64, kernels="numpy")
    f = np.random.default_rng(0).standard_normal((33, 40))
    before = [np.empty_like(f), np.empty_like(f)]
    fused(mg, mg.levels, 1).cycle("V", f, None, before[0])
    fused(mg, mg.levels, 1).full_multigrid(f, before[1])
    monkeypatch.setitem(CYCLES, "V", CYCLES[other])
    check_every_cycle(mg, 1, 4, 1 << 30, seed=0)
    after = [np.empty_like(f), np.empty_like(f)]
    mine = fused(mg, mg.levels, 1)
    assert mine.fits_one_call
    mine.cycle("V", f, None, after[0])
    mine.full_multigrid(f, after[1])
    for a, b in zip(before, after, strict=True):
        assert np.max(np.abs(a - b)) > 1e-4 * np.max(np.abs(a))


def test_a_program_has_no_pass_too_many():
    """Down and up are a pass each; where a level is visited again, up and down together are one."""
    mg = pde.Multigrid(pde.Poisson((63, 63)), levels=64, kernels="numpy")
    mine, last = fused(mg, mg.levels, 1).executor, len(mg.levels) - 1
    for kind, passes in (
        ("V", lambda l: 2),
        ("W", lambda l: 3 * 2 ** (l - 1) if l else 2),
        ("F", lambda l: 2 * l + 1 if l else 2),
    ):
        program = mine.plan(kind).steps
        for l in range(last):
            assert np.sum((program["op"] == PASS) & (program["level"] == l)) == passes(l)
    assert [int(np.sum(mine.plan(kind).steps["op"] == DIRECT)) for kind in ("V", "nested")] == [1, 1 + last]


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(mg=solvers(every=True), **HOW_THEY_RUN)
def test_every_cycle_of_every_kind_is_that_of_the_plain_levels(mg, threads, shares, streamed, seed, tile):
    check_every_cycle(mg, threads, shares, streamed, seed, tile)


@pytest.mark.parametrize("shape", [(4, 8, 6), (4, 1, 6)])
@pytest.mark.parametrize("nu", [(1, 1), (2, 1), (0, 1)])
def test_coarse_grids_do_not_see_what_another_level_has_left_in_the_work_space(shape, nu):
    boundary = [("neumann", ("robin", 2.0)), "periodic", ("neumann", "dirichlet")]
    problem = pde.Poisson(shape, boundary=boundary, centering="cell", reaction=0.5)
    check_every_cycle(pde.Multigrid(problem, nu=nu, kernels="numpy"), 1, 4, 1 << 30, 3)


@pytest.mark.parametrize("tile", [1, 1 << 20])
def test_coefficients_that_vary_in_space(tile):
    """The kernels that a smooth coefficient takes by default in three dimensions."""
    rng = np.random.default_rng(0)
    one, two, three, reaction = (1 + 0.5 * rng.random((9, 10, 16)) for _ in range(4))
    boundary = ["neumann", ("dirichlet", ("robin", 2.0)), "periodic"]
    problem = pde.Poisson(one.shape, boundary=boundary, coefficient=[one, two, three], reaction=reaction)
    check_every_cycle(pde.Multigrid(problem, kernels="numpy"), 1, 4, 1 << 30, seed=0, tile=tile)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(mg=solvers(), seed=st.integers(0, 2**31))
def test_the_symmetric_cycle_too(mg, seed):
    if len(mg.levels) == 1 or mg.nu != (1, 1):
        return
    f = np.random.default_rng(seed).standard_normal(mg.problem.shape).astype(mg.dtype)
    plain = symmetric(mg.levels)
    expected, out = mgcore.v_cycle(plain, f), np.empty_like(f)
    fused(mg, plain, 1).cycle("V", f, None, out)
    assert np.max(np.abs(out - expected)) <= rounding.of_a_cycle(mg, f, expected, levels=plain)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    mg=solvers(), kind=st.sampled_from(["V", "W", "backslash"]), threads=st.integers(1, 3), seed=st.integers(0, 2**31)
)
def test_a_cycle_measures_the_inner_product_of_f_and_u(mg, kind, threads, seed):
    if len(mg.levels) == 1:
        return
    f = np.random.default_rng(seed).standard_normal(mg.problem.shape).astype(mg.dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording, "PARALLEL", 1)
        mine, out, again = fused(mg, mg.levels, threads), np.empty_like(f), np.empty_like(f)
        product = mine.cycle(kind, f, None, out, measure="inner")
        mine.cycle(kind, f, None, again)
    assert np.max(np.abs(out - again)) <= rounding.of_a_cycle(mg, f, again)  # a pass with a residual is other code
    terms = mg.problem.grid.volumes() * f * out.astype(float)
    lost = f.size * rounding.EPS + 8 * np.finfo(mg.dtype).eps  # of the sum; of the volumes, which have the dtype
    assert abs(product - terms.sum()) <= lost * np.abs(terms).sum()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(mg=solvers(), seed=st.integers(0, 2**31))
def test_threads_change_nothing(mg, seed):
    """Not the last bit of u or a norm: blocks compute what they need of their neighbours, and sums are in order."""
    if len(mg.levels) == 1:
        return
    f = np.random.default_rng(seed).standard_normal(mg.problem.shape).astype(mg.dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording, "PARALLEL", 1)
        patch.setattr(recording, "TILE", 1)
        patch.setattr(recording, "LEAST_ROWS", 3)
        results = []
        for threads in (1, 2, 3, 4):
            mine, out, cycled = fused(mg, mg.levels, threads), np.empty_like(f), np.empty_like(f)
            norms = [mine.full_multigrid(f, out, norm) for norm in ("iterate", "residual")]
            norms += [mine.cycle("V", f, out, cycled, measure=measure) for measure in ("inner", "residual")]
            results.append((out, cycled, norms))
    for out, cycled, norms in results[1:]:
        np.testing.assert_array_equal(out, results[0][0])
        np.testing.assert_array_equal(cycled, results[0][1])
        assert norms == results[0][2]


class Nobody:
    """Threads that never come."""

    def ask(self, function, *arguments):
        pass


class Late:
    """Threads that come whenever the system lets them: when the work begins, is under way, or over."""

    def __init__(self):
        self.pool = ThreadPoolExecutor(3)
        self.waiting = []

    def ask(self, function, *arguments):
        self.waiting.append(self.pool.submit(function, *arguments))


class Over:
    """Threads that come when the work is over."""

    def __init__(self):
        self.asked = []

    def ask(self, function, *arguments):
        self.asked.append(partial(function, *arguments))

    @property
    def waiting(self):
        with ThreadPoolExecutor(3) as pool:
            return [pool.submit(each) for each in self.asked]


@pytest.mark.parametrize("others", [Nobody(), Late(), Over()])
def test_nobody_waits_for_a_thread_that_does_not_come(others, monkeypatch):
    monkeypatch.setattr(recording, "PARALLEL", 1)
    mg = pde.Multigrid(pde.Poisson((130, 67), reaction=1.0), kernels="numpy")
    f = np.random.default_rng(0).standard_normal((130, 67))
    expected, out = np.empty_like(f), np.empty_like(f)
    fused(mg, mg.levels, 1).full_multigrid(f, expected)
    mine = fused(mg, mg.levels, 4)
    monkeypatch.setattr(executor, "thread_pool", lambda count: others)
    for _ in range(30):
        out[:] = np.nan
        mine.full_multigrid(f, out)
        np.testing.assert_array_equal(out, expected)
    for each in getattr(others, "waiting", ()):
        each.result()
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("allowed", [0, 1, 3])
def test_threads_that_the_system_refuses_are_not_asked(allowed, monkeypatch):
    started, start = [], Thread.start

    def refuse(thread):
        if len(started) == allowed:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(Thread, "start", refuse)
    few, made = ThreadPool(3), SimpleQueue()
    for k in range(100):
        few.ask(made.put, k)
    for _ in range(min(2 * allowed, 1)):
        assert made.get(timeout=HANGS) == 0
    assert len(started) == allowed
    assert allowed or made.empty()


@pytest.mark.parametrize("shape", [(33, 40), (9, 12, 17)])
def test_what_is_not_finite_leaves_nothing_behind(shape):
    mg = pde.Multigrid(pde.Poisson(shape), kernels="numpy")
    f, expected, out = np.random.default_rng(0).standard_normal(shape), np.empty(shape), np.empty(shape)
    mine = fused(mg, mg.levels, 1)
    mine.full_multigrid(f, expected)
    for wrong in (np.nan, np.inf):
        mine.full_multigrid(np.full(shape, wrong), out)
        assert not np.isfinite(out).any()
        mine.full_multigrid(f, out)
        np.testing.assert_array_equal(out, expected)


def test_an_interrupted_call_leaves_no_thread_at_work(monkeypatch):
    """A signal may come when threads have been asked and their leader has not begun: they give up."""
    monkeypatch.setattr(recording, "PARALLEL", 1)
    mg = pde.Multigrid(pde.Poisson((130, 67), reaction=1.0), kernels="numpy")
    f, out = np.random.default_rng(0).standard_normal((130, 67)), np.full((130, 67), 7.0)
    mine = fused(mg, mg.levels, 2)
    expected = np.empty_like(f)
    mine.full_multigrid(f, expected)
    asked = []

    class Interrupted:
        def ask(self, function, *arguments):
            asked.append(Thread(target=function, args=arguments))
            asked[-1].start()
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executor, "thread_pool", lambda count: Interrupted())
        with pytest.raises(KeyboardInterrupt):
            mine.full_multigrid(1e6 * f, out)
    asked[0].join(timeout=HANGS)
    assert not asked[0].is_alive()
    assert (out == 7).all()
    mine.full_multigrid(f, out)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_of_a_fork_solves(monkeypatch):
    """Its parent's threads are not there, and a lock that one of them held is open."""
    monkeypatch.setattr(recording, "PARALLEL", 1)
    mg = pde.Multigrid(pde.Poisson((130, 67), reaction=1.0), kernels="numpy")
    f, out, expected = np.random.default_rng(0).standard_normal((130, 67)), *np.empty((2, 130, 67))
    mine = fused(mg, mg.levels, 2)
    mine.full_multigrid(f, expected)
    with mine._lock:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(HANGS)  # ends it where it hangs
            for _ in range(3):
                mine.full_multigrid(f, out)
            os._exit(0 if np.array_equal(out, expected) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(("shape", "levels"), [((24, 9), 4), ((48, 18), 5), ((12, 12), 3)])
def test_six_rows_around_a_seam(shape, levels):
    """The last of three coarse rows comes from four fine ones, three of them on one side of the seam."""
    boundary = ["periodic", *["dirichlet"] * (len(shape) - 1)]
    problem = pde.Poisson(shape, boundary=boundary, centering="cell", reaction=1.0)
    mg = pde.Multigrid(problem, kernels="numpy", levels=levels)
    assert any(level.info.grid.shape[0] == 6 for level in mg.levels[:-1])
    check_every_cycle(mg, 1, 4, 1 << 30, seed=0)
    check_every_cycle(mg, 2, 4, 1 << 30, seed=0)
