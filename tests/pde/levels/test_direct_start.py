"""Full multigrid that begins with a direct solution: where, what it gives, and the same on kernels."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import pde
from pde.backends.numba.boundary_terms import NO_SIDES
from pde.levels.direct import DirectSolver, SeparableSolver
from pde.levels.hierarchy import CHEAP_SOLVE, CHEAP_START
from tests.pde.levels.test_direct import EPS, separable
from tests.pde.problems import ENDS


@pytest.fixture(scope="module", autouse=True)
def direct_starts():
    """As they are by default."""


@pytest.mark.parametrize(
    ("shape", "level"),
    [((15, 15), 0), ((127, 127), 0), ((128, 128), 0), ((255, 255), 2), ((31,) * 3, 0), ((63,) * 3, None)],
)
def test_it_begins_on_the_finest_grid_that_is_cheap(shape, level):
    mg = pde.Multigrid(pde.Poisson(shape))
    start = mg.hierarchy.start
    if level is None:
        assert start is None
        return
    assert start.level == level
    size = [2 * each.info.grid.size * sum(each.info.grid.shape) for each in mg.levels]
    assert size[level] <= (CHEAP_START if level else CHEAP_SOLVE)
    assert level == 0 or size[0] > CHEAP_SOLVE
    assert all(each > CHEAP_START for each in size[1:level])


@pytest.mark.parametrize(
    "options",
    [
        {"smoother": "sor"},
        {"omega": 1.1},
        {"nu": (1, 1)},
        {"coarse": "rediscretised"},
        {"transfer": "bilinear"},
        {"levels": 2},
    ],
)
def test_an_option_that_is_given_asks_for_cycles(options):
    assert pde.Multigrid(pde.Poisson((31, 31))).hierarchy.start is not None
    assert pde.Multigrid(pde.Poisson((31, 31)), **options).hierarchy.start is None


@pytest.mark.parametrize(
    "arguments",
    [
        {"coefficient": 1 + np.random.default_rng(0).random((20, 20))},
        {"reaction": np.random.default_rng(0).random((20, 20))},
        {"domain": np.random.default_rng(0).random((20, 20)) > 0.2},
        {"order": 4},
    ],
)
def test_what_is_not_separable_begins_on_the_coarsest_level(arguments):
    assert pde.Multigrid(pde.Poisson((20, 20), **arguments)).hierarchy.start is None


def condition(mg):
    """The largest eigenvalue of A over the smallest one that is not zero."""
    inverse = SeparableSolver(mg.levels[0].info.operator, mg.problem.singular).parts[1]
    return inverse.max() / inverse[inverse > 0].min()


@settings(max_examples=40, deadline=None)
@given(problem=separable(), seed=st.integers(0, 2**31), kernels=st.sampled_from(["numpy", "torch"]))
def test_the_pass_is_the_solution(problem, seed, kernels):
    mg = pde.Multigrid(problem, kernels=kernels)
    if mg.hierarchy.start is None:
        return
    f = np.random.default_rng(seed).standard_normal((2, *problem.shape))
    if problem.singular:
        f = mg.hierarchy.volumes[0].without_mean(f)
    A = mg.levels[0].info.operator
    expected = DirectSolver(A, problem.singular)(f)
    u = np.asarray(mg.full_multigrid(f))
    assert np.max(np.abs(u - expected)) <= 32 * EPS * condition(mg) * f[0].size ** 0.5 * np.max(np.abs(expected))


@st.composite
def started(draw):
    """Solvers on kernels and in NumPy of one problem, whose full multigrid begins on the finest level or below it."""
    plane = draw(st.integers(0, 3)) > 0
    shape = [draw(st.integers(3, 150)) for _ in range(2)] if plane else [draw(st.integers(3, 9)) for _ in range(3)]
    boundary = []
    for a, n in enumerate(shape):
        around = draw(st.integers(0, 3)) == 0
        boundary.append("periodic" if around else (draw(st.sampled_from(ENDS)), draw(st.sampled_from(ENDS))))
        shape[a] = -(-n // 8) * 8 if around else n
    problem = pde.Poisson(shape, boundary=boundary, centering=draw(st.sampled_from(["vertex", "cell"])))
    made = [pde.Multigrid(problem, kernels=kernels, threads=1) for kernels in ("numpy", "numba")]
    return made


@settings(max_examples=25, deadline=None)
@given(made=started(), seed=st.integers(0, 2**31), with_sides=st.booleans())
def test_kernels_make_the_pass_of_plain_levels(made, seed, with_sides):
    plain, mg = made
    if len(mg.levels) == 1 or mg.backend.runs_in != "Numba":
        return
    rng = np.random.default_rng(seed)
    f = rng.standard_normal(mg.problem.shape)
    if mg.problem.singular:
        f = mg.hierarchy.volumes[0].without_mean(f[None])[0]
    g = None
    if with_sides and not mg.problem.singular:
        axes = [a for a, axis in enumerate(mg.problem.grid.axes) if not axis.periodic]
        g = {(a, side): rng.standard_normal() for a in axes for side in (0, 1)}
    u, expected = mg.full_multigrid(f, g), plain.full_multigrid(f, g)
    # rounding of f changes u by eps times the condition, below 8 n^2 of all axes
    tolerance = 64 * EPS * 8 * max(f.shape) ** 2 * f.size**0.5
    assert np.max(np.abs(u - expected)) <= tolerance * np.max(np.abs(expected))


@pytest.mark.parametrize("shape", [(31, 40), (150, 131), (15, 9, 12)])
@pytest.mark.parametrize("norm", ["residual", "iterate", "nothing"])
def test_no_number_is_read_before_it_is_written(shape, norm):
    from pde.backends.numba.kernels import NORMS

    mg = pde.Multigrid(pde.Poisson(shape), kernels="numba", threads=2)
    mg.backend.prepare()
    f = np.random.default_rng(1).standard_normal(shape)
    executor = mg.backend.kernels.executor
    plan = executor.plan("nested", 0, NORMS[norm])
    once, checked = np.empty_like(f), np.empty_like(f)
    total = executor.run(plan, f, None, once, NO_SIDES)
    assert executor.run(plan, f, None, checked, NO_SIDES, check=True) == total
    np.testing.assert_array_equal(once, checked)
    A, volumes = mg.levels[0].A, mg.hierarchy.volumes[0]
    v = {"residual": f - A(once[None])[0], "iterate": once, "nothing": 0 * f}[norm]
    level = mg.levels[0].info.grid
    expected = float(volumes.mean(v[None] ** 2)[0]) * np.prod([axis.width.sum() for axis in level.axes])
    size = np.max(np.abs(A.diagonal)) * np.max(np.abs(once)) + np.max(np.abs(f))
    assert abs(total - expected) <= 64 * EPS * f.size * (size * np.sqrt(expected) + EPS * size**2)


@pytest.mark.parametrize("shape", [(31, 31), (150, 140)])
def test_bits_do_not_depend_on_threads(shape):
    f = np.random.default_rng(0).standard_normal(shape)
    one, two = (pde.Multigrid(pde.Poisson(shape), kernels="numba", threads=n).full_multigrid(f) for n in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_events_tell_of_the_direct_solution():
    events = []
    mg, f = pde.Multigrid(pde.Poisson((20, 20)), kernels="numpy"), np.random.default_rng(0).standard_normal((20, 20))
    solution = mg.solve(f, verbose=events.append)
    assert [(event.level, event.move) for event in events] == [(1, "solve")]
    assert events[0].before == pytest.approx(1)
    assert events[0].after == pytest.approx(solution.residual_norms[-1])
    np.testing.assert_array_equal(solution.u, mg.solve(f).u)


def test_an_update_takes_the_new_reaction():
    mg, f = pde.Multigrid(pde.Poisson((20, 21)), kernels="numpy"), np.random.default_rng(0).standard_normal((20, 21))
    mg.solve(f)
    mg.update(reaction=7.0)
    np.testing.assert_array_equal(mg.solve(f).u, pde.Multigrid(pde.Poisson((20, 21), reaction=7.0)).solve(f).u)


def test_tensors_in_float32_too():
    f = torch.randn(20, 21, generator=torch.Generator().manual_seed(0))
    mg = pde.Multigrid(pde.Poisson((20, 21)), dtype="float32", kernels="torch")
    u = mg.full_multigrid(f)
    assert u.dtype == torch.float32
    expected = pde.Multigrid(pde.Poisson((20, 21))).full_multigrid(f.numpy())
    tolerance = 32 * float(np.finfo(np.float32).eps) * condition(mg) ** 0.5 * f.numel() ** 0.5
    assert np.max(np.abs(u.numpy() - expected)) <= tolerance * np.max(np.abs(expected))
