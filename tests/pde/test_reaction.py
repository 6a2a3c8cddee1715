"""Reactions that vary from point to point."""

import numpy as np
import pytest

import pde

REACTIONS = {
    "half": lambda x, *_: 1e4 * (x > 0.5),
    "smooth": lambda x, y, *_: 1e4 * np.exp(-50 * ((x - 0.3) ** 2 + (y - 0.4) ** 2)),
    "stripe between coarse points": lambda x, *_: 1e5 * (abs(x - 0.52) < 0.02),
    "noise": lambda x, *_: 1e5 * np.random.default_rng(1).random(x.shape) ** 8,
}


@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic", ("robin", 1.0)])
@pytest.mark.parametrize("centering", ["vertex", "cell"])
@pytest.mark.parametrize("kind", REACTIONS)
def test_a_reaction_that_varies(kind, centering, boundary):
    """Taken at the coarse points alone it lost its integral: cycles diverged, and coarse operators were singular."""
    problem = pde.Poisson((33, 40), boundary=boundary, centering=centering, reaction=REACTIONS[kind])
    f = np.random.default_rng(3).standard_normal(problem.shape)
    for cycle in ("fmg", "V", "W"):
        solution = pde.Multigrid(problem).solve(f, cycle=cycle)
        assert solution.converged, solution.message
        assert np.linalg.norm(f - problem.apply(solution.u)) <= 3e-8 * np.linalg.norm(f)


@pytest.mark.parametrize("shape", [(33,), (33, 40), (9, 12, 17)])
@pytest.mark.parametrize("boundary", ["neumann", "periodic", ("robin", 1.0)])
@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_coarse_reactions_have_the_same_integral(shape, centering, boundary):
    c = np.random.default_rng(4).random(shape)
    problem = pde.Poisson(shape, boundary=boundary, centering=centering, reaction=c)
    for level in pde.Multigrid(problem, coarse="rediscretised").levels:
        A = level.info.operator
        assert np.sum(A.volumes * A.terms.reaction) == pytest.approx(np.sum(problem.control_volumes() * c))
