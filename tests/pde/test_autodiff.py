"""Derivatives of the solution: against difference quotients, the dense inverse under torch's autograd, and formulas."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import pde

F8 = torch.float64
KINDS = {
    "dirichlet": "dirichlet",
    "neumann": ("neumann", "dirichlet"),
    "robin": (("robin", 2.0), ("robin", 0.5)),
    "periodic": "periodic",
}


def random(*shape, seed=0, low=None):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(*shape, dtype=F8, generator=generator)
    return (values if low is None else low + values.abs()).requires_grad_()


def both(function, inputs):
    """First and second derivatives against difference quotients."""
    return gradcheck(function, inputs, fast_mode=True) and gradgradcheck(function, inputs, fast_mode=True)


@pytest.mark.parametrize("centering", ["vertex", "cell"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_side_in_everything_at_once(kind, centering):
    """Of a batch: f, g on two sides (one of them different for each member), a and c."""
    shape = (3, 4)

    def u(f, a, c, g, each):
        data = {(0, 0): g, (1, 1): each} if kind != "periodic" else {(0, 0): g}
        sides = [("dirichlet", "neumann") if kind == "periodic" else KINDS[kind], KINDS[kind]]
        options = {"boundary": sides, "centering": centering, "coefficient": a, "reaction": c, "rtol": 1e-13}
        return pde.solve_poisson(f, shape, g=data, **options).u

    inputs = random(2, *shape), random(*shape, seed=1, low=0.5), random(*shape, seed=2, low=0.1), random(4, seed=3)
    assert both(u, (*inputs, random(2, 3, seed=4)))


@pytest.mark.parametrize("shape", [(5,), (2, 3, 2)])
def test_other_dimensions_numbers_and_one_field_per_axis(shape):
    def u(f, a, b, c, g):
        fields = [a, b, 2.0][: len(shape)]
        return pde.solve_poisson(f, coefficient=fields, reaction=c, g=g, rtol=1e-13).u

    numbers = [torch.tensor(x, dtype=F8, requires_grad=True) for x in (0.7, 0.3, -1.2)]
    if len(shape) == 1:
        assert both(lambda f, a, c, g: u(f, a, 1.0, c, g), (random(*shape), random(*shape, low=0.5), *numbers[1:]))
    else:
        assert both(u, (random(*shape), random(*shape, low=0.5), *numbers))


@pytest.mark.parametrize("across", ["neumann", "periodic", "dirichlet"])
@pytest.mark.parametrize("shape", [(1, 4), (4, 1)])
def test_an_axis_of_one_unknown(shape, across):
    """No flux crosses it between insulated or periodic sides: a and c of an axis then have no part in the equations."""
    sides = [across if n == 1 else ("dirichlet", "neumann") for n in shape]

    def u(f, a, b, c):
        options = {"boundary": sides, "centering": "cell", "coefficient": [a, b], "reaction": c, "rtol": 1e-13}
        return pde.solve_poisson(f, **options).u

    assert both(u, (random(*shape), *(random(*shape, seed=k, low=0.5) for k in (1, 2, 3))))


@pytest.mark.parametrize("boundary", ["neumann", "periodic", ("periodic", "neumann")])
def test_singular_problems_on_the_solutions_of_zero_mean(boundary):
    def u(f, a):
        return pde.solve_poisson(f, boundary=boundary, coefficient=a, incompatible=np.inf, rtol=1e-13).u

    f, a = random(4, 3), random(4, 3, seed=1, low=0.5)
    assert both(u, (f, a))
    W = torch.from_numpy(pde.Poisson((4, 3), boundary=boundary).control_volumes())
    grad = torch.autograd.grad(u(f, a).square().sum(), f)[0]
    assert abs(grad.sum()) <= 1e-11 * grad.abs().max()  # a constant added to f changes nothing
    assert abs((W * u(f, a)).sum()) <= 1e-12


def test_the_gradient_of_a_point_value_of_a_singular_problem():
    """The mean of such a cotangent is more than what a solve removes by itself."""
    f = random(33, 33)
    pde.solve_poisson(f, boundary="neumann", incompatible=np.inf).u[3, 4].backward()
    assert abs(f.grad.sum()) <= 1e-6 * f.grad.abs().max()


@pytest.mark.parametrize("rtol", [1e-4, 1e-11])
def test_the_adjoint_solve_has_the_tolerance_of_the_solve(rtol):
    f, v = random(31, 31), random(31, 31, seed=1).detach()
    problem = pde.Poisson((31, 31), boundary=("robin", 2.0))
    W = problem.control_volumes()
    pde.solve_poisson(f, boundary=("robin", 2.0), rtol=rtol).u.backward(v)
    b = v.numpy() / W
    r = b - problem.apply(f.grad.numpy() / W)
    share = np.sqrt(np.sum(W * r**2) / np.sum(W * b**2))
    assert 1e-3 * rtol < share <= 1.01 * rtol


def test_against_the_dense_inverse_under_autograd():
    """The matrix is built here from the coefficient by torch itself: fluxes with harmonic means, in one dimension."""
    n, h = 9, 0.1
    f, a, low = random(n), random(n, seed=1, low=0.5), torch.tensor(0.4, dtype=F8, requires_grad=True)
    inner = 2 / (1 / a[1:] + 1 / a[:-1]) / h**2
    faces = torch.cat((a[:1] / h**2, inner, a[-1:] / h**2))
    A = torch.diag(faces[1:] + faces[:-1]) - torch.diag(inner, 1) - torch.diag(inner, -1)
    expected = torch.linalg.solve(A, f + torch.nn.functional.pad((faces[0] * low)[None], (0, n - 1)))
    mine = pde.solve_poisson(f, coefficient=a, g={(0, 0): low}, rtol=1e-13).u
    weights = torch.linspace(-1, 2, n, dtype=F8)
    grads = [torch.autograd.grad((u**2 * weights).sum(), (f, a, low)) for u in (mine, expected)]
    for first, second in zip(*grads, strict=True):
        torch.testing.assert_close(first, second, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    "options", [{}, {"dtype": "mixed"}, {"kernels": "torch"}, {"accel": "cg"}, {"dtype": "float32"}]
)
def test_the_same_gradient_whatever_solves(options):
    rtol = 1e-5 if options.get("dtype") == "float32" else 1e-11
    grads = []
    for chosen in ({"kernels": "numpy"}, options):
        f, a = random(2, 12, 10), random(12, 10, seed=1, low=1.0)
        u = pde.solve_poisson(f, (12, 10), coefficient=a, rtol=rtol, **chosen).u
        (u.double() ** 2).sum().backward()
        assert f.grad.dtype == F8
        grads.append((f.grad, a.grad))
    for first, second in zip(*grads, strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=1e3 * rtol * float(first.abs().max()))


def test_the_solution_around_the_tensor():
    f = random(3, 7, 6)
    solution = pde.solve_poisson(f, (7, 6), g=torch.tensor(1.0))
    assert solution.converged
    assert len(solution.members) == 3
    for i, member in enumerate(solution.members):
        assert member.u.requires_grad
        torch.testing.assert_close(member.u, solution.u[i])
    with torch.no_grad():
        assert not pde.solve_poisson(f, (7, 6)).u.requires_grad
    plain = pde.solve_poisson(f.detach().numpy(), (7, 6), g=1.0).u
    np.testing.assert_array_equal(solution.u.detach(), plain)
    callables = pde.solve_poisson(lambda x, y: x * y, (7, 6), reaction=torch.tensor(2.0, requires_grad=True)).u
    assert callables.requires_grad
    read_only = pde.solve_poisson(np.broadcast_to(1.0, (5, 5)), reaction=torch.tensor(2.0, requires_grad=True)).u
    read_only.sum().backward()
    single = pde.solve_poisson(torch.ones(5, 5, requires_grad=True)).u
    single.sum().backward()


def test_backward_is_one_solve_per_cotangent(monkeypatch):
    count, solve = [], pde.Multigrid.solve
    monkeypatch.setattr(pde.Multigrid, "solve", lambda self, *a, **k: count.append(1) or solve(self, *a, **k))
    f, a = random(9, 9), random(9, 9, seed=1, low=1.0)
    u = pde.solve_poisson(f, coefficient=a).u
    assert len(count) == 1
    u.sum().backward()
    assert len(count) == 2


def test_an_adjoint_solve_that_fails_is_said():
    u = pde.solve_poisson(random(15, 15), max_cycles=1, rtol=1e-12).u
    with pytest.raises(pde.SolveError) as caught:
        u.sum().backward()
    assert "adjoint" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"u0": random(4, 4)}, ValueError, "u0: the solution does not depend on the first guess"),
        ({"out": np.empty((4, 4))}, ValueError, "out: a result that is written there has no gradient"),
        ({"boundary": ("robin", random(1)[0])}, TypeError, "beta of 'robin' must be a number"),
        ({"extent": random(1, low=1.0)[0]}, TypeError, "extent must be a number or a NumPy array"),
        ({"coefficient": random(4, 4) * 1j}, TypeError, "coefficient must hold real numbers"),
        ({"coefficient": -random(4, 4, low=1.0)}, ValueError, "coefficient must be positive"),
        (
            {"coefficient": random(3, 4, low=1.0)},
            ValueError,
            r"coefficient must be a number or have the shape \(4, 4\)",
        ),
        ({"g": {(0, 2): random(4)}}, ValueError, r"g: keys are \(axis, side\)"),
        ({"g": {(0, 1): random(3)}}, ValueError, r"g\[\(0, 1\)\] must be a scalar or have the side's shape"),
        ({"boundary": "neumann", "reaction": torch.zeros(4, 4, requires_grad=True)}, ValueError, "no derivative"),
        ({"device": "cuda"}, ValueError, "device='cuda', but f is a tensor on cpu"),
        ({"reaction": torch.ones(4, 4, device="meta")}, ValueError, "reaction is a tensor on meta, and f on cpu"),
    ],
)
def test_what_has_no_derivative_is_refused(options, kind, message):
    with pytest.raises(kind, match=message):
        pde.solve_poisson(random(4, 4), **options)
