"""The user's arrays and callables: any layout and real dtype, left as they are; `out` and float32."""

import warnings

import numpy as np
import pytest
import torch

from pde import Multigrid, Poisson
from tests.pde.reference import CYCLES, EPS, PROBLEMS, close, residual_norm
from tests.pde.solvers import RANDOM, solver

pytestmark = pytest.mark.usefixtures("every_backend")


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


def test_coordinates_may_be_the_rows_of_an_array():
    nodes = np.linspace([0, 0], [1, 2], 9, axis=1) ** 2
    rows = [a.nodes for a in Poisson((7, 7), coordinates=nodes).grid.axes]
    np.testing.assert_array_equal(rows, nodes)


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


def spoiling(f, seen):
    """A callback that writes into f, and tries to write into u."""

    def callback(progress):
        f[...] = -1.0
        seen.append(progress.u)
        if isinstance(progress.u, np.ndarray):
            with pytest.raises(ValueError, match="read-only"):
                progress.u[...] = 0.0
        else:
            progress.u.zero_()

    return callback


@pytest.mark.parametrize("kernels", ["numpy", "numba", "torch"])
@pytest.mark.parametrize("options", [{}, {"accel": "cg"}, {"cycle": "W", "g": 1.0}, {"dtype": "mixed"}])
@pytest.mark.parametrize("kind", ["array", "tensor", "batch"])
def test_a_callback_changes_neither_f_nor_u(kernels, options, kind):
    dtype = options.get("dtype", "float64")
    options = {name: value for name, value in options.items() if name != "dtype"}
    mg = Multigrid(Poisson((15, 16)), kernels=kernels, dtype=dtype)
    given = np.random.default_rng(0).standard_normal((2, 15, 16) if kind == "batch" else (15, 16))
    expected = mg.solve(given.copy(), callback=lambda progress: None, **options)
    f = torch.from_numpy(given.copy()) if kind == "tensor" else given.copy()
    seen = []
    solution = mg.solve(f, callback=spoiling(f, seen), **options)
    assert solution.residual_norms == expected.residual_norms
    assert np.array_equal(solution.u, expected.u)
    assert len(seen) == solution.cycles
    f = given.copy()
    solution = mg.solve(f, cycle="V", verbose=lambda event: f.fill(-1.0))
    assert np.array_equal(solution.u, mg.solve(given, cycle="V", verbose=lambda event: None).u)
    f = given.copy()
    u = mg.full_multigrid(f, verbose=lambda event: f.fill(-1.0))
    assert np.array_equal(u, mg.full_multigrid(given, verbose=lambda event: None))
