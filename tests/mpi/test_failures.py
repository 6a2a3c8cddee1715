"""A failure on one rank is raised on all of them, or ends all of them; no program hangs."""

import os
import sys
import tempfile
import textwrap
import threading

import numpy as np
import pytest

from pde.common.rank_errors import wait_until_read
from pde.common.ranks import RankError, read_ranks
from tests.mpi.launch import mpiexec

HEAD = """
import os, sys, time
import numpy as np
from mpi4py import MPI
from pde.common import rank_errors
from pde.common.ranks import read_ranks
rank_errors.PATIENCE = 1.0
ranks = read_ranks(MPI.COMM_WORLD)
one = ranks.rank == 1
"""


def run(ranks, code, limit=60):
    return mpiexec(ranks, "-c", HEAD + textwrap.dedent(code), limit=limit)


class TwoArgumentsError(ValueError):
    def __init__(self, one, other):
        super().__init__(f"{one} and {other}")


class OddError(Exception):
    def __init__(self, one, other):
        super().__init__(f"{one} and {other}")


def fail_together(ranks, errors, others=lambda: None):
    """Ranks in `errors` raise them; the others do something else."""
    with ranks.together():
        if ranks.rank in errors:
            raise errors[ranks.rank]
        others()


@pytest.mark.ranks(2, 3)
@pytest.mark.parametrize(
    ("made", "kind", "text"),
    [
        (ValueError("f must be finite"), ValueError, "f must be finite"),
        (TypeError("f must hold numbers"), TypeError, "f must hold numbers"),
        (FileNotFoundError(2, "there is no", "f.npy"), FileNotFoundError, "[Errno 2] there is no: 'f.npy'"),
        (TwoArgumentsError("nu", "omega"), ValueError, "nu and omega"),
        (OddError("nu", "omega"), RankError, "nu and omega"),
        (KeyboardInterrupt("now"), KeyboardInterrupt, "now"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_an_error_of_one_rank_is_raised_on_all(comm, made, kind, text):
    ranks = read_ranks(comm)
    with pytest.raises((kind, type(made))) as caught:
        fail_together(ranks, {1: made})
    if ranks.rank == 1:
        assert caught.value is made
    else:
        assert type(caught.value) is kind
        assert str(caught.value) == f"rank 1: {text}"
    assert ranks.every("on") == ["on"] * ranks.size


def test_each_rank_raises_its_own_error_or_that_of_the_first(comm):
    ranks = read_ranks(comm)
    failing = {0, 2, 3} & set(range(ranks.size))
    with pytest.raises(ValueError, match="number") as caught:
        fail_together(ranks, {rank: ValueError(f"number {rank}") for rank in failing})
    assert str(caught.value) == (f"number {ranks.rank}" if ranks.rank in failing else "rank 0: number 0")


@pytest.mark.ranks(2, 3)
def test_blocks_inside_each_other_raise_once(comm):
    """One rank fails before the inner block, where others are when they hear of it."""
    ranks = read_ranks(comm)

    def inner():
        with ranks.together():
            pass
        pytest.fail("the inner block has ended well")

    with pytest.raises(ValueError, match="early"):
        fail_together(ranks, {1: ValueError("early")}, inner)
    with ranks.together(), ranks.together():
        pass


@pytest.mark.ranks(3)
def test_a_rank_that_fails_meets_others_in_their_next_call(comm):
    ranks = read_ranks(comm)
    with pytest.raises(ValueError, match="early"):
        fail_together(ranks, {1: ValueError("early")}, lambda: ranks.agree({"rtol": 1.0}))
    ranks.agree({"rtol": 1.0})


def test_no_error_is_no_error(comm):
    ranks = read_ranks(comm)
    with ranks.together():
        pass
    ranks.agree({})
    ranks.agree({"rtol": 1e-8, "f": np.arange(3.0), "g": {(0, 0): [1, None], "walls": test_no_error_is_no_error}})
    ranks.agree({"shape": (3, 4) if ranks.rank else [3, 4], "extent": np.float64(2) if ranks.rank else 2.0})
    ranks.agree({"a function of each rank": lambda x: x})


@pytest.mark.ranks(2, 3, 6)
@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ({"rtol": 1e-8}, {"rtol": 1e-6}, "rtol must be the same on all ranks; rank 0 gives 1e-08, rank 1 1e-06"),
        ({"nu": (1, 1), "b": 1}, {"nu": (1, 1), "b": "1"}, "b must be the same .* gives 1, rank 1 '1'"),
        ({"u0": None}, {"u0": 0.0}, "u0 must be the same on all ranks; rank 0 gives None, rank 1 0.0"),
        ({"a": np.ones(3)}, {"a": np.ones(4)}, r"a must .* an array of shape \(3,\), rank 1 an array of shape \(4,\)"),
        ({"a": np.ones(3)}, {"a": np.full(3, 2)}, r"a must .*, rank 1 an array of shape \(3,\) with other values"),
        ({"a": np.ones(3)}, {"a": np.ones(3, "f4")}, "a must be the same"),
        ({"a": [[1, 2], [3]]}, {"a": [[1], [2, 3]]}, "a must be the same"),
        ({"f": np.sin}, {"f": np.cos}, "f must be the same"),
        ({"rtol": 1.0, "atol": 1.0}, {"rtol": 1.0}, "the same arguments; rank 0 gives 'atol', rank 1 ''"),
    ],
    ids=str,
)
def test_ranks_that_disagree_are_told(comm, one, other, told):
    ranks = read_ranks(comm)
    with pytest.raises(ValueError, match=told):
        ranks.agree(other if ranks.rank == 1 else one)
    ranks.agree(one)


def test_solvers_on_one_communicator_share_its_duplicates(comm):
    """They are for data, for meetings and for one machine, and are freed with the communicator."""
    other = comm.Dup()
    ranks, again = read_ranks(other), read_ranks(other)
    held = [ranks.comm, ranks.meetings.comm, ranks.here]
    assert [again.comm, again.meetings.comm, again.here] == held
    assert len({each.handle for each in (comm, other, *held)}) == 5
    other.Free()
    assert all(each == type(comm)() for each in held)  # COMM_NULL


ALONE = {
    "an error": ("raise ValueError('of one rank')", "of one rank"),
    "an interrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
}


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("where", ["outside", "in a call"])
def test_an_error_of_one_rank_ends_all_that_wait_for_it(name, where):
    code, told = ALONE[name]
    call = "with ranks.together(communicates=True):" if where == "in a call" else "if True:"
    done = run(3, f"{call}\n    if one:\n        {code}\n    ranks.every(1)")
    assert done.returncode != 0
    assert told in done.stderr
    assert done.stderr.count("Traceback (most recent") == 1
    assert done.stderr.count("rank 1 of 3:") == 1


def test_an_error_on_all_ranks_is_printed_once():
    done = run(4, "with ranks.together():\n    if one:\n        raise ValueError('of one rank')")
    assert done.returncode != 0
    assert done.stderr.count("Traceback (most recent") == 1
    assert "rank 1 of 4:" in done.stderr
    assert "ValueError: of one rank" in done.stderr


def test_a_rank_that_ends_does_not_leave_others_waiting():
    done = run(3, "if one:\n    sys.exit(3)\nranks.agree({})")
    assert done.returncode != 0
    assert "RankError: rank 1 has ended, and this call would wait for it" in done.stderr


def test_a_rank_that_leaves_a_call_takes_others_along():
    done = run(3, "with ranks.together(communicates=True):\n    if one:\n        sys.exit(3)\n    ranks.every(1)")
    assert done.returncode != 0
    assert "SystemExit: 3" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a writer how much is unread")
def test_what_was_printed_is_read_before_the_end():
    """An Abort may come before mpiexec has read what the rank printed."""
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as end, open(writing, "wb", buffering=0) as pipe:
        assert wait_until_read(pipe.fileno(), patience=0)
        pipe.write(b"of one rank")
        assert not wait_until_read(pipe.fileno(), patience=0.01)
        reader = threading.Timer(0.05, end.read, [100])
        reader.start()
        assert wait_until_read(pipe.fileno(), patience=60)
        reader.join()
    with tempfile.TemporaryFile() as file, pytest.raises(OSError, match="not a pipe"):
        wait_until_read(file.fileno())


def test_exit_codes_stay():
    code = """
        with ranks.together():
            if one:
                sys.exit(3)
        """
    assert run(2, code).returncode == 3
    assert run(2, "sys.exit(4)").returncode == 4


def test_an_error_that_all_have_caught_is_over():
    code = """
        try:
            with ranks.together():
                if one:
                    raise ValueError
        except ValueError:
            print("caught")
        ranks.agree({})
        """
    done = run(3, code)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("caught") == 3


def test_ranks_end_together_and_in_silence():
    """One rank is slower, another holds communicators of its own, freed and not."""
    code = """
        parts = MPI.COMM_WORLD.Split(ranks.rank % 2)
        inner, other = read_ranks(parts), MPI.COMM_WORLD.Dup()
        read_ranks(other)
        read_ranks(MPI.COMM_SELF)
        other.Free()
        if one:
            time.sleep(2)
        print("end")
        """
    done = run(4, code)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("end") == 4


def test_a_hook_that_was_there_is_called():
    code = """
        import importlib
        if one:
            raise ValueError("of one rank")
        ranks.every(1)
        """
    hook = "import sys\nsys.excepthook = lambda kind, error, frames: print('mine:', error, file=sys.stderr)\n"
    done = mpiexec(2, "-c", hook + HEAD + textwrap.dedent(code), limit=60)
    assert done.returncode != 0
    assert "mine: of one rank" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_rank_needs_no_hook():
    code = (
        "from mpi4py import MPI; from pde.common.ranks import read_ranks; read_ranks(MPI.COMM_WORLD); raise ValueError"
    )
    done = mpiexec(1, "-c", code)
    assert done.returncode == 1
    assert "rank 0" not in done.stderr
    assert sys.excepthook is sys.__excepthook__
