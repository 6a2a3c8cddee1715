"""Imports point one way: {pde, nets} -> mgcore -> the standard library."""

import ast
import importlib
import inspect
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import mgcore

ROOT = Path(__file__).parent.parent
OURS = {"mgcore", "pde", "nets"}
LATER = ("torch", "numba", "matplotlib", "sklearn", "PIL")  # what a first import must not load

BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ImportError(f"{{name}} is blocked")
sys.meta_path.insert(0, Blocker())
"""


def python(code: str) -> str:
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Top-level names of everything that a file imports, at any depth of its code."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("__import__", "importlib.import_module"):
            names.update(arg.value.partition(".")[0] for arg in node.args[:1] if isinstance(arg, ast.Constant))
    return names


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("mgcore", {"mgcore"}),
        ("pde", {"mgcore", "pde"}),
        ("nets", {"mgcore", "nets"}),
    ],
)
def test_imports_point_one_way(package, allowed):
    assert sources(package)
    for path in sources(package):
        assert imported(path) & (OURS | {"tests", "examples", "benchmarks"}) <= allowed, path


def test_mgcore_imports_the_standard_library_only():
    for path in sources("mgcore"):
        assert imported(path) <= {"mgcore", "__future__"} | sys.stdlib_module_names, path


@pytest.mark.parametrize("blocked", ["numpy", "torch"])
def test_mgcore_imports_without(blocked):
    code = BLOCKER.format(blocked={blocked}) + "import mgcore; print(len(mgcore.__all__))"
    assert int(python(code)) > 0
    loaded = python("import sys, mgcore; print(*sys.modules)").split()
    assert blocked not in loaded


def test_nets_imports_without_what_windows_lacks():
    code = BLOCKER.format(blocked={"fcntl", "grp", "pwd", "resource", "termios"}) + "import nets.__main__; print(1)"
    assert python(code) == "1\n"


def test_blocker_blocks():
    code = BLOCKER.format(blocked={"numpy"}) + "import numpy"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert "numpy is blocked" in run.stderr


@pytest.mark.parametrize(
    ("code", "later"),
    [
        ("import pde", LATER),
        ("import pde; pde.solve_poisson([[1.0, 2.0], [3.0, 4.0]])", LATER),
        ("import nets", ("pde", "numba", "matplotlib", "sklearn", "PIL")),
    ],
)
def test_what_is_loaded_only_when_asked_for(code, later):
    loaded = set(python(f"import sys; {code}; print(*sys.modules)").split())
    assert loaded & {"pde", "nets"}
    assert not loaded & set(later)


@pytest.mark.parametrize("package", sorted(OURS))
def test_every_module_can_be_imported_by_its_name(package):
    """Though functions have the names of some: `import nets.training.recipe as recipe` and what is defined in it."""
    names = [".".join(path.with_suffix("").relative_to(ROOT).parts) for path in sources(package)]
    for name in names:
        if name.endswith("__"):
            continue
        code = f"import {name}\nimport {name} as bound\nfrom importlib import import_module\nfull = {name}"
        namespace: dict = {}
        exec(code, namespace)
        module = sys.modules[name]
        for public in (key for key in vars(module) if not key.startswith("__")):
            for found in (namespace["bound"], namespace["full"]):
                assert getattr(found, public) is vars(module)[public], (name, public)


@pytest.mark.parametrize("package", sorted(OURS))
def test_what_a_package_shows_is_public(package):
    module = importlib.import_module(package)
    assert {*dir(module)} - {"__version__"} == {*module.__all__}


def test_functions_that_hide_modules_stay_functions():
    import nets

    for function in (nets.train, nets.summary, nets.data.digits, mgcore.solve):
        assert inspect.isfunction(function)
        assert pickle.loads(pickle.dumps(function)) is function


def test_every_subpackage_is_installed():
    """A folder with code that pyproject.toml does not list would be missing from the wheel."""
    import tomllib

    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    found = {".".join(path.parent.relative_to(ROOT).parts) for package in OURS for path in sources(package)}
    assert set(listed) == found
    for package in OURS:
        assert (ROOT / package / "py.typed").exists()
