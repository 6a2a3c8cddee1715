"""Direct solvers of the coarsest grid: the one along the axes against sparse factors, and where each is taken."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import pde
from pde.backends.numba.direct import direct, solve_directly
from pde.backends.numba.jit import called
from pde.backends.numba.pointers import address_of
from pde.levels.direct import THINNEST, DirectSolver, SeparableSolver, direct_solver
from pde.levels.hierarchy import CHEAP
from tests.pde.problems import ENDS

EPS = float(np.finfo(float).eps)


@st.composite
def separable(draw):
    """Problems with constant coefficients on boxes of any boundary, even or stretched."""
    shape = draw(st.lists(st.integers(1, 12), min_size=1, max_size=3))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    cell, boundary, coordinates = draw(st.booleans()), [], []
    for n in shape:
        around = draw(st.integers(0, 3)) == 0
        sides = "periodic" if around else (draw(st.sampled_from(ENDS)), draw(st.sampled_from(ENDS)))
        boundary.append(sides)
        coordinates.append(None)
        if cell and draw(st.booleans()):
            coordinates[-1] = np.append(0, np.cumsum(rng.uniform(0.5, 1.0, n)))
    return pde.Poisson(
        shape,
        boundary=boundary,
        coordinates=coordinates,
        centering="cell" if cell else "vertex",
        coefficient=[draw(st.sampled_from([0.5, 1.0, 100.0])) for _ in shape],
        reaction=draw(st.sampled_from([0.0, 3.0])),
    )


def condition(A):
    values = np.sort(np.abs(np.linalg.eigvals(A.matrix().toarray())))
    return next((values[-1] / v for v in values if v > 1e-9 * values[-1]), 1.0)


@settings(max_examples=60, deadline=None)
@given(problem=separable(), seed=st.integers(0, 2**31))
def test_solutions_along_the_axes_are_those_of_sparse_factors(problem, seed):
    A = pde.Multigrid(problem, levels=1).levels[0].A
    r = np.random.default_rng(seed).standard_normal((2, *problem.shape))
    mine, factors = direct_solver(A, problem.singular), DirectSolver(A, problem.singular)
    assert isinstance(mine, SeparableSolver)
    expected = factors(r)
    scale = 16 * EPS * condition(A) * r[0].size ** 0.5
    assert np.max(np.abs(mine(r) - expected)) <= scale * np.max(np.abs(expected))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(mine))(r), mine(r))
    on_tensors = mine.to("cpu", np.dtype(float))(torch.from_numpy(r)).numpy()
    assert np.max(np.abs(on_tensors - mine(r))) <= scale * np.max(np.abs(expected))
    assert mine(r.astype(np.float32)).dtype == np.float32


@settings(max_examples=30, deadline=None)
@given(problem=separable(), seed=st.integers(0, 2**31), dtype=st.sampled_from(["float64", "float32"]))
def test_compiled_solutions_are_those_of_plain_ones(problem, seed, dtype):
    level = pde.Multigrid(problem, levels=1).levels[0]
    grid = level.info.grid
    natural = np.arange(grid.size).reshape(-1, grid.shape[-1])
    order = np.concatenate((natural[:, ::2], natural[:, 1::2]), axis=1).ravel()
    given = direct(level, order, np.dtype(dtype))
    assert given.exists
    f = np.random.default_rng(seed).standard_normal(grid.size).astype(dtype)
    stored = f[order]
    u, w = np.full(grid.size + 1, 7, dtype), np.full(given.work_size, np.nan, dtype)
    call(tuple(given), stored, u, w)
    expected = level.B[0](f.reshape(grid.shape)).ravel()
    tolerance = 16 * float(np.finfo(dtype).eps) * condition(level.A) * grid.size**0.5
    assert np.max(np.abs(u[:-1] - expected[order])) <= tolerance * np.max(np.abs(expected))
    assert u[-1] == 7


@called
def call(given, f, u, w):
    solve_directly(given, address_of(f), address_of(u), address_of(w))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("beta", [1e-300, 1e-16, 1e-12])
@pytest.mark.parametrize("extent", [1.0, 1e-6])
@pytest.mark.parametrize("shape", [(2,), (9,), (2, 1), (8, 8), (9, 10), (3, 4, 2)])
@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_a_side_that_holds_nearly_nothing_divides_nothing_by_zero(beta, extent, shape, centering):
    """beta/h is lost beside 1/h^2: the smallest eigenvalue is rounding, the solution is not determined."""
    problem = pde.Poisson(shape, extent, [("robin", beta), *["neumann"] * (len(shape) - 1)], centering)
    solver = SeparableSolver(problem._operator)
    assert np.isfinite(solver.parts[1]).all()
    assert (solver.parts[1] >= 0).all()
    f = np.cos(np.pi / extent * problem.points()[0])
    f -= np.average(f, weights=problem.control_volumes())
    assert np.isfinite(pde.Multigrid(problem).solve(f).u).all()


@pytest.mark.parametrize("growth", [1.05, 1.2, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("kernels", ["numpy", "numba"])
def test_steps_of_any_sizes_have_the_solution_of_sparse_factors(growth, kernels):
    """The least eigenvalue may be lost beside 1/h^2; the factors of an M-matrix lose nothing."""
    nodes = np.append(0, np.cumsum(growth ** np.arange(102.0)))
    problem = pde.Poisson(101, coordinates=[nodes / nodes[-1]])
    f = np.random.default_rng(0).standard_normal(101)
    expected = DirectSolver(problem._operator)(f)
    found = pde.Multigrid(problem, kernels=kernels).full_multigrid(f)
    # eigenvectors lose eps times the largest over the least eigenvalue, THINNEST^-2 at most
    np.testing.assert_allclose(found, expected, rtol=0, atol=EPS / THINNEST**2 * np.max(np.abs(expected)))


@pytest.mark.parametrize("shape", [(63, 63), (31, 31), (255, 40), (31, 31, 31), (1000,)])
def test_a_solver_ends_where_a_direct_solution_is_cheap(shape):
    mg = pde.Multigrid(pde.Poisson(shape))
    *finer, last = [level.info.grid for level in mg.levels]
    assert 2 * last.size * sum(last.shape) <= CHEAP
    assert finer
    assert all(2 * grid.size * sum(grid.shape) > CHEAP for grid in finer[1:])
    assert len(pde.Multigrid(pde.Poisson(shape), levels=64).levels) > len(mg.levels)
    field = 1 + np.random.default_rng(0).random(shape)
    assert pde.Multigrid(pde.Poisson(shape, coefficient=field)).levels[-1].info.grid.size <= 8


@pytest.mark.parametrize(
    ("extent", "dtype"), [(1e-12, "float32"), (1e12, "float32"), (1e-90, "float64"), (1e90, "float64")]
)
def test_no_number_on_the_way_leaves_the_range(extent, dtype):
    """Solutions of scaled boxes are scaled: the cycles take as many steps."""
    f = np.random.default_rng(0).standard_normal((20, 20, 20))
    counts = [
        pde.Multigrid(pde.Poisson(f.shape, extent=size), dtype=dtype, kernels=kernels).solve(f, rtol=1e-3).cycles
        for size in (1.0, extent)
        for kernels in ("numpy", "numba", "torch")
    ]
    assert len(set(counts)) == 1
    assert counts[0] < 5
