"""The solver on torch tensors against the same one on NumPy arrays; nothing here needs a GPU."""

import copy
import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pde
from mgcore import CYCLES
from pde.backends.device import read_device
from pde.common.arrays import cast
from tests.pde.problems import FIELDS, problems
from tests.pde.rounding import of_a_cycle


def pair(problem, **options):
    """The solver on arrays, and the same one on tensors."""
    return (pde.Multigrid(problem, kernels=kernels, **options) for kernels in ("numpy", "torch"))


def boundary_data(problem, rng, batch=()):
    """Random data on every side that takes some."""
    sides = [(a, s) for a, axis in enumerate(problem.grid.axes) if not axis.periodic for s in (0, 1)]
    shapes = {(a, s): tuple(n for b, n in enumerate(problem.shape) if b != a) for a, s in sides}
    return {key: rng.standard_normal(batch + shape) for key, shape in shapes.items()}


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(
    problem=problems(),
    dtype=st.sampled_from(["float64", "float32", "mixed"]),
    smoother=st.sampled_from(["sor", "red-black", "jacobi", "two-step jacobi", "chebyshev"]),
    nu=st.sampled_from([(1, 1), (2, 1), (0, 1)]),
    batch=st.sampled_from([(), (2,), (1, 3)]),
    cycle=st.sampled_from(["V", "W", "F", "backslash"]),
    seed=st.integers(0, 2**31),
)
def test_a_cycle_and_full_multigrid_are_those_on_arrays(problem, dtype, smoother, nu, batch, cycle, seed):
    plain, mg = pair(problem, dtype=dtype, smoother=smoother, nu=nu)
    rng = np.random.default_rng(seed)
    f, u = (rng.standard_normal(batch + problem.shape).astype(mg.dtype) for _ in range(2))
    before = f.copy(), u.copy()
    expected, came = plain.cycle(f, u, cycle), mg.cycle(torch.from_numpy(f), torch.from_numpy(u), cycle)
    assert isinstance(came, torch.Tensor)
    assert came.dtype == getattr(torch, mg.dtype.name)
    coarse = np.finfo("float32").eps / np.finfo("float64").eps if dtype == "mixed" else 1
    assert np.max(np.abs(came.numpy() - expected)) <= coarse * of_a_cycle(plain, f, expected, u)
    for kept, now in zip(before, (f, u), strict=True):
        np.testing.assert_array_equal(now, kept)

    g = {key: values.astype(mg.dtype) for key, values in boundary_data(problem, rng, batch).items()}
    on_tensors = {key: torch.from_numpy(values) for key, values in g.items()}
    expected = plain.full_multigrid(f, g, incompatible=np.inf)
    came = mg.full_multigrid(torch.from_numpy(f), on_tensors, incompatible=np.inf).numpy()
    assert np.max(np.abs(came - expected)) <= coarse * of_a_cycle(plain, f, expected, *g.values())


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(
    problem=problems(),
    batch=st.sampled_from([(), (3,), (2, 1)]),
    accel=st.sampled_from([None, "cg"]),
    seed=st.integers(0, 2**31),
)
def test_a_solve_is_that_on_arrays(problem, batch, accel, seed):
    plain, mg = pair(problem)
    rng = np.random.default_rng(seed)
    f = rng.standard_normal(batch + problem.shape)
    options = {"accel": accel, "incompatible": np.inf, "rtol": 1e-9}
    expected, came = plain.solve(f, **options), mg.solve(torch.from_numpy(f), **options)
    assert came.converged == expected.converged
    assert abs(came.cycles - expected.cycles) <= 1  # where a residual is just at the tolerance
    assert isinstance(came.u, torch.Tensor)
    assert came.u.shape == f.shape
    if expected.converged:
        np.testing.assert_allclose(came.u, expected.u, atol=1e-6 * np.max(np.abs(expected.u)))
    members = came.members or (came,)
    assert all(isinstance(member.u, torch.Tensor) for member in members)
    residual = np.sqrt(np.mean((f - problem.apply(came.u.numpy())) ** 2)) if not problem.singular else 0
    assert residual <= 1e-8 * np.sqrt(np.mean(f**2)) or not came.converged


