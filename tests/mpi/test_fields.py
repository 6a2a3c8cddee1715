"""Coefficients that are divided among ranks: the numbers and choices of whole arrays, and the same solves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pde import Multigrid, Poisson
from pde.backends.mpi.operator import SlabOperator
from pde.common.ranks import read_ranks
from pde.levels.defaults import automatic, may_be_indefinite
from pde.levels.hierarchy import Choices, build_hierarchy
from pde.problem.coefficients import grid_fluxes, side_weights
from pde.problem.slab_field import SlabField
from pde.problem.slab_terms import SlabTerms
from tests.mpi.problems import SmallLevels, all_agree, boxes, rough


def smooth(*x):
    return 1 + 0.3 * np.sin(2 * x[0] + 1) * np.cos(3 * x[1]) + 0.2 * x[-1]


def growing(*x):
    return 3 + np.sin(5 * x[0]) + x[1]


def steep(*x):
    return np.exp(3 * np.sin(40 * x[0]) * np.cos(30 * x[1]))


def along_side(*x):
    return 1 + 0.5 * np.sin(3 * sum(x))


def two(*x):
    return 2.0 + 0 * x[0]


@st.composite
def varying(draw, coefficients=(None, 2.0, smooth, two, "several")):
    """Keywords of a `Poisson` in a box whose coefficients vary, or its betas."""
    problem = draw(boxes())
    ndim = len(problem["shape"])
    coefficient = draw(st.sampled_from(coefficients))
    if coefficient == "several":
        coefficient = [draw(st.sampled_from([smooth, growing, 2.0])) for _ in range(ndim)]
    sides = [pair if pair == "periodic" else tuple(map(_with_beta, pair)) for pair in problem["boundary"]]
    boundary = draw(st.sampled_from([problem["boundary"], sides]))
    reaction = draw(st.sampled_from([0.0, 1.5, growing, lambda *x: -0.1 * x[0]]))
    return {**problem, "boundary": boundary, "coefficient": coefficient, "reaction": reaction}


def _with_beta(side):
    return ("robin", along_side) if isinstance(side, tuple) else side


def same(whole, field):
    """Whether a field, or a number, has these values; of faces around a periodic axis the last are the first."""
    if not isinstance(field, SlabField):
        return np.array_equal(whole, field)
    values = field.whole()
    return np.array_equal(whole[: len(values)], values) and np.array_equal(
        whole[len(values) :], values[:1][: len(whole) - len(values)]
    )


@settings(max_examples=25)
@given(st.integers(1, 9), st.lists(st.integers(0, 9), min_size=5, max_size=5), st.data())
def test_windows(comm, n, cuts, data):
    ranks = read_ranks(comm)
    whole = np.arange(3.0 * n).reshape(n, 3)
    cuts = [0, *sorted(min(c, n) for c in cuts[: ranks.size - 1]), n]
    field = SlabField(ranks, cuts, whole[cuts[ranks.rank] : cuts[ranks.rank + 1]])
    windows = [data.draw(st.tuples(st.integers(-2 * n, n), st.integers(0, 2 * n))) for _ in range(ranks.size)]
    begin, length = windows[ranks.rank]
    sent = ranks.messages
    found = field.window(begin, begin + length)
    assert all_agree(comm, np.array_equal(found, whole[np.arange(begin, begin + length) % n]))
    assert ranks.messages - sent < max(2, ranks.size)
    assert (np.min(field), np.max(field)) == (0.0, 3.0 * n - 1)
    for axis, side in ((0, 0), (0, 1), (1, 0), (1, 1)):
        assert np.array_equal(field.layer(axis, side), np.take(whole, -side, axis))


@settings(max_examples=8)
@given(varying(coefficients=(None, smooth, two, steep, "several")))
def test_choices(comm, problem):
    alone, many = Poisson(**problem), Poisson(**problem, comm=comm)
    assert repr(alone) == repr(many)
    assert (alone.singular, alone.hold) == (many.singular, many.hold)
    grid, one, terms = alone.grid, alone.terms, many.terms
    for name in ("typical", "least_reaction", "has_reaction", "varies"):
        assert getattr(one, name) == getattr(terms, name), name
    for name in ("largest_ratio", "reaction_jumps", "strong_axis_turns", "betas_jump", "mean_reaction"):
        assert getattr(one, name)(grid) == getattr(terms, name)(many.grid), name
    assert automatic(grid, one, *["auto"] * 3) == automatic(many.grid, terms, *["auto"] * 3)
    assert may_be_indefinite(grid, one) == may_be_indefinite(many.grid, terms)
    for a, axis in enumerate(grid.axes):
        assert one.at_sides(a) == terms.at_sides(a)
        for side in (0, 1) if not axis.periodic else ():
            assert np.array_equal(side_weights(grid, one, a, side), side_weights(many.grid, terms, a, side))


@settings(max_examples=8)
@given(varying(), st.sampled_from(["float64", "float32"]), st.integers(0, 99))
def test_levels(comm, problem, dtype, seed):
    alone, many = Poisson(**problem), Poisson(**problem, comm=comm)
    choices = Choices("sor", None, (1, 1), "rediscretised", "bilinear", np.dtype(dtype), alone.singular)
    levels = [build_hierarchy(each.grid, each.terms, choices, None).levels for each in (alone, many)]
    assert [level.info.smoother for level in levels[0]] == [level.info.smoother for level in levels[1]]
    for one, each in zip(*levels, strict=True):
        whole, terms, grid = one.info.operator.terms, each.info.operator.terms, one.info.grid
        assert all(map(same, whole.diffusion, terms.diffusion))
        assert all(map(same, whole.resistances, terms.resistances))
        assert same(whole.reaction, terms.reaction)
        assert all(np.array_equal(beta, terms.betas[key]) for key, beta in whole.betas.items())
        if isinstance(terms, SlabTerms):
            _assert_same_faces(comm, whole, terms, (grid, each.info.grid), seed)
            _assert_same_operator(comm, one.A, each.A, dtype)


def _assert_same_faces(comm, whole, terms, grids, seed):
    n, periodic = grids[0].shape[0], grids[0].axes[0].periodic
    begin, end = np.sort(np.random.default_rng((seed, comm.rank)).integers(0, n + 1, 2)) + np.array([-3, 5]) * periodic
    fluxes, _ = terms.faces(grids[1], begin, end)
    for a, flux in enumerate(fluxes):
        expected = grid_fluxes(grids[0], whole, a)
        if expected.ndim > 1:
            planes = np.arange(begin, end + (a == 0 and begin < end))
            expected = expected[planes % n if periodic else planes]
        assert np.array_equal(expected, flux)


def _assert_same_operator(comm, one, each, dtype):
    n = one.grid.shape[0]
    begin, end = n * comm.rank // comm.size, n * (comm.rank + 1) // comm.size
    if n < comm.size:
        return
    A = SlabOperator(each, read_ranks(comm), begin, end)
    u = np.random.default_rng(3).standard_normal((2, *one.grid.shape)).astype(dtype)
    assert np.array_equal(one(u)[:, begin:end], A(np.ascontiguousarray(u[:, begin:end])))
    diagonal = np.broadcast_to(one.diagonal, one.grid.shape)[begin:end]
    assert np.array_equal(diagonal, np.broadcast_to(A.diagonal, diagonal.shape))


@pytest.mark.ranks(2, 3, 4, 6)
@pytest.mark.parametrize(
    ("ndim", "dtype"),
    # kernels of the last are compiled for it alone
    [(2, "float64"), (2, "float32"), (3, "float64"), pytest.param(3, "float32", marks=pytest.mark.slow)],
)
@settings(max_examples=3)
@given(st.data(), st.sampled_from(["fmg", "W"]), st.booleans())
def test_solves(comm, ndim, dtype, data, cycle, has_sides):
    problem = data.draw(varying().filter(lambda problem: len(problem["shape"]) == ndim))
    alone = Multigrid(
        Poisson(**problem), kernels="numba", threads=1, dtype=dtype, smoother="sor", coarse="rediscretised"
    )
    with SmallLevels():
        many = Multigrid(
            Poisson(**problem, comm=comm), threads=1, comm=comm, dtype=dtype, smoother="sor", coarse="rediscretised"
        )
    f = rough(problem["shape"], 1).astype(dtype)
    sides = any(pair != "periodic" for pair in problem["boundary"]) and has_sides
    g = (lambda *x: np.cos(2 * x[0]) + x[1]) if sides else None
    for values in (f, 0.0) if sides else (f,):
        options = {"g": g, "cycle": cycle, "max_cycles": 3, "incompatible": 1e9}
        one = alone.solve(values, **options)
        each = many.solve(f[many.owned] if values is f else values, **options)
        assert one.residual_norms == each.residual_norms
        assert all_agree(comm, np.array_equal(one.u[many.owned], each.u))


@pytest.mark.ranks(1, 3)
def test_update(comm):
    with SmallLevels():
        many = Multigrid(Poisson((40, 33), coefficient=smooth, comm=comm), comm=comm)
    alone = Multigrid(Poisson((40, 33), coefficient=smooth), kernels="numba")
    f = rough((40, 33), 2)
    for reaction in (growing, two):
        many.update(reaction=reaction)
        alone.update(reaction=reaction)
        assert all_agree(comm, np.array_equal(alone.cycle(f)[many.owned], many.cycle(f[many.owned])))


@pytest.mark.ranks(2, 3)
def test_blocks_of_arrays(comm):
    whole = Poisson((41, 20), coefficient=smooth)
    begin, end = 41 * comm.rank // comm.size, 41 * (comm.rank + 1) // comm.size
    block = smooth(*(x[begin:end] for x in whole.points()))
    problem = Poisson((41, 20), coefficient=block, comm=comm)
    assert all(np.array_equal(x[begin:end], y) for x, y in zip(whole.points(), problem.points(), strict=True))
    assert np.array_equal(whole.terms.diffusion[0], problem.terms.diffusion[0].whole())
    assert problem.read("u", block).shape == (end - begin, 20)
    assert problem.terms.diffusion[0].values.shape == (end - begin, 20)


@pytest.mark.ranks(2, 3)
def test_errors_of_one_rank_are_errors_of_all(comm):
    def wrong(*x):
        return smooth(*x) if comm.rank else np.full(x[0].shape, np.nan)

    with pytest.raises(ValueError, match="coefficient must be finite"):
        Poisson((41, 20), coefficient=wrong, comm=comm)
    with pytest.raises(ValueError, match="coefficient must be positive, got values down to -1"):
        Poisson((41, 20), coefficient=lambda *x: smooth(*x) - (comm.rank == 1) * (smooth(*x) + 1), comm=comm)
    with pytest.raises(ValueError, match="ranks are more than the 1 planes"):
        Poisson((1, 20), coefficient=smooth, comm=comm)
    with pytest.raises(ValueError, match="domain is not for problems that are divided"):
        Poisson((41, 20), domain=np.ones((41, 20), bool), comm=comm)
