"""Fluxes, gradients and energy on domains: the balance of every volume, linear functions, known capacities."""

from itertools import product

import numpy as np
import pytest

from pde import Multigrid, Poisson, energy, flux, gradient
from pde.problem.boundary import fold
from pde.problem.fluxes import wall_areas, wall_fluxes
from tests.pde.problem.test_fluxes import divergence
from tests.pde.reference import EPS
from tests.pde.refusals import refused

SHAPE = (9, 11)
BOUNDARIES = {
    "D": "dirichlet",
    "P": "periodic",
    "ND/R": [("neumann", "dirichlet"), ("robin", 2.0)],
    "R/D": [("robin", lambda x, y: 1 + x + y), "dirichlet"],
}


def disc(x, y):
    return np.hypot(x - 0.5, y - 0.7) - 0.43


def faces(rng):
    """Random coefficients of faces, some of them closed; the ends of an axis are alike."""
    found = [np.where(rng.random(n) < 0.2, 0.0, rng.random(n)) for n in ((10, 11), (9, 12))]
    for a, values in enumerate(found):
        moved = np.moveaxis(values, a, 0)
        moved[-1] = moved[0]
    return found


def random_problem(boundary, centering, domain, walls, kind):
    rng = np.random.default_rng(11)
    options = {"face_coefficients": faces(rng)} if kind == "faces" else {}
    if kind == "field":
        options["coefficient"] = 10 ** rng.uniform(-1, 1, SHAPE)
    if domain is not None:
        options["domain"] = disc if domain == "disc" else rng.random(SHAPE) < 0.7
        options["walls"] = rng.random(SHAPE) < 0.5 if walls == "both" else walls
    problem = Poisson(SHAPE, (1.0, 1.5), BOUNDARIES[boundary], centering, reaction=0.5, **options)
    g = {} if domain is None else {"walls": rng.standard_normal(SHAPE) if domain != "disc" else lambda x, y: x * y + 1}
    for a, side in product((0, 1), repeat=2):
        if not problem.grid.axes[a].periodic:
            g[a, side] = rng.standard_normal(SHAPE[1 - a])
    return problem, g, rng


CASES = [
    *product(["voxels"], ["dirichlet", "neumann", "both"], ["number", "field", "faces"]),
    *product(["disc"], ["dirichlet", "neumann"], ["number", "field"]),
    (None, "", "faces"),
]


@pytest.mark.parametrize(("domain", "walls", "kind"), CASES, ids=["-".join(filter(None, case)) for case in CASES])
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_balance_and_energy(boundary, centering, domain, walls, kind):
    """div flux + c u is A u less the data, and the energy the parabola whose slope is W (A u - f)."""
    problem, g, rng = random_problem(boundary, centering, domain, walls, kind)
    inside = np.ones(SHAPE, bool) if problem.domain is None else problem.domain.inside
    u, d, f = rng.standard_normal((3, *SHAPE)) * inside
    sides, W = problem.read_sides(g, np.dtype(float)), problem.control_volumes()
    expected = (problem.apply(u) - fold(np.zeros(SHAPE), sides, problem.grid, problem.terms)) * inside * W
    found = divergence(problem, flux(problem, u, g=g)) * problem.grid.volumes()
    for wall, _, outward in wall_fluxes(problem, u, sides):
        if wall.areas is not None:
            found.reshape(-1)[wall.cells] += outward * wall_areas(wall, problem.grid)
    found = np.where(inside, found + 0.5 * u * W, 0.0)
    # the size of what is summed: entries of W A, and the data as they are folded
    sizes = {key: abs(values) for key, values in sides.items()}
    parts = fold(np.zeros(SHAPE), sizes, problem.grid, problem.terms) * W
    matrix = abs(problem.matrix(symmetric=True))
    parts[inside] += matrix @ abs(u)[inside]
    assert (abs(found - expected) <= 64 * EPS * (parts + parts.max() * (problem.terms.closed))).all()
    change = np.sum((expected - f * W + problem.apply(d) * inside * W / 2) * d)
    before, after = energy(problem, u, f, g), energy(problem, u + d, f, g)
    size = np.sum(parts * (abs(u) + abs(d) + 1)) + abs(d)[inside] @ (matrix @ abs(d)[inside]) + abs(before)
    assert abs(after - before - change) <= 64 * EPS * size
    for part in (*gradient(problem, u, g), *gradient(problem, u, g, "points")):
        assert np.isfinite(part).all()


def linear(x, y):
    return 1 + 2 * x - 3 * y


