"""Messages, bytes and gathering calls of each rank are those of a formula that knows nothing of the program."""

from functools import partial

import numpy as np
import pytest

from benchmarks import slab_counts
from pde import Multigrid, Poisson
from tests.mpi.problems import SmallLevels, all_agree, rough

MIXED, AROUND = [("neumann", "dirichlet"), "dirichlet"], ["periodic", "dirichlet"]
PROBLEMS = {
    "points": ({"shape": (511, 127), "extent": (4, 1)}, "points", False),
    "flat": ({"shape": (127, 255), "extent": (1, 2)}, "points", False),
    "cells": ({"shape": (256, 64), "extent": (4, 1), "centering": "cell"}, "cells", False),
    "around": ({"shape": (256, 63), "extent": (4, 1), "boundary": AROUND}, "ends", True),
    "cells around": ({"shape": (192, 64), "extent": (3, 1), "centering": "cell", "boundary": AROUND}, "cells", True),
    "Neumann": ({"shape": (256, 127), "extent": (2, 1), "boundary": MIXED}, "ends", False),
    "3-D": ({"shape": (63, 31, 31), "extent": (2, 1, 1)}, "points", False),
    "3-D around": ({"shape": (64, 31, 31), "extent": (2, 1, 1), "boundary": [*AROUND, "dirichlet"]}, "ends", True),
}
"""Keywords of problems whose levels are halved along all axes; the kind of axis 0, and whether it is periodic."""

UNKNOWNS = 200


def counted(ranks, call):
    """The messages, bytes, gathering calls and their bytes of a call on this rank."""
    before = np.array([ranks.messages, ranks.sent, ranks.collectives, ranks.shared])
    call()
    return np.array([ranks.messages, ranks.sent, ranks.collectives, ranks.shared]) - before


def first_whole(mg):
    """A level that all ranks make in any case: where full multigrid begins, or the coarsest."""
    return len(mg.levels) - 1 if mg.hierarchy.start is None else mg.hierarchy.start.level


def divided(comm, name, nu, dtype="float64"):
    """A solver on ranks, the right-hand side of this one, and the levels as the formula makes them."""
    problem, kind, around = PROBLEMS[name]
    with SmallLevels(UNKNOWNS):
        mg = Multigrid(Poisson(**problem), comm=comm, threads=1, nu=nu, dtype=dtype)
        mg.backend.symmetric()
    levels = slab_counts.levels_of(problem["shape"], comm.size, kind, around, UNKNOWNS, first_whole(mg))
    return mg, rough(mg.problem.shape, 1)[mg.owned].astype(dtype), levels


@pytest.mark.ranks(2, 3, 4, 6)
@pytest.mark.parametrize("nu", [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("name", PROBLEMS)
def test_cycles(comm, name, nu):
    mg, f, levels = divided(comm, name, nu)
    found = mg.backend.slabs[: len(levels)]
    assert [this.whole for this in found] == [not level.divided for level in levels]
    assert all(
        this.whole or np.array_equal(this.made - this.pad, level.made)
        for this, level in zip(found, levels, strict=True)
    )
    assert sum(level.divided for level in levels) > 1
    here, ranks = (levels, nu, comm.rank), mg.backend.ranks
    assert tuple(counted(ranks, lambda: mg.cycle(f))) == slab_counts.cycle(*here, start="zero")
    assert tuple(counted(ranks, lambda: mg.cycle(f, f))) == slab_counts.cycle(*here)
    found = counted(ranks, lambda: mg.full_multigrid(f))
    assert tuple(found) == slab_counts.full_multigrid(*here, norm="iterate")


@pytest.mark.ranks(2, 3)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["points", "cells around", "3-D"])
def test_iterations_of_a_solve(comm, name, dtype):
    """A cycle or an iteration more costs so much more: f of the finest level is sent once for all cycles."""
    nu = (1, 1)
    mg, f, levels = divided(comm, name, nu, dtype)
    here, size = (levels, nu, comm.rank), np.dtype(dtype).itemsize
    f_is_there = {"known": levels[0].down(levels[1], nu[0]), "size": size}
    for accel, formula in (
        (None, slab_counts.cycle(*here, **f_is_there)),
        ("cg", slab_counts.cg_iteration(*here, size=size)),
    ):
        two, three = (
            counted(mg.backend.ranks, partial(mg.solve, f, accel=accel, rtol=1e-30, max_cycles=k)) for k in (2, 3)
        )
        assert tuple(three - two) == formula


@pytest.mark.ranks(4, 6)
@pytest.mark.parametrize("around", [False, True])
def test_levels_on_fewer_ranks(comm, around):
    """Where slabs would be thin, every second or fourth rank makes one; the bits are the same."""
    n = 8 * comm.size
    sides = ["periodic" if around else "dirichlet", "dirichlet"]
    problem = Poisson((n if around else n - 1, 1023), extent=(n / 1024, 1), boundary=sides)
    with SmallLevels(UNKNOWNS):
        mg = Multigrid(problem, comm=comm, threads=1)
    kind = "ends" if around else "points"
    levels = slab_counts.levels_of(problem.shape, comm.size, kind, around, UNKNOWNS, first_whole(mg))
    assert comm.size < 4 or any(np.any(np.diff(level.cuts) == 0) for level in levels if level.divided)
    f, here = rough(problem.shape, 1), (levels, (1, 1), comm.rank)
    assert tuple(counted(mg.backend.ranks, lambda: mg.cycle(f[mg.owned]))) == slab_counts.cycle(*here, start="zero")
    one = Multigrid(problem, kernels="numba").solve(f)
    many = mg.solve(f[mg.owned])
    assert many.residual_norms == one.residual_norms
    assert all_agree(comm, np.array_equal(many.u, one.u[mg.owned]))
