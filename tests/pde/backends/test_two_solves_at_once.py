"""Interruptions, and a second solve on the same solver, between any two steps that Python makes."""

import sys
from contextlib import contextmanager
from threading import Thread

import numpy as np
import pytest

import pde
from pde.backends.numba import thread_pool
from pde.backends.numba.batch import runner
from pde.backends.numba.krylov import FusedConjugateGradients


@contextmanager
def at_every_step(of, call):
    """Call something before each step of the functions for which `of` is true, as a signal or a thread may do."""

    def trace(frame, event, argument):
        if of(frame.f_code):
            sys.settrace(None)
            call()
            sys.settrace(trace)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


@pytest.mark.parametrize("step", range(12))
def test_an_interruption_leaves_no_lock_closed(step):
    turns, left = thread_pool.Turns(), [step]

    def interrupt():
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt

    try:
        with at_every_step(lambda code: code.co_filename == thread_pool.__file__, interrupt), turns:
            pass
    except KeyboardInterrupt:
        pass
    assert turns._lock.acquire(blocking=False)


def test_two_solves_by_conjugate_gradients_take_no_memory_of_each_other():
    mg = pde.Multigrid(pde.Poisson((40, 33)), kernels="numba", threads=1)
    f, *others = np.random.default_rng(0).standard_normal((3, 40, 33))
    expected = mg.solve(f, accel="cg").u
    calls = []

    def solve():
        calls.append(mg.solve(np.stack(others), accel="cg"))

    def takes_memory(code):
        return code is FusedConjugateGradients._memory.__code__

    with at_every_step(takes_memory, solve):
        found = mg.solve(f, accel="cg").u
    assert calls
    np.testing.assert_array_equal(found, expected)


def test_an_interrupted_call_for_a_batch_leaves_no_thread_at_work(monkeypatch):
    """A signal may come when threads have been asked and their leader has not begun: they give up."""
    mg = pde.Multigrid(pde.Poisson((40, 33)), kernels="numba", threads=2)
    f, out, asked = np.random.default_rng(0).standard_normal((24, 40, 33)), np.full((24, 40, 33), 7.0), []
    expected = mg.solve(f).u

    class Interrupted:
        def ask(self, function, *arguments):
            asked.append(Thread(target=function, args=arguments))
            asked[-1].start()
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runner, "thread_pool", lambda count: Interrupted())
        with pytest.raises(KeyboardInterrupt):
            mg.solve(f, out=out)
    asked[0].join()
    assert (out == 7).all()
    np.testing.assert_array_equal(mg.solve(f).u, expected)
