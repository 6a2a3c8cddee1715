import pytest

import mgcore
from pde.backends.choice import MAKERS
from pde.levels import hierarchy
from tests.pde import two_blocks


@pytest.fixture(scope="module", autouse=True)
def direct_starts():
    """Full multigrid makes its cycles on the small grids of tests too; tests of direct starts have another fixture."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hierarchy, "CHEAP_SOLVE", 0)
        patch.setattr(hierarchy, "CHEAP_START", 0)
        yield


@pytest.fixture
def no_work(monkeypatch):
    """Factorisations, cycles and nested iteration are work."""

    def work(*_, **__):
        pytest.fail("work was done before the input was refused")

    monkeypatch.setattr("pde.levels.direct.splu", work)
    for name in ("full_multigrid", "solve"):
        monkeypatch.setattr(mgcore, name, work)
    monkeypatch.setattr("pde.backends.base.CYCLES", dict.fromkeys(("V", "W", "F", "backslash"), work))


@pytest.fixture
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=["plain", "two blocks"])
def every_backend(request, monkeypatch):
    """Solvers that choose their backend run on plain levels, then on vectors of two blocks where they can."""
    if request.param == "two blocks":
        monkeypatch.setitem(MAKERS, "numba", two_blocks.make)
