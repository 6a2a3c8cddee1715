"""Mixed precision on ranks gives the bits of one process."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pde import Multigrid, Poisson
from pde.backends.mpi.mixed import MpiMixed
from tests.mpi.problems import SmallLevels, all_agree, assert_same, boxes, rough

MIXED = {"dtype": "mixed"}
SOLVES = [{}, {"accel": "cg"}, {"cycle": "V"}, {"cycle": "W"}]


@settings(max_examples=6)
@given(boxes(), st.sampled_from(SOLVES), st.integers(0, 9), st.booleans())
def test_solves(comm, problem, solve, seed, guessed):
    solve = {**solve, "incompatible": 1.0, "max_cycles": 6}
    if guessed:
        solve["u0"] = rough(problem["shape"], seed + 1)
    mg, _ = assert_same(comm, problem, rough(problem["shape"], seed), MIXED, **solve)
    assert isinstance(mg.backend, MpiMixed)


@pytest.mark.parametrize("solve", SOLVES)
@pytest.mark.parametrize("boundary", ["neumann", "periodic"])
def test_sums_over_planes(comm, boundary, solve):
    """A singular problem on a grid whose sums are made plane by plane, on an axis that is long for float32."""
    problem = {"shape": (210, 160), "boundary": boundary, "centering": "cell"}
    mg, _ = assert_same(comm, problem, rough(problem["shape"], 3), MIXED, max_cycles=8, **solve)
    assert mg.backend.double is not None
    assert not mg.backend.is_small


def test_boundary_data(comm):
    problem = {"shape": (36, 32, 29), "boundary": ["periodic", "neumann", "dirichlet"], "reaction": 3.0}
    g = {(1, 0): 1.0, (2, 1): lambda x, y, z: np.sin(6.28 * x)}
    for f in (0.0, rough(problem["shape"], 1)):
        assert_same(comm, problem, f, MIXED, g=g)


@pytest.mark.ranks(3)
@pytest.mark.parametrize("boundary", ["dirichlet", ["periodic", "dirichlet"]])
def test_coefficients(comm, boundary):
    problem = {"shape": (64, 45), "boundary": boundary, "coefficient": lambda x, y: 1 + 0.3 * np.sin(6.2831853 * x) * y}
    assert_same(comm, problem, rough(problem["shape"], 1), MIXED)


@pytest.mark.ranks(2, 3)
def test_several_right_hand_sides(comm):
    """Members end after different numbers of cycles."""
    problem = {"shape": (61, 40), "boundary": ["neumann", ("dirichlet", "neumann")]}
    smooth = np.multiply.outer(np.linspace(0, 1, 61), np.ones(40))
    f = np.stack([rough(problem["shape"], 1), smooth, 1e3 * rough(problem["shape"], 2)])
    with SmallLevels():
        mg = Multigrid(Poisson(**problem), comm=comm, **MIXED)
    alone = Multigrid(Poisson(**problem), kernels="numba", **MIXED)
    for accel in (None, "cg"):
        many, ones = mg.solve(f[:, *mg.owned], accel=accel), alone.solve(f, accel=accel)
        for member, one in zip(many.members, ones.members, strict=True):
            assert member.residual_norms == one.residual_norms
            assert all_agree(comm, np.array_equal(member.u, one.u[mg.owned]))


@pytest.mark.ranks(1, 3)
@pytest.mark.parametrize("boundary", ["dirichlet", "periodic"])
def test_passes_cycles_and_factors(comm, boundary):
    problem = Poisson((64, 48), boundary=boundary)
    f = rough(problem.shape, 1)
    alone = Multigrid(problem, kernels="numba", **MIXED)
    with SmallLevels():
        mg = Multigrid(problem, comm=comm, **MIXED)
    own = mg.owned
    assert all_agree(comm, np.array_equal(mg.full_multigrid(f[own]), alone.full_multigrid(f)[own]))
    assert all_agree(comm, np.array_equal(mg.cycle(f[own], f[own], cycle="W"), alone.cycle(f, f, cycle="W")[own]))
    assert mg.measure_factor(cycles=6) == alone.measure_factor(cycles=6)


@pytest.mark.ranks(2)
@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_data_of_any_size(comm, size):
    assert_same(comm, {"shape": (200, 170)}, rough((200, 170), 2) * size, MIXED)


@pytest.mark.ranks(2, 4)
def test_one_message_for_each_neighbour(comm):
    """The pass in float64 sends a plane of u and one of d to either side."""
    mg = Multigrid(Poisson((210, 160)), comm=comm, **MIXED)
    mg.backend.prepare()
    backend, shape = mg.backend, mg.backend.block.shape
    f, u = (backend.space(np.empty((1, *shape)))[0] for _ in range(2))
    d, ranks = backend.residuals((1, *shape))[0], backend.ranks
    messages, sent = ranks.messages, ranks.sent
    backend.correction(f, u, d, 1.0, u, d, 1.0)
    neighbours = (comm.rank > 0) + (comm.rank + 1 < comm.size)
    assert (ranks.messages - messages, ranks.sent - sent) == (neighbours, neighbours * 160 * (8 + 4))
