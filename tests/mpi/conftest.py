"""Tests under mpiexec: `make test-mpi`, or `python -m pytest tests/mpi` where mpi4py and an MPI library are.

A test that asks for the fixture `comm` runs on 2 and 3 ranks, or on others by a mark, and is an ordinary test
otherwise: parametrize, hypothesis, fixtures, skips and marks work.

    @pytest.mark.ranks(1, 2, 4)
    def test_sums(comm, folder):          # comm: MPI.COMM_WORLD of so many ranks
        assert comm.allreduce(1) == comm.size
        pde.Multigrid(problem, comm=comm)

- Every rank runs the body. It fails where one rank fails, with that rank's traceback; ranks that hang, or an Abort,
  fail the one test, and the others run in a new mpiexec. One mpiexec runs all tests on so many ranks: its start,
  some seconds, is shared.
- `folder` is an empty folder that all ranks share; `comm.rank` tells them apart. `tmp_path` is each rank's own.
- Random examples are the same on all ranks (they are derandomised), as long as what is drawn does not depend on the
  rank. Give `@given` no `@settings(phases=...)`: examples are not shrunk here. `folder` and `tmp_path` are those of the
  test, not of each example.
- A test without `comm` runs once, in the process of pytest, which never starts MPI. It may start programs by
  `tests.mpi.launch.mpiexec(ranks, "-c", code)`: for exit codes, what is printed, and ranks that die.
- `-k`, `-x`, `--lf` and node ids work: `pytest "tests/mpi/test_files.py::test_x[2 ranks]"`. `--ranks 2 3` takes other
  numbers of ranks. Standard output of a test is shown where it fails.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.mpi.launch import LIMIT
from tests.mpi.outside import WORKER, Outside

RANKS = (2, 3)

collect_ignore_glob = [] if importlib.util.find_spec("mpi4py") else ["test_*.py"]

if WORKER in os.environ:  # each rank would shrink what fails in its own way
    settings.register_profile(
        "ranks",
        settings.get_profile("same"),
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    settings.load_profile("ranks")


def pytest_addoption(parser):
    parser.addoption("--ranks", type=int, nargs="+", help="numbers of ranks, in the place of those of each test")
    parser.addoption("--limit", type=float, default=LIMIT, help="seconds after which a test on ranks hangs")


def pytest_configure(config):
    config.addinivalue_line("markers", "ranks(*sizes): run on so many ranks, each in turn (2, 3)")
    if WORKER not in os.environ:
        config.pluginmanager.register(Outside(config), "ranks")


def pytest_generate_tests(metafunc):
    if "comm" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("ranks")
        sizes = metafunc.config.getoption("--ranks", None) or (mark.args if mark else RANKS)
        metafunc.parametrize("comm", sizes, ids=[f"{n} ranks" for n in sizes], indirect=True, scope="session")


@pytest.fixture(scope="session")
def comm(request):
    """All ranks; only processes that mpiexec has started come here."""
    from mpi4py import MPI

    assert MPI.COMM_WORLD.size == request.param
    return MPI.COMM_WORLD


@pytest.fixture
def folder(comm, tmp_path):
    """An empty folder that all ranks share."""
    return Path(comm.bcast(os.fspath(tmp_path)))
