"""The report of a solve: true residuals, work units, the hierarchy, its memory, progress."""

import gc
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pde import Multigrid, Poisson
from pde.common.memory import Counter
from tests.pde.reference import CYCLES, EPS, PROBLEMS, SEEDS, boxes
from tests.pde.solvers import ONES, solver, without_memory


@given(boxes(), SEEDS, st.sampled_from(["fmg", *CYCLES]), st.booleans())
def test_residual_norms_are_those_of_the_true_residual(box, seed, cycle, guess):
    shape, extent = box
    rng = np.random.default_rng(seed)
    f, u0 = rng.standard_normal((2, *shape))
    problem, iterates = Poisson(shape, extent), []
    solution = Multigrid(problem).solve(
        f, u0=u0 if guess else None, cycle=cycle, callback=lambda p: iterates.append(p.u.copy())
    )
    A = problem.matrix()
    norm_A = abs(A).sum(axis=1).max()
    for u, norm in zip([u0 if guess else 0 * f, *iterates], solution.residual_norms, strict=True):
        r = f.ravel() - A @ u.ravel()
        rounding = (32 + 4 * max(shape)) * EPS * norm_A * np.linalg.norm(u)
        assert abs(np.linalg.norm(r) - norm * np.linalg.norm(f)) <= rounding + 16 * EPS * np.linalg.norm(f)


def test_boundary_data_are_part_of_the_data_that_the_residual_is_measured_by():
    g = {(0, 0): np.exp(np.arange(1, 32) / 32)}
    solution = solver((31, 31)).solve(np.zeros((31, 31)), g)
    assert abs(solution.residual_norms[0] - 1) <= 31**2 * EPS  # two sums of 31^2 squares, in whatever order
    straight = solver((31,)).solve(np.zeros(31), {(0, 0): 1.0})  # a lifting says it all
    assert straight.residual_norms == (0,)
    np.testing.assert_allclose(straight.u, 1 - np.arange(1, 32) / 32, rtol=0, atol=8 * EPS)


def test_work_units_by_hand():
    """15 and 7 unknowns, 45 and 21 coefficients, a V(1,1) costs 1 + 1 + 2 evaluations on each of them."""
    mg = solver((15,))
    r = 21 / 45
    assert mg.work_units("V") == pytest.approx(4 * (1 + r))
    assert mg.work_units("W", 3) == pytest.approx(12 * (1 + 2 * r))
    assert mg.work_units("F") == pytest.approx(4 * (1 + 2 * r))
    assert mg.work_units("backslash") == pytest.approx(3 * (1 + r))
    assert mg.work_units("fmg", 3) == pytest.approx(4 * (1 + r) + 4 * r + 2 * 4 * (1 + r))
    three = solver((31,), levels=64)
    assert three.work_units("V") == pytest.approx(4 * (93 + 45 + 21) / 93)
    assert three.work_units("W") == pytest.approx(4 * (93 + 2 * 45 + 4 * 21) / 93)
    assert three.work_units("F") == pytest.approx(4 * (93 + 2 * 45 + 3 * 21) / 93)
    assert solver((15,), smoother="two-step jacobi", nu=(2, 1)).work_units("V") == pytest.approx((6 + 2) * (1 + r))
    f = np.random.default_rng(2).standard_normal(15)
    for cycle in ("V", "W", "F", "backslash", "fmg"):
        solution = mg.solve(f, cycle=cycle, max_cycles=2, rtol=0)
        assert solution.work_units == pytest.approx(mg.work_units(cycle, 2))
    assert mg.solve(f, u0=f, max_cycles=1).work_units == pytest.approx(mg.work_units("V"))


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("cycle", ["fmg", *CYCLES])
def test_work_units_are_positive_and_grow(name, cycle):
    units = [solver(*PROBLEMS[name]).work_units(cycle, n) for n in range(4)]
    assert units[0] == 0
    assert np.all(np.diff(units) >= 1)


GOLDEN = """\
Multigrid for Poisson(shape=(20, 9), extent=(1.0, 1.0), boundary='dirichlet')
level  shape  unknowns  spacing     aspect  halves  operator  runs in  smoother
    1  20x9        180  0.0476 0.1     2.1  x       stencil   NumPy    sor omega=1 (2,1)
    2  10x9         90  0.0952 0.1    1.05  x y     stencil   NumPy    sor omega=1.17 (2,1)
    3  5x4          20  0.19 0.2      1.05  x y     stencil   NumPy    sor omega=1.17 (2,1)
    4  2x2           4  0.381 0.4     1.05          stencil   NumPy    direct
grid complexity 1.63, operator complexity 1.63
rediscretised coarse operators, bilinear transfers, float64, no compiled kernels: fewer than 32,768 unknowns"""


def test_print_shows_the_hierarchy():
    mg = solver((20, 9), nu=(2, 1), levels=64)
    assert without_memory(mg) == GOLDEN
    assert repr(mg) == f"Multigrid({mg.problem!r}, smoother='sor', nu=(2, 1), 4 levels)"
    assert "Galerkin  NumPy" in str(solver((20, 9), coarse="galerkin"))
    assert "NumPy, SuperLU" in str(solver((20, 9), smoother="zebra 0"))


def test_memory_is_that_of_the_arrays():
    """Beside what the allocator says: arrays are nearly all that a hierarchy holds."""
    counter, array = Counter(), np.zeros((10, 10))
    assert counter.add(array[1:], (array.T,), {"a": [np.ones(3)]}) == 824
    assert counter.add(array) == 0
    problem = Poisson((127, 127), coefficient=lambda x, y: 1 + x * y)
    Multigrid(problem)  # what is computed once per problem
    tracemalloc.start()
    mg = Multigrid(problem)
    gc.collect()
    allocated = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    counted = Counter()
    counted.add(problem)
    assert 0.85 <= counted.add(mg.levels, mg.hierarchy.interpolations, mg.hierarchy.volumes) / allocated <= 1.05


def test_progress_is_shown_on_stderr(capsys):
    solver().solve(ONES, progress=True)
    captured = capsys.readouterr()
    assert "solve" in captured.err
    assert captured.out == ""
