"""Solves on ranks give the bits of one process, whatever the number of ranks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pde import Multigrid, Poisson
from pde.backends.mpi.exchange import Planes
from pde.backends.numba.buffers import SLACK
from tests.mpi.problems import SmallLevels, all_agree, assert_same, boxes, rough

OPTIONS = [{}, {"dtype": "float32", "rtol": 1e-3}]
SOLVES = [{}, {"accel": "cg"}, {"cycle": "V"}, {"cycle": "W"}, {"cycle": "F"}, {"cycle": "backslash"}]


@pytest.mark.ranks(1, 2, 3, 4, 6)
@settings(max_examples=6)
@given(boxes(), st.sampled_from(SOLVES), st.sampled_from(OPTIONS), st.integers(0, 9), st.sampled_from([0.0, 1.0]))
def test_solves(comm, problem, solve, options, seed, guess):
    f, options = rough(problem["shape"], seed), dict(options)
    solve = {**solve, "rtol": options.pop("rtol", 1e-8), "incompatible": 1.0, "max_cycles": 4}
    if "dtype" in options:
        f = f.astype(np.float32)
    if guess:
        solve["u0"] = rough(problem["shape"], seed + 1)
    assert_same(comm, problem, f, options, **solve)


@pytest.mark.ranks(1, 2, 3, 4, 6)
@settings(max_examples=6)
@given(boxes(), st.integers(0, 9), st.data())
def test_boundary_data(comm, problem, seed, data):
    def g(*x):
        return np.cos(2 * x[0] + seed) + sum(k * y for k, y in enumerate(x))

    sides = [(a, s) for a, sides in enumerate(problem["boundary"]) if sides != "periodic" for s in (0, 1)]
    if sides:
        some = {key: data.draw(st.sampled_from([g, 2.0])) for key in sides if data.draw(st.booleans())}
        f = data.draw(st.sampled_from([0.0, rough(problem["shape"], seed)]))
        assert_same(comm, problem, f, g=some, incompatible=1e9, max_cycles=4)


@pytest.mark.ranks(2, 3)
def test_several_right_hand_sides(comm):
    problem = {"shape": (61, 40), "boundary": ["neumann", ("dirichlet", "neumann")]}
    f = np.stack([rough(problem["shape"], seed) * 10.0**seed for seed in range(3)])
    with SmallLevels():
        mg = Multigrid(Poisson(**problem), comm=comm)
    alone = Multigrid(Poisson(**problem), kernels="numba")
    for accel in (None, "cg"):
        many = mg.solve(f[:, *mg.owned], accel=accel)
        for member, each in zip(many.members, f, strict=True):
            one = alone.solve(each, accel=accel)
            assert member.residual_norms == one.residual_norms
            assert all_agree(comm, np.array_equal(member.u, one.u[mg.owned]))


@pytest.mark.ranks(2)
def test_members_that_end_early(comm):
    problem = Poisson((61, 40))
    x, y = problem.points()
    f = np.stack([np.sin(np.pi * x) * np.sin(np.pi * y), rough(problem.shape, 1), 0 * x])
    mg, alone = Multigrid(problem, comm=comm), Multigrid(problem, kernels="numba")
    many = mg.solve(f[:, *mg.owned], accel="cg")
    assert len({member.cycles for member in many.members}) > 1
    for member, each in zip(many.members, f, strict=True):
        one = alone.solve(each, accel="cg")
        assert member.residual_norms == one.residual_norms
        assert all_agree(comm, np.array_equal(member.u, one.u[mg.owned]))


@pytest.mark.ranks(1, 2, 3)
@pytest.mark.parametrize("boundary", ["dirichlet", "periodic"])
def test_passes_cycles_and_factors(comm, boundary):
    problem = Poisson((64, 48), boundary=boundary)
    f = rough(problem.shape, 1)
    alone = Multigrid(problem, kernels="numba")
    with SmallLevels():
        mg = Multigrid(problem, comm=comm)
    own = mg.owned
    assert all_agree(comm, np.array_equal(mg.full_multigrid(f[own]), alone.full_multigrid(f)[own]))
    assert all_agree(comm, np.array_equal(mg.cycle(f[own]), alone.cycle(f)[own]))
    assert all_agree(comm, np.array_equal(mg.cycle(f[own], f[own], cycle="W"), alone.cycle(f, f, cycle="W")[own]))
    assert mg.measure_factor(cycles=6) == alone.measure_factor(cycles=6)
    whole = mg.gather(f[own])
    assert np.array_equal(whole, f)


@pytest.mark.ranks(2)
@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_data_of_any_size(comm, size):
    assert_same(comm, {"shape": (200, 170)}, rough((200, 170), 2) * size)


@pytest.mark.ranks(2, 6)
@pytest.mark.parametrize("shape", [(127, 31), (63, 31, 31)])
def test_planes_that_no_message_brings_do_not_matter(comm, shape, monkeypatch):
    """Memory beyond the halo is full of NaN: what has weight zero is read from planes that are there."""
    made = Planes.__init__

    def filled(planes, slabs, first, last, size, *more):
        made(planes, slabs, first, last, size, *more)
        planes.array[: (last - first) * size] = np.nan

    monkeypatch.setattr(Planes, "__init__", filled)
    problem = Poisson(shape, extent=(4 if len(shape) == 2 else 2, *[1] * (len(shape) - 1)))
    alone = Multigrid(problem, kernels="numba", threads=1)
    with SmallLevels():
        mg = Multigrid(problem, comm=comm, threads=1)
    f, own = rough(shape, 1), mg.owned
    assert all_agree(comm, np.array_equal(mg.cycle(f[own]), alone.cycle(f)[own]))
    assert all_agree(comm, np.array_equal(mg.full_multigrid(f[own]), alone.full_multigrid(f)[own]))
    assert all_agree(comm, np.array_equal(mg.solve(f[own], accel="cg").u, alone.solve(f, accel="cg").u[own]))


@pytest.mark.ranks(2)
def test_correction_without_sweeps(comm):
    """A pass that only corrects lacks planes of the coarse level, and none of its own."""
    problem = {"shape": (138, 33), "coefficient": lambda x, y: 1 + 0.3 * np.sin(6.28 * x) * np.cos(y)}
    assert_same(comm, problem, rough(problem["shape"], 1), cycle="backslash", max_cycles=2)


@pytest.mark.ranks(4)
def test_buffers_that_begin_alike(comm):
    """Plane 0 of two levels may have the same address, where a rank has memory for neither."""
    problem = Poisson((511, 127), extent=(4, 1))
    f = rough(problem.shape, 1)
    with SmallLevels(200, 200):
        mg = Multigrid(problem, comm=comm)
    executor = mg.backend.kernels.executor
    executor.plan("V")
    arena = np.zeros(2 * f.size)
    origin, placed, end = arena.ctypes.data, [], np.inf
    for buffer, level in executor._level_of.items():
        first, last = executor._kept[level]
        begin, stop = (plane * executor.plane(level) for plane in (first, last))
        if comm.rank > 0 and first > 0 and level not in placed and stop + SLACK <= end:
            executor._buffers._arrays[buffer] = arena[begin : stop + SLACK]
            placed, end = [*placed, level], begin
    cycle = mg.cycle(f[mg.owned])
    starts = [planes.address for planes in executor._of_buffers.values()]
    assert comm.rank == 0 or starts.count(origin) > 1
    assert all_agree(comm, np.array_equal(cycle, Multigrid(problem, kernels="numba").cycle(f)[mg.owned]))
