"""Plain English, the part of it that a test can hold: how sentences begin, and names that are private dialect."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = [path for package in ("mgcore", "pde", "nets", "examples") for path in sorted((ROOT / package).rglob("*.py"))]
TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("CONTRIBUTING.md"))]

BANNED = {
    *("How", "Measured", "Fast", "Fused", "Programs", "Place", "Cycles", "GIVEN", "ROOM", "LENT", "Known"),
    *("at_hand", "hands", "turns", "specials", "several", "room_in", "zoo", "sealed"),
}
"""Classes, functions, arguments and modules do not have these names."""

DIALECT = re.compile(r"\b(nobody|what there is|see to it that)\b", re.IGNORECASE)
OPENING = re.compile(r"(What|Those)\b")


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def names(path: Path) -> Iterator[tuple[int, str]]:
    yield 1, path.stem
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.alias) and node.asname:
            yield node.lineno, node.asname


def sentences(text: str) -> list[str]:
    """Of Markdown: paragraphs, headings and items of lists, without code and tables."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    blocks = re.split(r"\n\s*\n|\n(?=\s*(?:[-*#>|]|\d+\.) ?)", text)
    prose = [re.sub(r"^[\s#>*-]+|^\d+\. ", "", block) for block in blocks if not block.lstrip().startswith("|")]
    return [sentence for block in prose for sentence in re.split(r"(?<=[.!:;])\s+", " ".join(block.split()))]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings_say_what_a_thing_does(path):
    for line, text in docstrings(path):
        place = f"{path.relative_to(ROOT)}:{line}"
        assert not OPENING.match(text.strip()), place
        assert not any(OPENING.match(sentence) for sentence in sentences(text)), place
        assert not DIALECT.search(text), place


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_are_those_of_the_field(path):
    assert [f"{path.relative_to(ROOT)}:{line} {name}" for line, name in names(path) if name in BANNED] == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_sentences_of_the_docs_do_not_begin_with_what_or_those(path):
    found = sentences(path.read_text(encoding="utf-8"))
    assert len(found) > 3
    assert [sentence for sentence in found if OPENING.match(sentence)] == []
    assert [sentence for sentence in found if DIALECT.search(sentence)] == []


def test_sentences_are_found():
    text = "# What is this\n\nOne. Those are two.\n\n```\nWhat code\n```\n\n| What | table |\n- What item"
    assert [sentence for sentence in sentences(text) if OPENING.match(sentence)] == [
        "What is this",
        "Those are two.",
        "What item",
    ]
