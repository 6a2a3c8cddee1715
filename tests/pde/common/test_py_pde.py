"""py-pde imports as `pde` too: it is noticed, and named where one of its names is asked for."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pde
from pde.common.py_pde import ADVICE, NAMES

ROOT = Path(__file__).parent.parent.parent.parent


@pytest.mark.parametrize("name", ["CartesianGrid", "ScalarField", "DiffusionPDE", "solve_poisson_equation", "grids"])
def test_a_name_of_py_pde(name):
    with pytest.raises(AttributeError, match=f"has no attribute '{name}'; .*{name} is in py-pde: {ADVICE}"):
        getattr(pde, name)


def test_other_names():
    with pytest.raises(AttributeError, match=r"^module 'pde' has no attribute 'Multgrid'$"):
        pde.Multgrid  # noqa: B018
    assert not set(NAMES.split()) & {*pde.__all__}
    for name in NAMES.split():  # no folder of ours has such a name
        assert not (ROOT / "pde" / name).exists()


@pytest.fixture
def run(tmp_path):
    """Run Python beside a copy of `pde` whose folder has a subpackage of py-pde."""
    for package in ("mgcore", "pde"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "pde" / "pdes").mkdir()

    def python(*arguments):
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=False)

    python.folder = tmp_path
    return python


def test_files_of_py_pde_beside_ours(run):
    process = run("-c", "import pde; print(pde.solve_poisson([[1.0, 2.0], [3.0, 4.0]]).converged)")
    assert process.stdout == "True\n", process.stderr
    assert (
        f"UserWarning: py-pde is installed in the same folder as the pde of mgnet-multigrid: {ADVICE}" in process.stderr
    )


def test_files_of_py_pde_in_the_place_of_ours(run):
    (run.folder / "pde" / "__init__.py").write_text('"""The py-pde package ..."""', encoding="utf-8")
    process = run("-m", "pde", "predict", "--shape", "15")
    assert process.returncode == 1
    message = f"ImportError: py-pde was installed over the pde of mgnet-multigrid: {ADVICE}"
    assert process.stderr.strip().splitlines()[-1] == message
