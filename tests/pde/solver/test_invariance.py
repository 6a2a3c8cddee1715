"""A solution does not depend on the cycle, the scale of data and box, copies of the solver, who runs the loop."""

import copy
import pickle

import numpy as np
import pytest

import mgcore
from tests.pde.reference import CYCLES, PROBLEMS, SMOOTHERS, by_sines, close, residual_norm
from tests.pde.rounding import EPS, of_a_cycle, of_a_residual
from tests.pde.solvers import RANDOM, solver, without_memory


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_cycle_converges_to_the_same_solution(name):
    shape, extent = PROBLEMS[name]
    f = np.random.default_rng(3).standard_normal(shape)
    expected = by_sines(shape, extent, f)
    for cycle in ("fmg", *CYCLES):
        solution = solver(shape, extent).solve(f, cycle=cycle, rtol=1e-10)
        assert solution.converged
        close(solution.u, expected, shape, extent, residual_norm(solution, f))


@pytest.mark.parametrize("scale", [1e300, 1e-300, 1e3, -1.0, 1e-6, 1e150])
@pytest.mark.parametrize("smoother", SMOOTHERS)
def test_scaling_the_data_scales_the_solution_and_nothing_else(scale, smoother):
    f = RANDOM[:40, :50]
    mg = solver((40, 50), smoother=smoother)
    expected, solution = mg.solve(f, 1.0), mg.solve(scale * f, scale)
    assert solution.converged
    assert solution.cycles == expected.cycles
    rounding = expected.cycles * of_a_cycle(mg, f, expected.u)
    np.testing.assert_allclose(solution.u / scale, expected.u, rtol=0, atol=rounding)
    lost = of_a_residual(mg, f, expected.u) / np.sqrt(np.mean(f**2))
    np.testing.assert_allclose(solution.residual_norms, expected.residual_norms, rtol=64 * EPS, atol=lost)


@pytest.mark.parametrize("kernels", ["numpy", "numba", "torch"])
@pytest.mark.parametrize("accel", [None, "cg"])
@pytest.mark.parametrize("dtype", ["float64", "mixed", "float32"])
def test_data_of_any_size_are_solved_alike(dtype, accel, kernels):
    """Powers of two, so that f says the same to the last bit, denormal numbers and guesses among them."""
    if kernels == "torch":
        pytest.importorskip("torch")
    f = np.round(64 * RANDOM[:40, :50]) / 64
    mg = solver((40, 50), dtype=dtype, kernels=kernels)
    smallest, largest = (-126, 120) if dtype == "float32" else (-1022, 1000)
    for u0 in (None, RANDOM[20:60, :50]):
        expected = mg.solve(f, u0=u0, rtol=1e-4, accel=accel)
        for power in (smallest, smallest // 2 - 10, smallest // 3 - 5, largest // 3 + 5, largest // 2 + 10, largest):
            scale = 2.0**power
            solution = mg.solve(scale * f, u0=None if u0 is None else scale * u0, rtol=1e-4, accel=accel)
            assert solution.converged
            assert solution.cycles == expected.cycles
            assert {type(norm) for norm in solution.residual_norms} == {float}
            rounding = 64 * np.finfo(mg.dtype).eps * expected.residual_norms[0]
            np.testing.assert_allclose(solution.residual_norms, expected.residual_norms, rtol=1e-3, atol=rounding)
            lost = np.finfo(mg.dtype).smallest_subnormal / scale
            size = np.abs(expected.u).max() * max(1.0, expected.residual_norms[0])
            atol = 1e4 * np.finfo(mg.dtype).eps * size + 4 * lost
            np.testing.assert_allclose(solution.u / mg.dtype.type(scale), expected.u, rtol=0, atol=atol)


@pytest.mark.parametrize("length", [1e-150, 1e-90, 1e-6, 1e6, 1e90, 1e149])
@pytest.mark.parametrize("coarse", ["rediscretised", "galerkin"])
def test_scaling_the_box_scales_the_solution_by_its_square(length, coarse):
    f = RANDOM[:40, 0]
    expected = solver(40, coarse=coarse).solve(f, rtol=1e-9)
    solution = solver(40, length, coarse=coarse).solve(f / length**1.5, rtol=1e-9)
    assert solution.cycles == expected.cycles
    np.testing.assert_allclose(solution.u / length**0.5, expected.u, rtol=0, atol=1e-11 * np.abs(expected.u).max())


@pytest.mark.parametrize("options", [{}, {"coarse": "galerkin"}, {"transfer": "linear"}, {"smoother": "jacobi"}])
def test_pickles_and_copies_solve_alike(options):
    mg = solver((20, 20), **options)
    f = RANDOM[:20, :20]
    for other in (pickle.loads(pickle.dumps(mg)), copy.deepcopy(mg)):
        np.testing.assert_array_equal(other.solve(f, 1.0).u, mg.solve(f, 1.0).u)
        assert without_memory(other) == without_memory(mg)  # a copy shares fewer buffers


def test_one_level_is_a_direct_solver_on_a_large_grid_too():
    solution = solver((63, 63), levels=1).solve(RANDOM, rtol=1e-12)
    assert (solution.cycles, len(solver((63, 63), levels=1).levels)) == (1, 1)
    assert len(solver((63, 63), levels=3).levels) == 3


def test_a_cycle_is_what_a_solve_makes():
    mg, f = solver(), RANDOM[:15, :20]
    for cycle in CYCLES:
        u = None
        for _ in range(3):
            u = mg.cycle(f, u, cycle)
        np.testing.assert_array_equal(mg.solve(f, cycle=cycle, max_cycles=3, rtol=0).u, u)
    np.testing.assert_array_equal(mg.solve(f, max_cycles=1, rtol=0).u, mg.full_multigrid(f))
    g = {(0, 0): 0.01}  # small beside f: it is folded in, and not lifted
    np.testing.assert_array_equal(mg.solve(f, g, max_cycles=1, rtol=0).u, mg.full_multigrid(f, g))


def test_cycles_are_those_of_mgcore():
    mg = solver((31, 40), levels=64)
    f, u = RANDOM[:31, :40], RANDOM[31:62, :40]
    functions = (mgcore.v_cycle, mgcore.w_cycle, mgcore.f_cycle, mgcore.backslash_cycle)
    results = [mg.cycle(f, u, cycle) for cycle in CYCLES]
    for result, function in zip(results, functions, strict=True):
        np.testing.assert_array_equal(result, function(mg.levels, f, u))
    assert len({result.tobytes() for result in results}) == 4


def test_a_solve_inside_a_callback_is_another_solve():
    """Plain arrays carry no state from cycle to cycle, whatever the documentation reserves."""
    mg, f = solver(), RANDOM[:15, :20]
    inner = []
    solution = mg.solve(f, callback=lambda p: inner.append(mg.solve(f).u) and None)
    assert all(np.array_equal(u, solution.u) for u in inner)
