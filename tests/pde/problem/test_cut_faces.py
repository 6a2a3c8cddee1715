"""Dirichlet walls of level sets: against an assembly point by point, exact for linear u, of second order."""

from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import spsolve

from pde import Poisson
from pde.problem.cut_faces import cut_faces
from pde.problem.level_set import read_level_set
from pde.problem.operators import StencilOperator
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


def boxed(shape, boundary, centering, stretched, coefficient=None, reaction=0.0):
    coordinates = None
    if stretched:
        count = [axis.nodes.size for axis in Poisson(shape, boundary=boundary, centering=centering).grid.axes]
        coordinates = [np.linspace(0, 1, n) ** 1.4 for n in count]
    return Poisson(
        shape,
        boundary=boundary,
        centering=centering,
        coordinates=coordinates,
        coefficient=coefficient,
        reaction=reaction,
    )


def assembled(problem, phi):
    """W A of the points where phi < 0, point by point from the distances to neighbours, sides and the wall."""
    grid, (inside, values) = problem.grid, (phi(*problem.points()) < 0, problem.terms.diffusion)
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
    problem = boxed(*case, coefficient=a, reaction=0.7)
    level_set = read_level_set(phi, problem.grid)
    box = StencilOperator(problem.grid, F8, problem.terms)
    inside = level_set.inside.ravel()
    W = problem.grid.volumes()
    matrix = (box.symmetric_matrix() + sp.diags((W * cut_faces(level_set).extra(box)).ravel())).toarray()
    expected = assembled(problem, phi)
    # roots of 1e-5 and more are known to 2^-52, relative to theta 1e-10 at most
    assert abs(matrix[np.ix_(inside, inside)] - expected).max() <= 1e-10 * abs(expected).max()


@pytest.mark.parametrize("case", [case for case in CASES if "periodic" not in str(case[1])], ids=lambda c: str(c[0]))
@settings(max_examples=8)
@given(seed=SEEDS)
def test_linear_functions_are_solutions(case, seed):
    """Fluxes of linear u are exact, whatever theta is; sides of the box have their data too."""
    ndim = len(case[0])
    rng = np.random.default_rng(seed)
    phi, slope = waves(seed, ndim, shift=-1.0), rng.uniform(-1, 1, ndim)

    def u(*x):
        return 1 + sum(s * y for s, y in zip(slope, x, strict=True))

    problem = boxed(case[0], "dirichlet", *case[2:])
    if not (phi(*problem.points()) < 0).any():
        return
    level_set = read_level_set(phi, problem.grid)
    box, cuts = StencilOperator(problem.grid, F8, problem.terms), cut_faces(level_set)
    sides = {(a, s): u for a in range(ndim) for s in (0, 1)}
    values = u(*problem.points())
    folded = np.zeros(problem.shape)
    for a, axis in enumerate(problem.grid.axes):
        for s in (0, 1):
            at = cuts.beyond < 0
            skip = np.zeros(problem.grid.size, dtype=bool)
            skip[cuts.cells[at & (cuts.axis == a) & (cuts.side == s)]] = True
            index = tuple(-s if b == a else slice(None) for b in range(ndim))
            x = [axis.nodes[-s] + 0 * y[index] if b == a else y[index] for b, y in enumerate(problem.points())]
            ends = np.broadcast_to(np.squeeze(box.ends[a][s]), folded[index].shape)
            folded[index] += np.where(skip.reshape(problem.shape)[index], 0.0, ends * sides[a, s](*x))
    extra = cuts.extra(box)
    data = folded + cuts.summed(cuts.weights(box) * u(*cuts.points()))
    r = (box(level_set.inside * values) + extra * values - data)[level_set.inside]
    # rounding of a few terms, each at most the diagonal times u
    assert (
        abs(r)
        <= 32 * EPS * ((np.broadcast_to(box.diagonal, problem.shape) + abs(extra)) * (1 + ndim))[level_set.inside]
    ).all()


@given(seed=SEEDS, ndim=st.integers(1, 3))
def test_an_array_and_a_callable_agree_where_phi_is_linear(seed, ndim):
    rng = np.random.default_rng(seed)
    slope, grid = rng.uniform(-1, 1, ndim), uniform(6, ndim, cell=bool(seed % 2))

    def phi(*x):
        return sum(s * (y - 0.5) for s, y in zip(slope, x, strict=True))

    one, two = (cut_faces(read_level_set(domain, grid)) for domain in (phi, phi(*grid.points())))
    inner = one.beyond >= 0
    assert np.array_equal(one.cells[inner], two.cells)
    assert np.array_equal(one.beyond[inner], two.beyond)
    size = abs(slope).sum() / np.maximum(abs(slope)[two.axis], EPS) * 6  # |phi| over its change along the way
    assert (abs(one.theta[inner] - two.theta) <= 4 * EPS * size).all()


