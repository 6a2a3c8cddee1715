"""Compiled cycles against the same cycles as torch operations; nothing here needs a GPU."""

import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pde
from mgcore import CYCLES
from pde.backends.torch.compile import compiled, without_writes
from pde.problem.operators import StencilOperator
from tests.pde.problems import FIELDS, problems
from tests.pde.rounding import of_a_cycle


@settings(suppress_health_check=list(HealthCheck))
@given(
    problem=problems(),
    smoother=st.sampled_from(["sor", "red-black", "jacobi", "two-step jacobi", "chebyshev"]),
    nu=st.sampled_from([(1, 1), (2, 1), (0, 1)]),
    batch=st.sampled_from([(), (2,)]),
    symmetric=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_what_is_compiled_makes_the_same_moves(problem, smoother, nu, batch, symmetric, seed):
    """Operators and sweeps that write to no part of a tensor, on every level and around every kind of side."""
    options = {"coarse": "rediscretised", "smoother": smoother, "nu": nu}
    mg, arrays = (pde.Multigrid(problem, kernels=name, **options) for name in ("torch", "numpy"))
    levels = list(mg.backend.hierarchy.levels)
    if symmetric and nu[0] == nu[1]:
        levels = pde.levels.hierarchy.symmetric(levels)
    *stencils, coarsest = levels
    assert all(isinstance(level.A, StencilOperator) for level in stencils)
    others = [*(without_writes(level, torch.device("cpu")) for level in stencils), coarsest]
    generator = torch.Generator().manual_seed(seed)
    f, u = (torch.randn(batch + problem.shape, dtype=torch.float64, generator=generator) for _ in range(2))
    before = f.clone(), u.clone()
    for guess in (None, u):
        expected, came = (CYCLES["V"](each, f, guess).numpy() for each in (levels, others))
        assert np.max(np.abs(came - expected)) <= of_a_cycle(arrays, f.numpy(), expected, u.numpy())
    assert torch.equal(f, before[0])
    assert torch.equal(u, before[1])


CHOICES = [
    (pde.Poisson((12, 7), boundary=("periodic", ("neumann", ("robin", 2.0)))), {}),
    (pde.Poisson((9, 8), coefficient=FIELDS["smooth"]), {"transfer": "linear", "nu": (0, 1), "dtype": "float32"}),
    (pde.Poisson((4, 5, 6), centering="cell", boundary="neumann"), {"smoother": "chebyshev", "dtype": "mixed"}),
]
IDS = ["sides", "sparse transfers", "mixed"]


def compile_with(monkeypatch, backend):
    monkeypatch.setattr("pde.backends.torch.compile.compiled", partial(compiled, backend=backend))


def check_against_operations(problem, options, batches=((3,),), cycles=("V",), accels=(None,)):
    """Cycles, full multigrid and solves, by torch.compile and without it."""
    names = ("torch", "torch compiled", "numpy")
    plain, mg, arrays = (pde.Multigrid(problem, kernels=name, levels=2, **options) for name in names)
    assert "compiled on 1 of 2 levels" in str(mg)
    coarse = np.finfo("float32").eps / np.finfo("float64").eps if options.get("dtype") == "mixed" else 1
    for batch in batches:
        f = np.random.default_rng(0).standard_normal(batch + problem.shape).astype(mg.dtype)
        t = torch.from_numpy(f)
        for kind in cycles:
            for u in (None, t):
                expected, came = (each.cycle(t, u, kind).numpy() for each in (plain, mg))
                assert np.max(np.abs(came - expected)) <= coarse * of_a_cycle(arrays, f, expected, f)
        expected, came = (each.full_multigrid(t, g=1.0, incompatible=np.inf).numpy() for each in (plain, mg))
        assert np.max(np.abs(came - expected)) <= coarse * of_a_cycle(arrays, f, expected, np.ones(1))
        for accel in accels:
            expected, came = (each.solve(t, rtol=1e-3, accel=accel, incompatible=np.inf) for each in (plain, mg))
            assert came.converged
            assert came.cycles == expected.cycles
            bound = expected.cycles * coarse * of_a_cycle(arrays, f, expected.u.numpy())
            np.testing.assert_allclose(came.u, expected.u, rtol=0, atol=bound)


@pytest.mark.parametrize(("problem", "options"), CHOICES, ids=IDS)
def test_compiled_cycles_are_those_of_torch_operations(monkeypatch, problem, options):
    compile_with(monkeypatch, "aot_eager")
    check_against_operations(problem, options, accels=(None, "cg") if "dtype" not in options else (None,))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler, which torch.compile needs for a CPU")
@pytest.mark.parametrize(("problem", "options"), CHOICES, ids=IDS)
def test_by_inductor(problem, options):
    accels = (None, "cg") if "nu" not in options else (None,)
    check_against_operations(problem, options, ((), (3,)), CYCLES, accels)


def test_sparse_operators_stay_as_they_are():
    mg = pde.Multigrid(pde.Poisson((31, 31)), kernels="torch compiled", coarse="galerkin", levels=3)
    assert "compiled on 1 of 3 levels" in str(mg)


def test_threads_pickles_and_updates_of_compiled_solvers(monkeypatch):
    compile_with(monkeypatch, "eager")
    problem, f = pde.Poisson((9, 8)), torch.ones(9, 8, dtype=torch.float64)
    mg = pde.Multigrid(problem, kernels="torch compiled", levels=2)
    others = mg, pde.Multigrid(problem, kernels="torch compiled", levels=2)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda each: each.cycle(f), others)
    assert torch.equal(second, first)
    plain = pde.Multigrid(problem, kernels="torch", levels=2).update(coefficient=2.0)
    expected = plain.cycle(f)
    arrays = pde.Multigrid(problem, kernels="numpy", levels=2)
    bound = of_a_cycle(arrays, f.numpy(), expected.numpy())
    np.testing.assert_allclose(others[1].update(coefficient=2.0).cycle(f), expected, rtol=0, atol=bound)
    monkeypatch.undo()
    assert torch.equal(pickle.loads(pickle.dumps(mg)).cycle(f), first)


def test_without_a_compiler(monkeypatch):
    def backend(graph, inputs):
        raise FileNotFoundError("no g++")

    compile_with(monkeypatch, backend)
    mg = pde.Multigrid(pde.Poisson((9, 8)), kernels="torch compiled")
    for _ in range(2):
        with pytest.raises(
            RuntimeError, match=r"kernels: torch\.compile fails here; 'torch' does without it"
        ) as raised:
            mg.solve(torch.ones(9, 8))
        assert "no g++" in str(raised.value.__cause__)


@pytest.mark.parametrize("kernels", ["torch graph", "torch compiled graph"])
def test_cuda_graphs_are_refused(kernels):
    with pytest.raises(ValueError, match=f"kernels must be .*'torch', 'torch compiled'.*; got '{kernels}'"):
        pde.Multigrid(pde.Poisson((7, 7)), kernels=kernels)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu():
    problem = pde.Poisson((63, 40), boundary=("dirichlet", "neumann"), coefficient=FIELDS["smooth"])
    f = torch.randn(2, 63, 40, dtype=torch.float64)
    on_gpu = pde.Multigrid(problem, device="cuda", kernels="torch compiled").solve(f.cuda(), rtol=1e-10)
    assert on_gpu.converged
    expected = pde.Multigrid(problem).solve(f, rtol=1e-10).u
    np.testing.assert_allclose(on_gpu.u.cpu(), expected, atol=1e-7 * float(expected.abs().max()))