@pytest.mark.parametrize("kernels", ["numpy", "torch"])
def test_a_tensor_comes_back_as_a_tensor_and_an_array_as_an_array(kernels):
    mg = pde.Multigrid(pde.Poisson((15, 16)), kernels=kernels)
    f = np.random.default_rng(0).standard_normal((2, 15, 16))
    t, shown = torch.from_numpy(f), []
    for x, kind in ((f, np.ndarray), (t, torch.Tensor)):
        out = x * 0
        solution = mg.solve(x, u0=x, out=out, callback=lambda progress: shown.append(type(progress.u)) and False)
        assert solution.u is out
        assert shown.pop() is kind
        assert isinstance(mg.cycle(x), kind)
        assert isinstance(mg.full_multigrid(x, g=torch.tensor(1.0)), kind)
        np.testing.assert_array_equal(np.asarray(mg.solve(x).u), np.asarray(mg.solve(f).u))
    assert isinstance(mg.solve(lambda x, y: x * y).u, np.ndarray)
    whole = mg.solve(torch.ones(15, 16, dtype=torch.int64))
    assert whole.u.dtype == torch.float64
    negated = (1j * t).conj().imag  # torch notes the sign, and leaves the numbers as they are
    assert negated.is_neg()
    np.testing.assert_array_equal(mg.solve(negated).u, mg.solve(-t).u)


def test_nothing_is_copied_on_the_host():
    f, out = torch.ones(31, 31, dtype=torch.float64), torch.zeros(31, 31, dtype=torch.float64)
    mg = pde.Multigrid(pde.Poisson((31, 31)))
    u = mg.solve(f, out=out).u
    assert u.data_ptr() == out.data_ptr()
    for kernels in ("numpy", "torch"):  # nor shared with what the user gave
        mg = pde.Multigrid(pde.Poisson((31, 31)), kernels=kernels)
        start = mg.solve(f).u
        again = mg.solve(f, u0=start, max_cycles=0).u
        assert again.data_ptr() != start.data_ptr()
        np.testing.assert_array_equal(again, start)


def test_print_pickle_update_and_preconditioner_on_tensors():
    problem = pde.Poisson((24, 24), coefficient=FIELDS["smooth"])
    plain, mg = pair(problem)
    assert "torch cpu" in str(mg)
    assert "torch operations" in str(mg)
    y = np.random.default_rng(1).standard_normal(24 * 24)
    expected = plain.as_preconditioner() @ y
    np.testing.assert_allclose(mg.as_preconditioner() @ y, expected, rtol=0, atol=of_a_cycle(plain, y, expected))
    f = torch.ones(24, 24, dtype=torch.float64)
    mg.update(coefficient=2.0)
    once = mg.solve(f).u
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(mg)).solve(f).u, once)
    expected = plain.update(coefficient=2.0).solve(f.numpy())
    bound = expected.cycles * of_a_cycle(plain, np.ones(problem.shape), expected.u)
    np.testing.assert_allclose(once, expected.u, rtol=0, atol=bound)


@pytest.mark.parametrize("problem", [pde.Poisson((31, 31)), pde.Poisson((9, 8), boundary="periodic", reaction=1.0)])
def test_galerkin_operators_on_tensors(problem):
    """The columns of R A P come in any order."""
    plain, mg = pair(problem, coarse="galerkin", transfer="linear" if problem.shape == (31, 31) else "bilinear")
    f = np.random.default_rng(0).standard_normal(problem.shape)
    expected = plain.cycle(f, f)
    assert np.max(np.abs(mg.cycle(torch.from_numpy(f), f).numpy() - expected)) <= of_a_cycle(plain, f, expected, f)


def test_verbose_changes_no_bit_on_tensors():
    mg = pde.Multigrid(pde.Poisson((20, 20)), kernels="torch", dtype="mixed")
    f, events = torch.ones(20, 20, dtype=torch.float64), []
    watched = mg.solve(f, verbose=events.append)
    assert events
    assert events[0].level == 1 or events[0].level == len(mg.levels)
    np.testing.assert_array_equal(watched.u, mg.solve(f).u)


