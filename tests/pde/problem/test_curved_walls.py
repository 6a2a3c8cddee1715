"""Dirichlet walls of level sets: against an assembly point by point, exact for linear u, of second order."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import spsolve

from pde import Poisson
from pde.problem.boundary import fold
from pde.problem.curved_walls import curved_walls
from pde.problem.level_set import read_level_set
from tests.pde.problem.curved import F, U, ball, fitted_order, periodic_waves, star, uniform, waves
from tests.pde.reference import EPS, F8, SEEDS

CASES = [  # shape, boundary, centering, stretched
    ((9,), "dirichlet", "vertex", False),
    ((8,), "periodic", "cell", False),
    ((7, 8), "dirichlet", "vertex", False),
    ((8, 7), "neumann", "vertex", False),
    ((7, 7), "dirichlet", "cell", True),
    ((8, 5), ("periodic", "dirichlet"), "vertex", False),
    ((5, 7), ("periodic", ("dirichlet", "neumann")), "cell", True),
    ((9, 6), (("robin", 2.0), "dirichlet"), "cell", False),
    ((1, 9), ("neumann", "dirichlet"), "vertex", False),
    ((5, 4, 6), "dirichlet", "vertex", False),
    ((4, 5, 3), ("neumann", "periodic", "dirichlet"), "cell", True),
]


def boxed(shape, boundary, centering, stretched, **options):
    coordinates = None
    if stretched:
        count = [axis.nodes.size for axis in Poisson(shape, boundary=boundary, centering=centering).grid.axes]
        coordinates = [np.linspace(0, 1, n) ** 1.4 for n in count]
    return Poisson(shape, boundary=boundary, centering=centering, coordinates=coordinates, **options)


def right_hand_side(problem, f, g):
    return fold(problem.read("f", f), problem.read_sides(g, F8), problem.grid, problem.terms)


def assembled(problem, phi):
    """W A of the points where phi < 0, point by point from the distances to neighbours, sides and the wall."""
    grid, inside, values = problem.grid, phi(*problem.points()) < 0, problem.terms.diffusion
    W, matrix = grid.volumes(), np.zeros((grid.size, grid.size))
    flat = np.arange(grid.size).reshape(grid.shape)
    for i in product(*map(range, grid.shape)):
        if not inside[i]:
            continue
        here, row = [axis.points[k] for axis, k in zip(grid.axes, i, strict=True)], flat[i]
        matrix[row, row] += W[i] * np.broadcast_to(problem.terms.reaction, grid.shape)[i]
        for a, way in product(range(grid.ndim), (-1, 1)):
            axis, a_i, area = grid.axes[a], np.broadcast_to(values[a], grid.shape)[i], W[i] / grid.axes[a].width[i[a]]
            k = i[a] + way
            if axis.periodic and axis.n == 1:
                continue
            if axis.periodic or 0 <= k < axis.n:
                j = tuple(k % axis.n if b == a else m for b, m in enumerate(i))
                gap = (axis.points[k % axis.n] - axis.points[i[a]]) * way % axis.length
                if inside[j]:
                    a_j = np.broadcast_to(values[a], grid.shape)[j]
                    mine, other = (axis.width[i[a]], axis.width[k % axis.n]) if axis.cell else (gap, gap)
                    flux = area / (mine / 2 / a_i + other / 2 / a_j)
                    matrix[row, row], matrix[row, flat[j]] = matrix[row, row] + flux, matrix[row, flat[j]] - flux
                    continue
                end = axis.points[k % axis.n]
            else:
                side = axis.sides[way > 0]
                end = axis.nodes[-(way > 0)]
                gap = abs(end - axis.points[i[a]])
                outside = phi(*(np.array(end if b == a else x) for b, x in enumerate(here))) > 0
                if not outside or gap == 0:
                    if side.kind == "dirichlet":
                        matrix[row, row] += area * a_i / gap
                    if side.kind == "robin":
                        matrix[row, row] += area * side.beta / (1 + side.beta * gap / a_i)
                    continue
            low, high = 0.0, 1.0
            for _ in range(60):
                middle = (low + high) / 2
                x = here[a] + middle * way * gap
                x = x - axis.length * np.floor((x - axis.nodes[0]) / axis.length) if axis.periodic else x
                negative = phi(*(np.array(x if b == a else y) for b, y in enumerate(here))) < 0
                low, high = (middle, high) if negative else (low, middle)
            assert high > 1e-5, (end, "draw another level set")
            matrix[row, row] += area * a_i / (high * gap)
    return matrix[np.ix_(inside.ravel(), inside.ravel())]


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case[0])))
@pytest.mark.parametrize("seed", range(3))
def test_the_matrix_is_that_of_an_assembly_point_by_point(case, seed):
    phi, ndim = periodic_waves(seed, len(case[0])), len(case[0])
    a = [1.0 + 0.5 * np.random.default_rng(seed + b).random(case[0]) for b in range(ndim)]
    problem = boxed(*case, coefficient=a, reaction=0.7, domain=phi)
    expected, matrix = assembled(problem, phi), problem.matrix(symmetric=True)
    # roots of 1e-5 and more are known to 2^-52, relative to theta 1e-10 at most
    assert abs(matrix - expected).max() <= 1e-10 * abs(expected).max()
    assert abs(matrix - matrix.T).max() == 0


@pytest.mark.parametrize("case", [case for case in CASES if "periodic" not in str(case[1])], ids=lambda c: str(c[0]))
@settings(max_examples=8)
@given(seed=SEEDS)
def test_linear_functions_are_solutions(case, seed):
    """Fluxes of linear u are exact, whatever theta is; where a wall lies before a side its data do not count."""
    ndim = len(case[0])
    rng = np.random.default_rng(seed)
    phi, slope = waves(seed, ndim, shift=-1.0), rng.uniform(-1, 1, ndim)

    def u(*x):
        return 1 + sum(s * y for s, y in zip(slope, x, strict=True))

    def sides(*x):
        return np.where(phi(*x) > 0, 1e3, u(*x))

    boundary = "dirichlet" if seed % 2 else [("neumann", "dirichlet"), *["dirichlet"] * (ndim - 1)]
    if not (phi(*boxed(case[0], boundary, *case[2:]).points()) < 0).any():
        return
    problem = boxed(case[0], boundary, *case[2:], domain=phi)
    if problem.terms.domain is None:  # all of the box
        return
    g = {(a, s): sides for a in range(ndim) for s in (0, 1)}
    if boundary != "dirichlet":
        g[0, 0] = lambda *x: np.where(phi(*x) > 0, 1e3, -slope[0])
    inside = problem.domain.inside
    r = problem.apply(u(*problem.points())) - right_hand_side(problem, np.zeros(case[0]), {**g, "walls": u})
    # rounding of a few terms, each at most the diagonal times u; roots are known to 2^-52 of theta
    diagonal = problem.matrix().diagonal()
    assert (abs(r[inside]) <= 32 * EPS * diagonal * (1 + ndim)).all()


@given(seed=SEEDS, ndim=st.integers(1, 3))
def test_an_array_and_a_callable_agree_where_phi_is_linear(seed, ndim):
    rng = np.random.default_rng(seed)
    slope, grid = rng.uniform(-1, 1, ndim), uniform(6, ndim, cell=bool(seed % 2))

    def phi(*x):
        return sum(s * (y - 0.5) for s, y in zip(slope, x, strict=True))

    one, two = (curved_walls(read_level_set(domain, grid)) for domain in (phi, phi(*grid.points())))
    one = [wall for wall in one if not wall.before_side]
    assert [(wall.axis, wall.side) for wall in one] == [(wall.axis, wall.side) for wall in two]
    for a, b in zip(one, two, strict=True):
        assert np.array_equal(a.cells, b.cells)
        assert np.array_equal(a.beyond, b.beyond)
        size = abs(slope).sum() / abs(slope[a.axis]) * 6  # |phi| over its change along the way
        assert (abs(a.theta - b.theta) <= 4 * EPS * size).all()


@pytest.mark.parametrize("given_as", ["callable", "array"])
def test_theta_is_not_clipped(given_as):
    def phi(x):
        return x - 0.5 - 1e-10

    grid = uniform(7, 1, cell=False)
    (wall,) = curved_walls(read_level_set(phi if given_as == "callable" else phi(*grid.points()), grid))
    # theta is known to the rounding of x, 2^-53, over the spacing
    assert wall.theta == pytest.approx(8e-10, abs=2.0**-50)


@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", ("robin", 3.0)])
def test_a_wall_before_a_side_of_the_box_counts_where_phi_is_a_callable(boundary):
    def phi(x):
        return np.maximum(x - 0.9, 0.05 - x)

    problem = Poisson(4, boundary=[boundary], centering="cell", domain=phi)  # centres 1/8, 3/8, ...
    assert np.concatenate([wall.points(problem.grid)[0] for wall in problem.domain.walls]) == pytest.approx([0.05, 0.9])
    diagonal = 16 + 4 * np.array([1 / 0.075, 0, 0, 1 / 0.025]) + [0, 16, 16, 0]
    assert problem.matrix().diagonal() == pytest.approx(diagonal, rel=64 * EPS / 0.025)
    b = right_hand_side(problem, np.zeros(4), {(0, 0): 100.0, (0, 1): 100.0, "walls": lambda x: x})
    assert b == pytest.approx(4 * np.array([0.05 / 0.075, 0, 0, 0.9 / 0.025]), rel=64 * EPS / 0.025)
    assert problem.singular is False


@pytest.mark.parametrize("domain", [-np.ones(4), lambda x: -x], ids=["array", "wall at the side"])
def test_the_side_of_the_box_holds_elsewhere(domain):
    assert Poisson(4, centering="cell", domain=domain).terms.domain is None


def test_coefficients_beyond_the_wall_do_not_count():
    phi = ball(*uniform(15, 2, cell=False).points())
    a = np.where(phi < 0, 2.0, 1e-6)
    one, two = (Poisson((15, 15), domain=phi, coefficient=k).matrix() for k in (a, 2.0))
    assert abs(one - two).max() <= 4 * EPS * abs(two).max()


def test_a_translated_level_set_has_translated_walls():
    phi = waves(5, 2)(*uniform(20, 2, cell=False).points())
    phi[0], phi[-2:], phi[:, 0], phi[:, -2:] = 1.0, 1.0, 1.0, 1.0
    here, there = (Poisson((20, 20), domain=np.roll(phi, k, (0, 1))) for k in (0, 1))
    rounding = 64 * EPS * 20 * here.matrix().diagonal()  # 20 spacings carry a rounding each
    assert (abs(here.matrix().diagonal() - there.matrix().diagonal()) <= rounding).all()


def test_walls_of_arrays_take_values_between_the_points():
    problem = Poisson(7, domain=np.array([1.0, -1.0, -1.0, -3.0, 1.0, 1.0, 1.0]))
    values = problem.read_sides({"walls": np.arange(7.0) ** 2}, F8)["walls"]
    assert values == pytest.approx([0.5 * 0 + 0.5 * 1, 0.25 * 9 + 0.75 * 16])
    values = problem.read_sides({"walls": lambda x: 8 * x}, F8)["walls"]
    assert values == pytest.approx([1.5, 4.75])


def error_of(grid_options, phi, ndim):
    """The largest error at the unknowns."""
    problem = Poisson(domain=phi, **grid_options)
    b, inside = right_hand_side(problem, F[ndim], {"walls": U[ndim]}), problem.domain.inside
    return abs(spsolve(problem.matrix().tocsc(), b[inside]) - U[ndim](*problem.points())[inside]).max()


@pytest.mark.parametrize("given_as", ["callable", "array"])
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
@pytest.mark.parametrize("phi", [ball, star], ids=["disc", "star"])
def test_order_two_in_the_maximum_norm(phi, cell, given_as):
    """Beside the wall the error is up to h^2/8 times the second derivative, which is 4 exp(x) cos(2 y) at most here."""
    sizes, errors = [32, 64, 128, 256], []
    for n in sizes:
        options = {"shape": (n - (not cell),) * 2, "centering": "cell" if cell else "vertex"}
        values = phi(*Poisson(**options).points())
        errors.append(error_of(options, phi if given_as == "callable" else values, 2))
    assert phi is star or fitted_order(sizes, errors) >= 1.75  # the share theta that is worst comes by chance
    assert all(e * n**2 <= np.e for e, n in zip(errors, sizes, strict=True))


@pytest.mark.parametrize("theta", [1e-3, 1e-6, 1e-10, 1e-14])
def test_order_two_where_walls_pass_close_to_points(theta):
    sizes, errors = [20, 40, 80, 160], []
    for n in sizes:
        low, high = 0.2 - theta / n, 0.8 + theta / n

        def phi(x, y, low=low, high=high):
            return np.maximum(np.maximum(x - high, low - x), np.maximum(y - high, low - y))

        errors.append(error_of({"shape": (n - 1, n - 1)}, phi, 2))
    assert fitted_order(sizes, errors) >= 1.95


@pytest.mark.parametrize("theta", [1e-3, 1e-10, 1e-14])
def test_order_two_for_a_circle_close_to_points(theta):
    """The circle passes four points at theta h, which lie inside it."""
    for n in (20, 40, 80, 160):
        radius = 0.3 + theta / n
        assert (
            error_of({"shape": (n - 1, n - 1)}, lambda x, y, r=radius: np.hypot(x - 0.5, y - 0.5) - r, 2) <= np.e / n**2
        )


def test_order_two_for_a_sphere():
    sizes = [8, 12, 16, 24]
    errors = [error_of({"shape": (n - 1,) * 3}, ball, 3) for n in sizes]
    assert all(e * n**2 <= np.e for e, n in zip(errors, sizes, strict=True))
