"""Trained cycles as a solver in NumPy: the same cycle, on any size, in conjugate gradients, and what it refuses."""

import pickle
from math import prod

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import pde
from pde.learning import TrainableMultigrid
from pde.learning.array_levels import StencilTransfer, correlated
from pde.learning.stencils import apply
from tests.pde.learning.modules import TENSOR, module, problem, spacings, values
from tests.pde.learning.test_trainable import CYCLES, rounding
from tests.pde.refusals import refused
from tests.pde.rounding import EPS, of_a_cycle


@given(
    st.sampled_from([((63,), False), ((31, 15), True), ((23, 23), False), ((7, 7, 15), True)]),
    st.sampled_from(CYCLES),
    st.sampled_from([1, 3, 5]),
    st.sampled_from(["galerkin", "rediscretised"]),
    st.booleans(),
    st.integers(0, 9),
)
def test_the_cycle_is_that_of_the_module(grid, cycle, kernel, coarse, shared, seed):
    shape, full = grid
    options = {"kernel": kernel, "cycle": cycle, "coarse": coarse, "per_level": not shared, "sweeps": (2, 1)}
    where = problem(shape, full, reaction=2.0)
    made = module(where, seed, 0.05, transfer="free", restriction="trained", **options)
    f, u = values(2, *shape), values(2, *shape, seed=1)
    got = made.to_multigrid().cycle(f.numpy(), u.numpy(), cycle=cycle)
    assert np.abs(made(f, u).detach().numpy() - got).max() <= 2 * rounding(made, f, u)


@pytest.mark.parametrize("shape", [(40,), (20, 12), (13, 24), (8, 12, 10)])
def test_coarse_operators_of_any_size_are_products(shape):
    mg = module(problem(shape, len(shape) > 1, extent=spacings(shape)), size=0.05, transfer="free").to_multigrid()
    for fine, coarse in zip(mg.levels, mg.levels[1:], strict=False):
        (n, N), eyes = (l.info.grid.size for l in (fine, coarse)), []
        for size, grid in ((n, fine.info.grid), (N, coarse.info.grid)):
            eyes.append(np.eye(size).reshape(size, *grid.shape))
        A, R = (np.reshape(move(eyes[0]), (n, -1)).T for move in (fine.A, fine.R))
        P = fine.P(eyes[1], None).reshape(N, n).T
        assert np.abs(R - P.T / 2 ** len(shape)).max() == 0
        product = R @ A @ P
        assert (
            np.abs(coarse.info.operator.matrix().toarray() - product).max() <= 3 ** len(shape) * 9 * EPS * abs(A).max()
        )


def test_linear_functions_are_interpolated_beside_a_shortened_interval():
    """The second coarsening of 13 points meets nodes whose last interval is half as long as the others."""
    grid = pde.Poisson((26,)).grid.coarsen((True,))
    P = TrainableMultigrid(problem((7,)), omega=0.8).parts()[0].P.numpy()
    transfer = StencilTransfer(grid, P, P / 2)
    fine, coarse = (each.axes[0].points for each in (grid, transfer.coarse))
    line = transfer(1 - coarse)
    assert np.abs(line - (1 - fine))[1:].max() <= 2 * EPS


@given(st.sampled_from([1, 3, 5]), st.sampled_from([(9,), (5, 8), (3, 4, 6)]))
def test_stencils_act_on_arrays_as_on_tensors(kernel, shape):
    K, u = values(*[kernel] * len(shape)), values(2, *shape, seed=1)
    wrong = np.abs(correlated(K.numpy(), u.numpy()) - apply(K, u).numpy()).max()
    assert wrong <= EPS * K.numel() * float(K.abs().max() * u.abs().max())


@given(st.integers(2, 40), st.integers(2, 40), st.integers(0, 3))
def test_the_discrete_solution_is_the_fixed_point_on_any_size(n, m, seed):
    where = problem((n, m), True, extent=spacings((n, m)))
    mg = module(problem((31, 31), True), seed, 0.05, kernel=3, transfer="symmetric").to_multigrid(where)
    u = values(n, m).numpy()
    f = where.apply(u)
    assert np.abs(mg.cycle(f, u) - u).max() <= 9 * of_a_cycle(mg, f, u)


@pytest.fixture(scope="module")
def trained():
    made = TrainableMultigrid(problem((31, 31), True), transfer="symmetric", symmetric=True, omega=0.8)
    made.fit(shapes=[(15, 15), (31, 31)], steps=20, batch=2)
    return made


@pytest.mark.parametrize("shape", [(63, 63), (96, 50), (4, 4), (1, 9), (3, 100)])
def test_any_size_is_solved(trained, shape):
    mg = trained.to_multigrid(problem(shape, True, extent=spacings(shape)))
    assert mg.measure_factor() < 0.6
    f = values(*shape).numpy()
    for accel in (None, "cg"):
        solution = mg.solve(f, accel=accel)
        assert solution.converged
        r = f - mg.problem.apply(solution.u)
        assert np.linalg.norm(r) <= 1.01e-8 * np.linalg.norm(f)


@pytest.fixture(scope="module")
def poisson():
    made = TrainableMultigrid(problem((31, 31)), omega=0.8)
    made.fit(shapes=[(15, 15), (31, 31)], steps=20, batch=2, coarse_factor=0.25)
    return made


