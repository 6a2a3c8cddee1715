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
    mg = pde.Multigrid(problem)
    for cycle in ("fmg", "V") if centering == "vertex" else ("fmg", "W"):
        solution = mg.solve(f, cycle=cycle)
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


@pytest.mark.parametrize("kernels", ["numpy", "numba", "torch"])
@pytest.mark.parametrize("levels", [None, 64])
@pytest.mark.parametrize("reaction", [1e-300, 1e-20, 5e-11, 2e-10, 1e-6])
def test_a_reaction_below_rounding_never_makes_a_converged_solve_wrong(reaction, levels, kernels):
    """Lost beside the diagonal, 4096: the problem is singular then, and u the solution of zero mean."""
    if kernels == "torch":
        pytest.importorskip("torch")
    plain = pde.Poisson((33, 33), boundary="neumann")
    f, W = np.random.default_rng(0).standard_normal((33, 33)), plain.control_volumes()
    f -= np.average(f, weights=W)
    expected = pde.Multigrid(plain).solve(f, rtol=1e-12).u
    problem = pde.Poisson((33, 33), boundary="neumann", reaction=reaction)
    assert problem.singular == (reaction < 1e-10)
    mean = 0.0 if problem.singular else np.finfo(float).eps * np.abs(f).max() / reaction  # of u, from rounding in f
    for dtype in ("float64", "mixed"):
        for accel in (None, "cg"):
            solution = pde.Multigrid(problem, levels=levels, kernels=kernels, dtype=dtype).solve(f, accel=accel)
            assert solution.converged
            assert np.abs(solution.u - expected).max() <= 1e-6 * np.abs(expected).max() + 64 * mean
    if problem.singular:
        with pytest.raises(ValueError, match="no reaction above rounding"):
            pde.Multigrid(problem, levels=levels, kernels=kernels).solve(f + 1)


@pytest.mark.parametrize("kernels", ["numpy", "numba", "torch"])
@pytest.mark.parametrize("reaction", [1e-10, 1e-8])
def test_a_residual_that_is_lost_in_single_precision_is_not_believed(reaction, kernels):
    if kernels == "torch":
        pytest.importorskip("torch")
    problem = pde.Poisson((33, 33), boundary="neumann", reaction=reaction)
    f = np.random.default_rng(0).standard_normal((33, 33)).astype("float32")
    for levels in (None, 64):
        solution = pde.Multigrid(problem, levels=levels, kernels=kernels, dtype="float32").solve(f, rtol=1e-3)
        size = np.finfo("float32").eps * float(np.abs(solution.u).max()) * 4096
        assert not (solution.converged and size > 10)


@pytest.mark.parametrize("beta", [1e-300, 1e-14])
def test_a_weak_robin_side_is_a_neumann_side_where_rounding_hides_it(beta):
    problem = pde.Poisson((33, 20), boundary=[("neumann", ("robin", beta)), "periodic"])
    assert problem.singular
    assert not pde.Poisson((33, 20), boundary=[("neumann", ("robin", 1e-3)), "periodic"]).singular
    f = np.cos(2 * np.pi * problem.points()[1])
    solution = pde.Multigrid(problem).solve(f)
    expected = pde.Multigrid(pde.Poisson((33, 20), boundary=["neumann", "periodic"])).solve(f).u
    assert solution.converged
    assert np.abs(solution.u - expected).max() <= 1e-6 * np.abs(expected).max()
