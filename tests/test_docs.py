"""Every Python block of the README and of docs/ runs as printed, and every link leads somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINKED = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "benchmarks").rglob("*.md"))]
OPTIONAL = ("pyamg",)  # what a page may import though the package does not need it

BLOCK = re.compile(r"^```python\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
ANY_BLOCK = re.compile(r"^```.*?^```", flags=re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT)) if page.is_relative_to(ROOT) else page.name


def run_blocks(page: Path) -> list[str]:
    """Run the blocks of a page in one namespace, tracebacks with its line numbers; returns the packages that miss."""
    text, namespace, missing = page.read_text(encoding="utf-8"), {"__name__": "__main__"}, []
    for block in BLOCK.finditer(text):
        code = block[1]
        absent = [p for p in OPTIONAL if re.search(rf"\b{p}\b", code) and importlib.util.find_spec(p) is None]
        missing += absent
        if not absent:
            above = "\n" * text.count("\n", 0, block.start(1))
            exec(compile(above + code, str(page), "exec"), namespace)
    return missing


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.*)$", ANY_BLOCK.sub("", page.read_text(encoding="utf-8")), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    """The relative links of a page that lead to no file, or to no heading."""
    broken = []
    for link in LINK.findall(ANY_BLOCK.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page if not path else page.parent / path
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", [p for p in PAGES if BLOCK.search(p.read_text(encoding="utf-8"))], ids=name)
def test_blocks_run_as_printed(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # pictures land there
    missing = run_blocks(page)
    assert capsys.readouterr().out.strip()
    if missing:
        pytest.skip(f"{name(page)}: its other blocks ran; {len(missing)} need {', '.join(sorted(set(missing)))}")


@pytest.mark.parametrize("page", LINKED, ids=name)
def test_links_lead_somewhere(page):
    assert broken_links(page) == []


def test_readme_has_both_halves():
    blocks = "\n".join(BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8")))
    assert "pde.Multigrid" in blocks
    assert "nets.train" in blocks
    assert "nets.create_model" in blocks


def test_a_wrong_block_and_a_broken_link_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A page, 1\n\n```python\na = 1\n```\n\n```python\nassert a == 2\n```\n[x](#a-page-1) [y](#b) [z](c.md)\n"
    )
    with pytest.raises(AssertionError) as caught:
        run_blocks(page)
    assert caught.traceback[-1].lineno + 1 == 8
    assert broken_links(page) == ["#b", "c.md"]
