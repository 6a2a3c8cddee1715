"""Without mpi4py, solvers on one process do not miss it, and `comm` asks for the extra by name."""

import sys

import pytest

from pde.common import ranks


@pytest.fixture
def without_mpi4py(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    ranks._mpi.cache_clear()
    yield
    ranks._mpi.cache_clear()


@pytest.mark.usefixtures("without_mpi4py")
def test_a_communicator_asks_for_the_extra():
    with pytest.raises(ImportError, match=r"comm needs mpi4py.*pip install 'mgnet-multigrid\[mpi\]'"):
        ranks.read_ranks(object())