@pytest.mark.parametrize("centering", ["vertex", "cell"])
@pytest.mark.parametrize("domain", ["disc", "voxels"])
def test_linear_functions_between_held_walls(centering, domain):
    inside = np.random.default_rng(4).random(SHAPE) < 0.7
    problem = Poisson(SHAPE, (1.0, 1.5), "dirichlet", centering, domain=disc if domain == "disc" else inside)
    inside = problem.domain.inside
    u = np.where(inside, linear(*problem.points()), 0.0)
    for part, slope in zip(gradient(problem, u, linear, "points"), (2, -3), strict=True):
        np.testing.assert_allclose(part, np.where(inside, slope, 0.0), atol=1e-9)
    for a, slope in ((0, 2), (1, -3)):
        part = gradient(problem, u, linear)[a]
        used = np.zeros(part.shape, bool)
        for end in (slice(None, -1), slice(1, None)):
            used[(slice(None),) * a + (end,)] |= inside
        np.testing.assert_allclose(part, np.where(used, slope, 0.0), atol=1e-9)


def test_linear_functions_beside_insulated_curved_walls():
    """A face whatever its open share has the slope; cells with no open face along an axis say 0."""
    problem = Poisson((20, 22), (1.0, 1.5), "dirichlet", "cell", domain=disc, walls="neumann", coefficient=2.0)
    u = np.where(problem.domain.inside, linear(*problem.points()), 0.0)
    for a, (part, slope) in enumerate(zip(gradient(problem, u, linear, "points"), (2, -3), strict=True)):
        share = problem.domain.open[a]
        low, high = np.moveaxis(share, a, 0)[:-1], np.moveaxis(share, a, 0)[1:]
        reached = np.moveaxis(low + high > 0, 0, a) & problem.domain.inside
        np.testing.assert_allclose(part, np.where(reached, slope, 0.0), atol=1e-12)


def test_the_capacity_of_a_coaxial_cable():
    """2 pi / log 4 per length, from the charge on either conductor and from the energy."""
    exact, errors = 2 * np.pi / np.log(4), []
    for n in (24, 48, 96):
        problem = Poisson((n, n), 1.0, domain=lambda x, y: abs(np.hypot(x - 0.5, y - 0.5) - 0.28125) - 0.16875)
        g = {"walls": lambda x, y: np.where(np.hypot(x - 0.5, y - 0.5) < 0.28, 1.0, 0.0)}
        u = Multigrid(problem).solve(0.0, g, rtol=1e-10).u
        assert abs(flux(problem, u, "walls", g)) < 1e-7
        inner = np.hypot(*(x - 0.5 for x in problem.points())) < 0.28
        charge = -flux(problem, u, inner, g)
        np.testing.assert_allclose(flux(problem, u, ~inner, g), charge, atol=1e-7)
        errors.append([abs(charge - exact), abs(2 * energy(problem, u, g=g) - exact)])
    assert (np.polyfit(np.log([24, 48, 96]), -np.log(errors), 1)[0] > 1.5).all()


def test_a_block_as_electrode():
    """Plates with a slab of 80:1 between them, as held voxels and cells: the field and the energy are exact."""
    inside = np.ones((12, 4), bool)
    inside[[0, 1, -2, -1]] = False
    a = np.where(np.arange(12)[:, None] < 6, 80.0, 1.0) * np.ones((12, 4))
    problem = Poisson((12, 4), (12.0, 4.0), "neumann", "cell", coefficient=a, domain=inside)
    volts = {"walls": np.where(np.arange(12)[:, None] > 6, 1.0, 0.0) * np.ones((12, 4))}
    u = Multigrid(problem).solve(0.0, volts, rtol=1e-13).u
    q = 1 / (4.5 / 80 + 4.5)  # from the centre of the last held cell on either side
    np.testing.assert_allclose(flux(problem, u, g=volts)[0][2:11], -q, rtol=1e-11)
    np.testing.assert_allclose(gradient(problem, u, volts, "points")[0][inside], (q / a)[inside], rtol=1e-11)
    np.testing.assert_allclose(energy(problem, u, g=volts), 4 * q / 2, rtol=1e-11)
    np.testing.assert_allclose(flux(problem, u, "walls", volts), 0.0, atol=1e-11)


@pytest.mark.parametrize("at", ["faces", "points"])
def test_a_mask_of_the_whole_box_has_the_gradient_of_the_box(at):
    rng = np.random.default_rng(4)
    u, a = rng.standard_normal((2, 5, 4)), rng.uniform(1, 2, (5, 4))
    box, full = (Poisson((5, 4), coefficient=a, domain=domain) for domain in (None, np.ones((5, 4), bool)))
    pairs = zip(gradient(box, u, 1.0, at), gradient(full, u, 1.0, at), strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)
    assert flux(full, u, "walls").tolist() == [0.0, 0.0]


def test_bad_input_is_refused_by_name():
    box = Poisson((4, 4))
    refused(ValueError, ["side", "'walls'"], flux, box, np.ones((4, 4)), "walls")
    part = Poisson((4, 4), domain=np.eye(4, dtype=bool))
    refused(ValueError, ["side", "walls", "'wall'"], flux, part, np.ones((4, 4)), "wall")
    refused(TypeError, ["g", "real"], energy, part, np.ones((4, 4)), 0.0, {"walls": 1j})
