"""The site: every page is in its navigation, every public name on a page of the API, the layout page is true."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_architecture import import_graph

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
OUTSIDE = {"index.md": "README.md", "changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
DOCUMENTED = {
    "mgcore": ("checks", "stencils"),
    "pde": (
        *("analysis.fourier.Analysis", "paper.section5.section5_levels", "paper.convolution", "plot"),
        *(f"learning.{name}" for name in ("TrainableMultigrid", "History", "MetaMultigrid", "symbols.cycle_factor")),
    ),
    "nets": ("data", "theorems"),
}
needs_mkdocs = pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="mkdocs: pip install .[docs]")


def navigation() -> list[str]:
    """The pages that mkdocs.yml names, in order."""
    nav = re.search(r"^nav:\n((?:[ ].*\n)+)", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), flags=re.MULTILINE)
    return re.findall(r": (\S+\.md)$", nav[1], flags=re.MULTILINE)


def test_the_navigation_names_every_page_once():
    pages = [p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.md")]
    assert sorted(navigation()) == sorted([*pages, *OUTSIDE])
    assert all((ROOT / path).exists() for path in OUTSIDE.values())


def on_page(package: str) -> list[str]:
    text = (DOCS / "api" / f"{package}.md").read_text(encoding="utf-8")
    return re.findall(r"^::: (\S+)$", text, flags=re.MULTILINE)


@pytest.mark.parametrize("package", DOCUMENTED)
def test_every_public_name_is_on_the_page_of_its_package(package):
    public = {f"{package}.{name}" for name in (*importlib.import_module(package).__all__, *DOCUMENTED[package])}
    named = on_page(package)
    assert len(named) == len(set(named))
    assert set(named) == public


def test_the_layout_names_files_that_exist_and_every_folder():
    text = (DOCS / "layout.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:mgcore|pde|nets|examples|tests|benchmarks|docs)/[\w./]*)`", text))
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
    folders = {f"{p.parent.name}/{p.name}/" for top in ("pde", "nets") for p in (ROOT / top).iterdir() if p.is_dir()}
    assert {folder for folder in folders if "__pycache__" not in folder} <= named
    for question in ("(6.6)", "red-black", "fused", "harmonic", "schedule", "batch norm", "stopping", "checkpoint"):
        assert re.search(rf"^\| .*{re.escape(question)}.* \| `\S+`", text, flags=re.MULTILINE), question


def test_the_picture_of_the_layout_has_every_folder_above_those_that_it_imports(tmp_path):
    spec = importlib.util.spec_from_file_location("docs_pictures", DOCS / "pictures.py")
    pictures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pictures)
    for top, rows in (("pde", pictures.PDE), ("nets", pictures.NETS)):
        folders = {p.name for p in (ROOT / top).iterdir() if (p / "__init__.py").exists()}
        height = {name: number for number, row in enumerate(rows) for name, _ in row}
        assert sorted(height) == sorted(folders)
        for module, imports in import_graph(top).items():
            for other in imports:
                above, below = ((*name.split("."), "")[1] for name in (module, other))
                if above != below and {above, below} <= height.keys():
                    assert height[above] < height[below], f"{module} imports {other}"
    assert pictures.layout(tmp_path / "layout.png").stat().st_size > 0


def test_the_citation_has_the_version_of_the_package():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    version = re.search(
        r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert re.search(rf"^version: {re.escape(version[1])}$", citation, flags=re.MULTILINE)
    for key in ("cff-version: 1.2.0", "message:", "title:", "authors:", "license: MIT", "references:"):
        assert re.search(rf"^{key}", citation, flags=re.MULTILINE), key


@needs_mkdocs
def test_links_that_leave_docs_lead_to_pages_of_the_site():
    spec = importlib.util.spec_from_file_location("docs_hooks", DOCS / "hooks.py")
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    assert hooks.uri("README.md") == "index.md"
    assert hooks.linked("docs/tutorial.md", "../examples/heat.py") == "examples/heat.py"
    assert hooks.uri("examples/heat.py") == "source/examples/heat.py.md"
    assert hooks.linked("docs/tutorial.md", "nothing.md") is hooks.linked("README.md", "https://x") is None
    assert (
        hooks.outside_code("[a](b)\n```\n[a](b)\n```\n[a](b#c)", lambda m: "B") == "[a](B)\n```\n[a](b)\n```\n[a](B#c)"
    )
    assert hooks.page("examples/problems").splitlines()[2] == "- [inclusion.toml](problems/inclusion.toml)"


@needs_mkdocs
def test_examples_in_docstrings_become_code():
    spec = importlib.util.spec_from_file_location("docs_doctests", DOCS / "doctests.py")
    doctests = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(doctests)
    assert doctests.fenced("One.\n\n>>> 1 + 1\n2\n>>> 3\n3\n\nTwo >>> 1.") == (
        "One.\n\n\n```pycon\n>>> 1 + 1\n2\n>>> 3\n3\n```\n\nTwo >>> 1."
    )


@pytest.mark.slow
@needs_mkdocs
def test_the_site_is_built_without_warnings_and_needs_no_network(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    around = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    run = subprocess.run(command, cwd=ROOT, env=around, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    fetched = re.compile(r"<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=\"?(?:https?:)?//[^>]*>")
    for page in (tmp_path / "site").rglob("*.html"):
        assert fetched.findall(page.read_text(encoding="utf-8")) == [], page
    for page in (tmp_path / "site" / "api").glob("*.html"):  # emphasis is a formula without backticks
        assert re.findall(r"<em>.*", page.read_text(encoding="utf-8")) == [], page
    assert 'id="pde.Multigrid.solve"' in (tmp_path / "site" / "api" / "pde.html").read_text(encoding="utf-8")
