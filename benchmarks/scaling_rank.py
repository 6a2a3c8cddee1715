"""The part of `scaling.py` that runs on every rank: mpiexec -n 2 python benchmarks/scaling_rank.py JOB [N ...]

Rank 0 prints one line of JSON.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import slab_counts
from mpi4py import MPI

import pde

COMM = MPI.COMM_WORLD
NU = (1, 1)
CYCLES, SOLVES = 7, 3


def counts(*shape: int) -> list[dict[str, Any]]:
    """Messages, bytes, gathers and bytes given of the rank that sends most; whether all ranks are as the formula."""
    mg = pde.Multigrid(pde.Poisson(shape), comm=COMM, threads=1, nu=NU)
    f, ranks = np.ones([part.stop - part.start for part in mg.owned]), mg.backend.ranks
    levels = slab_counts.levels_of(shape, COMM.size)
    here, found = (levels, NU, COMM.rank), []
    for name, call, formula in (
        ("V(1,1)", lambda: mg.cycle(f, f), slab_counts.cycle(*here, tiles=tiles(mg))),
        ("full multigrid", lambda: mg.full_multigrid(f), slab_counts.full_multigrid(*here, "iterate", tiles=tiles(mg))),
    ):
        call()  # kernels are there
        before = np.array([ranks.messages, ranks.sent, ranks.collectives, ranks.shared])
        call()
        own = np.array([ranks.messages, ranks.sent, ranks.collectives, ranks.shared]) - before
        every = COMM.allgather((own.tolist(), list(map(int, formula))))
        most = max(every, key=lambda each: each[0][1])
        found.append({"what": name, "counted": most[0], "formula": most[1], "alike": all(a == b for a, b in every)})
    return found


def tiles(mg: Any) -> int:
    """Sums of a plane of the finest level, which in three dimensions is made in tiles."""
    plans = mg.backend.kernels.executor
    recorder = plans.recorder()
    from pde.backends.numba.interpreter import PASS, Step

    return int(recorder._tiles(Step(PASS, 0, sweeps=NU[1], planes=1)))


def memory(*shape: int) -> float:
    """Bytes by which a solve raises the peak of the rank that takes most."""
    small = pde.Poisson([31] * len(shape))
    pde.Multigrid(small, comm=COMM, threads=1).solve(1.0)
    before = peak()
    mg = pde.Multigrid(pde.Poisson(shape), comm=COMM, threads=1)
    mg.solve(1.0)
    return max(COMM.allgather(peak() - before))


def peak() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def speed(threads: int, *shape: int) -> dict[str, float]:
    """Seconds of a V-cycle and of a whole solve, medians; alone, of the solver without a communicator."""
    problem = pde.Poisson(shape)
    alone = {"kernels": "numba"} if COMM.size == 1 else {"comm": COMM}
    mg = pde.Multigrid(problem, threads=threads, nu=NU, **alone)
    f = np.random.default_rng(COMM.rank).standard_normal([part.stop - part.start for part in mg.owned])
    return {
        "cycle": median(lambda: mg.cycle(f, f), CYCLES),
        "solve": median(lambda: mg.solve(f), SOLVES),
        "unknowns": float(np.prod(shape)),
    }


def step(*_: int) -> float:
    """Seconds that a leg of a cycle costs beside its work: a V-cycle of a grid so small that nothing else counts."""
    mg = pde.Multigrid(pde.Poisson((63, 63)), comm=COMM, threads=1)
    f = np.ones([part.stop - part.start for part in mg.owned])
    return median(lambda: mg.cycle(f), 51) / (2 * len(mg.levels))


def median(call: Callable[[], Any], count: int) -> float:
    call()
    times = []
    for _ in range(count):
        COMM.Barrier()
        began = time.perf_counter()
        call()
        COMM.Barrier()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    jobs: dict[str, Callable[..., Any]] = {f.__name__: f for f in (counts, memory, speed, step)}
    result = jobs[sys.argv[1]](*map(int, sys.argv[2:]))
    if COMM.rank == 0:
        print(json.dumps(result))
