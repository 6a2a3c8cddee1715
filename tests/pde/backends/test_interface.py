"""The interface between solver and cycles: what a solver asks of a backend, and another backend behind it."""

import io
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

import pde
from pde.backends.choice import MAKERS
from pde.problem.operators import StencilOperator
from tests.pde import two_blocks
from tests.pde.rounding import of_a_cycle


@pytest.fixture
def blocks(monkeypatch):
    monkeypatch.setitem(MAKERS, "two blocks", two_blocks.make)


def stacks(mg, f, wanted):
    """The stacks of code from `Multigrid.solve` to each Python function that is `wanted` (code) of a solve."""
    found = []

    def watch(frame, event, argument):
        if event != "call" or not wanted(frame):
            return
        stack = []
        while frame is not None:
            stack.append(frame.f_code)
            frame = frame.f_back
        names = [code.co_qualname for code in stack]
        if "Multigrid.solve" in names:
            found.append(stack[: names.index("Multigrid.solve") + 1])

    sys.setprofile(watch)
    try:
        mg.solve(f)
    finally:
        sys.setprofile(None)
    return found


def test_few_frames_and_files_lead_to_the_first_sweep():
    mg, f = pde.Multigrid(pde.Poisson((63, 63)), kernels="numpy"), np.ones((63, 63))
    sweep = StencilOperator.coloured_sweep.__code__

    def on_the_finest_grid(frame):
        return frame.f_code is sweep and frame.f_locals["r"].shape[-2:] == (63, 63)

    stack = stacks(mg, f, on_the_finest_grid)[0]
    assert len(stack) <= 15
    assert len({code.co_filename for code in stack}) <= 9


def test_few_frames_lead_to_the_kernels():
    """None of a solve is deeper than the compiled call of all its cycles may be, once the plan is made."""
    mg, f = pde.Multigrid(pde.Poisson((63, 63)), kernels="numba"), np.ones((63, 63))
    mg.solve(f)
    found = stacks(mg, f, lambda frame: "backends/numba" in Path(frame.f_code.co_filename).as_posix())
    assert found
    assert max(map(len, found)) <= 7


PROBLEMS = {
    "a square": {"shape": (63, 63)},
    "sides of every kind": {"shape": (33, 20), "boundary": (("dirichlet", "neumann"), ("robin", 2.0))},
    "cells": {"shape": (24, 26), "centering": "cell", "boundary": ("robin", 1.0)},
    "a coefficient that varies": {"shape": (33, 20), "coefficient": lambda x, y: 1 + x * y, "reaction": 2.0},
    "no side": {"shape": (16, 12), "boundary": "periodic"},
    "an odd period": {"shape": (33, 21), "boundary": ("dirichlet", "periodic")},
    "insulated": {"shape": (24, 24), "centering": "cell", "boundary": "neumann"},
    "a line": {"shape": 40, "reaction": 2.0},
    "a box": {"shape": (20, 9, 7)},
}


def pair(problem, **options):
    return (pde.Multigrid(problem, kernels=kernels, levels=3, **options) for kernels in ("numpy", "two blocks"))


def data(problem, members=3, seed=0):
    rng = np.random.default_rng(seed)
    f, u = rng.standard_normal((2, members, *problem.shape))
    if problem.singular:
        W = problem.control_volumes()
        f -= np.array([np.average(v, weights=W) for v in f]).reshape(-1, *(1,) * problem.ndim)
    return f, u


