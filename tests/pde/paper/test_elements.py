"""Finite elements with Neumann sides (5.1), and Pi of (4.17) as projections onto the coarser space."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import mgcore
import pde
from mgcore import checks
from pde.paper.convolution import restriction_matrix, spread_2
from pde.paper.elements import ELEMENTS, INTERPOLATIONS, feature_map, mass, stiffness
from pde.paper.section5 import RESTRICTIONS, section5_levels
from tests.pde.paper.test_section5 import neumann_elements
from tests.pde.reference import EPS

every_kind = pytest.mark.parametrize("transfer", ["linear", "bilinear"])
every_pi = pytest.mark.parametrize("name", INTERPOLATIONS)
norm = np.linalg.norm


def lines(n):
    return np.meshgrid(np.arange(n) / (n - 1), np.arange(n) / (n - 1), indexing="ij")


@every_kind
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_r_f_r_t_is_the_coarse_f_to_the_last_bit(transfer, k):
    """The matrices are integers over 2 or 6, those of R multiples of 1/4: no product has any rounding."""
    n, m = 2**k + 1, 2 ** (k - 1) + 1
    (F, d), (coarse, _) = stiffness((n, n), transfer), stiffness((m, m), transfer)
    R = restriction_matrix(RESTRICTIONS[transfer], (n, n))
    np.testing.assert_array_equal((R @ F @ R.T).toarray(), coarse.toarray())
    np.testing.assert_allclose(F.toarray() / d, neumann_elements(n, RESTRICTIONS[transfer]), rtol=0, atol=4 * EPS)
    np.testing.assert_array_equal(F.toarray(), F.toarray().T)


@every_kind
def test_levels_are_the_elements_of_every_grid(transfer):
    levels = section5_levels(4, transfer=transfer, boundary="neumann")
    for level in levels:
        shape = level.info["shape"]
        F, d = stiffness(shape, transfer)
        np.testing.assert_array_equal(level.info["matrix"].toarray(), F.toarray() / d)
        np.testing.assert_array_equal(level.A(np.ones(shape)), np.zeros(shape))  # A 1 = 0, no rounding
        u = np.random.default_rng(0).standard_normal(shape)
        assert abs(level.A(u).sum()) <= 16 * u.size * EPS * abs(u).max() * 9
        middle = F[u.size // 2].toarray().reshape(shape)[tuple(slice(n // 2 - 1, n // 2 + 2) for n in shape)] / d
        np.testing.assert_allclose(level.info["kernel"], middle, rtol=0, atol=16 * EPS)
    for fine, coarse in pairwise(levels):
        e, r = (np.random.default_rng(1).standard_normal(level.info["shape"]) for level in (coarse, fine))
        P = fine.P(e, r)
        assert abs((fine.R(r) * e).sum() - (r * P).sum()) <= 4 * EPS * r.size * norm(r) * norm(P)


@every_kind
@pytest.mark.parametrize("smoother", ["S0", "S1"])
def test_the_v_cycle_solves_it_and_the_error_is_of_second_order(transfer, smoother):
    """-Laplace u = f of mean zero, u = cos pi x cos 2 pi y; f is its integrals with the hat functions."""
    errors = []
    for k in (3, 4, 5):
        n = 2**k + 1
        x, y = lines(n)
        exact = np.cos(np.pi * x) * np.cos(2 * np.pi * y)
        M = mass((n, n), transfer) / (n - 1) ** 2
        f = (M @ (5 * np.pi**2 * exact).ravel()).reshape(n, n)
        f -= f.mean()  # rounding
        levels = section5_levels(k, transfer=transfer, smoother=smoother, boundary="neumann")
        u, first = None, norm(f)
        for _ in range(25):
            u = mgcore.v_cycle(levels, f, u)
        assert norm(f - levels[0].A(u)) <= 0.55**25 * first
        error = (u - exact).ravel()
        weights = M @ np.ones(n * n)  # integrals of the hat functions, whose sum is the area, 1
        error -= weights @ error
        errors.append(float(np.sqrt(error @ (M @ error))))
    for before, after in pairwise(errors):
        assert 3.5 <= before / after <= 4.5


def prolonged(e, transfer, walls):
    """P e; with held sides e are the interior points."""
    held = walls == "dirichlet"
    e = np.pad(e, 1) if held else e
    P = spread_2(RESTRICTIONS[transfer], e, tuple(2 * n - 1 for n in e.shape))
    return P[1:-1, 1:-1] if held else P


@every_pi
@every_kind
@pytest.mark.parametrize("walls", ["neumann", "dirichlet"])
@pytest.mark.parametrize("shape", [(9, 5), (3, 3), (7, 11)])
def test_pi_p_is_the_identity(name, transfer, walls, shape):
    """Also in batches; the mass matrix has condition at most 36 in its diagonal's scaling, and rows of nine entries."""
    if walls == "dirichlet" and min(shape) < 3:
        return
    Pi = feature_map(name, shape, transfer, walls)
    coarse = tuple((n - 1) // 2 if walls == "dirichlet" else (n + 1) // 2 for n in shape)
    e = np.random.default_rng(0).standard_normal((2, *coarse))
    P = np.stack([prolonged(v, transfer, walls) for v in e])
    assert P.shape == (2, *shape)
    np.testing.assert_allclose(Pi(P), e, rtol=0, atol=36 * 18 * EPS * abs(e).max())


@every_pi
@every_kind
def test_linear_functions_are_kept_up_to_the_sides(name, transfer):
    x, y = lines(17)
    u = 1 + 2 * x - 3 * y
    np.testing.assert_allclose(feature_map(name, u.shape, transfer)(u), u[::2, ::2], rtol=0, atol=36 * 18 * EPS * 4)


@every_kind
def test_means_of_k_r_do_not_keep_linear_functions(transfer):
    """K_R / 4 with zero padding, the fixed Pi of networks, keeps not even constants at the sides."""
    u = np.ones((9, 9))
    means = (restriction_matrix(RESTRICTIONS[transfer], (9, 9)) @ u.ravel()).reshape(5, 5) / 4
    assert np.all(means[1:-1, 1:-1] == 1)
    assert abs(means - 1).max() >= 0.25


@every_kind
@pytest.mark.parametrize("walls", ["neumann", "dirichlet"])
def test_the_l2_projection_is_the_nearest_function(transfer, walls):
    """u - P Pi u is orthogonal to all coarse functions in L2."""
    u = np.random.default_rng(3).standard_normal((9, 7))
    gap = u - prolonged(feature_map("l2", u.shape, transfer, walls)(u), transfer, walls)
    held = walls == "dirichlet"
    full = np.pad(gap, 1) if held else gap
    products = restriction_matrix(RESTRICTIONS[transfer], full.shape) @ (mass(full.shape, transfer) @ full.ravel())
    products = products.reshape([(n + 1) // 2 for n in full.shape])
    products = products[1:-1, 1:-1] if held else products
    assert abs(products).max() <= 36 * 9 * 9 * EPS * norm(u)
    assert abs(gap).max() > 0.1


def test_scott_zhang_is_a_projection_on_edges():
    """Its value is that of the line nearest to u on one edge, by Gauss points; u = 0 on a side gives 0 there."""
    rng = np.random.default_rng(4)
    u = rng.standard_normal((9, 9))
    found = feature_map("scott-zhang", u.shape, "linear")(u)
    t, w = (np.array([-1, 0, 1]) * np.sqrt(0.6) + 1) / 2, np.array([5, 8, 5]) / 18  # exact up to degree 5
    for i, j in ((1, 1), (2, 3), (0, 2), (1, 0), (0, 0)):
        a = u[2 * i : 2 * i + 3, 2 * j] if j == 0 else u[2 * i, 2 * j : 2 * j + 3]
        points, weights = np.concatenate((t / 2, (t + 1) / 2)), np.concatenate((w, w)) / 2
        values = np.interp(points, [0, 0.5, 1], a)
        basis = np.stack((1 - points, points))
        nearest = np.linalg.solve((basis * weights) @ basis.T, (basis * weights) @ values)
        assert abs(found[i, j] - nearest[0]) <= 200 * EPS * abs(a).max()
    v = np.pad(u[1:-1, 1:-1], 1)
    kept = feature_map("scott-zhang", v.shape, "bilinear")(v)
    np.testing.assert_array_equal(np.pad(kept[1:-1, 1:-1], 1), kept)


@every_pi
@every_kind
@pytest.mark.parametrize("boundary", ["zeros", "neumann"])
def test_theorem_6_1_with_each(name, transfer, boundary):
    """Four grids, two sweeps each: values grow by a few, and u~ - u~^0 may cancel, hence three digits."""
    f = np.random.default_rng(5).standard_normal((17, 17))
    levels = section5_levels(4, transfer=transfer, boundary=boundary, Pi=name, nu=(2, 0))
    assert checks.theorem_6_1(levels, f, norm) <= 1e3 * 36 * EPS
    assert norm(mgcore.mgnet(levels, f)[1].u0) > 0.1 * norm(mgcore.mgnet(levels, f)[0].u) / 4


@every_pi
def test_theorem_6_1_on_the_solver_s_levels(name):
    for boundary, walls, sizes in (("neumann", "neumann", (17, 9, 5)), ("dirichlet", "dirichlet", (15, 7, 3))):
        levels = pde.Multigrid(pde.Poisson((sizes[0],) * 2, boundary=boundary), levels=4).levels
        maps = [feature_map(name, (n, n), "bilinear", walls) for n in sizes[: len(levels) - 1]]
        levels = [*(replace(a, Pi=Pi) for a, Pi in zip(levels, maps, strict=False)), levels[-1]]
        f = np.random.default_rng(6).standard_normal((sizes[0],) * 2)
        assert checks.theorem_6_1(levels, f - f.mean(), norm) <= 1e3 * 36 * EPS


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: stiffness((3, 3), "cubic"), "transfer must be one of 'linear', 'bilinear'; got 'cubic'"),
        (lambda: mass((3, 3), 1), "transfer must be one of"),
        (lambda: feature_map("L2", (3, 3), "linear"), "name must be one of 'nodal', 'scott-zhang', 'l2'; got 'L2'"),
        (lambda: feature_map("l2", (4, 3), "linear"), r"shape must be two odd numbers of points, .* got \(4, 3\)"),
        (lambda: feature_map("l2", (1, 3), "linear"), "shape must be an integer >= 2; got 1"),
        (lambda: feature_map("l2", (3, 3, 3), "linear"), r"shape must be two numbers of points; got \(3, 3, 3\)"),
        (lambda: stiffness((1, 5), "linear"), "shape must be an integer >= 2; got 1"),
        (lambda: mass((5,), "linear"), "shape must be two numbers of points"),
        (lambda: feature_map("nodal", (9, 9), "linear")(np.ones((3, 27))), r"shape \(..., 9, 9\); got \(3, 27\)"),
        (lambda: feature_map("l2", (3, 3), "linear", "periodic"), "walls must be one of 'neumann', 'dirichlet'"),
    ],
)
def test_bad_arguments(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_kinds():
    assert ELEMENTS.keys() == RESTRICTIONS.keys()
