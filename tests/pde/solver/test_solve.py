"""How a solve ends: its reasons, tolerances, callbacks, and what needs no cycle."""

import warnings

import numpy as np
import pytest

import mgcore
from pde import Multigrid, Poisson, SolveError
from tests.pde.reference import PROBLEMS, direct
from tests.pde.solvers import ONES, RANDOM, solver

pytestmark = pytest.mark.usefixtures("every_backend")


def test_converged():
    solution = solver().solve(ONES)
    assert solution.converged
    assert solution.reason == "converged"
    assert solution.residual_norms[-1] <= 1e-8 < solution.residual_norms[-2]
    assert solution.cycles == len(solution.residual_norms) - 1
    assert solution.residual_norms[0] == 1
    assert solution.seconds > 0


def ending(reason):
    smooth = np.ones((255, 255))
    return {
        "max_cycles": lambda: solver().solve(ONES, max_cycles=2),
        "stopped": lambda: solver().solve(ONES, callback=lambda progress: progress.cycle == 3),
        "rounding": lambda: solver((255, 255)).solve(smooth, rtol=1e-16),
        "stalled": lambda: solver((63, 63), smoother="jacobi", omega=1e-4).solve(RANDOM),
        "diverged": lambda: solver((63, 63), smoother="jacobi", omega=1.9).solve(RANDOM),
        "indefinite": lambda: Multigrid(Poisson((31, 31), reaction=-40.0)).solve(
            RANDOM[:31, :31], accel="cg"
        ),  # < -2 pi^2
        "non-finite": lambda: solver(extent=100.0).solve(1e308 * ONES),  # u is larger
    }[reason]()


@pytest.mark.parametrize("reason", [r for r in mgcore.REASONS if r != "converged"])
def test_every_other_reason_is_reached(reason):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # failure is a value here, and no warning besides
        solution = ending(reason)
    assert not solution.converged
    assert solution.reason == reason
    assert reason in solution.message
    assert mgcore.REASONS[reason] in solution.message


def test_strict_raises_with_the_solution():
    with pytest.raises(SolveError, match="max_cycles after 1") as caught:
        solver().solve(ONES, max_cycles=1, strict=True)
    assert caught.value.solution.cycles == 1
    assert caught.value.solution.u.shape == ONES.shape
    assert solver().solve(ONES, strict=True).converged


def test_rounding_reports_what_is_attainable_and_stays_below_it():
    """eps (|A| |u| + |f|): at 255^2 and u of size 0.07, |A| = 8 / h^2, some 1e-11 of f."""
    for dtype in ("float64", "float32"):
        solution = solver((255, 255), dtype=dtype).solve(np.ones((255, 255)), rtol=0)
        assert solution.reason == "rounding"
        assert solution.residual_norms[-1] <= solution.attainable <= 1e6 * np.finfo(dtype).eps
        assert solution.cycles < 20


def test_stopping_by_the_callback():
    seen = []

    def callback(progress):
        seen.append(progress)
        return progress.residual < 1e-3

    solution = solver((63, 63)).solve(RANDOM, callback=callback)
    assert solution.reason == "stopped"
    assert [p.cycle for p in seen] == list(range(1, solution.cycles + 1))
    assert tuple(p.residual for p in seen) == solution.residual_norms[1:]
    assert seen[-1].factor == pytest.approx(seen[-1].residual / seen[-2].residual)
    np.testing.assert_array_equal(seen[-1].u, solution.u)


@pytest.mark.parametrize("kernels", ["numpy", "numba"])
@pytest.mark.parametrize("members", [1, 2])
def test_a_callback_may_keep_iterates(kernels, members):
    """The result in `out` is not written over one of them."""
    mg, f, kept = solver((63, 63), kernels=kernels), np.stack([RANDOM, -2 * RANDOM])[:members], []
    solution = mg.solve(f, out=np.empty_like(f), callback=lambda progress: kept.append((progress.u, progress.u.copy())))
    assert len(kept) == solution.cycles > 1
    for u, as_it_was in kept:
        np.testing.assert_array_equal(u, as_it_was)
        assert not np.shares_memory(u, solution.u)


@pytest.mark.parametrize("result", [None, False, np.False_])
def test_a_callback_that_does_not_say_so_does_not_stop(result):
    assert solver().solve(ONES, callback=lambda progress: result).reason == "converged"
    assert solver().solve(ONES, callback=lambda progress: progress.u.max() > 0).reason == "stopped"


@pytest.mark.parametrize("name", PROBLEMS)
def test_zero_data_give_zero_in_no_cycle(name):
    shape = PROBLEMS[name][0]
    solution = solver(*PROBLEMS[name]).solve(np.zeros(shape), 0.0)
    assert (solution.cycles, solution.converged, solution.work_units) == (0, True, 0)
    assert solution.u.shape == shape
    assert not solution.u.any()
    assert not solver(*PROBLEMS[name]).full_multigrid(np.zeros(shape)).any()


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_start_from_the_solution_ends_at_once(name):
    f = np.random.default_rng(1).standard_normal(PROBLEMS[name][0])
    u0 = direct(*PROBLEMS[name], f)
    solution = solver(*PROBLEMS[name]).solve(f, u0=u0)
    assert (solution.cycles, solution.converged) == (0, True)
    np.testing.assert_array_equal(solution.u, u0)
    assert not np.shares_memory(solution.u, u0)


@pytest.mark.parametrize("options", [{}, {"accel": "cg"}, {"cycle": "W"}, {"rtol": 1e-3, "atol": 1.0}])
@pytest.mark.parametrize("extent", [1e-6, 1.0, 1e6])
def test_zero_data_give_zero_whatever_the_first_guess(extent, options):
    solution = solver(extent=extent).solve(0 * ONES, u0=ONES, **options)
    assert (solution.cycles, solution.converged) == (0, True)
    assert not solution.u.any()


def test_tolerances_are_the_larger_of_relative_and_absolute():
    f = 100 * RANDOM
    rms = np.sqrt(np.mean(f**2))
    for rtol, atol in ((1e-3, 0), (0, 1e-2), (1e-7, 1e-2), (1e-3, 1e-9)):
        solution = solver((63, 63)).solve(f, rtol=rtol, atol=atol)
        assert solution.converged
        assert solution.tolerance == pytest.approx(max(rtol, atol / rms))
        assert solution.residual_norms[-1] <= solution.tolerance < solution.residual_norms[-2]
