"""Boundary data as large as they may be: the part of u that f makes is as accurate as without them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pde import Multigrid, Poisson
from pde.problem.boundary import fold, read_sides
from pde.problem.lifting import lifting, unlifted
from pde.problem.operators import StencilOperator
from tests.pde.reference import EPS, F8
from tests.pde.sides_reference import SIDES, make_box, smooth

LARGE = 1e9


def polynomial(name, extent):
    """(q, dq/dx per axis) of size `LARGE`, functions of the coordinates."""
    slopes = [LARGE / 2**a / L for a, L in enumerate(extent)]
    if name == "constant":
        return lambda *x: 0 * sum(x) + LARGE, [lambda *x: 0 * sum(x)] * len(extent)
    if name == "linear":
        constant = [lambda *x, k=k: 0 * sum(x) + k for k in slopes]
        return lambda *x: LARGE / 3 + sum(k * v for k, v in zip(slopes, x, strict=True)), constant
    k = LARGE / max(extent) ** 2
    return lambda x, y: k * (x * x - y * y), [lambda x, y: 2 * k * x, lambda x, y: -2 * k * y]


def data_of(problem, q, slopes):
    """The boundary data of q, where a is a number per axis or q is constant."""
    g = {}
    for a, axis in enumerate(problem.grid.axes):
        for s, side in enumerate(axis.sides):
            if not axis.periodic:
                k = side.of_flux * (1 if s else -1) * problem.terms.typical[a]
                g[a, s] = lambda *x, k=k, side=side, a=a: side.of_u * q(*x) + k * slopes[a](*x)
    return g


def small(draw, kinds, name):
    """A problem with these sides; q constant allows c and an a that varies, q linear stretched axes."""
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    least = 3 if name == "saddle" else 1
    sizes = [int(rng.integers(least, 18 if len(kinds) < 3 else 7)) for _ in kinds]
    cell = draw(st.booleans()) if name != "saddle" else False
    a = [1.0] * len(kinds) if name == "saddle" else rng.choice([0.5, 1.0, 3.0], len(kinds))
    stretch = draw(st.sampled_from([None, smooth])) if name != "saddle" else None
    c = draw(st.sampled_from([0.0, 2.5])) if name == "constant" else 0.0
    box = make_box(kinds, sizes, cell, lengths=rng.choice([0.5, 1.0, 2.0], len(kinds)), a=a, c=c, stretch=stretch)
    arguments = box.arguments()
    if name == "constant" and draw(st.booleans()):
        arguments["coefficient"] = 10 ** rng.uniform(-3, 3, sizes)
    return Poisson(**arguments), rng


@st.composite
def problems(draw):
    """(problem, f, q, g): g are the data of q."""
    name = draw(st.sampled_from(["constant", "linear", "saddle"]))
    ends = [k for k in SIDES if k != "P" or name == "constant"]
    ndim = 2 if name == "saddle" else draw(st.integers(1, 3))
    kinds = [draw(st.sampled_from(ends)) for _ in range(ndim)]
    if name == "saddle" and sum(kind in ("N", "R0") for kind in kinds) == 1:
        kinds[1] = kinds[0]  # what flows in along one axis would go out along the other, and is a source to a lifting
    problem, rng = small(draw, kinds, name)
    q, slopes = polynomial(name, problem.extent)
    f = rng.standard_normal(problem.shape)
    if problem.singular:
        f -= np.average(f, weights=problem.control_volumes())
    return problem, f, q(*problem.points()), data_of(problem, q, slopes)


def mean_free(problem, u):
    return u - np.average(u, weights=problem.control_volumes()) if problem.singular else u


@settings(max_examples=150)
@given(problems())
def test_constants_lines_and_the_saddle_leave_nothing(case):
    """Each value of w carries some roundings of its size, and more where it is extrapolated to a corner."""
    problem, _, q, g = case
    sides = read_sides(g, problem.grid, F8)
    if sides and not (problem.terms.has_reaction and problem.with_terms(reaction=0.0).singular):  # f alone says q then
        A = StencilOperator(problem.grid, F8, problem.terms)
        w = lifting(sides, problem.grid, problem.terms)
        left = unlifted(w, sides, problem.grid, A) + problem.terms.reaction * q
        assert np.abs(left / np.maximum(A.diagonal, EPS)).max() <= 1024 * EPS * max(np.abs(w).max(), LARGE)


@settings(max_examples=100)
@given(problems(), st.sampled_from([{}, {"accel": "cg"}, {"cycle": "W"}]), st.booleans())
def test_what_f_makes_is_as_accurate_beside_data_of_any_size(case, options, guess):
    problem, f, q, g = case
    mg, reaction = Multigrid(problem), problem.terms.reaction * q
    expected = mg.solve(f, rtol=1e-12, max_cycles=100, accel="cg").u
    solution = mg.solve(f + reaction, g, u0=q if guess else None, max_cycles=100, **options)
    assert solution.converged or solution.reason == "rounding", solution
    W = problem.control_volumes()
    root = np.sqrt(W).ravel()
    values = np.linalg.eigvalsh(root[:, None] * problem.matrix().toarray() / root)[int(problem.singular) :]
    inverse = 1 / values.min() if len(values) else 0.0
    # relative to f and c q, and what q itself is exact to, its values at the sides amplified to corners
    size = np.sqrt(np.average(f**2, weights=W)) + np.abs(reaction).max()
    rms = np.sqrt(np.average((solution.u - mean_free(problem, q) - mean_free(problem, expected)) ** 2, weights=W))
    asked = max(1e-8, solution.residual_norms[-1]) * inverse * size
    assert rms <= 4 * asked + 256 * EPS * (LARGE + np.abs(expected).max())


@settings(max_examples=60)
@given(problems())
def test_without_f_the_lifting_is_the_solution(case):
    """Data of the size of rounding are no data; on small stretched grids it may be more, and is solved for."""
    problem, f, q, g = case
    if not problem.terms.has_reaction:
        solution = Multigrid(problem).solve(0 * f, g, max_cycles=100)
        assert solution.converged
        error = np.abs(solution.u - mean_free(problem, q)).max()
        condition = float(np.max(problem.matrix().diagonal())) * max(problem.extent) ** 2
        assert error <= 256 * EPS * LARGE * max(1, condition)


N = 63


@pytest.mark.parametrize("kernels", ["numpy", "numba", "torch"])
@pytest.mark.parametrize("options", [{}, {"accel": "cg"}, {"cycle": "F"}], ids=["fmg", "cg", "F"])
@pytest.mark.parametrize("dtype", ["float64", "mixed"])
def test_kernels_cycles_and_precisions(kernels, options, dtype):
    if kernels == "torch":
        pytest.importorskip("torch")
    mg = Multigrid(Poisson((N, N)), kernels=kernels, dtype=dtype)
    f = np.ones((N, N))
    plain = Multigrid(Poisson((N, N)), kernels="numpy").solve(f, rtol=1e-12).u
    x, y = mg.problem.points()
    for g in (101325.0, lambda x, y: 1e5 * x, lambda x, y: 1e5 * (x**2 - y**2)):
        q = g(x, y) if callable(g) else np.full((N, N), g)
        for u0 in (None, q):
            solution = mg.solve(f, g, u0=u0, **options)
            assert solution.converged
            assert solution.residual_norms[0] == pytest.approx(1.0, rel=1e-6)
            assert np.abs(solution.u - q - plain).max() <= 1e-8 + 64 * EPS * 1e5
        nothing = mg.solve(0 * f, g, **options)
        assert (nothing.cycles, nothing.converged) == (0, True)
        assert np.abs(nothing.u - q).max() <= 64 * EPS * 1e5


def test_single_precision_keeps_what_its_digits_hold():
    f, g = np.ones((N, N), dtype="float32"), 3e4
    plain = Multigrid(Poisson((N, N))).solve(f.astype(float), rtol=1e-12).u
    solution = Multigrid(Poisson((N, N)), dtype="float32").solve(f, g, rtol=1e-3)
    assert solution.converged
    assert solution.u.dtype == np.float32
    assert np.abs(solution.u.astype(float) - g - plain).max() <= 1e-3 * plain.max() + 2.0**-23 * g


def test_data_as_rough_as_the_grid_are_folded_in_and_solved_no_worse():
    """A lifting would carry them through the whole box: residuals are relative to the smaller of the two."""
    rng = np.random.default_rng(1)
    problem = Poisson((N, 40), boundary=[("dirichlet", "neumann"), ("robin", 2.0)])
    g = {(0, 0): rng.standard_normal(40), (0, 1): rng.standard_normal(40), (1, 1): rng.standard_normal(N)}
    folded = fold(np.zeros((N, 40)), g, problem.grid, problem.terms)
    W = problem.control_volumes()
    solution = Multigrid(problem).solve(0 * folded, g)
    r = np.sqrt(np.average((folded - problem.apply(solution.u)) ** 2, weights=W) / np.average(folded**2, weights=W))
    assert solution.residual_norms[-1] == pytest.approx(r, rel=1e-3)
    assert solution.converged


def test_members_are_lifted_each_as_alone():
    rng = np.random.default_rng(2)
    mg = Multigrid(Poisson((20, 30), boundary=["dirichlet", ("dirichlet", "neumann")]))
    f = np.stack([np.ones((20, 30)), rng.standard_normal((20, 30)), np.zeros((20, 30)), np.zeros((20, 30))])
    left = np.stack([np.full(30, 1e6), 1e-3 * np.ones(30), rng.standard_normal(30), np.full(30, 7.0)])
    g = {(0, 0): left, (0, 1): left, (1, 0): np.repeat(left[:, :1], 20, axis=1)}
    seen = []
    for u0 in (None, rng.standard_normal(f.shape)):
        together = mg.solve(f, g, u0=u0, callback=lambda p: seen.append(p.u.copy()) and None)
        np.testing.assert_array_equal(seen[-1], together.u)
        for i, member in enumerate(together.members):
            alone = mg.solve(f[i], {key: v[i] for key, v in g.items()}, u0=None if u0 is None else u0[i])
            assert (member.cycles, member.reason) == (alone.cycles, "converged")
            np.testing.assert_allclose(member.u, alone.u, rtol=0, atol=1e4 * EPS * np.abs(alone.u).max())
    assert together.members[3].cycles == 0


def test_gradients_do_not_see_a_constant():
    torch = pytest.importorskip("torch")
    from pde import solve_poisson

    def gradients(level):
        f = torch.ones(9, 12, dtype=torch.float64, requires_grad=True)
        g = torch.full((12,), level, dtype=torch.float64, requires_grad=True)
        u = solve_poisson(f, g={(0, 0): g, (0, 1): level, (1, 0): level, (1, 1): level}, rtol=1e-10).u - level
        (u**2).sum().backward()
        return u.detach(), f.grad, g.grad

    for high, zero in zip(gradients(1e6), gradients(0.0), strict=True):
        torch.testing.assert_close(high, zero, rtol=0, atol=1e-8 * float(abs(zero).max()) + 256 * EPS * 1e6)
