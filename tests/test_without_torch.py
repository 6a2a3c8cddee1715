"""torch is optional: pde solves and draws without it, and what needs it says what to install."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
INSTALL = "needs torch: pip install 'mgnet-multigrid[torch]'"

# as in an environment that has no torch; sitecustomize, since `python -m` gives no other way in
BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run Python in a process without torch, in a folder of its own."""
    folder = tmp_path_factory.mktemp("without_torch")
    (folder / "sitecustomize.py").write_text(BLOCKER, encoding="utf-8")

    def python(*arguments):
        paths = os.pathsep.join((str(folder), str(ROOT)))
        changed = {"PYTHONPATH": paths, "PYTHONUTF8": "1", "PDE_COMPILE": "off"}
        return subprocess.run(
            [sys.executable, "-Werror", *arguments],
            cwd=folder,
            env={**os.environ, **changed},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )

    python.folder = folder
    return python


def printed(process):
    assert process.returncode == 0, process.stderr
    return process.stdout.strip()


def refused(process, message):
    """One line on stderr, exit code 2."""
    assert process.returncode == 2, process.stderr
    assert process.stderr.strip().splitlines() == [message]


def test_the_blocker_blocks(run):
    process = run("-c", "import torch")
    assert process.returncode == 1
    assert "ModuleNotFoundError: No module named 'torch'" in process.stderr


def test_pde_solves(run):
    code = """
import numpy as np, pde
problem = pde.Poisson((31, 20))
for options in ({}, {"dtype": "mixed"}, {"smoother": "jacobi"}, {"coarse": "galerkin"}, {"kernels": "numpy"}):
    mg = pde.Multigrid(problem, **options)
    print(mg.solve(lambda x, y: np.exp(x * y), g=1.0).converged, mg.solve(1.0, accel="cg").converged)
"""
    assert printed(run("-c", code)).split() == ["True"] * 10


def test_pde_solves_in_one_call_and_on_kernels(run):
    code = """
import os
os.environ["PDE_COMPILE"] = "wait"
import numpy as np, pde
f = np.random.default_rng(1).normal(size=(2, 63, 63))
together = pde.Multigrid(pde.Poisson((63, 63)), kernels="numba").solve(f)
alone = pde.solve_poisson(f[0], kernels="numba")
print(together.converged, np.array_equal(together.u[0], alone.u))
"""
    assert printed(run("-c", code)) == "True True"


def test_pde_predicts_and_draws(run):
    assert "picture" not in printed(run("-m", "pde", "predict", "--shape", "31", "31"))
    options = ("--shape", "31", "31", "--f", "exp(x*y)", "--plot", "u.png", "--output", "u.npy")
    assert "converged" in printed(run("-m", "pde", "solve", *options))
    assert (run.folder / "u.png").read_bytes().startswith(b"\x89PNG")
    assert (run.folder / "u.npy").exists()


@pytest.mark.parametrize(
    ("code", "wish"),
    [
        ("import nets", "nets"),
        ("import pde; pde.learning", "pde.learning"),
        ("from pde.learning.symbols import cycle_factor", "pde.learning"),
        ("from nets.naming.grammar import parse", "nets"),
        ("import pde; pde.Multigrid(pde.Poisson(31), device='cuda')", "device='cuda'"),
        ("import pde; pde.solve_poisson(1.0, 31, device='cuda:0')", "device='cuda:0'"),
        ("import pde; pde.Multigrid(pde.Poisson(31), kernels='torch')", "kernels='torch'"),
        ("import pde; pde.Multigrid(pde.Poisson(31), kernels='torch compiled')", "kernels='torch compiled'"),
    ],
)
def test_what_needs_torch_says_what_to_install(run, code, wish):
    process = run("-c", code)
    assert process.returncode == 1
    assert process.stderr.strip().splitlines()[-1] == f"ImportError: {wish} {INSTALL}"
    assert "During handling" not in process.stderr


@pytest.mark.parametrize("arguments", [[], ["list"], ["train", "MgNet[2,2]-[16]-B^l"], ["--help"]])
def test_nets_from_the_shell(run, arguments):
    refused(run("-m", "nets", *arguments), f"python -m nets: error: nets {INSTALL}")


def test_a_module_that_torch_lacks_is_named(run):
    """Only torch itself is advised to be installed: another missing module is shown as it is."""
    other = BLOCKER.replace("No module named {name!r}", "No module named 'sympy'").replace("name=name", "name='sympy'")
    process = run("-S", "-c", f"{other}\nsys.path.insert(0, {str(ROOT)!r})\nimport nets")
    assert process.stderr.strip().splitlines()[-1] == "ModuleNotFoundError: No module named 'sympy'"
