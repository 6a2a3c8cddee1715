"""Robin sides whose beta varies along the side."""

from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import spsolve

import pde
from pde.problem.boundary import closed_points, fold, read_sides
from pde.problem.lifting import lifting, unlifted
from tests.pde.reference import EPS, F8

SHAPES = {"line": (9,), "plane": (6, 9), "square": (8, 8), "box": (4, 3, 5)}
BETA = (lambda *x: 0.5 + sum(x) ** 2, lambda *x: 3.0 * (x[-1] > 0.4))
"""Of the low and the high end of the last axis but one (the only one in 1-D); the second is zero along a part."""


def problem(shape, centering="vertex", **options):
    ends = (("robin", BETA[0]), ("robin", BETA[1]))
    sides = {1: [ends], 2: [ends, ("neumann", "dirichlet")], 3: ["periodic", ends, ("robin", 2.0)]}[len(shape)]
    return pde.Poisson(shape, boundary=sides, centering=centering, **options)


def assembled(p, g):
    """W A and W f of f = 0, from the fluxes through the faces of every control volume of equal spacing."""
    lines, shape = [axis.points for axis in p.grid.axes], p.shape
    number = np.arange(p.grid.size).reshape(shape)
    A, rhs, a = sp.lil_matrix((p.grid.size,) * 2), np.zeros(shape), p.terms.diffusion[0]
    a = np.broadcast_to(a, shape)
    widths = []
    for x, axis in zip(lines, p.grid.axes, strict=True):
        faces = np.concatenate((axis.nodes[:1], (x[1:] + x[:-1]) / 2, axis.nodes[-1:]))
        if axis.sides[0].kind == "dirichlet":
            faces[0] = (axis.nodes[0] + x[0]) / 2
        if axis.sides[1].kind == "dirichlet" and not axis.cell:
            faces[-1] = (axis.nodes[-1] + x[-1]) / 2
        widths.append(np.full(len(x), axis.spacing[0]) if axis.periodic else np.diff(faces))
    for i in np.ndindex(*shape):
        for d, axis in enumerate(p.grid.axes):
            area = np.prod([widths[b][i[b]] for b in range(p.ndim) if b != d])
            for side, step in ((0, -1), (1, 1)):
                j = list(i)
                j[d] += step
                if axis.periodic or 0 <= j[d] < shape[d]:
                    j[d] %= shape[d]
                    k = area * 2 / (1 / a[i] + 1 / a[tuple(j)]) / (axis.spacing[0])
                    A[number[i], number[i]] += k
                    A[number[i], number[tuple(j)]] -= k
                    continue
                x = [line[n] for line, n in zip(lines, i, strict=True)]
                x[d] = axis.nodes[-side]
                distance, kind = abs(x[d] - lines[d][i[d]]), axis.sides[side].kind
                value = g(*x)
                if kind == "dirichlet":
                    A[number[i], number[i]] += area * a[i] / distance
                    rhs[i] += area * a[i] / distance * value
                elif kind == "neumann":
                    rhs[i] += area * value
                else:  # a (b - u) / distance = g - beta b with the boundary value b
                    beta = BETA[side](*x) if d == max(0, p.ndim - 2) else 2.0
                    share = 1 / (1 + beta * distance / a[i])
                    A[number[i], number[i]] += area * beta * share
                    rhs[i] += area * share * value
    return sp.csr_matrix(A), rhs


def g(*x):
    return 1 + x[0] - np.cos(2 * x[-1])


