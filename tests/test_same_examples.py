"""Examples are the same for everybody, whatever else has been loaded."""

import importlib.util
import shutil
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.explore import main as explore


def drawn():
    seen = []

    @settings(max_examples=300)
    @given(st.integers(0, 10**9))
    def test(number):
        seen.append(number)

    test()
    return seen


def test_examples_do_not_depend_on_the_modules_that_are_loaded(tmp_path):
    """Hypothesis takes numbers out of modules that it finds; which there are depends on the tests that ran before."""
    before = drawn()
    assert len(set(before)) > 100
    path = tmp_path / "constants.py"
    path.write_text("\n".join(f"x{n} = {n}" for n in range(123_456_000, 123_456_500)))
    spec = importlib.util.spec_from_file_location("constants_of_a_test", path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert drawn() == before


def test_a_failure_is_told_with_its_seed_and_how_to_repeat_it(tmp_path, capfd):
    """A round of `make explore` on a test that fails for some numbers."""
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    path = tmp_path / "test_sometimes.py"
    path.write_text(
        "from hypothesis import given, strategies as st\n"
        "@given(st.integers(0, 1000))\n"
        "def test_sometimes(n):\n"
        "    assert n < 10\n"
        "def test_without_examples():\n"
        "    raise AssertionError\n"
    )
    assert explore(["--seconds", "1000", "--rounds", "1", "--seed", "7", "--jobs", "0", str(path)]) == 1
    said = capfd.readouterr().out
    assert "seed 7: " in said
    assert "0 passed, 1 failed" in said
    assert "-m pytest -n 0 --hypothesis-profile=explore --hypothesis-seed=7 " in said
    assert "test_sometimes.py::test_sometimes" in said
    assert "@reproduce_failure(" in said
