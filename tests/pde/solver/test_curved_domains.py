"""Solves on curved domains: iterations that do not grow, and residuals that tell the error however close walls are."""

import numpy as np
import pytest
from scipy.sparse.linalg import spsolve

from pde import Multigrid, Poisson
from pde.problem.boundary import fold
from tests.pde.problem.curved import F, U, ball, fitted_order, normal_flux, star, waves

F8 = np.dtype(float)


def exact(problem, f, g):
    """The discrete solution by a direct solver."""
    b, inside = (
        fold(problem.read("f", f), problem.read_sides(g, F8), problem.grid, problem.terms),
        problem.domain.inside,
    )
    u = np.zeros(problem.shape)
    u[inside] = spsolve(problem.matrix().tocsc(), b[inside])
    return u


def domain_of_waves(seed, ndim, scales=(1.0, 3.0, 10.0)):
    """A random level set, rough or smooth, that fills a tenth to nine tenths of the box."""
    rng = np.random.default_rng(seed)
    phi, scale = waves(seed, ndim), rng.choice(scales)
    sample = phi(*(scale * x for x in rng.random((ndim, 500))))
    level = np.quantile(sample, rng.uniform(0.1, 0.9))
    return lambda *x: phi(*(scale * a for a in x)) - level


def iterations(phi, shape, centering="vertex", seed=0, **options):
    problem = Poisson(shape, centering=centering, domain=phi, **options)
    f = np.random.default_rng(seed).normal(size=shape)
    if problem.singular:
        f = problem.components.without_mean(f)
    solution = Multigrid(problem, kernels="numpy").solve(f, accel="cg")
    assert solution.converged
    return solution.cycles


@pytest.mark.parametrize("n", [63, 128])
@pytest.mark.parametrize("centering", ["vertex", "cell"])
@pytest.mark.parametrize("phi", [ball, star], ids=["disc", "star"])
def test_smooth_shapes_take_at_most_eleven_iterations(phi, centering, n):
    assert iterations(phi, (n, n), centering) <= 11
    assert iterations(phi, (n, n), centering, boundary="neumann", walls="neumann") <= 11


def test_holes_that_coarse_grids_do_not_see():
    centres = np.random.default_rng(7).uniform(0.05, 0.95, (40, 2))

    def phi(x, y):
        return np.max([0.008 - np.hypot(x - a, y - b) for a, b in centres], axis=0)

    assert iterations(phi, (127, 127)) <= 13