def test_errors_name_the_tensor():
    mg = pde.Multigrid(pde.Poisson((7, 7)))
    good = torch.ones(7, 7)
    with pytest.raises(TypeError, match=r"f wants a gradient.*pde.solve_poisson"):
        mg.solve(good.clone().requires_grad_())
    with torch.no_grad():
        mg.solve(good.clone().requires_grad_())
    with pytest.raises(TypeError, match=r"g\[\(0, 1\)\] wants a gradient"):
        mg.solve(good, g={(0, 1): torch.ones(7, requires_grad=True)})
    with pytest.raises(TypeError, match=r"f must be float32, float64 or whole numbers.*complex32"):
        mg.solve((good + 0j).to(torch.complex32))
    with pytest.raises(TypeError, match=r"f must be float32, float64 or whole numbers.*bfloat16"):
        mg.solve(good.bfloat16())
    with pytest.raises(TypeError, match="f must hold real numbers in a dense tensor"):
        mg.solve(good.to_sparse())
    with pytest.raises(ValueError, match=r"f must have the problem's shape \(7, 7\).*got \(7, 8\)"):
        mg.solve(torch.ones(7, 8))
    with pytest.raises(ValueError, match=r"f must be finite.*first at index \(1, 2\)"):
        mg.solve(torch.where(torch.arange(49).reshape(7, 7) == 9, torch.inf, good))
    with pytest.raises(ValueError, match="f is a tensor on meta, and this solver works on cpu"):
        mg.solve(good.to("meta"))
    with pytest.raises(ValueError, match=r"u0 must have the shape of f, \(7, 7\); got \(2, 7, 7\)"):
        mg.solve(good, u0=torch.ones(2, 7, 7))
    with pytest.raises(ValueError, match="out must be a tensor of shape"):
        mg.solve(good, out=torch.ones(7, 7, dtype=torch.float32))
    with pytest.raises(TypeError, match="coefficient must be a number or a NumPy array here, got a torch tensor"):
        pde.Poisson((7, 7), coefficient=good)


def test_what_a_gpu_would_be_given_is_read_without_numpy():
    """`Poisson.read` takes tensors as they are, which is the way of those on a GPU."""
    problem = pde.Poisson((7, 7))
    read = problem.read("f", torch.ones(2, 7, 7), "float64", tensors=True)
    assert isinstance(read, torch.Tensor)
    assert read.dtype == torch.float64
    with pytest.raises(
        ValueError, match=r"f must be finite, got 1 NaN or infinite values, the first at index \(0, 3\)"
    ):
        problem.read(
            "f", torch.ones(7, 7).index_put((torch.tensor(0), torch.tensor(3)), torch.tensor(torch.nan)), tensors=True
        )
    with pytest.raises(ValueError, match="f must fit into float32"):
        problem.read("f", torch.full((7, 7), 1e300, dtype=torch.float64), "float32", tensors=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "gpu"}, "device must be 'cpu', 'cuda' or 'cuda:N', got 'gpu'"),
        ({"device": "cpu:3"}, "device must be 'cpu'"),
        ({"device": "cuda:x"}, "device must be 'cpu'"),
        ({"dtype": "float16"}, "dtype must be one of 'auto', 'mixed', 'float64', 'float32'; got 'float16'"),
        ({"kernels": "torch", "smoother": "zebra"}, "smoother='zebra' uses sparse factors of the host"),
        ({"kernels": "torch", "smoother": "gauss-seidel"}, "smoother='gauss-seidel' uses sparse factors"),
    ],
)
def test_bad_choices(arguments, message):
    with pytest.raises(ValueError, match=message):
        pde.Multigrid(pde.Poisson((100, 100)), **arguments)


