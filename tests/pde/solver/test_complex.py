"""Complex f, g and u0: real and imaginary parts are solved as a batch, and put together."""

import numpy as np
import pytest

import pde
from pde.problem.boundary import read_sides
from tests.pde.reference import F8

SHAPE = (12, 15)
BOUNDARY = ["dirichlet", ("neumann", ("robin", lambda x, y: 1 + x))]
RNG = np.random.default_rng(0)


def random(*batch):
    return RNG.standard_normal((*batch, *SHAPE)) + 1j * RNG.standard_normal((*batch, *SHAPE))


G = {
    "none": None,
    "number": 2 - 1j,
    "callable": lambda x, y: x + 1j * y,
    "sides": {(0, 1): np.exp(1j * np.arange(15)), (1, 0): 2.0},
}


def part(g, problem, take):
    return None if g is None else {k: take(v) for k, v in read_sides(g, problem.grid, F8, imaginary=True).items()}


@pytest.fixture(params=["numpy", "mixed", "float32", "numba", "torch"])
def mg(request):
    if request.param == "torch":
        pytest.importorskip("torch")
    problem = pde.Poisson(SHAPE, boundary=BOUNDARY, reaction=-1.0)
    kernels = request.param if request.param in ("numpy", "numba", "torch") else "auto"
    dtype = request.param if request.param in ("mixed", "float32") else "float64"
    return pde.Multigrid(problem, kernels=kernels, dtype=dtype, levels=9)


@pytest.mark.parametrize("g", G.values(), ids=G)
@pytest.mark.parametrize("f", [random(), random(2, 3), random().real], ids=["one", "batch", "real"])
def test_the_parts_are_those_of_two_solves(mg, f, g):
    if not np.iscomplexobj(f) and g is None:
        pytest.skip("nothing is complex")
    u0 = RNG.standard_normal(f.shape)
    parts = [(take(f), part(g, mg.problem, take)) for take in (np.real, np.imag)]
    for options in ({}, {"accel": "cg"}, {"u0": u0}):
        solution = mg.solve(f, g, rtol=1e-4, **options)
        guesses = [{"u0": guess} for guess in (u0, 0 * u0)] if "u0" in options else [{}, {}]
        alone = [mg.solve(*data, rtol=1e-4, **{**options, **guess}) for data, guess in zip(parts, guesses, strict=True)]
        assert solution.u.dtype == np.result_type(mg.dtype, np.complex64)
        assert solution.u.shape == f.shape
        for mine, theirs in zip((solution.u.real, solution.u.imag), alone, strict=True):
            np.testing.assert_array_equal(mine, theirs.u)
        assert solution.cycles == max(each.cycles for each in alone)
        last = max(each.residual_norms[-1] for each in alone)
        assert solution.residual_norms[-1] == pytest.approx(last, rel=16 * float(np.finfo(mg.dtype).eps))
        assert len(solution.members) == (0 if f.ndim == 2 else 6)
        for member, *both in zip(solution.members, *(each.members for each in alone), strict=True):
            assert member.cycles == max(each.cycles for each in both)
            assert not member.members
    nested = mg.full_multigrid(f, g)
    for mine, data in zip((nested.real, nested.imag), parts, strict=True):
        np.testing.assert_array_equal(mine, mg.full_multigrid(*data))


def test_one_cycle(mg):
    f, u = random(4), random(4)  # as many as kernels take side by side, also of one part
    one = mg.cycle(f, u, "W")
    np.testing.assert_array_equal(one.real, mg.cycle(f.real, u.real, "W"))
    np.testing.assert_array_equal(one.imag, mg.cycle(f.imag, u.imag, "W"))
    np.testing.assert_array_equal(mg.cycle(f.real, u).imag, mg.cycle(0 * f.real, u.imag))


def test_tensors_callables_and_out(mg):
    torch = pytest.importorskip("torch")
    f, g = random(2), 1j
    expected = mg.solve(f, g, rtol=1e-4)
    single = mg.dtype == np.float32
    tensor = mg.solve(torch.from_numpy(f), g, rtol=1e-4).u
    assert tensor.dtype == (torch.complex64 if single else torch.complex128)
    np.testing.assert_array_equal(tensor.numpy(), expected.u)
    lazy = mg.solve(torch.from_numpy(f).conj(), -g, rtol=1e-4).u
    np.testing.assert_array_equal(lazy.conj().resolve_conj().numpy(), expected.u)
    out = np.empty_like(expected.u)
    assert mg.solve(f, g, rtol=1e-4, out=out).u is out
    np.testing.assert_array_equal(out, expected.u)
    for wrong in (out.real.copy(), out.astype(np.complex64 if not single else complex)):
        with pytest.raises(ValueError, match=r"^out must be an array.*complex"):
            mg.solve(f, g, out=wrong)
    u = mg.solve(lambda x, y: x + 1j * y, rtol=1e-4).u
    x, y = mg.problem.points()
    np.testing.assert_array_equal(u, mg.solve(x + 1j * y, rtol=1e-4).u)


