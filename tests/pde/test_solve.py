"""What a solve means: how it ends, what it reports, what it leaves alone."""

import copy
import gc
import pickle
import re
import tracemalloc
import warnings
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mgcore
from pde import Multigrid, Poisson, SolveError
from pde.memory import Counter
from tests.pde.reference import CYCLES, EPS, PROBLEMS, SEEDS, SMOOTHERS, boxes, by_sines, close, direct, residual_norm

ONES = np.ones((15, 20))
RANDOM = np.random.default_rng(0).standard_normal((63, 63))


def solver(shape=(15, 20), extent=1.0, **options):
    return Multigrid(Poisson(shape, extent), **options)


# ---- how it ends -----------------------------------------------------------------------------------------------------


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
        "non-finite": lambda: solver().solve(1e308 * ONES),
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


def test_zero_data_with_a_first_guess_measure_absolutely():
    solution = solver().solve(0 * ONES, u0=ONES, rtol=1e-6)
    assert solution.converged
    assert solution.residual_norms[0] > 1
    assert np.abs(solution.u).max() <= 1e-6


def test_tolerances_are_the_larger_of_relative_and_absolute():
    f = 100 * RANDOM
    rms = np.sqrt(np.mean(f**2))
    for rtol, atol in ((1e-3, 0), (0, 1e-2), (1e-7, 1e-2), (1e-3, 1e-9)):
        solution = solver((63, 63)).solve(f, rtol=rtol, atol=atol)
        assert solution.converged
        assert solution.tolerance == pytest.approx(max(rtol, atol / rms))
        assert solution.residual_norms[-1] <= solution.tolerance < solution.residual_norms[-2]


# ---- what it reports -------------------------------------------------------------------------------------------------


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
    solution = solver((31,)).solve(np.zeros(31), {(0, 0): 1.0})
    assert solution.residual_norms[0] == 1
    np.testing.assert_allclose(solution.u, 1 - np.arange(1, 32) / 32, atol=1e-6)


def test_work_units_by_hand():
    """15 and 7 unknowns, 45 and 21 coefficients, a V(1,1) costs 1 + 1 + 2 evaluations on each of them."""
    mg = solver((15,))
    r = 21 / 45
    assert mg.work_units("V") == pytest.approx(4 * (1 + r))
    assert mg.work_units("W", 3) == pytest.approx(12 * (1 + 2 * r))
    assert mg.work_units("F") == pytest.approx(4 * (1 + 2 * r))
    assert mg.work_units("backslash") == pytest.approx(3 * (1 + r))
    assert mg.work_units("fmg", 3) == pytest.approx(4 * (1 + r) + 4 * r + 2 * 4 * (1 + r))
    three = solver((31,))
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
    2  10x9         90  0.0952 0.1    1.05  x y     stencil   NumPy    sor omega=1.15 (2,1)
    3  5x4          20  0.19 0.2      1.05  x y     stencil   NumPy    sor omega=1.15 (2,1)
    4  2x2           4  0.381 0.4     1.05          stencil   SuperLU  direct
