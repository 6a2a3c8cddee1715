"""docs/papers.md holds every number of the papers once, and every name in it exists."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAP = ROOT / "docs" / "papers.md"

# Formulas per section, or a range for papers that count through; then whatever else has a number.
FORMULAS = {
    "S19": {1: 3, 2: 11, 3: 24, 4: 18, 5: 13, 6: 26, 7: 10, 8: 22, 9: 6},
    "N23": {1: 6, 3: 9, 4: 15, 5: 5},
    "A19": {1: 7, 2: 4, 3: 7, 4: 7, 6: 8},
    "L23": range(2, 30),
    "W": range(1, 6),
}
OTHERS = {
    "S19": ("Lemma 4.1", "Theorem 6.1", "Theorem 8.1", "Lemma 8.2", "Theorem 8.3", "Remark 8.4"),
    "N23": ("Theorem 4.1", "Figure 3.1", "Figure 4.1"),
    "A19": ("Theorem 1",),
    "L23": (),
    "W": (),
}
COUNTED = {
    "S19": {"Algorithm": 5, "Table": 2, "Figure": 3},
    "N23": {"Algorithm": 3, "Table": 11},
    "A19": {"Algorithm": 2, "Table": 4, "Figure": 2},
    "L23": {"Algorithm": 2, "Theorem": 4, "Table": 11},
    "W": {"Algorithm": 1},
}


def numbers(paper):
    """Every label that a paper has."""
    formulas = FORMULAS[paper]
    if isinstance(formulas, range):
        labels = [f"({n})" for n in formulas]
    else:
        labels = [f"({section}.{n})" for section, count in formulas.items() for n in range(1, count + 1)]
    counted = [f"{kind} {n}" for kind, count in COUNTED[paper].items() for n in range(1, count + 1)]
    return [*labels, *OTHERS[paper], *counted]


def rows():
    """(paper, cells) of every row of the map."""
    text = MAP.read_text(encoding="utf-8")
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        paper, _, body = section.partition("\n")
        for line in re.findall(r"^\|(.*)\|$", body, flags=re.MULTILINE)[2:]:
            yield paper.strip(), [cell.strip() for cell in re.split(r"(?<!\\)\|", line)]


ROWS = list(rows())


def labels(cell):
    """ "(4.5)–(4.9)" and "(8.1), (8.2)" as single labels."""
    for part in cell.split(", "):
        first, dash, last = part.partition("–")
        if not dash:
            yield part
            continue
        head, start = first.strip("()").rpartition(".")[::2]
        end = last.strip("()").rpartition(".")[2]
        assert last.strip("()").rpartition(".")[0] == head, cell
        yield from (f"({head}.{n})" if head else f"({n})" for n in range(int(start), int(end) + 1))


@pytest.mark.parametrize("paper", FORMULAS)
def test_every_number_occurs_once(paper):
    found = [label for key, cells in ROWS if key == paper and cells[0][0] != "§" for label in labels(cells[0])]
    assert sorted(found) == sorted(numbers(paper))


def test_the_map_has_these_papers_and_no_others():
    assert {paper for paper, _ in ROWS} == set(FORMULAS)


def names(cell):
    """Names of code and tests in a cell."""
    quoted = re.findall(r"`([^`]+)`", cell)
    known = r"(mgcore|pde|nets|examples)(\.\w+)+|tests/\S+|benchmarks/results/\w+\.md::.+"
    return [name for name in quoted if re.fullmatch(known, name)]


def test_every_row_says_what_holds_it():
    for paper, cells in ROWS:
        assert len(cells) == 4, (paper, cells)
        assert cells[1], (paper, cells)
        holds = names(cells[2])
        assert holds or cells[2].startswith("not built"), (paper, cells)
        if not cells[2].startswith("*definition*"):
            quoted = re.findall(r"`([^`]+)`", cells[2])
            assert quoted == holds, f"{paper} {cells[0]}: {set(quoted) - set(holds)} are neither code nor tests"


def resolve(name):
    """The object of a dotted name: a module, or an attribute of the longest module in it."""
    parts = name.split(".")
    for split in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:split]))
        except ModuleNotFoundError as error:
            if error.name is None or not name.startswith(error.name):
                raise
            continue
        for part in parts[split:]:
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(name)


def functions_in(path):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test")}


def is_in_results(name):
    """Whether a file of results is there and has these words."""
    path, _, words = name.partition("::")
    return (ROOT / path).exists() and words in (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted({name for _, cells in ROWS for cell in cells for name in names(cell)}))
def test_every_name_exists(name):
    if name.startswith("tests/"):
        path, _, test = name.partition("::")
        assert test in functions_in(path), name
    elif name.startswith("benchmarks/"):
        assert is_in_results(name), name
    else:
        resolve(name)


def test_a_name_that_does_not_exist_is_seen():
    for name in ("mgcore.level.Levels", "nets.nothing", "pde.Poisson.nothing"):
        with pytest.raises((AttributeError, ModuleNotFoundError)):
            resolve(name)
    assert is_in_results("benchmarks/results/digits_schemes.md::GDFI")
    assert not is_in_results("benchmarks/results/digits_schemes.md::no such words")
    assert not is_in_results("benchmarks/results/nothing.md::GDFI")
    assert "test_nothing" not in functions_in("tests/test_docs_map.py")
    assert "test_every_name_exists" in functions_in("tests/test_docs_map.py")
    assert list(labels("(4.5)–(4.7), (5.1), Table 2")) == ["(4.5)", "(4.6)", "(4.7)", "(5.1)", "Table 2"]
