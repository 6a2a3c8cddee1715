"""Nonlinear problems on domains: against linear ones, exact solutions, and the same steps at any size."""

import numpy as np
import pytest

from pde import Multigrid, NonlinearPoisson, Poisson
from tests.pde.refusals import ids, refused

EPS = float(np.finfo(float).eps)


def two_holes(n):
    x, y = Poisson((n, n)).points()
    return ~(((x - 0.5) ** 2 + (y - 0.4) ** 2 < 0.04) | ((abs(x - 0.8) < 0.06) & (y > 0.3) & (y < 0.9)))


@pytest.mark.parametrize("walls", ["dirichlet", "neumann", "some"])
@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_without_nonlinearity_the_operator_is_the_linear_one(walls, centering):
    rng = np.random.default_rng(4)
    inside, u = two_holes(24), rng.uniform(-1, 1, (24, 24))
    options = {
        "boundary": (("dirichlet", "neumann"), ("dirichlet", ("robin", 2.0) if centering == "vertex" else "neumann")),
        "centering": centering,
        "domain": inside,
        "walls": rng.uniform(size=(24, 24)) < 0.5 if walls == "some" else walls,
    }
    problem = NonlinearPoisson((24, 24), coefficient=2.0, reaction=lambda u, *x: 3 * u, **options)
    linear = Poisson((24, 24), coefficient=2.0, reaction=3.0, **options)
    assert abs(problem.apply(u) - linear.apply(u)).max() <= 64 * EPS * 4 * 2 * 25**2
    law = NonlinearPoisson((24, 24), coefficient=lambda u, *x: 2.0, reaction=lambda u, *x: 3 * u, **options)
    g = {(0, 0): 0.5, (1, 1): 0.2, "walls": lambda x, y: x + y}
    f = rng.uniform(-1, 1, (24, 24))
    mine, theirs = (Multigrid(each).solve(f, g, rtol=1e-11, **how) for each, how in ((law, {}), (linear, {})))
    assert mine.converged
    assert theirs.converged
    assert not mine.u[~inside].any()
    assert abs(mine.u - theirs.u).max() < 1e-8
    assert np.array_equal(law.control_volumes(), linear.control_volumes())
    assert abs(law.embed(mine.u, g) - linear.embed(mine.u, g)).max() < 1e-12


@pytest.mark.parametrize("walls", ["dirichlet", "neumann"])
def test_steps_are_as_many_at_any_size(walls):
    for n in (31, 63):
        problem = NonlinearPoisson(
            (n, n),
            coefficient=lambda u, *x: 1 + 10 * u**2,
            reaction=lambda u, *x: 5 * u**3,
            domain=two_holes(n),
            walls=walls,
        )
        f, g = 50 * np.sin(5 * problem.points()[0]), {(0, 0): 0.5, "walls": 0.3}
        solution = Multigrid(problem).solve(f, g)
        assert solution.converged
        assert solution.method == "newton"
        assert solution.cycles <= 10
        left = (problem.apply(solution.u, g) - f)[problem.domain.inside]
        assert np.sqrt(np.mean(left**2)) < 1e-6 * 50


def test_a_quadratic_solution_between_held_points_is_exact():
    """u = x^2 + y with a = 1 and c = u^3 at all points; those outside hold it."""

    def exact(x, y):
        return x**2 + y

    problem = NonlinearPoisson((31, 32), reaction=lambda u, *x: u**3, domain=two_holes(32)[:31])
    u = exact(*problem.points())
    solution = Multigrid(problem).solve(-2 + u**3, exact, rtol=1e-12)
    assert abs((solution.u - u)[problem.domain.inside]).max() < 1e-9


def test_members_of_a_batch_have_walls_of_their_own():
    for shape in ((15, 15), (7, 7, 7), (40,)):
        inside = np.ones(shape, dtype=bool)
        inside[tuple(slice(n // 2, n // 2 + 2) for n in shape)] = False
        mg = Multigrid(NonlinearPoisson(shape, reaction=lambda u, *x: u**3, domain=inside))
        held = np.random.default_rng(0).uniform(-1, 1, (3, *shape))
        f = np.stack([np.full(shape, v) for v in (0.0, 1.0, 300.0)])
        together = mg.solve(f, {"walls": held}, rtol=1e-9)
        assert together.converged
        for k in range(3):
            assert np.allclose(mg.solve(f[k], {"walls": held[k]}, rtol=1e-9).u, together.u[k], rtol=0, atol=1e-12)


INSIDE = np.ones((15, 15), dtype=bool)
INSIDE[5:8, 5:8] = False
REFUSED = [
    (ValueError, ["domain", "gradient_coefficient"], {"gradient_coefficient": lambda s, *x: 1 + s, "domain": INSIDE}),
    (ValueError, ["domain", "booleans", "level set"], {"coefficient": 2.0, "domain": lambda x, y: x + y - 1.5}),
    (ValueError, ["domain", "shape"], {"coefficient": 2.0, "domain": INSIDE[1:]}),
    (ValueError, ["walls", "domain", "None"], {"coefficient": 2.0, "walls": "neumann"}),
    (ValueError, ["reaction"], {"boundary": "neumann", "domain": INSIDE, "walls": "neumann"}),
]


@pytest.mark.parametrize(("kind", "named", "options"), REFUSED, ids=ids(REFUSED))
def test_bad_domains_are_named(kind, named, options):
    refused(kind, named, NonlinearPoisson, (15, 15), **options)


def test_methods_that_need_boxes_are_named():
    mg = Multigrid(NonlinearPoisson((15, 15), reaction=lambda u, *x: u**3, domain=INSIDE))
    refused(ValueError, ["method", "domain"], mg.solve, 1.0, method="fas")
    refused(ValueError, ["domain", "cycle"], mg.cycle, np.ones((15, 15)))
    refused(ValueError, ["domain", "full_multigrid"], mg.full_multigrid, 1.0)
    assert "GMRES" in str(mg)
