"""pyproject.toml, the lower bounds that CI tests, the changelog and the files of the wheel say the same."""

import fnmatch
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
BOUND = re.compile(r"^(?P<name>[\w.-]+)>=(?P<version>[\w.]+)$")


def bounds(*requirements):
    """Lowest version by name; of this package's own extras nothing."""
    found = filter(None, map(BOUND.match, requirements))
    return {each["name"]: tuple(map(int, each["version"].split("."))) for each in found}


def pins():
    lines = (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition(" ")[0].split("==") for line in lines if line and not line.startswith("#"))
    return {name: tuple(map(int, version.split("."))) for name, version in pairs}


def test_lowest_dependencies_are_the_bounds():
    lowest = bounds(*PROJECT["project"]["dependencies"], *EXTRAS["torch"], *EXTRAS["test"])
    pinned = pins()
    assert pinned.keys() - {"pyparsing"} == lowest.keys()
    for name, version in ((name, pinned[name]) for name in lowest):
        assert version[: len(lowest[name])] == lowest[name], name
        assert not any(version[len(lowest[name]) :]), name


def test_torch_comes_with_every_extra_and_not_without():
    assert "torch" not in bounds(*PROJECT["project"]["dependencies"])
    for extra in ("demo", "test", "bench", "lint", "onnx", "tensorboard", "timm"):
        assert "mgnet-multigrid[torch]" in EXTRAS[extra], extra


def test_data_files_are_in_the_wheel():
    of_package = PROJECT["tool"]["setuptools"]["package-data"]
    patterns = [f"*/{pattern}" for pattern in of_package["*"]]
    for package in of_package.keys() - {"*"}:
        patterns += [f"{package.replace('.', '/')}/{pattern}" for pattern in of_package[package]]
    for package in ("mgcore", "nets", "pde"):
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and path.suffix not in (".py", ".pyc") and "__pycache__" not in path.parts:
                file = path.relative_to(ROOT).as_posix()
                assert any(fnmatch.fnmatch(file, pattern) for pattern in patterns), path


def test_trained_weights_are_small():
    files = [*(ROOT / "nets" / "models" / "trained").glob("*.safetensors")]
    assert files
    assert sum(file.stat().st_size for file in files) <= 1_000_000


def test_changelog_begins_with_the_version():
    versions = re.findall(r"^## \[(.*?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert PROJECT["project"]["version"] == versions[0]


def test_every_python_of_ci_is_classified():
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    classified = {each.rpartition(" ")[2] for each in PROJECT["project"]["classifiers"] if re.search(r"\d$", each)}
    assert set(re.findall(r'"(3\.\d+)"', text)) == classified
    assert f">={min(classified)}" == PROJECT["project"]["requires-python"]


@pytest.mark.parametrize("file", ["README.md", "docs/training.md", "docs/interchange.md"])
def test_extras_in_the_docs_exist(file):
    for extra in re.findall(r"mgnet-multigrid\[(\w+)\]", (ROOT / file).read_text(encoding="utf-8")):
        assert extra in EXTRAS
