"""The example and the script of docs/machines.md run under mpiexec as they are printed."""

import re

import numpy as np
import pytest

from tests.mpi.launch import ROOT, mpiexec

SCRIPT = re.search(r"```py\n(.*?)```", (ROOT / "docs" / "machines.md").read_text("utf-8"), flags=re.DOTALL)[1]


def warned(text):
    """The lines of stderr, but for that of kernels which are compiled on a new machine."""
    return [line for line in text.splitlines() if not line.startswith("pde: compiling kernels")]


@pytest.mark.parametrize("ranks", [1, 3])
def test_the_example(tmp_path, ranks):
    done = mpiexec(ranks, "examples/many_machines.py", "--n", 31, "--output", tmp_path / "u.npy")
    assert (done.returncode, warned(done.stderr)) == (0, [])
    assert done.stdout.startswith(f"{ranks} ranks: converged after ")
    x, y, z = np.meshgrid(*[np.arange(1, 32) / 32] * 3, indexing="ij")
    u = np.load(tmp_path / "u.npy")
    # the eigenvalue of the seven-point grid, for the solution of which u is
    theta = np.pi * np.array([1, 2, 1]) / 32
    scale = 6 * np.pi**2 / (4 * 32**2 * np.sin(theta / 2) ** 2).sum()
    assert abs(u - scale * np.sin(np.pi * x) * np.sin(2 * np.pi * y) * np.sin(np.pi * z)).max() < 1e-6


def test_the_script_of_the_page(tmp_path):
    done = mpiexec(2, "-c", SCRIPT, cwd=tmp_path)
    assert (done.returncode, warned(done.stderr)) == (0, [])
    assert done.stdout.startswith("converged after ")
    assert len(done.stdout.splitlines()) == 1
