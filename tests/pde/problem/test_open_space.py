"""Open sides: the lattice's Green function, boxes inside larger ones, the order of accuracy, and what is refused."""

import math

import numpy as np
import pytest
from scipy.special import erf, exp1

from pde import Multigrid, Poisson
from pde.problem.far_field import CUT, STEP
from tests.pde.refusals import ids, refused

RULE = math.exp(-(math.pi**2) / STEP) + CUT
"""The error of Green's function as a sum, relative to its values within a few steps."""

LOOSE = {"rtol": 1e-13, "incompatible": 1.0}  # any f


def open_box(shape, extent=1.0, **options):
    return Poisson(shape, extent, "open", **options)


def solve(problem, f, **options):
    solution = Multigrid(problem).solve(f, **{"rtol": 1e-12, **options})
    assert solution.converged or solution.reason == "rounding"
    return solution.u


def unit(shape, place):
    f = np.zeros(shape)
    f[place] = 1.0
    return f


@pytest.mark.parametrize("centering", ["vertex", "cell"])
@pytest.mark.parametrize("place", [(5, 5), (0, 0), (9, 4)])
def test_the_potential_of_a_point_in_the_plane(centering, place):
    """Known values: 1/4 and 1/pi below the origin at its neighbours, (gamma + 3/2 log 2) / 2 pi at the origin."""
    n = 11
    problem = open_box((n, n), n + (centering == "vertex"), centering=centering)
    u = solve(problem, unit(problem.shape, place), **LOOSE)
    near = [place[0] - 1 if place[0] == 9 else place[0] + 1, place[1] + 1]
    origin = (np.euler_gamma + 1.5 * math.log(2)) / (2 * math.pi)
    expected = [origin, origin - 1 / 4, origin - 1 / math.pi]
    np.testing.assert_allclose([u[place], u[place[0], near[1]], u[tuple(near)]], expected, atol=100 * RULE)


def test_the_potential_of_a_point_in_space():
    """Watson's integral."""
    u = solve(open_box((7, 7, 7), 7, centering="cell"), unit((7, 7, 7), (1, 3, 3)), **LOOSE)
    np.testing.assert_allclose(u[1, 3, 3], 0.25273100985866, atol=100 * RULE)


@pytest.mark.parametrize("centering", ["vertex", "cell"])
@pytest.mark.parametrize("reaction", [0.0, 3.0])
@pytest.mark.parametrize(
    ("shape", "larger", "corner"),
    [
        ((9, 12), (17, 16), (3, 1)),
        ((2, 3), (2, 9), (0, 6)),
        ((1, 6), (3, 10), (1, 2)),
        ((7, 6, 5), (9, 9, 10), (1, 2, 3)),
        ((1, 1, 1), (2, 5, 3), (0, 4, 1)),
    ],
)
def test_a_box_is_a_part_of_a_larger_one(centering, reaction, shape, larger, corner):
    """Free space is one, whatever box shows it: any charges, up to the sides, have the same potential."""
    h, a = [0.1, 0.15, 0.12][: len(shape)], [2.0, 1.0, 3.0][: len(shape)]
    rng = np.random.default_rng(sum(shape))
    f = rng.standard_normal((2, *shape))
    whole = np.zeros((2, *larger))
    part = (..., *(slice(o, o + n) for o, n in zip(corner, shape, strict=True)))
    whole[part] = f

    def potential(f):
        sizes = [(n + (centering == "vertex")) * step for n, step in zip(f.shape[1:], h, strict=True)]
        return solve(open_box(f.shape[1:], sizes, centering=centering, coefficient=a, reaction=reaction), f, **LOOSE)

    u = potential(f)
    np.testing.assert_allclose(u, potential(whole)[part], rtol=0, atol=100 * RULE * abs(u).max())


def test_a_reaction_makes_a_far_wall_as_good_as_open_space():
    """u decays as exp(-20 r), by e-16 on the way to the walls and back."""
    h, n, far = 1 / 16, 9, 15
    f = np.random.default_rng(1).standard_normal((n, n))
    u = solve(open_box((n, n), n * h, centering="cell", reaction=400.0), f, **LOOSE)
    wide = Poisson((n + 2 * far,) * 2, (n + 2 * far) * h, centering="cell", reaction=400.0)
    walled = Multigrid(wide).solve(np.pad(f, far), rtol=1e-13).u[far:-far, far:-far]
    np.testing.assert_allclose(u, walled, rtol=0, atol=100 * RULE * abs(u).max())


def gaussian(problem, dipole):
    """A Gaussian charge, or its derivative along x, and the potential for a = 2."""
    middle, s, a, d = [0.45, 0.6, 0.5], 0.07, 2.0, problem.ndim
    x = [v - m for v, m in zip(problem.points(), middle[:d], strict=True)]
    r = np.sqrt(sum(v**2 for v in x))
    f = np.exp(-(r**2) / 2 / s**2) / (2 * np.pi * s**2) ** (d / 2)
    inside = 1 - np.exp(-(r**2) / 2 / s**2) if d == 2 else erf(r / s / 2**0.5) - r * s**2 * f * 4 * np.pi
    if dipole:
        return -x[0] / s**2 * f, -x[0] / r**d * inside / (2 * np.pi if d == 2 else 4 * np.pi) / a
    if d == 2:
        return f, -(np.log(r) + exp1(r**2 / 2 / s**2) / 2) / (2 * np.pi) / a
    return f, erf(r / s / 2**0.5) / (4 * np.pi * r) / a


