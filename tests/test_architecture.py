"""Imports point one way: {pde, nets} -> mgcore -> the standard library."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

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


FOLDERS = {
    "mgcore": (),
    "pde": (
        {"cli"},
        {"plot", "autodiff", "learning", "paper"},
        {"solver"},
        {"backends"},
        {"analysis"},
        {"levels"},
        {"problem"},
        {"common"},
    ),
    "nets": (
        {"cli"},
        {"plot"},
        {"runs", "deploy", "theorems"},
        {"papers"},
        {"training", "inspect"},
        {"models"},
        {"naming", "data"},
        {"common"},
    ),
}
"""Folders of each package from the top: each imports folders of lower rows alone."""


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def modules_imported(path: Path, known: set[str]) -> set[str]:
    """Modules of `known` that a file imports, at any depth of its code."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in known else node.module)
    return found & known


def import_graph(package: str) -> dict[str, set[str]]:
    files = {module_name(path): path for path in sources(package)}
    return {name: modules_imported(path, set(files)) for name, path in files.items()}


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Circles found by walking the graph; none where it has an order."""
    found: list[list[str]] = []
    done: set[str] = set()

    def walk(name: str, above: list[str]) -> None:
        if name in above:
            found.append([*above[above.index(name) :], name])
        elif name not in done:
            for below in sorted(graph[name]):
                walk(below, [*above, name])
            done.add(name)

    for name in sorted(graph):
        walk(name, [])
    return found


@pytest.mark.parametrize("package", ["pde", "nets"])
def test_folders_import_folders_below_them(package):
    """The package itself (`import nets`) stands for its public names: the command line alone may ask for those."""
    height = {folder: number for number, row in enumerate(FOLDERS[package]) for folder in row}
    seen = set()
    for name, imports in import_graph(package).items():
        folder = (*name.split("."), "")[1]
        if folder in ("", "__init__", "__main__"):
            continue
        seen.add(folder)
        for other in imports:
            below = (*other.split("."), "")[1]
            if below != folder:
                assert height[folder] < height[below] if below else height[folder] == 0, f"{name} imports {other}"
    assert seen == set(height)


def test_no_module_imports_itself_by_way_of_others():
    for package in sorted(OURS):
        assert circles(import_graph(package)) == []


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c", "b"]]


def folders(package: str) -> list[Path]:
    return [path for path in sources(package) if path.name == "__init__.py"]


@pytest.mark.parametrize("package", ["pde", "nets"])
def test_every_folder_says_what_it_holds(package):
    for path in folders(package):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        assert text, path
        assert len(text.splitlines()) >= 3, path


@pytest.mark.parametrize("package", sorted(OURS))
def test_no_function_hides_a_module_of_its_name(package):
    for path in folders(package):
        module = importlib.import_module(module_name(path))
        for below in (*path.parent.glob("*.py"), *path.parent.glob("*/__init__.py")):
            name = below.stem if below.stem != "__init__" else below.parent.name
            if below != path and not name.startswith("__"):
                assert inspect.ismodule(getattr(module, name, module)), f"{module.__name__}.{name}"


NEW = {
    "pde.convolution": "pde.paper.convolution",
    "pde.fourier": "pde.analysis.fourier",
    "pde.section5": "pde.paper.section5",
    "nets.bottleneck": "nets.papers.bottleneck",
}


@pytest.mark.parametrize("old", sorted(NEW))
def test_published_modules_are_found_by_their_old_names(old):
    with pytest.warns(FutureWarning, match=f"{old} is .* now"):
        module = importlib.import_module(old)
    sys.modules.pop(old)
    new = importlib.import_module(NEW[old])
    public = [name for name in vars(new) if not name.startswith("_")]
    assert public
    assert all(getattr(module, name) is getattr(new, name) for name in public)


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
    for name in map(module_name, sources(package)):
        if not name.endswith("__main__"):
            assert importlib.import_module(name).__name__ == name


@pytest.mark.parametrize("package", sorted(OURS))
def test_what_a_package_shows_is_public(package):
    module = importlib.import_module(package)
    assert {*dir(module)} - {"__version__"} == {*module.__all__}


def test_every_subpackage_is_installed():
    """A folder with code that pyproject.toml does not list would be missing from the wheel."""
    import tomllib

    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    found = {".".join(path.parent.relative_to(ROOT).parts) for package in OURS for path in sources(package)}
    assert set(listed) == found
    for package in OURS:
        assert (ROOT / package / "py.typed").exists()
