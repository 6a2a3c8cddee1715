"""Mixed precision: float32 cycles inside a float64 residual."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pde
from tests.pde.problems import problems
from tests.pde.reference import EPS
from tests.pde.rounding import of_a_residual

KERNELS = ["numpy", "torch"]


def volumes_norm(problem, r):
    W = problem.control_volumes()
    return np.sqrt(np.sum(W * r**2) / np.sum(W))


@pytest.mark.parametrize("kernels", [*KERNELS, pytest.param("numba", marks=pytest.mark.slow)])
def test_reaches_what_float32_does_not(kernels):
    problem = pde.Poisson((255, 255))
    f = np.exp(np.prod(problem.points(), axis=0))
    solution = pde.Multigrid(problem, dtype="mixed", kernels=kernels).solve(f, rtol=1e-12)
    assert solution.converged
    assert solution.u.dtype == np.float64
    exact = pde.Multigrid(problem, kernels="numpy")
    lost = of_a_residual(exact, f, solution.u)
    assert volumes_norm(problem, f - problem.apply(solution.u)) <= 1e-12 * volumes_norm(problem, f) + lost
    low = pde.Multigrid(problem, dtype="float32", kernels=kernels).solve(f, rtol=1e-12)
    assert low.reason == "rounding"
    assert low.residual_norms[-1] > 1e-8
    assert abs(solution.cycles - exact.solve(f, rtol=1e-12).cycles) <= 1


@pytest.mark.parametrize("kernels", KERNELS)
def test_ends_at_the_rounding_of_float64(kernels):
    """Beyond 1e-12: the attainable residual is that of float64, and it is reached."""
    problem = pde.Poisson((511, 200), extent=(1.0, 0.4))
    f = np.ones(problem.shape)
    solution = pde.Multigrid(problem, dtype="mixed", kernels=kernels).solve(f, rtol=1e-16)
    assert solution.reason == "rounding"
    assert solution.residual_norms[-1] <= solution.attainable
    size = volumes_norm(problem, 4 * 512**2 * solution.u) / volumes_norm(problem, f)
    assert solution.attainable == pytest.approx(EPS * (2 * size + 1), rel=0.02)


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(
    problem=problems(),
    kernels=st.sampled_from(KERNELS),
    batch=st.sampled_from([(), (2,), (1, 2)]),
    cycle=st.sampled_from(["fmg", "V", "W"]),
    accel=st.sampled_from([None, "cg"]),
    scale=st.sampled_from([1e-60, 1.0, 1e60]),
    seed=st.integers(0, 2**31),
)
def test_converges_as_float64_does(problem, kernels, batch, cycle, accel, scale, seed):
    """On every kind of problem, singular ones among them, and whatever the size of f, which float32 could not hold."""
    f = scale * np.random.default_rng(seed).standard_normal(batch + problem.shape)
    if batch:
        f[..., -1:, *(slice(None),) * problem.ndim] *= 1e9  # the last member has a size of its own
    options = {"rtol": 1e-11, "cycle": cycle, "accel": accel, "incompatible": np.inf}
    exact = pde.Multigrid(problem, kernels="numpy").solve(f, **options)
    mg = pde.Multigrid(problem, dtype="mixed", kernels=kernels)
    solution = mg.solve(f, **options)
    assert solution.converged == exact.converged
    if exact.converged:
        # a single level is solved directly, in float32 to a digit and a half or better: then the residual is solved for
        assert solution.cycles <= (exact.cycles + 2 if len(mg.levels) > 1 else 8)
        W, axes = problem.control_volumes(), tuple(range(-problem.ndim, 0))
        r = (f - problem.apply(solution.u)) / np.max(np.abs(f), axis=axes, keepdims=True)
        if problem.singular:
            r = r - np.sum(W * r, axis=axes, keepdims=True) / np.sum(W)
        assert np.max(np.abs(r)) <= 1e-9


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("boundary", ["dirichlet", "neumann"])
@pytest.mark.parametrize("n", [15, 63, 126])
@pytest.mark.parametrize("levels", [None, 64])
def test_a_coarsest_grid_too_ill_conditioned_for_float32(kernels, boundary, n, levels):
    """Jumps of 10^6 from point to point: the inverse of the coarsest operator stays in float64 wherever it is."""
    generator = np.random.default_rng(1)
    problem = pde.Poisson(n, boundary=boundary, coefficient=np.where(generator.random(n) < 0.5, 1e6, 1.0))
    W, f = problem.control_volumes(), generator.standard_normal(n)
    solution = pde.Multigrid(problem, dtype="mixed", kernels=kernels, levels=levels).solve(f - np.average(f, weights=W))
    assert solution.reason in ("converged", "rounding"), solution.message
    assert solution.cycles <= 8


@pytest.mark.parametrize("kernels", [*KERNELS, "numba"])
@pytest.mark.parametrize("c", [1e-6, 1e-4, 1e-3, 1e-1])
def test_a_reaction_too_weak_for_float32_takes_cycles_in_float64(c, kernels):
    """W- and F-cycles meet the coarsest grid often, where float32 leaves constants in which c does not show."""
    problem = pde.Poisson((64, 48), boundary="neumann", reaction=c, coefficient=lambda x, y: 1 + 0.5 * np.sin(3 * x))
    f = np.random.default_rng(0).standard_normal(problem.shape)
    mg = pde.Multigrid(problem, dtype="mixed", kernels=kernels, levels=64)
    assert ("float32 cycles" in str(mg)) == problem.is_held(np.dtype("float32")) == (c > 2e-3)
    for cycle in ("W", "F", "V", "fmg"):
        solution = mg.solve(f, cycle=cycle)
        assert solution.converged or (
            solution.reason == "rounding" and solution.residual_norms[-1] <= solution.attainable
        )


def test_three_dimensions_to_the_discretisation_error():
    """One pass of full multigrid, with boundary data: as near to the exact discrete solution as float64 comes."""
    problem = pde.Poisson((31, 31, 31))
    x, y, z = problem.points()
    f, g = -6.0 * np.ones(problem.shape), lambda x, y, z: x**2 + y**2 + z**2 + np.sin(5 * x) * np.cosh(5 * y)
    exact = pde.Multigrid(problem).solve(f, g, rtol=1e-11).u
    discretisation = volumes_norm(problem, exact - g(x, y, z))
    for kernels in KERNELS:
        mg = pde.Multigrid(problem, dtype="mixed", kernels=kernels)
        assert volumes_norm(problem, mg.full_multigrid(f, g) - exact) <= 0.5 * discretisation
        assert mg.solve(f, g, rtol=1e-12).converged


def test_members_of_a_batch_keep_their_own_scale():
    """Residuals that differ by 10^80 would be lost in float32 beside each other."""
    problem = pde.Poisson((31, 31))
    f = np.random.default_rng(0).standard_normal((3, 31, 31)) * np.array([1e-80, 0.0, 1e20])[:, None, None]
    together = pde.Multigrid(problem, dtype="mixed").solve(f, rtol=1e-11)
    assert together.converged
    for i in range(3):
        alone = pde.Multigrid(problem, dtype="mixed").solve(f[i], rtol=1e-11)
        np.testing.assert_array_equal(together.u[i], alone.u)


def test_print_tells_and_pure_float32_range_is_checked():
    mg = pde.Multigrid(pde.Poisson((15, 15)), dtype="mixed")
    assert "float32 cycles in a float64 residual" in str(mg)
    assert mg.dtype == np.float64
    with pytest.raises(ValueError, match=r"leaves the range of float32"):
        pde.Multigrid(pde.Poisson((15, 15), extent=1e-22), dtype="mixed")
    assert pde.Multigrid(pde.Poisson((15, 15), extent=1e-22)).dtype == np.float64


def board(shape, a, size=3):
    """a and 1 by turns in blocks."""
    index = np.indices(shape)
    return np.where((index[0] // size + index[1] // size) % 2 == 0, a, 1.0)


ENDS = {"extent": (30, 1), "boundary": [("neumann", "dirichlet"), "neumann"], "centering": "cell"}
ILL_CONDITIONED = {
    "one level": ({"shape": (9, 38), "coefficient": board((9, 38), 1e4), **ENDS}, {}),
    "one level, far worse": ({"shape": (9, 38), "coefficient": board((9, 38), 1e6), **ENDS}, {}),
    "jumps": ({"shape": (90, 120), "coefficient": board((90, 120), 1e6), **ENDS}, {}),
    "a long box": (
        {"shape": (24, 20), "reaction": 1e-12 * board((24, 20), 2.0), **ENDS, "extent": (1e4, 1)},
        {"levels": 2},
    ),
    "a high box": (
        {"shape": (20, 24), "reaction": 1e-12 * board((20, 24), 2.0), **ENDS, "extent": (1e4, 1)},
        {"levels": 2},
    ),
    "a separable one": ({"shape": (24, 20), **ENDS, "extent": (1e4, 1)}, {"levels": 2}),
}


@pytest.mark.parametrize("kernels", ["numpy", "torch", "numba"])
@pytest.mark.parametrize("name", ILL_CONDITIONED)
def test_the_coarsest_level_is_solved_in_float64(name, kernels):
    """Its inverse rounded to float32 makes residuals grow where eps ||A|| ||A^-1|| > 1: mixed ends as float64 does."""
    problem, options = ILL_CONDITIONED[name]
    if kernels == "numba" and options == {}:
        pytest.skip("there are no kernels for one level, nor for coefficients that jump")
    if (kernels, name) == ("torch", "jumps"):
        pytest.skip("the inverse of its coarsest level takes ten seconds")
    problem = pde.Poisson(**problem)
    f = np.random.default_rng(0).standard_normal(problem.shape)
    exact, solution = (
        pde.Multigrid(problem, dtype=dtype, kernels=kernels, **options).solve(f, rtol=1e-12, accel="cg")
        for dtype in ("float64", "mixed")
    )
    assert (exact.reason, solution.reason) == ("rounding", "rounding"), solution
    assert solution.residual_norms[-1] <= solution.attainable
    assert solution.cycles <= exact.cycles + 4


@pytest.mark.parametrize("kernels", KERNELS)
def test_one_level_is_solved_in_float64_throughout(kernels):
    problem, _ = ILL_CONDITIONED["one level, far worse"]
    problem = pde.Poisson(**problem)
    f = np.random.default_rng(0).standard_normal(problem.shape)
    exact, mixed = (pde.Multigrid(problem, dtype=dtype, kernels=kernels) for dtype in ("float64", "mixed"))
    np.testing.assert_array_equal(mixed.solve(f).u, exact.solve(f).u)
    assert "float64" in str(mixed)
    assert "float32" not in str(mixed)
