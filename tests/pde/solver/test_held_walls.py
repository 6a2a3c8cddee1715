"""Solves on domains whose walls hold u: iterations on random domains, sparse solutions, full multigrid, odd masks."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.ndimage import gaussian_filter
from scipy.sparse.linalg import spsolve

import pde
from pde.problem.compact import CompactOperator
from tests.pde.media import binary
from tests.pde.reference import EPS, laplacian

MOST = 12
"""Iterations of conjugate gradients to 1e-8 on any domain and size; more would mean levels that do not fit it."""

quick, slow = (pytest.param(seeds, marks=marks) for seeds, marks in ((range(8), ()), (range(8, 300), pytest.mark.slow)))


def random_domain(kind, shape, rng):
    if kind == "percolation":
        return rng.uniform(0, 1, shape) < rng.uniform(0.3, 0.95)
    smooth = gaussian_filter(rng.standard_normal(shape), rng.uniform(0.7, 6))
    phi = smooth - np.quantile(smooth, rng.uniform(0.3, 0.95))
    return phi if kind == "level set" else phi < 0


def solved(domain, rng, **options):
    problem = pde.Poisson(domain.shape, tuple(map(float, domain.shape)), domain=domain, **options)
    mg = pde.Multigrid(problem, kernels="numpy")
    return mg, mg.solve(rng.standard_normal(problem.shape), accel="cg")


@pytest.mark.parametrize("seeds", [quick, slow])
@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("kind", ["percolation", "voxels", "level set"])
def test_conjugate_gradients_take_few_iterations_on_any_domain(kind, ndim, seeds):
    for seed in seeds:
        rng = np.random.default_rng(seed)
        shape = (int(rng.integers(*{2: (20, 130), 3: (10, 26)}[ndim])),) * ndim
        sides = [str(rng.choice(["dirichlet", "neumann", "periodic"])) for _ in shape]
        options = {"boundary": sides, "centering": str(rng.choice(["vertex", "cell"]))}
        _, solution = solved(random_domain(kind, shape, rng), rng, **options)
        assert solution.converged
        assert solution.cycles <= MOST, (seed, options)


def struck(shape, inside):
    """The assembled box with the rows and columns of points outside replaced by those of the identity."""
    M = sp.diags(inside.ravel().astype(float))
    return sp.csc_matrix(M @ laplacian(shape, (1.0,) * len(shape)) @ M + sp.diags(1.0 - M.diagonal()))


@pytest.mark.parametrize("shape", [(63,), (40, 57), (9, 12, 15)])
@pytest.mark.parametrize("kernels", ["numpy", "auto", "torch"])
def test_the_solution_is_that_of_a_sparse_factorisation(shape, kernels):
    if kernels == "torch":
        pytest.importorskip("torch")
    rng = np.random.default_rng(5)
    inside = random_domain("percolation", shape, rng)
    f = rng.standard_normal((2, *shape))
    matrix = struck(shape, inside)
    expected = spsolve(matrix, (inside * f).reshape(2, -1).T).T.reshape(2, *shape)
    mg = pde.Multigrid(pde.Poisson(shape, domain=inside), kernels=kernels)
    for options in ({"accel": "cg"}, {"accel": "none"}, {"accel": "cg", "cycle": "W"}):
        solution = mg.solve(f, rtol=1e-12, **options)
        assert solution.reason in ("converged", "rounding")
        condition = 4 * len(shape) * (max(shape) + 1) ** 2
        np.testing.assert_allclose(solution.u, expected, rtol=0, atol=condition * 64 * EPS * np.abs(expected).max())
        assert not solution.u[:, ~inside].any()


def test_coarse_operators_are_products_and_keep_nine_coefficients():
    rng = np.random.default_rng(2)
    mg, _ = solved(random_domain("level set", (61, 70), rng), rng)
    assert mg.transfer == "truncated"
    assert len(mg.levels) > 2
    for fine, coarse in zip(mg.levels, mg.levels[1:], strict=False):
        assert isinstance(coarse.A, CompactOperator)
        e = rng.standard_normal((3, *coarse.info.grid.shape)) * coarse.A.inside
        expected = fine.R(fine.A(fine.P(e, e)))
        np.testing.assert_allclose(coarse.A(e), expected, rtol=0, atol=256 * EPS * np.abs(coarse.A.diagonal).max())


def aligned_square(n):
    """A square with walls on grid points that no coarse grid has, and u that vanishes there."""
    low, high = (round(part * (n + 1)) / (n + 1) for part in (0.27, 0.81))
    x, y = pde.Poisson((n, n)).points()
    half, k = 0.5 / (n + 1), np.pi / (high - low)
    inside = (abs(x - (low + high) / 2) < (high - low) / 2 - half) & (
        abs(y - (low + high) / 2) < (high - low) / 2 - half
    )
    u = np.sin(k * (x - low)) * np.sin(2 * k * (y - low)) * inside
    return inside, u, 5 * k**2 * u


def disc(n):
    """A disc as a level set, and u that vanishes at its rim."""
    x, y = (coordinate - 0.5 for coordinate in pde.Poisson((n, n)).points())
    phi = np.hypot(x, y) - 0.4
    u = (phi < 0) * (0.16 - x**2 - y**2) * np.exp(x)
    return phi, u, (phi < 0) * np.exp(x) * (4 + 4 * x - 0.16 + x**2 + y**2)


@pytest.mark.parametrize("make", [aligned_square, disc])
@pytest.mark.parametrize("n", [63, 100, 160])
def test_full_multigrid_reaches_the_discretisation_error(make, n):
    domain, u, f = make(n)
    mg = pde.Multigrid(pde.Poisson((n, n), domain=domain), kernels="numpy")
    discrete = mg.solve(f, rtol=1e-11).u
    error = np.abs(discrete - u).max()
    assert mg.measure_factor() < 0.3
    assert error < 20 / n**2
    assert np.abs(mg.full_multigrid(f) - discrete).max() <= 0.1 * error


@pytest.mark.parametrize(
    "inside",
    {
        "one point": np.eye(33, dtype=bool) * (np.arange(33) == 11),
        "diagonal": np.eye(33, dtype=bool),
        "streets beside every coarse point": np.add.outer(np.arange(33) % 2 == 0, np.arange(33) % 2 == 0),
        "isolated points that no coarse grid has": np.outer(np.arange(64) % 2 == 0, np.arange(64) % 2 == 0),
        "all but a point": ~(np.add.outer(np.arange(33), np.arange(33)) == 30),
    }.items(),
    ids=lambda item: item[0],
)
def test_odd_masks(inside):
    rng = np.random.default_rng(0)
    mask = inside[1]
    f = rng.standard_normal(mask.shape)
    mg = pde.Multigrid(pde.Poisson(mask.shape, domain=mask), kernels="numpy")
    solution = mg.solve(f, rtol=1e-10)
    assert solution.reason in ("converged", "rounding")
    assert solution.cycles <= MOST
    coarsest = mg.levels[-1].A.matrix()  # no work for its factors: small, or nothing in it couples
    assert coarsest.shape[0] <= 256 or sp.tril(coarsest, -1).nnz == 0
    expected = spsolve(struck(mask.shape, mask), (mask * f).ravel()).reshape(mask.shape)
    np.testing.assert_allclose(solution.u, expected, rtol=0, atol=1e-10 * 2 * 34**2 * np.abs(expected).max())


@pytest.mark.parametrize("kind", ["percolation", "level set"])
def test_coefficients_that_jump_on_a_domain_get_transfers_that_follow_them(kind):
    rng = np.random.default_rng(4)
    a = binary((127, 127), 8.0, seed=3)
    mg, solution = solved(random_domain(kind, a.shape, rng), rng, coefficient=a)
    assert mg.transfer == "operator"
    assert len(mg.levels) > 1
    assert solution.converged
    assert solution.cycles <= 15


def test_translating_the_domain_by_a_cell_translates_u():
    rng = np.random.default_rng(8)
    inside = np.pad(random_domain("voxels", (30, 30), rng), 5)
    f = rng.standard_normal(inside.shape) * inside
    u, v = (
        pde.Multigrid(pde.Poisson(inside.shape, domain=np.roll(inside, step, (0, 1))))
        .solve(np.roll(f, step, (0, 1)), rtol=1e-12)
        .u
        for step in (0, 1)
    )
    np.testing.assert_allclose(np.roll(u, 1, (0, 1)), v, rtol=0, atol=1e-12 * 2 * 41**2 * np.abs(u).max())


@pytest.mark.parametrize(("ndim", "smoother"), [(2, "zebra"), (3, "planes 0")])
def test_stretched_grids_with_held_walls_relax_lines_and_planes(ndim, smoother):
    """Points alone take some 50 iterations where spacings vary by 20."""
    rng, n = np.random.default_rng(1), {2: 80, 3: 20}[ndim]
    steps = 20.0 ** np.abs(np.linspace(-1, 1, n + 1))
    nodes = np.concatenate(([0.0], np.cumsum(steps)))
    domain = random_domain("voxels", (n,) * ndim, rng)
    mg = pde.Multigrid(pde.Poisson(domain.shape, coordinates=[nodes] * ndim, domain=domain), kernels="numpy")
    solution = mg.solve(rng.standard_normal(domain.shape), accel="cg")
    assert mg.smoother == smoother
    assert solution.converged
    assert solution.cycles <= MOST
