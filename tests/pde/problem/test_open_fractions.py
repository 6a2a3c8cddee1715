"""Insulated walls of level sets: fractions exact for planes, that balance, and solutions of second order."""

from itertools import product
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import spsolve

from pde import Poisson
from pde.problem.boundary import fold
from pde.problem.grid import Axis, Grid, Side
from pde.problem.level_set import read_level_set
from pde.problem.open_fractions import LEAST, open_fractions
from tests.pde.problem.curved import F, U, ball, fitted_order, normal_flux, periodic_waves, star, uniform, waves
from tests.pde.reference import EPS, SEEDS

GRIDS = {
    "cells": Poisson((7, 8), boundary="neumann", centering="cell").grid,
    "vertices": Poisson((8, 7), boundary=("neumann", "dirichlet")).grid,
    "stretched": Poisson((5, 6), centering="cell", coordinates=(np.arange(6.0) ** 1.5, np.arange(7.0) ** 2)).grid,
    "stretched vertices": Poisson((4, 6), coordinates=(np.arange(6.0) ** 1.5, np.arange(8.0) ** 2)).grid,
    "3-D": Poisson((3, 4, 5), extent=(1, 1, 2), boundary=("neumann", "periodic", "dirichlet")).grid,
    "line": Poisson(9, centering="cell").grid,
    "one cell": Grid((Axis.uniform(1, 1.0, (Side("neumann"),) * 2, cell=True),) * 3),
}
PERIODIC = [
    Poisson((7, 8), boundary="periodic", centering="cell").grid,
    Poisson((8, 5), boundary="periodic").grid,
    Poisson((4, 4, 3), boundary="periodic").grid,
]


def cut_off(slope, offset):
    """The volume and the area of the plane in the unit cube where slope . x < offset, by inclusion and exclusion."""
    ndim, offset = len(slope), offset - np.minimum(slope, 0).sum()
    slope = abs(slope)
    corners = [
        (-1) ** sum(k) * np.maximum(offset - slope @ k, 0) ** p
        for p in (ndim, ndim - 1)
        for k in product((0, 1), repeat=ndim)
    ]
    half = len(corners) // 2
    volume, area = sum(corners[:half]) / factorial(ndim), sum(corners[half:]) / factorial(ndim - 1)
    return volume / slope.prod(), area / slope.prod() * np.linalg.norm(slope)


@given(seed=SEEDS, ndim=st.integers(2, 3))
def test_planes_cut_off_exact_volumes_and_areas(seed, ndim):
    rng = np.random.default_rng(seed)
    slope, grid = rng.choice((-1, 1), ndim) * rng.uniform(0.1, 1, ndim), GRIDS["one cell"]
    offset = slope @ rng.uniform(0, 1, ndim)
    grid = Grid(grid.axes[:ndim])
    if slope.sum() / 2 >= offset:  # the centre of the cell has to be inside
        slope, offset = -slope, -offset
    found = open_fractions(read_level_set(lambda *x: sum(map(np.multiply, slope, x)) - offset, grid))
    volume, area = cut_off(slope, offset)
    # the formula cancels: terms up to ndim^ndim over the product of slopes
    rounding = 64 * EPS * ndim**ndim / abs(slope.prod())
    assert found.volumes.item() == pytest.approx(volume, abs=rounding)
    assert found.areas.sum() == pytest.approx(area, abs=ndim * rounding)
    assert (
        sum(map(np.multiply, slope, found.points)) == pytest.approx(offset, abs=64 * EPS)
        if len(found.cells)
        else volume == 1
    )


@pytest.mark.parametrize("name", [name for name in GRIDS if name != "3-D"])
@given(seed=SEEDS)
def test_an_array_and_a_callable_agree_where_phi_is_linear(name, seed):
    grid, rng = GRIDS[name], np.random.default_rng(seed)
    slope = rng.uniform(-1, 1, grid.ndim) / [axis.length for axis in grid.axes]
    if grid.size == 1:
        return  # an array of one value says nothing of slopes
    middle = [axis.length * t for axis, t in zip(grid.axes, rng.uniform(0.3, 0.7, grid.ndim), strict=True)]

    def phi(*x):
        return sum(s * (y - m) for s, y, m in zip(slope, x, middle, strict=True))

    if not (phi(*grid.points()) < 0).any():
        return
    one, two = (open_fractions(read_level_set(domain, grid)) for domain in (phi, phi(*grid.points())))
    # an edge's phi is known to eps of the largest, and changes along it by the slope times its length
    change = min(abs(s) * axis.spacing.min() for s, axis in zip(slope, grid.axes, strict=True))
    error = 256 * EPS * max(1.0, 1 / change) + 2 * LEAST
    assert abs(one.volumes - two.volumes).max() <= error
    assert all(abs(a - b).max() <= error for a, b in zip(one.faces, two.faces, strict=True))


