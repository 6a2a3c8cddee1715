"""Full tensors as coefficient: the operator, boundary data, and what is refused."""

import numpy as np
import pytest
from scipy.sparse.linalg import spsolve

import pde
from pde.problem.boundary import fold, read_sides
from pde.problem.lifting import lifting, unlifted
from tests.pde.problem.tensors import BETA, CASES, assembled, random_tensor, stretched
from tests.pde.reference import EPS, F8
from tests.pde.refusals import ids, refused

F = np.ones((7, 9))
GOOD = [[2.0, 0.5], [0.5, 1.0]]


def problem(shape, boundary, centering, **options):
    return pde.Poisson(shape, boundary=boundary, centering=centering, coefficient=random_tensor(shape), **options)


def of_sides(p):
    """The diagonal that Robin sides add to W A."""
    total = np.zeros(p.shape)
    for a, axis in enumerate(p.grid.axes):
        for side, end in enumerate(axis.sides):
            if end.kind == "robin":
                beta = np.expand_dims(np.broadcast_to(p.terms.of_u(p.grid, a, side), p.shape[:a] + p.shape[a + 1 :]), a)
                layer = tuple([-side] if b == a else slice(None) for b in range(p.ndim))
                total[layer] += beta * (p.control_volumes() / axis.width[-side])[layer]
    return np.diag(total.ravel())


@pytest.mark.parametrize("even", [True, False], ids=["even", "stretched"])
@pytest.mark.parametrize("case", CASES)
def test_the_operator_against_cells(case, even):
    shape, boundary, centering = CASES[case]
    p = problem(shape, boundary, centering, reaction=0.5)
    if not even:
        nodes = [stretched(len(axis.nodes)) for axis in p.grid.axes]
        p = problem(shape, boundary, centering, reaction=0.5, coordinates=nodes)
    K, unknowns, _ = assembled(p, random_tensor(shape))
    W = p.control_volumes()
    expected = K[np.ix_(unknowns, unknowns)] + np.diag(0.5 * W.ravel()) + of_sides(p)
    mine, size = p.matrix(symmetric=True), np.abs(expected).max()
    rounding = 64 * EPS * max(shape) * size
    assert abs(mine - mine.T).max() == 0
    assert np.abs(mine.toarray() - expected).max() <= rounding
    assert np.linalg.eigvalsh(mine.toarray())[0] > 0
    assert np.abs(p.matrix().toarray() * W.ravel()[:, None] - expected).max() <= rounding
    u = np.random.default_rng(0).standard_normal((2, *shape))
    for one, result in zip(u, W * p.apply(u), strict=True):
        assert np.abs(result.ravel() - expected @ one.ravel()).max() <= p.grid.size * rounding * np.abs(u).max()


@pytest.mark.parametrize("shape", [(6, 7), (4, 5, 6)])
def test_rows_sum_to_zero_and_have_nine_or_nineteen_entries(shape):
    for boundary in ("neumann", "periodic"):
        p = problem(shape, boundary, "vertex")
        assert p.singular
        assert np.abs(p.apply(np.ones(shape))).max() <= 27 * EPS * np.abs(p.matrix().diagonal()).max()
    assert int(np.diff(p.matrix().indptr).max()) == {2: 9, 3: 19}[len(shape)]


@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_a_tensor_without_other_entries_is_the_diagonal_one(centering):
    a = 1 + np.random.default_rng(0).random((7, 9))
    plain = pde.Poisson((7, 9), centering=centering, coefficient=[a, 2.0])
    for coefficient in ([[a, 0.0], [0 * a, 2.0]], [[a, lambda x, y: 0 * x], [0, 2.0]]):
        p = pde.Poisson((7, 9), centering=centering, coefficient=coefficient)
        assert p.terms.tensor is None
        assert (p.matrix() != plain.matrix()).nnz == 0


def test_forms_of_a_tensor():
    shape, a = (5, 6), np.random.default_rng(1).random((5, 6))
    x, _ = pde.Poisson(shape).points()
    rows = [[2 + x, 0.3 * a], [0.3 * a, 1.0]]
    last = np.stack([np.stack([np.broadcast_to(e, shape) for e in row], -1) for row in rows], -2)
    expected = pde.Poisson(shape, coefficient=rows).matrix()
    for form in (last, np.moveaxis(last, (-2, -1), (0, 1)), [[lambda x, y: 2 + x, 0.3 * a], (0.3 * a, 1.0)]):
        assert (pde.Poisson(shape, coefficient=form).matrix() != expected).nnz == 0
    numbers = pde.Poisson(shape, coefficient=np.array(GOOD))
    assert (numbers.matrix() != pde.Poisson(shape, coefficient=GOOD).matrix()).nnz == 0