@pytest.mark.parametrize("centering", ["vertex", "cell"])
@pytest.mark.parametrize("dipole", [False, True])
@pytest.mark.parametrize("sizes", [[(24, 30), (48, 60), (96, 120)], [(12, 15, 11), (24, 30, 22), (48, 60, 44)]])
def test_second_order_against_the_potentials_of_charges(centering, dipole, sizes):
    extent, errors = [1.0, 1.2, 1.0][: len(sizes[0])], []
    for shape in sizes:
        problem = open_box(shape, extent, centering=centering, coefficient=2.0)
        f, exact = gaussian(problem, dipole)
        errors.append(abs(solve(problem, f, rtol=1e-7) - exact).max())
    h = [1 / (shape[0] + (centering == "vertex")) for shape in sizes]
    assert np.polyfit(np.log(h), np.log(errors), 1)[0] > 1.85


@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_embed_shows_the_values_on_open_sides(centering):
    """They are those of a box that is larger by a layer, where f is zero beside the sides."""
    f = np.pad(np.random.default_rng(0).standard_normal((8, 5)), 2)
    h = 0.1
    extra = centering == "vertex"
    problem = open_box(f.shape, [(n + extra) * h for n in f.shape], centering=centering)
    larger = open_box([n + 2 for n in f.shape], [(n + 2 + extra) * h for n in f.shape], centering=centering)
    whole, u = problem.embed(solve(problem, f)), solve(larger, np.pad(f, 1))
    expected = u if extra else (u[1:] + u[:-1])[[0, -1], 1:-1] / 2
    found = whole if extra else whole[[0, -1], 1:-1]
    inner = slice(2, -2) if extra else slice(1, -1)  # beside edges one equation stands for two values
    tolerance = 1e-8 * abs(u).max()
    np.testing.assert_allclose(found[[0, -1]][:, inner], expected[[0, -1]][:, inner], atol=tolerance)
    edge = abs(found - expected).max()
    assert edge < 2 * h**2 * abs(np.diff(u, 2, axis=0)[[0, -1]]).max() / h**2


REFUSED = [
    ({"shape": (7,)}, ["boundary", "'open'", "2 or 3", "(7,)"]),
    ({"shape": (4, 4), "coefficient": lambda x, y: 1 + x}, ["coefficient", "constant", "open"]),
    ({"shape": (4, 4), "reaction": lambda x, y: x}, ["reaction", "constant", "open"]),
    ({"shape": (4, 4), "reaction": -1.0}, ["reaction", "open", "-1.0"]),
    ({"shape": (4, 4), "coordinates": [[0, 1, 2, 4, 5, 7], None]}, ["coordinates", "equal", "open"]),
    ({"shape": (4, 4), "domain": lambda x, y: x < 0.5}, ["'open'", "domain"]),
    ({"shape": (1, 1), "face_coefficients": [np.ones((2, 1)), np.ones((1, 2))]}, ["'open'", "face_coefficients"]),
    ({"shape": (4, 4), "boundary": ["open", "neumann"]}, ["boundary", "all sides"]),
    ({"shape": (4, 4), "boundary": [("open", "dirichlet"), "neumann"]}, ["boundary", "all sides"]),
    ({"shape": (4, 4), "boundary": "opne"}, ["boundary", "'opne'", "'open'"]),
]


@pytest.mark.parametrize(("options", "named"), REFUSED, ids=ids(REFUSED))
def test_bad_problems_are_refused_by_name(options, named):
    refused(ValueError, named, Poisson, **{"boundary": "open", **options})


def test_bad_data_are_refused_by_name():
    mg = Multigrid(open_box((7, 5)))
    f = unit((7, 5), (3, 2))
    refused(ValueError, ["g must be None", "open"], mg.solve, f, g=0.0)
    f[6, 1] = -0.5
    for call in (mg.solve, mg.full_multigrid):
        refused(ValueError, ["f must vanish", "(0, 1)", "0.5"], call, f)
    f[6, 1] = np.nan
    refused(ValueError, ["f must be finite", "(6, 1)"], mg.solve, f)
    f[6, 1] = 1e-5  # the tail of a charge
    assert mg.solve(f).converged
    refused(ValueError, ["boundary", "open", "'dirichlet'"], mg.update, boundary="dirichlet")
    refused(ValueError, ["boundary", "open", "'dirichlet'"], Multigrid(Poisson((7, 5))).update, boundary="open")
    assert mg.update(boundary="open").problem.open
    refused(ValueError, ["coefficient", "constant"], mg.update, coefficient=np.arange(1.0, 36).reshape(7, 5))
    assert mg.solve(f).converged