@pytest.mark.parametrize("smoother", ["sor", "jacobi", "chebyshev"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_cycles_on_two_blocks_are_the_plain_ones(name, smoother, blocks):
    problem = pde.Poisson(**PROBLEMS[name])
    plain, mg = pair(problem, smoother=smoother, nu=(2, 1))
    f, u = data(problem)
    for cycle, guess in (("V", u), ("W", u), ("F", None), ("backslash", u)):
        expected = plain.cycle(f, guess, cycle)
        bound = of_a_cycle(plain, f, expected, u)
        np.testing.assert_allclose(mg.cycle(f, guess, cycle), expected, rtol=0, atol=bound)
    g = None if problem.singular or "periodic" in str(problem.boundary) else 1.5
    expected = plain.full_multigrid(f, g)
    bound = of_a_cycle(plain, f, expected, np.ones(1))
    np.testing.assert_allclose(mg.full_multigrid(f, g), expected, rtol=0, atol=bound)


@pytest.mark.parametrize("accel", [None, "cg"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_solves_on_two_blocks_are_the_plain_ones(name, accel, blocks):
    """Of a batch whose members end one by one, among them one with nothing to do and one of another size."""
    problem = pde.Poisson(**PROBLEMS[name])
    plain, mg = pair(problem)
    assert "two blocks" in str(mg)
    f, u = data(problem)
    f[1], f[2] = 0, 1e180 * f[2]
    u[1], u[2] = 0, 0
    g = None if problem.singular or "periodic" in str(problem.boundary) else 1.5
    for guess, boundary in ((None, None), (u, None), (None, g)):
        options = {"u0": guess, "g": boundary, "accel": accel, "rtol": 1e-7}
        expected, came = (each.solve(f, **options) for each in (plain, mg))
        assert [m.reason for m in came.members] == [m.reason for m in expected.members]
        assert [m.cycles for m in came.members] == [m.cycles for m in expected.members]
        for i, size in enumerate((1.0, 1.0, 1e180)):
            bound = max(1, expected.cycles) * of_a_cycle(plain, f[i] / size, u[i], expected.u[i] / size, np.ones(1))
            np.testing.assert_allclose(came.u[i] / size, expected.u[i] / size, rtol=0, atol=bound)


@pytest.mark.parametrize("name", ["a square", "insulated", "a box"])
def test_factors_traces_updates_and_pickles_on_two_blocks(name, blocks):
    problem = pde.Poisson(**PROBLEMS[name])
    plain, mg = pair(problem)
    assert mg.measure_factor("W", 12) == pytest.approx(plain.measure_factor("W", 12), rel=1e-9)
    f, _ = data(problem)
    lines = io.StringIO(), io.StringIO()
    for each, stream in zip((plain, mg), lines, strict=True):
        each.solve(f, verbose=stream, rtol=1e-3)
    assert [line.split()[:4] for line in lines[0].getvalue().splitlines()] == [
        line.split()[:4] for line in lines[1].getvalue().splitlines()
    ]
    M, N = plain.as_preconditioner(), mg.as_preconditioner()
    expected = M @ f[0].ravel()
    np.testing.assert_allclose(N @ f[0].ravel(), expected, rtol=0, atol=of_a_cycle(plain, f[0], expected))
    again = pickle.loads(pickle.dumps(mg)).update(coefficient=2.0)
    expected = plain.update(coefficient=2.0).solve(f)
    bound = expected.cycles * of_a_cycle(plain, f, expected.u)
    np.testing.assert_allclose(again.solve(f).u, expected.u, rtol=0, atol=bound)


def test_mixed_precision_around_two_blocks(blocks):
    problem = pde.Poisson((63, 40))
    plain, mg = pair(problem, dtype="mixed")
    f, _ = data(problem)
    expected, came = (each.solve(f, rtol=1e-12) for each in (plain, mg))
    assert came.converged
    assert came.cycles == expected.cycles
    largest = np.max(np.abs(expected.u))
    np.testing.assert_allclose(came.u, expected.u, rtol=0, atol=1e-9 * largest)  # both at 1e-12


def test_a_backend_may_decline(blocks):
    for options in ({"coarse": "galerkin"}, {"smoother": "zebra"}):
        with pytest.raises(ValueError, match='kernels="two blocks": blocks are for stencils'):
            pde.Multigrid(pde.Poisson((33, 33)), kernels="two blocks", **options)
    with pytest.raises(ValueError, match="axis 0 is too short"):
        pde.Multigrid(pde.Poisson((1, 33)), kernels="two blocks")
    with pytest.raises(ValueError, match="one layer of halo is too little"):
        pde.Multigrid(pde.Poisson((33, 21), boundary=("periodic", "dirichlet")), kernels="two blocks", levels=3)
    with pytest.raises(ValueError, match=r"kernels must be one of .*'two blocks'"):
        pde.Multigrid(pde.Poisson((33, 33)), kernels="three blocks")
