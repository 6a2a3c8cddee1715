"""Under mpiexec without mpi4py: the extra is named once, and --no-mpi does without."""

import sys

import pytest

from pde.cli.many import NUMBERS, SIZES
from tests.pde.command import run

pytestmark = pytest.mark.usefixtures("in_a_folder_of_its_own")


@pytest.fixture(params=["PMI", "OMPI_COMM_WORLD"])
def started(request, monkeypatch):
    """The environment of one of four ranks, by its number."""
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    for name in (*SIZES, *NUMBERS):
        monkeypatch.delenv(name, raising=False)

    def start(rank, size=4):
        monkeypatch.setenv(f"{request.param}_RANK", str(rank))
        monkeypatch.setenv(f"{request.param}_SIZE", str(size))

    return start


def test_the_extra_is_named_by_one_rank(started, capsys):
    started(0)
    assert run("--shape 7 7") == 2
    err = capsys.readouterr().err
    assert "which need mpi4py" in err
    assert "pip install 'mgnet-multigrid[mpi]'" in err
    started(1)
    assert run("--shape 7 7") == 2
    assert run("--foo") == 2
    assert capsys.readouterr() == ("", "")


def test_each_for_itself(started, capsys):
    started(2)
    assert run("--shape 7 7 --f 1 --no-mpi") == 0
    assert "converged" in capsys.readouterr().out


def test_one_process_needs_no_mpi4py(started):
    started(0, 1)
    assert run("--shape 7 7 --f 1") == 0


def test_mpi_is_asked_where_the_launcher_is_unknown(started, capsys):
    started(0, 1)
    assert run("--shape 7 7 --f 1 --mpi") == 2
    assert "mpi4py" in capsys.readouterr().err