def test_callbacks_see_complex_iterates(mg):
    seen = []
    mg.solve(random(2), rtol=1e-4, callback=lambda progress: seen.append(progress))
    assert all(progress.u.dtype.kind == "c" and progress.u.shape == (2, *SHAPE) for progress in seen)
    assert all(len(progress.residuals) == 2 and progress.residual == max(progress.residuals) for progress in seen)


def test_a_singular_problem_removes_the_mean_of_both_parts():
    mg = pde.Multigrid(pde.Poisson(SHAPE, boundary="neumann"))
    f = random()
    W = mg.problem.control_volumes()
    f -= np.sum(W * f) / W.sum()
    solution = mg.solve(f + 1e-3 * np.abs(f).mean())
    assert 1e-4 < solution.removed < 1e-2
    assert abs(np.sum(W * solution.u)) <= 1e-12 * np.abs(solution.u).max()
    with pytest.raises(ValueError, match="f does not fit this singular problem"):
        mg.solve(f + 1j)


def test_operator_and_boundary_points():
    problem = pde.Poisson(SHAPE, boundary=BOUNDARY)
    u, g = random(), G["callable"]
    assert np.abs(problem.apply(u) - (problem.apply(u.real) + 1j * problem.apply(u.imag))).max() == 0
    whole = problem.embed(u, g)
    real, imaginary = (problem.embed(take(u), part(g, problem, take)) for take in (np.real, np.imag))
    assert np.abs(whole - (real + 1j * imaginary)).max() <= 1e-15 * np.abs(whole).max()
    assert problem.embed(u.real, 1j).dtype == complex
    assert problem.embed(u.real.astype("float32"), 1.0).dtype == np.float32


@pytest.mark.parametrize(
    "options",
    [
        {"domain": lambda x, y: np.hypot(x - 0.5, y - 0.5) < 0.4},
        {"domain": lambda x, y: np.hypot(x - 0.5, y - 0.5) - 0.4},
        {"domain": lambda x, y: np.hypot(x - 0.5, y - 0.5) < 0.4, "walls": "neumann"},
        {"order": 4},
        {"coefficient": [[2.0, 0.5], [0.5, 1.0]]},
    ],
    ids=["voxels", "level set", "insulated", "order 4", "tensor"],
)
def test_other_problems(options):
    mg = pde.Multigrid(pde.Poisson((31, 31), reaction=1.0, **options), levels=4)
    g = {"walls": lambda x, y: x - 2j * y} if "domain" in options else lambda x, y: x - 2j * y
    parts = [{"walls": h} if "domain" in options else h for h in (lambda x, y: x, lambda x, y: -2 * y)]
    u = mg.solve(lambda x, y: np.sin(x) + 1j * y, g, rtol=1e-10).u
    real, imaginary = (
        mg.solve(*data, rtol=1e-10).u for data in zip((lambda x, y: np.sin(x), lambda x, y: y), parts, strict=True)
    )
    assert np.abs(u - (real + 1j * imaginary)).max() <= 1e-12 * np.abs(u).max()


def test_in_one_call():
    f = random()
    u = pde.solve_poisson(f, boundary=BOUNDARY, g=1j).u
    np.testing.assert_array_equal(u, pde.Multigrid(pde.Poisson(SHAPE, boundary=BOUNDARY)).solve(f, 1j).u)


def test_derivatives():
    torch = pytest.importorskip("torch")
    f = torch.from_numpy(random()[:2, :3].copy()).requires_grad_()
    g = torch.tensor(1 - 2j, dtype=torch.complex128, requires_grad=True)
    a = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)

    def solve(f, g, a):
        sides = {(0, 0): g, (1, 1): 1j}
        return pde.solve_poisson(f, (2, 3), g=sides, coefficient=a, boundary=BOUNDARY, rtol=1e-13).u

    assert torch.autograd.gradcheck(solve, (f, g, a))
    assert torch.autograd.gradcheck(lambda x: solve(x, g.detach(), a.detach()), (f.detach().real.requires_grad_(),))