@pytest.mark.parametrize("domain", [lambda x: x - 0.5 - 1e-10, None], ids=["callable", "array"])
def test_theta_is_not_clipped(domain):
    grid = uniform(7, 1, cell=False)
    cuts = cut_faces(read_level_set(domain or grid.points()[0] - 0.5 - 1e-10, grid))
    # theta is known to the rounding of x, 2^-53, over the spacing
    assert cuts.theta[cuts.side == 1] == pytest.approx(8e-10, abs=2.0**-50)


def test_a_wall_before_a_side_of_the_box_counts_where_phi_is_a_callable():
    grid = uniform(4, 1, cell=True)  # centres 1/8, 3/8, ...
    cuts = cut_faces(read_level_set(lambda x: np.maximum(x - 0.9, 0.05 - x), grid))
    assert cuts.beyond.tolist() == [-1, -1]
    assert cuts.points()[0] == pytest.approx([0.05, 0.9], abs=4 * EPS)
    box = StencilOperator(grid, F8)
    assert cuts.weights(box) == pytest.approx([4 / 0.075, 4 / 0.025], rel=16 * EPS / 0.025)
    assert (box.diagonal + cuts.extra(box))[[0, 3]] == pytest.approx(16 + cuts.weights(box), rel=4 * EPS)
    assert len(cut_faces(read_level_set(-np.ones(4), grid)).cells) == 0
    assert len(cut_faces(read_level_set(lambda x: -x, grid)).cells) == 0  # the wall is the side


def test_a_translated_level_set_has_translated_walls():
    phi = waves(5, 2)(*uniform(20, 2, cell=False).points())
    phi[0], phi[-2:], phi[:, 0], phi[:, -2:] = 1.0, 1.0, 1.0, 1.0
    grid = uniform(20, 2, cell=False)
    box = StencilOperator(grid, F8)
    here, there = (cut_faces(read_level_set(np.roll(phi, k, (0, 1)), grid)).extra(box) for k in (0, 1))
    assert here.any()
    shifted, rounding = np.roll(here, 1, (0, 1)), 64 * EPS * 20  # 20 spacings carry a rounding each
    assert (abs(shifted - there) <= rounding * (shifted + box.diagonal)).all()


def solved(grid, phi):
    """The largest error at the unknowns."""
    level_set, box = read_level_set(phi, grid), StencilOperator(grid, F8)
    cuts, inside, x = cut_faces(level_set), level_set.inside.ravel(), grid.points()
    A = (box.matrix() + sp.diags(cuts.extra(box).ravel())).tocsr()[inside][:, inside]
    f = F[grid.ndim](*x) + cuts.summed(cuts.weights(box) * U[grid.ndim](*cuts.points()))
    u = spsolve(A.tocsc(), f.ravel()[inside])
    return abs(u - U[grid.ndim](*x).ravel()[inside]).max()


@pytest.mark.parametrize("given_as", ["callable", "array"])
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
@pytest.mark.parametrize("phi", [ball, star], ids=["disc", "star"])
def test_order_two_in_the_maximum_norm(phi, cell, given_as):
    """Beside the wall the error is up to h^2/8 times the second derivative, which is 4 exp(x) cos(2 y) at most here."""
    sizes, errors = [32, 64, 128, 256], []
    for n in sizes:
        grid = uniform(n - (not cell), 2, cell)
        errors.append(solved(grid, phi if given_as == "callable" else phi(*grid.points())))
    assert phi is star or fitted_order(sizes, errors) >= 1.75  # the share theta that is worst comes by chance
    assert all(e * n**2 <= np.e for e, n in zip(errors, sizes, strict=True))


@pytest.mark.parametrize("theta", [1e-3, 1e-6, 1e-10, 1e-14])
def test_order_two_where_walls_pass_close_to_points(theta):
    sizes, errors = [20, 40, 80, 160], []
    for n in sizes:
        low, high = 0.2 - theta / n, 0.8 + theta / n

        def phi(x, y, low=low, high=high):
            return np.maximum(np.maximum(x - high, low - x), np.maximum(y - high, low - y))

        errors.append(solved(uniform(n - 1, 2, cell=False), phi))
    assert fitted_order(sizes, errors) >= 1.95


def test_order_two_for_a_sphere():
    sizes = [8, 12, 16, 24]
    errors = [solved(uniform(n - 1, 3, cell=False), ball) for n in sizes]
    assert all(e * n**2 <= np.e for e, n in zip(errors, sizes, strict=True))
