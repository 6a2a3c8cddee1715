"""Level sets: reading, the root on a way, and data that are refused."""

import numpy as np
import pytest

from pde import Poisson
from pde.problem.grid import Axis, Grid, Side
from pde.problem.level_set import read_level_set
from tests.pde.problem.curved import ball, uniform
from tests.pde.refusals import ids, refused

GRID = uniform(7, 2, cell=False)
ONES = np.ones((7, 7))
BAD = [  # domain; what the message must hold
    (ONES[:5], ValueError, ["domain", "(7, 7)", "(5, 7)"]),
    (ONES, ValueError, ["domain", "negative", "1"]),
    (0 * ONES, ValueError, ["domain", "negative", "0"]),
    (np.where(np.eye(7) > 0, np.nan, -1.0), ValueError, ["domain", "finite", "7 NaN"]),
    (np.where(np.eye(7) > 0, np.inf, -1.0), ValueError, ["domain", "finite"]),
    (ONES * 1j, TypeError, ["domain", "complex"]),
    (lambda x, y: np.sqrt(x - 0.5), ValueError, ["domain", "finite"]),
    (lambda x, y: x + 1, ValueError, ["domain", "negative"]),
    (lambda x: x, TypeError, ["domain", "2 arguments"]),
    (lambda x, y: x[:3], ValueError, ["domain", "(7, 7)", "(3, 7)"]),
    (lambda x, y: "inside", TypeError, ["domain"]),
]


@pytest.mark.parametrize(("domain", "kind", "named"), BAD, ids=ids(BAD))
@pytest.mark.filterwarnings("ignore:invalid value")
def test_bad_level_sets_are_refused_by_name(domain, kind, named):
    refused(kind, named, read_level_set, domain, GRID)
    for walls in ("dirichlet", "neumann"):
        refused(kind, named[:1], Poisson, (7, 7), domain=domain, walls=walls)


def test_walls_of_a_level_set_are_of_one_kind():
    refused(ValueError, ["walls", "level set", "array"], Poisson, (7, 7), domain=ONES - 2, walls=ONES > 0)
    refused(ValueError, ["walls", "'robin'"], Poisson, (7, 7), domain=ONES - 2, walls="robin")
    refused(TypeError, ["domain", "int", "booleans", "floats"], Poisson, (7, 7), domain=-ONES.astype(int))


@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_callable_that_fails_between_the_unknowns_is_named():
    level_set = read_level_set(lambda x, y: np.where(x == np.round(x * 8) / 8, x - 0.4, np.nan), GRID)
    refused(
        ValueError, ["domain", "finite"], level_set.root, (np.array([0.375]), np.array([0.5])), 0, np.array([0.125])
    )


def test_a_point_on_the_wall_is_outside():
    level_set = read_level_set(lambda x, y: np.maximum(x, y) - 0.5, GRID)
    assert level_set.inside.sum() == 9
    assert not level_set.inside[3].any()


def test_the_array_is_copied():
    phi = ball(*GRID.points())
    level_set = read_level_set(phi, GRID)
    phi[:] = 1.0
    assert level_set.inside.any()


@pytest.mark.parametrize("exponent", [-1, -4, -10, -14])
def test_the_root_is_found_to_rounding_however_close_it_is(exponent):
    theta = 10.0**exponent
    level_set = read_level_set(lambda x, y: np.expm1(x - 0.375 - theta / 8), GRID)
    found = level_set.root((np.array([0.375]), np.array([0.5])), 0, np.array([0.125]))
    # bisection leaves 2^-53 of the way, and x near 1/2 has roundings of 2^-54, which are 2^-51 of it
    assert found[0] > 0
    assert abs(found[0] - theta) <= 2.0**-53 + 2.0**-51


def test_the_way_from_the_end_of_a_periodic_axis_leads_to_its_beginning():
    grid = Grid((Axis.uniform(8, 2.0, (Side("periodic"),) * 2),))
    level_set = read_level_set(lambda x: np.where(x < 1, 0.1, -1.0) + 0 * x, grid)
    assert level_set.root((np.array([1.75]),), 0, np.array([0.25]))[0] == pytest.approx(1.0, abs=2.0**-50)
    assert level_set.at((np.array([2.0, -0.5, 2.25]),)).tolist() == [0.1, -1.0, 0.1]


@pytest.mark.parametrize("walls", ["dirichlet", "neumann"])
@pytest.mark.parametrize("scale", [2.0**-1030, 2.0**-700, 2.0**700, 2.0**1023])
def test_the_size_of_an_array_does_not_matter(walls, scale):
    """Far values are often the largest float, and their differences are no numbers."""
    x, y, z = Poisson((7, 8, 9)).points()
    phi = np.where(np.hypot(np.hypot(x - 0.5, y - 0.5), z - 0.5) < 0.3, -1.5, 0.75)
    plain, scaled = (Poisson(phi.shape, domain=phi * s, walls=walls, reaction=1.0) for s in (1.0, scale))
    assert (plain.matrix() != scaled.matrix()).nnz == 0


@pytest.mark.parametrize("walls", ["dirichlet", "neumann"])
def test_a_callable_is_not_asked_for_no_points(walls):
    """A plane crosses no way along the other axes, and the largest of no numbers is an error."""
    plane = Poisson((9, 5), domain=lambda x, y: x - 0.6 + 0 * x.max(), walls=walls)
    assert plane.domain.inside[:5].all()
    assert not plane.domain.inside[6:].any()