@pytest.mark.parametrize("seed", range(8))
def test_random_level_sets_take_at_most_twelve_iterations(seed):
    assert iterations(domain_of_waves(seed, 2), (63 + seed % 2,) * 2, ["vertex", "cell"][seed // 2 % 2]) <= 12
    assert iterations(domain_of_waves(seed, 3), (19 + seed % 2,) * 3, ["vertex", "cell"][seed // 2 % 2]) <= 12


@pytest.mark.parametrize("seed", range(8))
def test_random_insulated_level_sets(seed):
    boundary = ["neumann", "dirichlet", "periodic", ("robin", 1.0)][seed // 2 % 4]
    options = {"boundary": boundary, "walls": "neumann", "centering": ["vertex", "cell"][seed % 2]}
    assert iterations(domain_of_waves(seed, 2), (63 + seed % 2,) * 2, **options) <= 12


@pytest.mark.slow
def test_hundreds_of_random_insulated_level_sets():
    for seed in range(300):
        boundary = ["neumann", "dirichlet", "periodic", ("robin", 1.0)][seed // 2 % 4]
        options = {"boundary": boundary, "walls": "neumann", "centering": ["vertex", "cell"][seed % 2]}
        assert iterations(domain_of_waves(seed, 2), ((63, 100, 128)[seed % 3],) * 2, **options) <= 14, seed
        resolved = domain_of_waves(seed, 3, scales=(1.0, 3.0))  # rough ones take up to 45
        assert iterations(resolved, ((15, 20, 24)[seed % 3],) * 3, **options) <= 20, seed


@pytest.mark.slow
@pytest.mark.parametrize("ndim", [2, 3])
def test_hundreds_of_random_level_sets_take_at_most_twelve_iterations(ndim):
    sizes = {2: (63, 100, 128), 3: (19, 24, 31)}[ndim]
    for seed in range(300):
        assert iterations(domain_of_waves(seed, ndim), (sizes[seed % 3],) * ndim, ["vertex", "cell"][seed % 2]) <= 12, (
            seed
        )


@pytest.mark.parametrize("walls", ["dirichlet", "neumann"])
@pytest.mark.parametrize("phi", [ball, star], ids=["disc", "star"])
def test_full_multigrid_reaches_the_discretisation_error(phi, walls):
    problem = Poisson((63, 63), boundary=walls, domain=phi, walls=walls)
    g = {"walls": U[2] if walls == "dirichlet" else normal_flux(phi)}
    mg, inside = Multigrid(problem), problem.domain.inside
    u, one_pass = mg.solve(F[2], g=g, rtol=1e-10, strict=True).u, mg.full_multigrid(F[2], g=g)
    exact, W = U[2](*problem.points()), problem.control_volumes()
    if walls == "neumann":
        exact -= (W * exact).sum() / W.sum()
    assert abs(one_pass - u)[inside].max() <= 0.1 * abs(u - exact)[inside].max()


@pytest.mark.parametrize("theta", [0.5, 1e-3, 1e-6, 1e-10, 1e-14])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_small_residual_means_a_small_error_however_close_the_wall_is(theta, dtype):
    n = 31
    low, high = 8 / 32 - theta / 32, 24 / 32 + theta / 32

    def phi(x, y):
        return np.maximum(np.maximum(x - high, low - x), np.maximum(y - high, low - y))

    problem = Poisson((n, n), domain=phi)
    rtol = 1e-8 if dtype == "float64" else 1e-4
    solution = Multigrid(problem, kernels="numpy", dtype=dtype).solve(F[2], g=U[2], rtol=rtol)
    u = exact(problem, F[2], {"walls": U[2]})
    assert solution.converged
    # the largest scaled residual is at most n times its rms, that of f at most 60; A^-1 takes it times 1/8 inside, by
    # the maximum principle, and h^2 beside the wall
    assert abs(solution.u - u).max() <= n * rtol * 60 / 8


@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_data_of_a_side_behind_the_wall_do_not_count(centering):
    def phi(x, y):
        return np.hypot(x - 0.5, y - 0.5) - 0.5

    problem = Poisson((24, 24), centering=centering, domain=phi)
    g = {"walls": U[2], (0, 0): lambda x, y: np.where(phi(x, y) > 0, np.sin(50 * y), U[2](x, y))}
    g |= dict.fromkeys(((0, 1), (1, 0), (1, 1)), U[2])
    solution = Multigrid(problem).solve(F[2], g=g)
    assert solution.converged
    assert abs(solution.u - exact(problem, F[2], g)).max() <= 1e-6
    assert abs(solution.u - U[2](*problem.points()))[problem.domain.inside].max() <= np.e / 24**2


def test_a_batch_has_the_walls_of_each_member():
    problem, scale = Poisson((31, 31), domain=ball), np.array([1.0, -2.0, 0.0])[:, None, None]
    x = problem.points()
    solution = Multigrid(problem).solve(scale * F[2](*x), g={"walls": scale * U[2](*x)}, rtol=1e-10)
    single = Multigrid(problem).solve(F[2], g={"walls": U[2](*x)}, rtol=1e-10).u
    assert abs(solution.u - scale * single).max() <= 1e-8


def test_update_of_the_coefficient():
    problem = Poisson((31, 31), domain=ball)
    mg = Multigrid(problem).update(coefficient=lambda x, y: 1 + x * y, reaction=2.0)
    whole = Poisson((31, 31), domain=ball, coefficient=lambda x, y: 1 + x * y, reaction=2.0)
    assert abs(mg.problem.matrix() - whole.matrix()).max() == 0
    assert abs(mg.solve(F[2], g=U[2], rtol=1e-10).u - exact(whole, F[2], {"walls": U[2]})).max() <= 1e-7


def test_order_for_an_insulated_ball():
    sizes, errors = [10, 14, 20, 28], []
    for n in sizes:
        problem = Poisson((n,) * 3, boundary="neumann", centering="cell", domain=ball, walls="neumann")
        solution = Multigrid(problem).solve(F[3], g={"walls": normal_flux(ball)}, strict=True)
        error, W = solution.u - U[3](*problem.points()), problem.control_volumes()
        errors.append(abs(error - (W * error).sum() / W.sum())[problem.domain.inside].max())
    assert fitted_order(sizes, errors) >= 1.7


def test_each_insulated_component_has_zero_mean_and_its_own_data():
    def phi(x, y):
        return np.minimum(np.hypot(x - 0.27, y - 0.5), np.hypot(x - 0.74, y - 0.5)) - 0.2

    problem = Poisson((40, 40), boundary="neumann", centering="cell", domain=phi, walls="neumann")
    left, W = problem.points()[0] < 0.5, problem.control_volumes()
    assert problem.singular
    assert problem.components.count == 2
    solution = Multigrid(problem).solve(lambda x, y: y - 0.5, strict=True)
    assert abs((W * solution.u)[left].sum()) <= 1e-12
    assert abs((W * solution.u)[~left].sum()) <= 1e-12
    with pytest.raises(ValueError, match="part of the domain"):
        Multigrid(problem).solve(np.where(left, 1.0, -1.0))
    # the flux of the wall balances a source: 2 pi r g = pi r^2 f, up to the rounding of areas and volumes by planes
    solution = Multigrid(problem).solve(1.0, g={"walls": -0.1}, incompatible=1e-2, strict=True)
    exact = (problem.points()[1] - 0.5) ** 2 + (problem.points()[0] - np.where(left, 0.27, 0.74)) ** 2
    error = solution.u + exact / 4
    error[left] -= (W * error)[left].sum() / W[left].sum()
    error[~left] -= (W * error)[~left].sum() / W[~left].sum()
    assert abs(error[problem.domain.inside]).max() <= 1 / 40**2