@pytest.mark.parametrize("case", CASES)
def test_data_of_sides_reach_every_neighbour(case):
    """A w of a function on all nodes is the operator's, and the data of the sides: those of corners too.

    A quadratic function is continued to the corners as it is.
    """
    shape, boundary, centering = CASES[case]
    p = problem(shape, boundary, centering)
    periodic = [axis.periodic for axis in p.grid.axes]

    def w(*x):
        line = sum((0.5 + k) * c for k, (c, wraps) in enumerate(zip(x, periodic, strict=True)) if not wraps)
        return 1 + line + line**2 + 0 * x[0]

    K, unknowns, nodes = assembled(p, random_tensor(shape))
    values = w(*np.meshgrid(*nodes, indexing="ij")).ravel()
    expected = (K[unknowns] @ values).reshape(shape)
    dirichlet = {
        (a, side): w
        for a, axis in enumerate(p.grid.axes)
        for side in (0, 1)
        if axis.sides[side].kind == "dirichlet" and min(n for b, n in enumerate(shape) if b != a) > 2
    }
    if len(dirichlet) < sum(side.kind == "dirichlet" for axis in p.grid.axes for side in axis.sides):
        pytest.skip("too few points for a parabola along a side")
    u = w(*p.points())
    without = (p.apply(u) - (of_sides(p) @ u.ravel()).reshape(shape) / p.control_volumes()) * p.control_volumes()
    folded = p.control_volumes() * fold(np.zeros(shape), read_sides(dirichlet, p.grid, F8), p.grid, p.terms)
    size = np.abs(K).max() * np.abs(values).max()
    assert np.abs(without - folded - expected).max() <= 256 * EPS * size


@pytest.mark.parametrize("case", CASES)
def test_lifted_data_are_folded_data(case):
    shape, boundary, centering = CASES[case]
    p = problem(shape, boundary, centering, reaction=0.3)
    rng = np.random.default_rng(2)
    keys = [(a, s) for a, axis in enumerate(p.grid.axes) for s in (0, 1) if not axis.periodic]
    if not keys:
        return
    sides = {(a, s): rng.standard_normal(shape[:a] + shape[a + 1 :]) for a, s in keys}
    w = lifting(sides, p.grid, p.terms)
    left, folded = unlifted(w, sides, p.grid, p._operator), fold(-p.apply(w), sides, p.grid, p.terms)
    largest = max(np.abs(g).max() for g in (w, *sides.values()))
    size = np.abs(p._operator.coefficients).sum(axis=0).max() * largest
    assert np.abs(left - folded).max() <= 256 * EPS * size
    constant = {
        (a, s): {"dirichlet": 1.0, "neumann": 0.0, "robin": BETA[0]}[p.grid.axes[a].sides[s].kind]
        if case == "robin"
        else {"dirichlet": 1.0, "neumann": 0.0, "robin": 1.5}[p.grid.axes[a].sides[s].kind]
        for a, s in keys
    }
    one = read_sides(constant, p.grid, F8)
    if p.has_dirichlet and one:
        w = lifting(one, p.grid, p.terms)
        assert np.abs(w - 1).max() <= 64 * EPS
        assert np.abs(unlifted(w, one, p.grid, p._operator) + 0.3 * w).max() <= 64 * EPS * size


def test_embed_has_the_data():
    p = problem((6, 7), "dirichlet", "vertex")
    u = np.random.default_rng(3).standard_normal((6, 7))
    whole = p.embed(u, lambda x, y: x + 10 * y)
    np.testing.assert_array_equal(whole[1:-1, 1:-1], u)
    np.testing.assert_allclose(whole[0, 1:-1], 10 * p.grid.axes[1].points, rtol=4 * EPS)


INDEFINITE = np.where(np.arange(63).reshape(7, 9) == 13, 1.5, 0.1)  # at (1, 4): 2 * 1 < 1.5^2

