"""The tests under mpiexec fail where they should: each outcome of a test on ranks is told as pytest tells its own."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parent.parent.parent

FAILING = """
import pytest
from hypothesis import given, strategies as st

pytestmark = pytest.mark.ranks(3)

def test_passes(comm):
    assert comm.allreduce(1) == 3

def test_fails_everywhere(comm):
    assert comm.rank == 7

def test_fails_on_one_rank(comm):
    assert comm.rank != 1, "of rank one"

def test_fails_where_others_wait(comm):
    assert comm.rank != 2, "of rank two"
    comm.barrier()

def test_hangs(comm):
    if comm.rank == 0:
        comm.barrier()
        comm.recv(source=1, tag=9)
    elif comm.rank == 1:
        comm.barrier()
        comm.recv(source=0, tag=9)
    else:
        comm.barrier()

def test_aborts(comm):
    if comm.rank == 1:
        comm.Abort(5)
    comm.barrier()

@given(st.integers(0, 10**6))
def test_example_fails_on_one_rank(comm, n):
    comm.barrier()
    assert comm.rank != 1 or n < 10
    comm.barrier()

def test_skipped(comm):
    pytest.skip("for a reason")

@pytest.mark.xfail(strict=True)
def test_expected(comm):
    raise ValueError

def test_passes_after_all_these(comm, folder):
    assert len(set(comm.allgather(str(folder)))) == 1 and folder.is_dir()
"""

OUTCOMES = {
    "passes": "PASSED", "fails_everywhere": "FAILED", "fails_on_one_rank": "FAILED",
    "fails_where_others_wait": "FAILED", "hangs": "FAILED", "aborts": "FAILED",
    "example_fails_on_one_rank": "FAILED", "skipped": "SKIPPED", "expected": "XFAIL",
    "passes_after_all_these": "PASSED",
}  # fmt: skip


@pytest.fixture(scope="module")
def told():
    """The report of pytest on a file of tests that fail in every way."""
    path = Path(__file__).with_name("test_that_fails.py")
    path.write_text(FAILING, encoding="utf-8")
    try:
        words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--limit", "5", "-vv", "-rs", str(path)]
        return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False).stdout
    finally:
        path.unlink()


@pytest.mark.parametrize("name", OUTCOMES)
def test_each_outcome_is_told(told, name):
    lines = [line for line in told.splitlines() if f"::test_{name}[3 ranks]" in line]
    assert any(OUTCOMES[name] in line for line in lines), told


@pytest.mark.parametrize(
    "text",
    [
        "AssertionError: of rank one", "AssertionError: of rank two", "no end after 5 s", "in test_hangs",
        "for a reason", "rank 1 of 3", "rank 2 of 3", "_fails_on_one_rank(", "n=",
    ],
)  # fmt: skip
def test_the_reason_is_told(told, text):
    assert text in told


def test_sums(comm):
    assert comm.allgather(comm.rank) == list(range(comm.size))


@given(st.integers(0, 10**9))
def test_examples_are_the_same_on_all_ranks(comm, n):
    assert set(comm.allgather(n)) == {n}