@pytest.mark.parametrize("n", [31, 32, 63, 80])
def test_full_multigrid_reaches_the_discretisation_error_with_boundary_data(n, poisson):
    def exact(x, y):
        return np.exp(x) * np.cos(2 * y)

    where = problem((n, n))
    f = 3 * where_values(where, exact)
    u = poisson.to_multigrid(where).full_multigrid(f, g=exact)
    solution = pde.Multigrid(where).solve(f, g=exact, rtol=1e-11).u
    discretisation = np.abs(solution - where_values(where, exact)).max()
    assert np.abs(u - solution).max() < 0.5 * discretisation


def test_full_multigrid_needs_coarse_cycles():
    mg = TrainableMultigrid(problem((31, 31)), omega=0.8)
    with torch.no_grad():
        mg.before[1] *= 3.0  # of the second level
        mg.after[1] *= 3.0
    mg = mg.to_multigrid()
    assert not mg.nests
    refused(ValueError, ("full_multigrid", "coarse_factor"), mg.full_multigrid, 1.0)
    solution, cycles = mg.solve(1.0, max_cycles=3), mg.solve(1.0, cycle="V", max_cycles=3)
    assert np.array_equal(solution.u, cycles.u)
    assert solution.work_units == cycles.work_units


def where_values(where, function):
    return np.broadcast_to(function(*where.points()), where.shape)


def test_definiteness_is_the_smallest_eigenvalue(trained):
    for shape in ((11, 11), (12, 12)):
        mg = trained.to_multigrid(problem(shape, True))
        B = mg.as_preconditioner() @ np.eye(prod(shape))
        assert np.abs(B - B.T).max() <= 18 * of_a_cycle(mg, np.eye(shape[0]) / mg.problem.control_volumes().min())
        least = np.linalg.eigvals(B @ mg.problem.matrix(symmetric=True).toarray()).real.min()
        assert least <= mg._least("V") + 1e-9 < 1
        assert mg._least("V") < least + 0.02  # Lanczos sees it from above


def test_cycles_that_are_not_definite_are_refused():
    mg = TrainableMultigrid(problem((15, 15)), symmetric=True, omega=2.5).to_multigrid()
    named = ("cycle", "(15, 15)", "not positive definite", "eigenvalue -")
    refused(ValueError, named, mg.as_preconditioner)
    refused(ValueError, named, mg.solve, 1.0, accel="cg")
    assert mg.acceleration("auto") is None


def test_cycles_that_were_not_trained_symmetric_are_no_preconditioners(trained):
    mg = module(problem((15, 15)), size=0.01).to_multigrid()
    named = ("cycle", "trained with symmetric=False")
    refused(ValueError, named, mg.as_preconditioner)
    refused(ValueError, named, mg.solve, 1.0, accel="cg")
    refused(ValueError, ("cycle", "'F'"), trained.to_multigrid().solve, 1.0, accel="cg", cycle="F")


def test_later_training_changes_nothing(trained):
    mg, f = trained.to_multigrid(), values(31, 31).numpy()
    before, state = mg.cycle(f), {k: v.clone() for k, v in trained.state_dict().items()}
    with torch.no_grad():
        trained.before.mul_(0.5)
    assert np.array_equal(mg.cycle(f), before)
    trained.load_state_dict(state)


def test_solvers_are_copied_printed_and_traced(trained):
    mg = trained.to_multigrid()
    assert "trained 3x3 (1,1)" in str(mg)
    assert "trained" in repr(mg)
    f = values(31, 31).numpy()
    assert np.array_equal(pickle.loads(pickle.dumps(mg)).cycle(f), mg.cycle(f))
    assert mg.work_units("V") > pde.Multigrid(mg.problem, nu=(1, 1), levels=3).work_units("V")


@pytest.mark.parametrize("dtype", ["float32", "mixed"])
def test_other_precisions(trained, dtype):
    mg = trained.to_multigrid(problem((40, 40), True), dtype=dtype)
    solution = mg.solve(1.0, rtol=1e-4 if dtype == "float32" else 1e-9)
    assert solution.converged
    assert solution.u.dtype == ("float32" if dtype == "float32" else "float64")
    trained.float()
    trained.to_multigrid()
    trained.double()


def test_bad_input(trained):
    other = problem((15, 15), reaction=1.0)
    refused(ValueError, ("problem", "trained for", "no other equation"), trained.to_multigrid, other)
    refused(ValueError, ("problem", "no other equation"), trained.to_multigrid, problem((15, 15, 15)))
    refused(ValueError, ("problem", "other sides"), trained.to_multigrid, pde.Poisson((7, 7), boundary="neumann"))
    refused(ValueError, ("update", "one equation"), trained.to_multigrid().update, coefficient=2.0)
    refused(ValueError, ("dtype",), trained.to_multigrid, None, "float16")
    twice = pde.Poisson((15, 15), coefficient=2 * TENSOR)  # the same cycles
    assert trained.to_multigrid(twice).solve(1.0).converged
    wide = module(problem((15, 15)), coarse="rediscretised")
    refused(ValueError, ("problem", "rediscretised", "(20, 20)"), wide.to_multigrid, problem((20, 20)))
    with torch.no_grad():
        wide.before[0, 0, 1, 1] = float("inf")
    refused(ValueError, ("before", "finite"), wide.to_multigrid)
    broken = module(problem((15, 15)))
    broken.P.bilinear *= 0.9
    refused(ValueError, ("P must keep constants",), broken.to_multigrid)


def test_other_ratios_of_spacings_are_told(trained):
    with pytest.warns(UserWarning, match=r"problem: the ratio of its spacings is \[1\.0, 2\.0\]"):
        trained.to_multigrid(problem((31, 15), True))