WRONG = [  # coefficient, further options; what the message must hold
    ([[2.0, 0.5], [0.4, 1.0]], {}, ValueError, ["coefficient", "symmetric", "[0][1]", "[1][0]", "0.1"]),
    ([[2.0, INDEFINITE], [INDEFINITE, 1.0]], {}, ValueError, ["coefficient", "positive definite", "(1, 4)", "-0.0811"]),
    ([[2.0, INDEFINITE], [INDEFINITE, 1.0]], {}, ValueError, ["the point (0.25, 0.5)"]),
    ([[1e-200, 2e-200], [2e-200, 1e-200]], {}, ValueError, ["coefficient", "positive definite", "-1e-200"]),
    ([[1e-200, 1e200], [1e200, 1.0]], {}, ValueError, ["coefficient", "positive definite"]),
    ([[-1.0, 0.5], [0.5, 1.0]], {}, ValueError, ["coefficient", "positive definite", "(0, 0)"]),
    ([[-1.0, 0.0], [0.0, 1.0]], {}, ValueError, ["coefficient[0]", "positive", "-1.0"]),
    ([[2.0, np.nan], [np.nan, 1.0]], {}, ValueError, ["coefficient[0][1]", "finite"]),
    ([[2.0, 1j], [1j, 1.0]], {}, TypeError, ["coefficient[0][1]", "real"]),
    ([[2.0, F[:3]], [F[:3], 1.0]], {}, ValueError, ["coefficient[0][1]", "(7, 9)", "(3, 9)"]),
    ([[2.0, "x"], ["x", 1.0]], {}, TypeError, ["coefficient[0][1]"]),
    ([[2.0, 0.5, 0.1], [0.5, 1.0, 0.1]], {}, ValueError, ["coefficient[0]", "(7, 9)", "(3,)"]),
    (GOOD, {"centering": "cell", "boundary": "neumann"}, ValueError, ["coefficient", "cells", "'neumann'", "vertex"]),
    (GOOD, {"centering": "cell", "boundary": ("robin", 1.0)}, ValueError, ["coefficient", "cells", "'robin'"]),
    (GOOD, {"shape": (1, 9), "boundary": "neumann"}, ValueError, ["coefficient", "axis 0", "two unknowns"]),
    (GOOD, {"domain": F > 0}, ValueError, ["coefficient", "domain"]),
    (GOOD, {"boundary": "open"}, ValueError, ["coefficient", "open"]),
    (
        GOOD,
        {"face_coefficients": [F, F]},
        ValueError,
        ["face_coefficients", "coefficient"],
    ),
]


@pytest.mark.parametrize("scale", [1e-200, 1e250])
def test_definite_tensors_of_any_size(scale):
    f = np.ones((7, 9))
    u, scaled = (
        pde.Multigrid(pde.Poisson((7, 9), coefficient=s * np.array(GOOD))).solve(f, strict=True).u for s in (1, scale)
    )
    np.testing.assert_allclose(scaled * scale, u, rtol=1e-6)  # two solves to 1e-8, and the condition


@pytest.mark.parametrize(("coefficient", "options", "kind", "named"), WRONG, ids=ids(WRONG))
def test_wrong_tensors(coefficient, options, kind, named):
    refused(kind, named, pde.Poisson, **{"shape": (7, 9), "coefficient": coefficient, **options})


@pytest.mark.parametrize("case", CASES)
def test_the_energy_is_least_at_the_solution(case):
    """It rises by (v, W A v) / 2 for every v added to the solution, which has the derivative zero."""
    shape, boundary, centering = CASES[case]
    p = problem(shape, boundary, centering, reaction=0.3)
    rng = np.random.default_rng(4)
    f, v = rng.standard_normal((2, *shape))
    sides = {(a, s): rng.standard_normal(shape[:a] + shape[a + 1 :]) for a in range(p.ndim) for s in (0, 1)}
    g = {(a, s): values for (a, s), values in sides.items() if not p.grid.axes[a].periodic}
    rhs = fold(f, read_sides(g, p.grid, F8), p.grid, p.terms)
    u = spsolve(p.matrix().tocsc(), rhs.ravel()).reshape(shape)
    least, above = pde.energy(p, u, f, g), pde.energy(p, np.stack((u + v, u - v)), f, g)
    rise = np.sum(p.control_volumes() * v * p.apply(v)) / 2
    largest = max(np.abs(values).max() for values in (u, v, *g.values()))
    size = abs(least) + rise + np.abs(p._operator.coefficients).max() * largest**2
    assert np.abs(above - least - rise).max() <= 1e3 * p.grid.size * EPS * size


def test_fluxes_of_tensors_are_refused():
    p = pde.Poisson((15, 15), coefficient=GOOD)
    refused(ValueError, ["coefficient", "flux", "full"], pde.flux, p, np.ones((15, 15)), (0, 0))
    x, y = p.points()
    for part, slope in zip(pde.gradient(p, x + 2 * y, lambda x, y: x + 2 * y), (1.0, 2.0), strict=True):
        np.testing.assert_allclose(part, slope, rtol=1e-12)
    free = pde.Poisson((15, 15), coefficient=GOOD, boundary=[("dirichlet", "neumann"), "dirichlet"])
    refused(ValueError, ["coefficient", "gradient", "full"], pde.gradient, free, np.ones((15, 15)))


def test_wrong_solvers_of_tensors():
    p = pde.Poisson((15, 15), coefficient=GOOD)
    refused(ValueError, ["coarse", "'rediscretised'", "'galerkin'"], pde.Multigrid, p, coarse="rediscretised")
    refused(ValueError, ["transfer", "'operator'", "'bilinear'"], pde.Multigrid, p, transfer="operator")