grid complexity 1.63, operator complexity 1.63
rediscretised coarse operators, bilinear transfers, float64, no compiled kernels: fewer than 32,768 unknowns"""


def without_memory(mg):
    return re.sub(r"(, )?(  +)?(memory|[\d.]+ k?B)(?= |$).*$", "", str(mg), flags=re.MULTILINE)


def test_print_shows_the_hierarchy():
    mg = solver((20, 9), nu=(2, 1))
    assert without_memory(mg) == GOLDEN
    assert repr(mg) == f"Multigrid({mg.problem!r}, smoother='sor', nu=(2, 1), 4 levels)"
    assert "Galerkin  SciPy" in str(solver((20, 9), coarse="galerkin"))
    assert "NumPy, SuperLU" in str(solver((20, 9), smoother="zebra 0"))


def test_memory_is_that_of_the_arrays():
    """Beside what the allocator says: arrays are nearly all that a hierarchy holds."""
    counter, array = Counter(), np.zeros((10, 10))
    assert counter.add(array[1:], partial(np.add, array.T), {"a": [np.ones(3)]}) == 824
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
    assert 0.85 <= counted.add(mg.levels, mg._interpolations, mg._volumes) / allocated <= 1.05


def test_progress_is_shown_on_stderr(capsys):
    solver().solve(ONES, progress=True)
    captured = capsys.readouterr()
    assert "solve" in captured.err
    assert captured.out == ""


# ---- what it leaves alone --------------------------------------------------------------------------------------------


def frozen(array):
    array = np.array(array)
    array.flags.writeable = False
    return array


def test_read_only_arrays_work_and_nothing_of_the_user_is_written():
    """A write into a frozen array raises; shared memory would let the user change a result later."""
    mg = solver()
    f, u0 = frozen(RANDOM[:15, :20]), frozen(RANDOM[20:35, :20])
    g = {(0, 1): frozen(np.arange(20.0)), (1, 0): frozen(np.arange(15.0))}
    for cycle in ("fmg", *CYCLES):
        for start in (None, u0):
            for max_cycles in (0, 1, 50):
                u = mg.solve(f, g, u0=start, cycle=cycle, max_cycles=max_cycles).u
                assert u.flags.writeable
                assert not any(np.shares_memory(u, v) for v in (f, u0, *g.values()))
    for start in (None, u0):
        for cycle in CYCLES:
            assert not any(np.shares_memory(mg.cycle(f, start, cycle), v) for v in (f, u0))
    full = mg.full_multigrid(f, g)
    assert not any(np.shares_memory(full, v) for v in (f, *g.values()))
    one_level = solver((2, 3)).solve(frozen(np.ones((2, 3))), u0=frozen(np.ones((2, 3))))
    assert one_level.converged
    embedded = mg.problem.embed(f, g)
    assert not np.shares_memory(embedded, f)


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "a transposed view": lambda f: np.ascontiguousarray(f.T).T,
    "every second entry": lambda f: np.repeat(np.repeat(f, 2, 0), 2, 1)[::2, ::2],
    "reversed": lambda f: np.ascontiguousarray(f[::-1, ::-1])[::-1, ::-1],
    "big endian": lambda f: f.astype(">f8"),
    "a list": lambda f: f.tolist(),
    "a matrix": lambda f: np.asmatrix(f),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout(layout):
    f = RANDOM[:15, :20]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        other = LAYOUTS[layout](f)
    expected, solution = solver().solve(f), solver().solve(other, u0=LAYOUTS["Fortran order"](0 * f), cycle="V")
    assert type(solution.u) is np.ndarray
    close(solution.u, expected.u, f.shape, (1.0, 1.0), residual_norm(expected, f) + residual_norm(solution, f))
    np.testing.assert_allclose(solver().solve(other).u, expected.u, rtol=0, atol=64 * EPS * np.abs(expected.u).max())


@pytest.mark.parametrize("dtype", [int, np.uint8, bool, np.float16, np.float32, np.longdouble])
def test_other_real_dtypes_are_converted(dtype):
    f = (np.arange(300).reshape(15, 20) % 5).astype(dtype)
    solution = solver().solve(f)
    assert solution.u.dtype == float
    np.testing.assert_array_equal(solution.u, solver().solve(f.astype(float)).u)


def test_a_callable_is_evaluated_at_the_points():
    problem = Poisson((9, 14), (1, 2))
    x, y = problem.points()
    expected = Multigrid(problem).solve(np.sin(x) * y).u
    np.testing.assert_array_equal(Multigrid(problem).solve(lambda x, y: np.sin(x) * y).u, expected)
    constant = Multigrid(problem).solve(lambda x, y: 3)
    np.testing.assert_array_equal(constant.u, Multigrid(problem).solve(np.full((9, 14), 3.0)).u)


def test_a_callable_cannot_change_the_grid():
    def careless(x):
        x *= 2
        return x

    mg = solver((15,))
    points = mg.problem.points()[0].copy()
    with pytest.raises(ValueError, match="read-only"):
        mg.solve(careless)
    np.testing.assert_array_equal(mg.problem.points()[0], points)


def test_out_holds_the_result():
    mg, f = solver(), RANDOM[:15, :20]
    out = np.full((30, 20), np.nan)[::2]
    solution = mg.solve(f, out=out)
    assert solution.u is out
    np.testing.assert_array_equal(out, mg.solve(f).u)
    assert mg.full_multigrid(f, out=out) is out
    np.testing.assert_array_equal(out, mg.full_multigrid(f))
    start = mg.solve(f).u
    in_place = mg.solve(f, u0=start, out=start, rtol=1e-12)
    assert in_place.u is start
    assert in_place.converged
    exact = mg.solve(f, u0=start, out=out)  # no cycle: the guess is copied
    assert exact.cycles == 0
    np.testing.assert_array_equal(out, start)


# ---- what does not depend on what ------------------------------------------------------------------------------------


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
    np.testing.assert_allclose(solution.u / scale, expected.u, rtol=0, atol=1e-12 * np.abs(expected.u).max())
    np.testing.assert_allclose(solution.residual_norms, expected.residual_norms, rtol=1e-4)


@pytest.mark.parametrize("length", [1e-150, 1e-90, 1e-6, 1e6, 1e90, 1e149])
@pytest.mark.parametrize("coarse", ["rediscretised", "galerkin"])
def test_scaling_the_box_scales_the_solution_by_its_square(length, coarse):
    f = RANDOM[:40, 0]
    expected = solver(40, coarse=coarse).solve(f, rtol=1e-9)
    solution = solver(40, length, coarse=coarse).solve(f / length**1.5, rtol=1e-9)
    assert solution.cycles == expected.cycles
    np.testing.assert_allclose(solution.u / length**0.5, expected.u, rtol=0, atol=1e-11 * np.abs(expected.u).max())


@pytest.mark.parametrize("shape", [(31,), (9, 14), (5, 6, 7)])
def test_boundary_data_may_differ_between_the_members_of_a_batch(shape):
    rng, extent = np.random.default_rng(4), (1.0,) * len(shape)
    f = rng.standard_normal((3, *shape))
    sides = {(a, s): (3, *shape[:a], *shape[a + 1 :]) for a in range(len(shape)) for s in (0, 1)}
    g = {key: rng.standard_normal(size) for key, size in sides.items()}
    mg = solver(shape)
    together, common = mg.solve(f, g, rtol=1e-12), mg.solve(f, {key: v[0] for key, v in g.items()}, rtol=1e-12)
    for i in range(3):
        alone = mg.solve(f[i], {key: v[i] for key, v in g.items()}, rtol=1e-12)
        np.testing.assert_allclose(together.u[i], alone.u, rtol=0, atol=1e-10)
    np.testing.assert_allclose(common.u[0], together.u[0], rtol=0, atol=1e-10)
    whole = mg.problem.embed(together.u, g)
    inside = (slice(None), 0, *(slice(1, -1),) * (len(shape) - 1))
    np.testing.assert_array_equal(whole[inside], g[0, 0])
    assert extent == mg.problem.extent


def test_a_batch_with_members_of_every_size():
    f = np.stack([RANDOM, 0 * RANDOM, 1e-200 * RANDOM, 1e200 * RANDOM])
    solution = solver((63, 63)).solve(f, rtol=1e-10)
    expected = solver((63, 63)).solve(RANDOM, rtol=1e-10)
    assert solution.cycles == expected.cycles
    assert not solution.u[1].any()
    for member, scale in ((0, 1), (2, 1e-200), (3, 1e200)):
        np.testing.assert_allclose(solution.u[member] / scale, expected.u, rtol=0, atol=1e-14)


@pytest.mark.parametrize("options", [{}, {"coarse": "galerkin"}, {"transfer": "linear"}, {"smoother": "jacobi"}])
def test_pickles_and_copies_solve_alike(options):
    mg = solver((20, 20), **options)
    f = RANDOM[:20, :20]
    for other in (pickle.loads(pickle.dumps(mg)), copy.deepcopy(mg)):
        np.testing.assert_array_equal(other.solve(f, 1.0).u, mg.solve(f, 1.0).u)
        assert without_memory(other) == without_memory(mg)  # a copy shares fewer buffers


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("coarse", ["rediscretised", "galerkin"])
def test_float32_stays_float32(name, coarse):
    shape = PROBLEMS[name][0]
    f = np.random.default_rng(5).standard_normal(shape)
    mg = solver(*PROBLEMS[name], dtype=np.float32, omega=np.float64(0.9), coarse=coarse)
    solution = mg.solve(f, 0.5, rtol=1e-3, max_cycles=200)
    assert solution.converged or solution.reason == "rounding"
    assert solution.u.dtype == np.float32
    assert all(mg.cycle(f, cycle=cycle).dtype == np.float32 for cycle in CYCLES)
    for level in mg.levels:
        v = np.ones(level.info.grid.shape, np.float32)
        assert level.A(v).dtype == np.float32
        assert all(B(v).dtype == np.float32 for B in (*level.B, *level.B_post))


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
    np.testing.assert_array_equal(mg.solve(f, 1.0, max_cycles=1, rtol=0).u, mg.full_multigrid(f, 1.0))


def test_cycles_are_those_of_mgcore():
    mg = solver((31, 40))
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