@pytest.mark.parametrize("name", GRIDS)
@settings(max_examples=8)
@given(seed=SEEDS)
def test_a_domain_and_the_rest_fill_the_box(name, seed):
    grid, phi = GRIDS[name], waves(seed, GRIDS[name].ndim)
    values = phi(*grid.points())
    if not (values < 0).any() or not (values > 0).any():
        return
    for one, other in ((phi, lambda *x: -phi(*x)), (values, -values)):
        parts = [open_fractions(read_level_set(domain, grid)) for domain in (one, other)]
        # walls closer to a corner than LEAST are moved to it, and roots differ by 2^-53
        assert abs(parts[0].volumes + parts[1].volumes - 1).max() <= 4 * LEAST


@pytest.mark.parametrize("grid", [*GRIDS.values(), *PERIODIC], ids=[*GRIDS, "periodic", "seam", "3-D seam"])
@settings(max_examples=8)
@given(seed=SEEDS)
def test_fractions_are_shares_and_faces_end_where_volumes_do(grid, seed):
    for domain in (phi := periodic_waves(seed, grid.ndim), phi(*grid.points())):
        if not (phi(*grid.points()) < 0).any():
            return
        found = open_fractions(read_level_set(domain, grid))
        assert [face.shape for face in found.faces] == [
            tuple(n + (a == b) for b, n in enumerate(grid.shape)) for a in range(grid.ndim)
        ]
        for part in (found.volumes, *found.faces):
            assert part.min() >= 0
            assert part.max() <= 1
        for a, face in enumerate(found.faces):
            low, high = (np.take(face, np.arange(grid.shape[a]) + k, a) for k in (0, 1))
            assert not low[found.volumes == 0].any()
            assert not high[found.volumes == 0].any()
            if grid.axes[a].periodic:
                assert np.array_equal(np.take(face, 0, a), np.take(face, -1, a))
        assert np.array_equal(found.inflow(1.0).ravel()[found.cells], found.areas)


def test_a_domain_that_is_the_box_is_open():
    for grid in (*GRIDS.values(), *PERIODIC):
        found = open_fractions(read_level_set(lambda *x: -1.0, grid))
        assert all((part == 1).all() for part in (found.volumes, *found.faces))
        assert found.cells.size == 0


def test_a_wall_closer_to_a_corner_than_rounding_leaves_no_open_face_without_a_volume():
    for distance in (1e-8, 1e-13, 1e-16):
        found = open_fractions(read_level_set(lambda x, y, d=distance: np.maximum(x, y) - 0.5 - d, uniform(4, 2, True)))
        assert found.volumes[:2, :2].min() == pytest.approx(1)
        assert all(np.take(face, 3, a).max() == 0 for a, face in enumerate(found.faces))
        assert (found.volumes[2] > 0).any() == (distance > LEAST)


@pytest.mark.parametrize("given_as", ["callable", "array"])
def test_volume_and_area_of_a_disc_and_a_ball(given_as):
    for ndim, sizes, volume, area in (
        (2, (16, 32, 64, 128), np.pi * 0.37**2, 2 * np.pi * 0.37),
        (3, (8, 12, 16, 24), 4 / 3 * np.pi * 0.37**3, 4 * np.pi * 0.37**2),
    ):
        errors = []
        for n in sizes:
            grid = uniform(n, ndim, cell=True, kind="neumann")
            found = open_fractions(read_level_set(ball if given_as == "callable" else ball(*grid.points()), grid))
            errors.append((abs((found.volumes * grid.volumes()).sum() / volume - 1), abs(found.areas.sum() / area - 1)))
        assert min(fitted_order(sizes, column) for column in zip(*errors, strict=True)) >= 1.9


