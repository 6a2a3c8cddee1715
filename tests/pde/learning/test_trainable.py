"""Trainable cycles: what they are at first, their fixed point, their gradients, and what they refuse."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck

import pde
from mgcore import stencils
from pde.learning import TrainableMultigrid
from pde.learning.levels import check_constants, make_levels, wider
from pde.learning.stencils import adjoint, apply, galerkin, prolong, restrict
from pde.levels.hierarchy import COARSEST_SIZE
from tests.pde.learning.modules import module, problem, spacings, values
from tests.pde.refusals import ids, refused
from tests.pde.rounding import EPS, of_a_cycle

CYCLES = ["V", "W", "F", "backslash"]


def rounding(made, f, *us):
    """The most that rounding changes u in a cycle; a sweep adds up the points of its kernel."""
    made = made.to_multigrid(made.family.problem)
    points = max(K.numel() for part in made._parts for sweeps in part[:2] for K in sweeps)
    return (1 + points**0.5) * len(CYCLES) * of_a_cycle(made, f.numpy(), *(u.numpy() for u in us))


@pytest.mark.parametrize("cycle", CYCLES)
@pytest.mark.parametrize(
    ("shape", "full", "coarse", "nu"),
    [
        ((63,), False, "galerkin", (1, 1)),
        ((31, 15), False, "galerkin", (2, 1)),
        ((23, 23), False, "rediscretised", (0, 2)),
        ((31, 31), True, "galerkin", (1, 1)),
        ((7, 7, 7), False, "galerkin", (1, 1)),
    ],
)
def test_at_first_cycles_are_those_of_jacobi(cycle, shape, full, coarse, nu):
    where = problem(shape, full, extent=spacings(shape), reaction=3.0)
    made = TrainableMultigrid(where, omega=0.6, sweeps=nu, cycle=cycle, coarse=coarse)
    options = {"smoother": "jacobi", "omega": 0.6, "nu": nu, "coarse": coarse, "transfer": "bilinear"}
    mg = pde.Multigrid(where, **options, levels=len(made.levels(shape)), kernels="numpy")
    assert mg.levels[-1].info.grid.size <= COARSEST_SIZE
    f, u = values(2, *shape), values(2, *shape, seed=1)
    expected = mg.cycle(f.numpy(), u.numpy(), cycle=cycle)
    assert np.abs(made(f, u).detach().numpy() - expected).max() <= rounding(made, f, u)


@given(
    st.sampled_from([((15, 15), True), ((31, 15), False), ((31,), False), ((7, 7, 7), True)]),
    st.sampled_from(CYCLES),
    st.sampled_from([1, 3, 5]),
    st.sampled_from(["galerkin", "rediscretised"]),
    st.sampled_from(["transpose", "trained"]),
    st.integers(0, 9),
)
def test_the_discrete_solution_is_the_fixed_point_whatever_the_parameters(
    grid, cycle, kernel, coarse, restriction, seed
):
    shape, full = grid
    options = {"kernel": kernel, "coarse": coarse, "restriction": restriction, "cycle": cycle, "transfer": "free"}
    made = module(problem(shape, full, reaction=1.0), seed, 0.2, **options)
    u = values(*shape, seed=seed)
    f = torch.from_numpy(made.family.problem.apply(u.numpy()))
    assert float((made(f, u).detach() - u).abs().max()) <= rounding(made, f, u)


def test_cycles_converge_to_the_solution_of_the_matrix():
    where = problem((15, 15), True)
    made, f = module(where, size=0.02), values(15, 15)
    u = None
    for _ in range(60):
        u = made(f, u).detach()
    matrix = where.matrix().toarray()
    expected = np.linalg.solve(matrix, f.numpy().ravel())
    wrong = np.linalg.norm(u.numpy().ravel() - expected) / np.linalg.norm(expected)
    assert wrong <= 4 * EPS * np.linalg.cond(matrix)
    assert made.measure_factor((15, 15)) ** 60 < EPS


@pytest.mark.parametrize("cycle", CYCLES)
@pytest.mark.parametrize(
    "options",
    [
        {"transfer": "symmetric", "kernel": 3},
        {"transfer": "free", "restriction": "trained", "kernel": 1},
        {"coarse": "rediscretised", "kernel": 5, "sweeps": (0, 2), "per_level": False},
    ],
    ids=["symmetric P", "free P and R", "rediscretised"],
)
def test_gradients_of_a_cycle_are_those_of_difference_quotients(cycle, options):
    made = module(problem((7, 7), True), cycle=cycle, **options)
    names = [name for name, _ in made.named_parameters()]

    def run(f, u, *parameters):
        return torch.func.functional_call(made, dict(zip(names, parameters, strict=True)), (f, u))

    inputs = [values(7, 7), values(7, 7, seed=1), *made.parameters()]
    assert gradcheck(run, [x.detach().clone().requires_grad_() for x in inputs], fast_mode=True)


@pytest.mark.parametrize("cycle", ["V", "W"])
@pytest.mark.parametrize("coarse", ["galerkin", "rediscretised"])
def test_symmetric_cycles_are_self_adjoint(cycle, coarse):
    options = {"symmetric": True, "cycle": cycle, "coarse": coarse, "transfer": "free", "sweeps": (2, 2)}
    made = module(problem((7, 7), True), **options)
    f = torch.eye(49, dtype=torch.float64).reshape(49, 7, 7)
    B = made(f).detach().reshape(49, 49)
    assert float((B - B.T).abs().max()) <= 2 * rounding(made, f[:1], B)


def test_products_are_those_of_kernels_and_of_sparse_matrices():
    A, P = (torch.tensor(K, dtype=torch.float64) for K in (stencils.POISSON, stencils.BILINEAR))
    assert torch.equal(galerkin(A, P, P), torch.tensor(stencils.galerkin(stencils.POISSON, stencils.BILINEAR)))
    made = TrainableMultigrid(problem((15, 15), True), omega=0.8)
    sparse = pde.Multigrid(made.family.problem, coarse="galerkin", transfer="bilinear", levels=3).levels[1].A
    ours = made.levels((15, 15))[1].info.flatten().tolist()
    for K, offset in zip(ours, sparse.coefficients, strict=True):
        assert np.abs(offset[1:-1, 1:-1] - K).max() <= 27 * EPS * max(np.abs(ours))
    P, R = module(problem((7, 7)), transfer="free", restriction="trained").parts()[0][2:]
    product = galerkin(adjoint(A), 4 * R, P / 4)  # (R A P)^T = P^T A^T R^T
    assert torch.allclose(product, adjoint(galerkin(A, P, R)), rtol=0, atol=27 * EPS * float(A.abs().max()))


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_products_of_any_stencils(ndim):
    """No stencil is the same turned about its middle."""
    A, P, R = (values(*(3,) * ndim) - k for k in range(3))
    e = values(*(7,) * ndim)
    product = restrict(R, apply(A, prolong(P, e)))
    sizes = [float(K.abs().sum()) for K in (R, A, P, e)]
    assert torch.allclose(apply(galerkin(A, P, R), e), product, rtol=0, atol=4 * 9**ndim * EPS * np.prod(sizes))


def test_twice_the_spacing_keeps_the_reaction():
    family = TrainableMultigrid(problem((7, 15), True, reaction=50.0), omega=0.8).family
    fine, coarse = (torch.from_numpy(family.stencil(shape)) for shape in ((7, 15), (3, 7)))
    assert torch.allclose(wider(fine), coarse, rtol=0, atol=9 * EPS * float(fine.abs().max()))


def test_omega_is_searched_for():
    searched = TrainableMultigrid(problem((31, 31)))
    factors = {w: TrainableMultigrid(problem((31, 31)), omega=w).measure_factor((31, 31), 9) for w in (0.5, 0.9, 1.0)}
    assert searched.measure_factor((31, 31), 9) < min(factors.values())
    assert 0.7 < searched.omega < 0.9


def test_cycles_follow_the_dtype_of_the_parameters():
    made = module(problem((15, 15))).float()
    made(values(15, 15).float()).sum().backward()
    assert made.before.grad.dtype == torch.float32
    refused(TypeError, ("f must be torch.float32", "float64"), made, values(15, 15))

    refused(TypeError, ("parameters must be float64 or float32", "float16"), made.half(), values(15, 15).half())


def test_a_module_is_printed():
    told = repr(TrainableMultigrid(problem((15, 15)), omega=0.8, symmetric=True, sweeps=(2, 2), cycle="W"))
    for part in ("shape=(15, 15)", "kernel=3", "sweeps=(2, 2)", "levels=3", "cycle='W'", "symmetric=True"):
        assert part in told


@pytest.mark.parametrize("full", [False, True])
def test_indefinite_operators_are_refused(full):
    """By the Rayleigh quotient of sines, which is the least eigenvalue where no mixed derivative is."""
    matrix = problem((7, 7), full).matrix().toarray()
    least, rounded = np.linalg.eigvalsh(matrix)[0], 49 * EPS * np.abs(matrix).sum(1).max()
    sines = np.outer(*2 * [np.sin(np.pi * np.arange(1, 8) / 8)])
    quotient = float(np.vdot(sines, problem((7, 7), full).apply(sines)) / np.vdot(sines, sines))
    assert least <= quotient + rounded
    assert full or quotient <= least + rounded
    made = TrainableMultigrid(problem((7, 7), full, reaction=-0.999 * quotient), omega=0.8)
    made.levels((7, 7))
    wrong = problem((7, 7), full, reaction=-1.001 * quotient)
    named = ("problem", "positive definite", "reaction=-", "(7, 7)")
    refused(ValueError, named, TrainableMultigrid(wrong, omega=0.8).levels, (7, 7))
    refused(ValueError, named[:2], TrainableMultigrid, problem((7, 7), reaction=-99.0))


def test_parameters_are_kept_in_a_state():
    one, two = (module(problem((15, 15)), seed, transfer="symmetric") for seed in (0, 1))
    two.load_state_dict(one.state_dict())
    assert torch.equal(one(values(15, 15)), two(values(15, 15)))


SQUARE = pde.Poisson((15, 15))
BAD = [
    (TypeError, ("problem must be a pde.Poisson", "int"), (3,), {}),
    (ValueError, ("problem", "other sides"), (pde.Poisson((7, 7), boundary="neumann"),), {}),
    (ValueError, ("problem", "other sides"), (pde.Poisson((8, 8), boundary="periodic"),), {}),
    (ValueError, ("problem", "cells"), (pde.Poisson((8, 8), centering="cell"),), {}),
    (ValueError, ("problem", "stretched"), (pde.Poisson((3,), coordinates=[np.array([0, 0.1, 0.3, 0.5, 1])]),), {}),
    (ValueError, ("problem", "stretched"), (pde.Poisson((2, 2), coordinates=[np.array([0, 1, 2, 3.5])] * 2),), {}),
    (ValueError, ("problem", "varies"), (pde.Poisson((7, 7), coefficient=lambda x, y: 1 + x),), {}),
    (ValueError, ("kernel must be odd", "4"), (SQUARE,), {"kernel": 4}),
    (TypeError, ("symmetric must be True or False", "no"), (SQUARE,), {"symmetric": "no"}),
    (ValueError, ("kernel", "-1"), (SQUARE,), {"kernel": -1}),
    (ValueError, ("sweeps must be two numbers", "(0, 0)"), (SQUARE,), {"sweeps": (0, 0)}),
    (ValueError, ("sweeps must be two numbers", "3"), (SQUARE,), {"sweeps": 3}),
    (ValueError, ("cycle must be one of", "'X'"), (SQUARE,), {"cycle": "X"}),
    (ValueError, ("coarse must be one of", "'black box'"), (SQUARE,), {"coarse": "black box"}),
    (ValueError, ("transfer must be one of", "'linear'"), (SQUARE,), {"transfer": "linear"}),
    (ValueError, ("restriction must be one of",), (SQUARE,), {"restriction": "injection"}),
    (ValueError, ("transfer='symmetric'", "two dimensions"), (pde.Poisson((15,)),), {"transfer": "symmetric"}),
    (ValueError, ("levels", "0"), (SQUARE,), {"levels": 0}),
    (ValueError, ("symmetric=True needs sweeps (n, n)", "(2, 1)"), (SQUARE,), {"symmetric": True, "sweeps": (2, 1)}),
    (ValueError, ("symmetric=True needs cycle", "'F'"), (SQUARE,), {"symmetric": True, "cycle": "F"}),
    (ValueError, ("symmetric=True needs restriction",), (SQUARE,), {"symmetric": True, "restriction": "trained"}),
    (TypeError, ("omega",), (SQUARE,), {"omega": "best"}),
    (ValueError, ("omega", "nan"), (SQUARE,), {"omega": float("nan")}),
]


@pytest.mark.parametrize(("kind", "named", "arguments", "options"), BAD, ids=ids(BAD))
def test_bad_input(kind, named, arguments, options):
    refused(kind, named, TrainableMultigrid, *arguments, **options)


def test_bad_data():
    made = module(problem((15, 15)))
    refused(TypeError, ("f must be a tensor", "ndarray"), made, np.zeros((15, 15)))
    refused(TypeError, ("f must be torch.float64", "int64"), made, torch.zeros(15, 15, dtype=torch.int64))
    refused(ValueError, ("f must have 2 axes", "(15,)"), made, values(15))
    refused(ValueError, ("u must be on the grid of f", "(15, 7)"), made, values(15, 15), values(15, 7))
    refused(ValueError, ("u must have the batch axes of f", "(3, 15, 15)"), made, values(2, 15, 15), values(3, 15, 15))
    for coefficient in (1e60, 1e-60):
        single = module(problem((15, 15), coefficient=coefficient)).float()
        refused(ValueError, ("problem", "range of torch.float32"), single.levels, (15, 15))
    refused(ValueError, ("shape", "odd", "(20, 20)"), made, values(20, 20))
    refused(ValueError, ("shape", "odd", "(39, 39)", "(4, 4)"), made, values(39, 39))
    refused(ValueError, ("shape must be 2 numbers", "(7, 7, 7)"), made.measure_factor, (7, 7, 7))
    refused(ValueError, ("shape", "(9999, 3)", "directly"), made.levels, (9999, 3))


def test_a_prolongation_that_loses_constants_is_refused():
    part = module(problem((15, 15))).parts()[0]
    A = torch.tensor(stencils.POISSON, dtype=torch.float64)
    for P in (0.9 * part.P, part.P + float("nan"), part.P.roll(1, 0)):
        refused(ValueError, ("P must keep constants",), make_levels, A, [part._replace(P=P)], (15, 15))
    for ndim in (1, 2, 3):
        for size in (0.1, 100.0):
            check_constants(module(problem((7,) * ndim), size=size, transfer="free").parts()[0].P)