def test_a_dense_inverse_on_tensors_is_not_made_too_large():
    problem = pde.Poisson((100, 100), coefficient=FIELDS["smooth"])
    with pytest.raises(ValueError, match=r"levels: on tensors the coarsest level.*it has 10000 here"):
        pde.Multigrid(problem, kernels="torch", levels=1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu():
    with pytest.raises(ValueError, match="device='cuda': torch finds no GPU"):
        pde.Multigrid(pde.Poisson((7, 7)), device="cuda")
    assert read_device(torch.device("cpu")) == "cpu"


@pytest.mark.parametrize("coarse", ["rediscretised", "galerkin"])
def test_a_hierarchy_elsewhere_leaves_the_original_alone(coarse):
    problem = pde.Poisson((9, 9), coefficient=FIELDS["smooth"])
    hierarchy = pde.Multigrid(problem, coarse=coarse, levels=2, kernels="numpy").hierarchy
    on_tensors, low = hierarchy.to("cpu", np.dtype("float32")), hierarchy.to(None, np.dtype("float32"))
    f = np.random.default_rng(0).standard_normal((9, 9))
    u = CYCLES["V"](hierarchy.levels, f)
    for level, tensors, arrays in zip(hierarchy.levels, on_tensors.levels, low.levels, strict=True):
        assert level.A.diagonal.dtype == np.float64
        assert tensors.A.diagonal.dtype == torch.float32
        assert arrays.A.diagonal.dtype == np.float32
        assert tensors.info is level.info
    np.testing.assert_array_equal(CYCLES["V"](hierarchy.levels, f), u)
    bound = 100 * np.finfo(np.float32).eps * abs(u).max()
    assert abs(CYCLES["V"](low.levels, f.astype(np.float32)) - u).max() <= bound
    assert abs(CYCLES["V"](on_tensors.levels, torch.from_numpy(f).float()).numpy() - u).max() <= bound
    with pytest.raises(FrozenInstanceError):
        hierarchy.levels[0].A.diagonal = 1.0


def test_cast_takes_dtypes_of_torch():
    assert cast(np.ones(1), torch.float32).dtype == np.float32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("dtype", ["float64", "float32", "mixed"])
def test_on_a_gpu(dtype):
    problem = pde.Poisson((63, 40), boundary=("dirichlet", "neumann"), coefficient=FIELDS["smooth"])
    f = torch.randn(2, 63, 40, dtype=torch.float64)
    rtol = 1e-4 if dtype == "float32" else 1e-10
    on_gpu = pde.Multigrid(problem, device="cuda", dtype=dtype).solve(f.cuda(), rtol=rtol)
    assert on_gpu.converged
    assert on_gpu.u.device.type == "cuda"
    expected = pde.Multigrid(problem).solve(f, rtol=rtol).u
    np.testing.assert_allclose(on_gpu.u.cpu(), expected, atol=1e3 * rtol * float(expected.abs().max()))


TRANSFORMS = {
    "vmap": lambda solve: torch.vmap(solve)(torch.ones(3, 7, 7)),
    "grad": lambda solve: torch.func.grad(lambda f: solve(f).sum())(torch.ones(7, 7)),
    "jvp": lambda solve: torch.func.jvp(solve, (torch.ones(7, 7),), (torch.ones(7, 7),)),
    "jacrev": lambda solve: torch.func.jacrev(solve)(torch.ones(7, 7)),
}


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("options", [{}, {"kernels": "torch"}])
def test_transforms_of_torch_are_told_of_batches_and_backward(transform, options):
    mg, ones = pde.Multigrid(pde.Poisson((7, 7)), **options), torch.ones(7, 7)
    solves = (
        (lambda f: pde.solve_poisson(f, **options).u, "f"),
        (lambda a: pde.solve_poisson(ones, coefficient=a, **options).u, "coefficient"),
        (lambda f: mg.solve(f).u, "f"),
        (lambda f: mg.full_multigrid(f), "f"),
        (lambda f: mg.cycle(f), "f"),
    )
    for solve, name in solves:
        with pytest.raises(TypeError, match=rf"^{name} is traced by torch\.vmap.*batch.*backward"):
            TRANSFORMS[transform](solve)


@pytest.mark.parametrize("kernels", ["numpy", "numba", "torch", "torch compiled"])
@pytest.mark.parametrize("coarse", ["rediscretised", "galerkin"])
def test_a_deep_copy_is_another_solver_that_gives_the_same(kernels, coarse):
    if (kernels, coarse) == ("numba", "galerkin"):
        pytest.skip("these kernels are for rediscretised operators")
    mg = pde.Multigrid(pde.Poisson((8, 9)), kernels=kernels, coarse=coarse, levels=2)
    again = copy.deepcopy({"mg": mg})["mg"]
    assert str(again).splitlines()[-1] == str(mg).splitlines()[-1]
    if kernels == "torch compiled":
        return  # its first cycle takes long; see test_torch_compiled
    f = torch.ones(8, 9)
    u = mg.solve(f).u
    again.update(coefficient=2.0)
    assert torch.equal(mg.solve(f).u, u)
    assert torch.equal(again.update(coefficient=1.0).solve(f).u, u)


def test_a_tensor_of_another_kind_of_device_is_named():
    with pytest.raises(ValueError, match=r"^f must be a tensor on the CPU or on a CUDA device, got one on meta"):
        pde.solve_poisson(torch.ones(7, 7, device="meta"))