def assembled(problem, domain, side_data, wall_data):
    """(W A, W b) with f = 0, dense, from the fractions alone: a loop over the faces of each volume."""
    grid, found = problem.grid, open_fractions(read_level_set(domain, problem.grid))
    W, flat = grid.volumes(), np.arange(grid.size).reshape(grid.shape)
    A, b = np.diag((W * found.volumes * problem.terms.reaction).ravel()), found.inflow(wall_data).ravel()
    for i in product(*map(range, grid.shape)):
        for a, side in product(range(grid.ndim), (0, 1)):
            axis, k = grid.axes[a], i[a] + 2 * side - 1
            area = W[i] / axis.width[i[a]] * found.faces[a][(*i[:a], i[a] + side, *i[a + 1 :])]
            if axis.periodic or 0 <= k < axis.n:
                j = (*i[:a], k % axis.n, *i[a + 1 :])
                gap = abs(axis.points[k % axis.n] - axis.points[i[a]])
                gap = gap if 0 <= k < axis.n else axis.length - gap
                A[flat[i], flat[i]] += area / gap
                A[flat[i], flat[j]] -= area / gap
                continue
            kind, beta, d = axis.sides[side].kind, axis.sides[side].beta, axis.ends[side]
            share = 1 / d if kind == "dirichlet" else 1 / (1 + beta * d)
            A[flat[i], flat[i]] += area * share * (beta if kind == "robin" else kind == "dirichlet")
            b[flat[i]] += area * share * side_data
    return A, b


BOXES = [  # shape, boundary, centering
    ((7, 8), "neumann", "cell"),
    ((6, 7), "dirichlet", "vertex"),
    ((8, 6), (("robin", 2.0), "dirichlet"), "cell"),
    ((6, 8), ("periodic", ("robin", 1.0)), "vertex"),
    ((5, 6), ("periodic", ("neumann", "dirichlet")), "cell"),
    ((3, 4, 5), ("neumann", "periodic", "dirichlet"), "cell"),
    ((9,), "neumann", "cell"),
]


@pytest.mark.parametrize("given_as", ["callable", "array"])
@pytest.mark.parametrize(("shape", "boundary", "centering"), BOXES, ids=[str(box[0]) for box in BOXES])
@pytest.mark.parametrize("seed", range(2))
def test_matrix_and_data_are_those_of_a_loop_over_faces(shape, boundary, centering, seed, given_as):
    options = {"shape": shape, "boundary": boundary, "centering": centering, "reaction": 0.5}
    phi = periodic_waves(seed, len(shape))
    domain = phi if given_as == "callable" else phi(*Poisson(**options).points())
    problem = Poisson(domain=domain, walls="neumann", **options)
    A, b = assembled(problem, domain, 3.0, -2.0)
    rows, bound = np.flatnonzero(problem.domain.inside), 64 * EPS * abs(A).max()
    matrix = problem.matrix(symmetric=True)
    assert abs(matrix - A[rows][:, rows]).max() <= bound
    assert abs(matrix - matrix.T).max() == 0
    sides = {(a, s): 3.0 for a, axis in enumerate(problem.grid.axes) for s in (0, 1) if not axis.periodic}
    data = fold(
        np.zeros(shape), problem.read_sides({**sides, "walls": -2.0}, np.dtype(float)), problem.grid, problem.terms
    )
    W = problem.control_volumes()
    assert abs(W.ravel()[rows] * data.ravel()[rows] - b[rows]).max() <= 64 * EPS * abs(b).max()
    u = np.random.default_rng(seed).normal(size=shape)
    r = W * problem.apply(u) - (A @ np.where(problem.domain.inside, u, 0).ravel()).reshape(shape)
    assert abs(r[problem.domain.inside]).max() <= bound * 4 * abs(u).max()


@pytest.mark.parametrize("given_as", ["callable", "array"])
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
@pytest.mark.parametrize("phi", [ball, star], ids=["disc", "star"])
def test_order_in_the_maximum_norm_over_all_unknowns(phi, cell, given_as):
    sizes, errors = [32, 64, 128, 256], []
    for n in sizes:
        options = {"shape": (n, n), "boundary": "neumann", "centering": "cell" if cell else "vertex", "reaction": 1.0}
        x = Poisson(**options).points()
        problem = Poisson(domain=phi if given_as == "callable" else phi(*x), walls="neumann", **options)
        f, g = F[2](*x) + U[2](*x), problem.read_sides({"walls": normal_flux(phi)}, np.dtype(float))
        b, inside = fold(f, g, problem.grid, problem.terms), problem.domain.inside
        errors.append(abs(spsolve(problem.matrix().tocsc(), b[inside]) - U[2](*x)[inside]).max())
    assert fitted_order(sizes, errors) >= 1.7