@pytest.mark.parametrize("coefficient", [None, lambda *x: 1 + 0.3 * np.sin(3 * x[0] + x[-1])], ids=["1", "a"])
@pytest.mark.parametrize("centering", ["vertex", "cell"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_matrix_and_data_against_an_assembly_face_by_face(shape, centering, coefficient):
    p = problem(shape, centering, coefficient=coefficient)
    A, rhs = assembled(p, g)
    mine = p.matrix(symmetric=True)
    size = abs(A).max()
    assert abs(mine - mine.T).max() == 0
    assert abs(mine - A).max() <= 32 * EPS * max(shape) * size
    W = p.control_volumes()
    data = fold(np.zeros(shape), read_sides(g, p.grid, F8), p.grid, p.terms)
    assert np.abs(W * data - rhs).max() <= 32 * EPS * max(shape) * np.abs(rhs).max()
    u = np.random.default_rng(0).standard_normal(shape)
    assert (
        np.abs(W * p.apply(u) - (A @ u.ravel()).reshape(shape)).max() <= 64 * EPS * max(shape) * size * np.abs(u).max()
    )


@pytest.mark.parametrize("coarse", ["rediscretised", "galerkin"])
@pytest.mark.parametrize("centering", ["vertex", "cell"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_solutions_against_spsolve(shape, centering, coarse):
    p = problem(shape, centering)
    f = np.random.default_rng(1).standard_normal(shape)
    A, rhs = assembled(p, g)
    expected = spsolve(A.tocsc(), (p.control_volumes() * f + rhs).ravel()).reshape(shape)
    for options in ({}, {"accel": "cg"}, {"cycle": "V"}):
        solution = pde.Multigrid(p, coarse=coarse, levels=9).solve(f, g, rtol=1e-11, **options)
        assert solution.converged, solution.message
        condition = np.linalg.cond(p.matrix().toarray())
        assert np.abs(solution.u - expected).max() <= 1e-11 * condition * np.abs(expected).max()


@pytest.mark.parametrize("centering", ["vertex", "cell"])
@pytest.mark.parametrize("value", [2.0, 0.0])
def test_a_beta_that_does_not_vary_is_the_number(centering, value):
    sides = [(("robin", value), "dirichlet"), ("neumann", ("robin", value))]
    plain = pde.Poisson((7, 9), boundary=sides, centering=centering)
    for beta in (lambda x, y: value, lambda x, y: value + 0 * x, np.array(value)):
        other = [(("robin", beta), "dirichlet"), ("neumann", ("robin", beta))]
        p = pde.Poisson((7, 9), boundary=other, centering=centering)
        assert (p.matrix() != plain.matrix()).nnz == 0
        assert p.boundary == plain.boundary
    arrays = [(("robin", np.full(9, value)), "dirichlet"), ("neumann", ("robin", np.full((7,), value)))]
    assert (pde.Poisson((7, 9), boundary=arrays, centering=centering).matrix() != plain.matrix()).nnz == 0


@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_second_order(centering):
    """-div(a grad u) + u = f with a du/dn + beta u = g, all of them varying."""

    def u(x, y):
        return np.exp(x) * np.cos(2 * y)

    def a(x, y):
        return 1 + x * y

    def beta(x, y):
        return 1 + x + 3 * y**2

    def f(x, y):
        ux, uy = u(x, y), -2 * np.exp(x) * np.sin(2 * y)
        return -a(x, y) * (u(x, y) - 4 * u(x, y)) - y * ux - x * uy + u(x, y)

    def slope(axis, sign):
        def data(x, y):
            du = u(x, y) if axis == 0 else -2 * np.exp(x) * np.sin(2 * y)
            return sign * a(x, y) * du + beta(x, y) * u(x, y)

        return data

    data = {(axis, side): slope(axis, (-1, 1)[side]) for axis in (0, 1) for side in (0, 1)}
    errors = []
    for n in (16, 32, 64):
        p = pde.Poisson((n, n), boundary=("robin", beta), centering=centering, coefficient=a, reaction=1.0)
        solution = pde.Multigrid(p).solve(p.read("f", f), data, rtol=1e-10)
        assert solution.converged
        assert solution.cycles <= 12
        errors.append(np.abs(solution.u - u(*p.points())).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert orders.min() > 1.85, orders


@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_coarse_betas_have_the_mean_of_the_fine_one(centering):
    """On sides without Dirichlet ends, where every fine point belongs to a coarse one as a whole."""
    beta = np.random.default_rng(2).random((16, 11))
    p = pde.Poisson((16, 9, 11), boundary=["periodic", ("neumann", ("robin", beta)), "neumann"], centering=centering)
    mean = p.boundary[1][1].beta
    checked = 0
    for level in pde.Multigrid(p, levels=9, coarse="rediscretised").levels:
        grid, coarse = level.info.grid, level.info.operator.terms.betas.get((1, 1))
        assert grid.axes[1].sides[1].beta == mean
        if coarse is not None:
            W = np.multiply.outer(grid.axes[0].width, grid.axes[2].width)
            assert coarse.shape == W.shape
            checked += centering == "cell" or level.info.grid.size == p.grid.size
            if centering == "cell":
                assert np.sum(W * coarse) == pytest.approx(mean * W.sum(), rel=64 * EPS)
            assert beta.min() <= coarse.min() <= coarse.max() <= beta.max()
    assert checked > 0


@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_convergence_is_that_of_a_constant_beta(centering):
    rough = np.random.default_rng(3).random(48) * 1e3
    factors = []
    for beta in (float(rough.mean()), rough):
        p = pde.Poisson((48, 48), boundary=[(("robin", beta), "dirichlet"), "neumann"], centering=centering)
        factors.append(pde.Multigrid(p).measure_factor(cycles=15))
    assert factors[1] <= factors[0] + 0.1


@pytest.mark.parametrize("centering", ["vertex", "cell"])
@pytest.mark.parametrize("beta", [10.0, 1e3, 1e12])
def test_a_beta_that_jumps_takes_no_more_cycles(centering, beta):
    """Held on a part of a side and insulated on the rest: rediscretised operators take 17 to 60 cycles there."""
    sides = [(("robin", lambda x, y: np.where(y < 0.4, 0.0, beta)), "neumann"), "neumann"]
    p = pde.Poisson((65, 64), boundary=sides, centering=centering)
    mg = pde.Multigrid(p, levels=9)
    assert mg.transfer == "operator"
    assert mg.measure_factor(cycles=15) < 0.1
    inside = np.ones((65, 64), dtype=bool)
    inside[30:40, 20:50] = False
    held = pde.Multigrid(pde.Poisson((65, 64), boundary=sides, centering=centering, domain=inside), levels=9)
    assert held.measure_factor(cycles=15) < 0.1
    weak = mg.update(boundary=[(("robin", np.where(np.arange(64) < 20, 0.0, 0.9)), "neumann"), "neumann"])
    assert weak.transfer == "bilinear"  # less than a / L: most of the flux is resisted by the box


@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_lifting_has_the_data(centering):
    """u = 1 is lifted as it is where beta has a least value, so that f = 0 leaves rounding alone."""
    for beta, exact in ((lambda x, y: 1 + y, True), (lambda x, y: (y > 0.5) * y, False)):
        p = pde.Poisson((7, 9), boundary=[(("robin", beta), "neumann"), "neumann"], centering=centering, reaction=0.0)
        given = {(0, 0): beta}
        sides = read_sides(given, p.grid, F8)
        w = lifting(sides, p.grid, p.terms)
        left = unlifted(w, sides, p.grid, p._operator)
        by_folding = fold(-p.apply(w), sides, p.grid, p.terms)
        size = np.abs(p._operator.diagonal).max() * np.abs(w).max()
        assert np.abs(left - by_folding).max() <= 64 * EPS * size
        assert not exact or np.abs(w - 1).max() <= 64 * EPS
        solution = pde.Multigrid(p).solve(0.0, given)
        assert solution.converged
        assert np.abs(solution.u - 1).max() <= 1e-6


def test_embed_puts_the_boundary_values_there():
    """Of cells: the value b with a (b - u) / d = g - beta b."""
    p = problem((6, 9), "cell", coefficient=lambda x, y: 1 + x)
    u = np.random.default_rng(4).standard_normal(p.shape)
    whole = p.embed(u, g)
    x, y = (closed_points(axis) for axis in p.grid.axes)
    a, d = p.terms.diffusion[0], p.grid.axes[0].points[0]
    for side, row in ((0, 0), (1, -1)):
        b = whole[row, 1:-1]
        beta, data = BETA[side](x[row], y[1:-1]) * np.ones(9), g(x[row], y[1:-1])
        left, right = a[row] * (b - u[row]) / d, data - beta * b
        assert np.abs(left - right).max() <= 16 * EPS * np.abs(a[row] / d * b).max()


@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_update_takes_another_beta(centering):
    f = np.random.default_rng(5).standard_normal((12, 12))
    start = [(("robin", 1.0), "dirichlet"), "neumann"]
    mg = pde.Multigrid(pde.Poisson((12, 12), boundary=start, centering=centering), levels=3)
    axes = mg.problem.grid.axes
    for beta in (lambda x, y: 1 + y, np.linspace(0, 3, 12), 5.0, 1.0):
        sides = [(("robin", beta), "dirichlet"), "neumann"]
        assert mg.update(boundary=sides) is mg
        fresh = pde.Multigrid(pde.Poisson((12, 12), boundary=sides, centering=centering), levels=3)
        np.testing.assert_array_equal(mg.solve(f, 1.0).u, fresh.solve(f, 1.0).u)
        assert mg.problem.grid.axes[1] is axes[1]
    before = mg.problem
    for wrong in (
        "neumann",
        [("dirichlet", ("robin", 1.0)), "neumann"],
        [(("robin", np.ones(3)), "dirichlet"), "neumann"],
    ):
        with pytest.raises(ValueError, match="boundary"):
            mg.update(boundary=wrong)
        assert mg.problem is before


@pytest.mark.parametrize(("scale", "centering"), list(product((1e-17, 1e-3), ("vertex", "cell"))))
def test_a_weak_beta_leaves_the_problem_singular(scale, centering):
    sides = ["periodic", ("neumann", ("robin", lambda x, y: scale * (1 + np.cos(2 * np.pi * x))))]
    assert pde.Poisson((12, 12), boundary=sides, centering=centering).singular == (scale < 1e-10)


@pytest.mark.parametrize("kernels", ["numba", "torch"])
@pytest.mark.parametrize("shape", [(24, 31), (8, 12, 10)])
def test_other_backends_agree(shape, kernels):
    if kernels == "torch":
        pytest.importorskip("torch")
    p = problem(shape)
    f = np.random.default_rng(6).standard_normal(shape)
    plain, other = (pde.Multigrid(p, kernels=name, levels=4, coarse="rediscretised") for name in ("numpy", kernels))
    for dtype_cycle in ("V", "W"):
        a, b = plain.cycle(f, cycle=dtype_cycle), other.cycle(f, cycle=dtype_cycle)
        assert np.abs(a - b).max() <= 1e3 * EPS * np.abs(a).max()
    assert other.solve(f, g).cycles == plain.solve(f, g).cycles


def test_words_of_a_problem():
    assert "beta varies" in repr(problem((6, 9)))
    assert "beta varies" not in repr(pde.Poisson((6, 9), boundary=("robin", 1.0)))
