"""Nonlinear solves by the full approximation scheme: against linear cycles, exact solutions and Newton's method."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import spsolve

import pde
from pde import Multigrid, NonlinearPoisson, Poisson
from pde.levels import newton
from tests.pde.nonlinear import bratu, cubic, given_sides, liouville, problems, sides
from tests.pde.rounding import of_a_cycle

EPS = float(np.finfo(float).eps)
KINDS = ("V", "W", "F", "backslash")


@given(
    box=sides(),
    seed=st.integers(0, 99),
    kind=st.sampled_from(KINDS),
    nu=st.sampled_from([(1, 1), (2, 0), (1, 2)]),
    gradient=st.booleans(),
)
def test_without_nonlinearity_cycles_are_the_linear_ones(box, seed, kind, nu, gradient):
    shape, boundary, centering = box
    if gradient and centering == "cell" and any(end[0] == "robin" for pair in boundary for end in pair):
        return
    law = {"gradient_coefficient": lambda s, *x: 2.0} if gradient else {"coefficient": 2.0}
    options = {"boundary": boundary, "centering": centering}
    linear = Poisson(shape, coefficient=2.0, reaction=3.0, **options)
    problem = NonlinearPoisson(shape, reaction=lambda u, *x: 3 * u, derivative=lambda u, *x: 3.0, **law, **options)
    same = {"omega": 1.1, "nu": nu, "levels": 3}
    plain = Multigrid(linear, smoother="sor", transfer="bilinear", coarse="rediscretised", kernels="numpy", **same)
    mg = Multigrid(problem, **same)
    assert [level.info.grid.shape for level in mg.levels] == [level.info.grid.shape for level in plain.levels]
    f, u = np.random.default_rng(seed).uniform(-1, 1, (2, *shape))
    allowed = 8 * of_a_cycle(plain, f, u)  # A(Pi u) of each level is added and taken away
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(newton, "ENOUGH", 0.0)  # solve to rounding on the coarsest grid, though its Jacobian is not exact
        found = mg.cycle(f, u, kind)
    assert abs(found - plain.cycle(f, u, kind)).max() <= allowed


@given(problem=problems(), seed=st.integers(0, 99), kind=st.sampled_from(KINDS))
def test_the_exact_discrete_solution_is_a_fixed_point_of_every_cycle(problem, seed, kind):
    rng = np.random.default_rng(seed)
    u, g = rng.uniform(-1, 1, problem.shape), given_sides(problem, rng)
    mg = Multigrid(problem, levels=3)
    backend = mg.backend.with_sides(problem.read_sides(g, np.dtype(float)))
    A = backend.hierarchy.levels[0].A
    data = pde.solver.nonlinear.Data(A(u[None]))
    moved, _ = backend.cycle(kind, data, u[None])
    plain = Multigrid(Poisson(problem.shape, boundary=linear_words(problem), centering=problem.centering, reaction=1.0))
    stiff = 5.0  # the largest a(u)
    assert abs(moved[0] - u).max() <= 8 * stiff * of_a_cycle(plain, np.zeros_like(u), u, *g.values())
    started = mg.solve(problem.apply(u, g), g, u0=u, max_cycles=0, rtol=0.0)
    assert started.residual_norms[0] <= 32 * EPS * float(np.max(A.slope(u)))


def linear_words(problem):
    return tuple(
        tuple(("robin", s.beta) if s.kind == "robin" else s.kind for s in pair)
        if pair[0].kind != "periodic"
        else "periodic"
        for pair in problem.boundary
    )


LAWS = {
    "cube": {"reaction": lambda u, *x: 10 * u**3},
    "a(u)": {"coefficient": lambda u, *x: 1 + u**2},
    "both": {"coefficient": lambda u, *x: np.exp(u / 2) * (1 + x[0]), "reaction": lambda u, *x: 10 * u**3},
}


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_errors_are_of_second_order(name, centering):
    """u = sin(2x + 1) cos y between Dirichlet sides along x, Neumann ones along y; f from differences of the flow."""
    law = LAWS[name]
    a, c = (law.get(key, default) for key, default in (("coefficient", lambda u, *x: 1 + 0 * u), ("reaction", None)))

    def exact(x, y):
        return np.sin(2 * x + 1) * np.cos(y)

    def slopes(x, y):
        return 2 * np.cos(2 * x + 1) * np.cos(y), -np.sin(2 * x + 1) * np.sin(y)

    def f(x, y):
        x, y, h = x.astype(np.longdouble), y.astype(np.longdouble), np.longdouble(2e-6)
        flow = [lambda x, y, i=i: a(exact(x, y), x, y) * slopes(x, y)[i] for i in (0, 1)]
        div = (flow[0](x + h, y) - flow[0](x - h, y) + flow[1](x, y + h) - flow[1](x, y - h)) / (2 * h)
        u = exact(x, y)
        return (-div + (0 if c is None else c(u, x, y))).astype(float)

    def out(sign):
        return lambda x, y: sign * a(exact(x, y), x, y) * slopes(x, y)[1]

    g = {(0, 0): exact, (0, 1): exact, (1, 0): out(-1), (1, 1): out(1)}
    errors = []
    for n in (16, 32, 64):
        shape = (n - 1, n + 1) if centering == "vertex" else (n, n)
        problem = NonlinearPoisson(shape, boundary=("dirichlet", "neumann"), centering=centering, **law)
        solution = Multigrid(problem).solve(f, g, rtol=1e-9)
        assert solution.converged
        errors.append(abs(solution.u - exact(*problem.points())).max())
    assert 3.4 < errors[0] / errors[1] < 4.6
    assert 3.4 < errors[1] / errors[2] < 4.6


def test_bratu_has_liouvilles_solution():
    """-Lap u = e^u; one V(1,1) per level of full multigrid leaves less than a quarter of the discretisation error."""
    errors = []
    for n in (63, 127):
        problem = bratu((n, n))
        mg, exact = Multigrid(problem, nu=(1, 1)), liouville(*problem.points())
        solution = mg.solve(0.0, liouville, rtol=1e-10)
        errors.append(abs(solution.u - exact).max())
        nested = mg.full_multigrid(0.0, liouville)
        assert abs(nested - solution.u).max() < 0.25 * errors[-1]
    assert 3.8 < errors[0] / errors[1] < 4.2
    assert errors[1] < 1.5e-6


CASES = {
    "cube": {"reaction": lambda u, *x: 1e4 * u**3},
    "u exp u": {"reaction": lambda u, *x: 100 * u * np.exp(u), "derivative": lambda u, *x: 100 * (1 + u) * np.exp(u)},
    "bratu": {"reaction": lambda u, *x: -6.5 * np.exp(u)},
    "sinh": {"reaction": lambda u, *x: 1000 * np.sinh(u)},
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("shapes", "bound"), [([(63, 63), (127, 127)], 0.13), ([(15,) * 3, (31,) * 3], 0.15)])
def test_factors_are_those_of_linear_cycles_at_any_size(name, shapes, bound):
    """From a rough first guess, so that full multigrid leaves digits to count; V(1,1)."""
    for shape in shapes:
        mg = Multigrid(NonlinearPoisson(shape, **CASES[name]), nu=(1, 1))
        u0 = 0.1 * np.random.default_rng(1).standard_normal(shape)
        f = 0.0 if name == "bratu" else 1000.0
        norms = mg.solve(f, u0=u0, rtol=0.0, max_cycles=9, method="fas").residual_norms
        assert (norms[9] / norms[5]) ** (1 / 4) < bound


@pytest.mark.parametrize("strength", [1.0, 10.0, 100.0])
def test_diffusion_that_depends_on_u(strength):
    """-div((1 + P u^2) grad u) = f with u = 2 sin(pi x) sin(pi y), where a varies by 1 + 4 P."""

    def f(x, y):
        sx, sy, cx, cy = np.sin(np.pi * x), np.sin(np.pi * y), np.cos(np.pi * x), np.cos(np.pi * y)
        u, squares = 2 * sx * sy, 4 * np.pi**2 * ((cx * sy) ** 2 + (sx * cy) ** 2)
        return -2 * strength * u * squares + (1 + strength * u**2) * 2 * np.pi**2 * u

    for n in (31, 63):
        problem = NonlinearPoisson((n, n), coefficient=lambda u, *x: 1 + strength * u**2)
        solution = Multigrid(problem).solve(f, rtol=1e-9)
        assert solution.converged
        assert solution.factor < 0.25


@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", ("neumann", ("robin", 2.0))])
def test_newtons_method_on_sparse_matrices_agrees(boundary):
    shape = (63, 63)
    linear = Poisson(shape, boundary=boundary, reaction=0.0)
    problem = NonlinearPoisson(shape, boundary=boundary, reaction=cubic)
    f = 50 * np.cos(3 * problem.points()[0]) + 20 * problem.points()[1]
    A, u = linear.matrix(), np.full(linear.matrix().shape[0], 0.5)
    for _ in range(60):
        r = f.ravel() - A @ u - cubic(u)
        step = spsolve(sp.csc_matrix(A + sp.diags(300 * u**2)), r)
        u = u + step
        if abs(step).max() < 1e-13:
            break
    solution = Multigrid(problem).solve(f, rtol=1e-12)
    assert solution.reason in ("converged", "rounding")
    assert abs(solution.u.ravel() - u).max() < 1e-10


def test_members_of_a_batch_end_as_they_would_alone():
    problem = bratu((31, 31), 2.0)
    rng = np.random.default_rng(3)
    f, g = rng.uniform(-5, 5, (3, 31, 31)), {(0, 0): rng.uniform(-1, 1, (3, 31)), (1, 1): 0.5}
    f[1] *= 1e-3
    together = Multigrid(problem).solve(f, g)
    for k in range(3):
        alone = Multigrid(problem).solve(f[k], {(0, 0): g[0, 0][k], (1, 1): 0.5})
        assert alone.cycles == together.members[k].cycles
        assert np.allclose(alone.u, together.u[k], rtol=1e-12, atol=1e-13)


def test_u_may_be_determined_by_the_reaction_alone():
    """u^3 between Neumann sides and around a period: its derivative vanishes at the first guess 0."""
    for boundary in ("neumann", "periodic"):
        for shape in (40, (24, 24)):
            problem = NonlinearPoisson(shape, boundary=boundary, reaction=lambda u, *x: 10 * u**3)
            solution = Multigrid(problem).solve(2.0, rtol=1e-10)
            assert solution.converged
            assert abs(solution.u - 0.2 ** (1 / 3)).max() < 1e-7


def test_zero_data_with_the_solution_zero():
    solution = Multigrid(NonlinearPoisson((31, 31), reaction=cubic)).solve(0.0)
    assert solution.converged
    assert solution.cycles == 0
    assert not solution.u.any()
