"""Files .npy by blocks: the bytes of np.save and np.load for any decomposition, and one error on all ranks."""

import resource
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pde.common import npy_files
from pde.common.npy_files import _transfer, read_block, write_blocks
from pde.common.ranks import read_ranks
from tests.mpi.launch import mpiexec

DTYPES = ["<f8", ">f8", "<f4", ">f4", "<f2", "|b1", "|i1", ">u2", "<i4", ">i8", "<u8"]


def planes(count, size):
    """Where the planes of each rank begin, and after the last one; some ranks have more, or none."""
    return [0, *sorted((7 * rank * count // (5 * size) + rank) % (count + 1) for rank in range(1, size)), count]


def saved(ranks, path, array):
    """A file that rank 0 has written."""
    with ranks.together():
        if ranks.rank == 0:
            np.save(path, array)
    return str(path)


def bits(array):
    return array.shape, array.dtype.str, array.tobytes()


@given(
    st.sampled_from(DTYPES),
    st.lists(st.integers(1, 9), min_size=1, max_size=3),
    st.lists(st.integers(0, 3), max_size=2),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 5, 16, 2**30]),
)
def test_blocks_are_those_of_numpy(comm, folder, dtype, shape, batch, seed, piece):
    """Read, then written again: the same bytes, in pieces of any size, in both directions."""
    ranks = read_ranks(comm)
    whole = np.random.default_rng(seed).integers(0, 256, (*batch, *shape, np.dtype(dtype).itemsize), np.uint8)
    whole = (whole > 127).squeeze(-1) if dtype == "|b1" else whole.view(dtype).squeeze(-1)
    begin, end = planes(shape[0], ranks.size)[ranks.rank :][:2]
    part = (..., slice(begin, end), *[slice(None)] * (len(shape) - 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(npy_files, "PIECE", piece)
        path = saved(ranks, folder / "whole.npy", whole)
        block = read_block("f", path, ranks, shape, begin, end)
        native = whole.astype(whole.dtype.newbyteorder("="))
        assert bits(block) == bits(native[part])
        write_blocks(folder / "again.npy", ranks, block, shape, begin)
    comm.Barrier()
    np.save(folder / f"native {ranks.rank}.npy", native)
    assert (folder / "again.npy").read_bytes() == (folder / f"native {ranks.rank}.npy").read_bytes()
    assert not list(folder.glob(".*"))
    comm.Barrier()


@pytest.mark.parametrize("name", ["a:b.npy", "ufs:c.npy", "with space é.npy"])
def test_any_name_will_do(comm, folder, name, monkeypatch):
    ranks, whole = read_ranks(comm), np.arange(12.0).reshape(6, 2)
    begin, end = planes(6, ranks.size)[ranks.rank :][:2]
    monkeypatch.chdir(folder)
    for path in (folder / name, Path(name)):
        write_blocks(path, ranks, whole[begin:end], whole.shape, begin)
        assert bits(read_block("f", str(path), ranks, whole.shape, begin, end)) == bits(whole[begin:end])
        assert bits(np.load(path)) == bits(whole)
        comm.Barrier()


def truncated(path):
    np.save(path, np.ones((6, 2)))
    path.write_bytes(path.read_bytes()[:-8])


BROKEN = {
    "missing": (lambda path: None, "f: there is no file "),
    "a folder": (lambda path: path.mkdir(), "cannot be read as a .npy file of numbers: "),
    "truncated": (truncated, "cannot be read as a .npy file of numbers: "),
    "empty": (lambda path: path.write_bytes(b""), "cannot be read as a .npy file of numbers: "),
    "text": (lambda path: path.write_text("x" * 1000), "cannot be read as a .npy file of numbers: "),
    "a pickle": (lambda path: np.save(path, np.array([{}, 1])), "cannot be read as a .npy file of numbers: "),
    "complex": (lambda path: np.save(path, np.ones((6, 2), complex)), "must hold real numbers, got dtype complex128"),
    "words": (lambda path: np.save(path, np.array(["a", "b"])), "must hold real numbers, got dtype <U1"),
    "of Fortran": (lambda path: np.save(path, np.asfortranarray(np.ones((6, 2)))), "is in Fortran's order"),
    "of another shape": (lambda path: np.save(path, np.ones((6, 3))), r"shape \(6, 2\) of the grid, got \(6, 3\)"),
    "of one axis": (lambda path: np.save(path, np.ones(2)), r"shape \(6, 2\) of the grid, got \(2,\)"),
    "a number": (lambda path: np.save(path, 1.0), r"shape \(6, 2\) of the grid, got \(\)"),
}


@pytest.mark.ranks(1, 3)
@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_cannot_be_read_is_told_on_all_ranks(comm, folder, name):
    ranks, path = read_ranks(comm), folder / "f.npy"
    make, told = BROKEN[name]
    with ranks.together():
        if ranks.rank == 0:
            make(path)
    with pytest.raises(ValueError, match=told) as caught:
        read_block("f", str(path), ranks, (6, 2), *planes(6, ranks.size)[ranks.rank :][:2])
    assert len(set(comm.allgather(str(caught.value).removeprefix("rank 0: ")))) == 1


@pytest.mark.ranks(3)
def test_a_file_that_shrinks_while_it_is_read_is_told(comm, folder):
    """Its header is right; the numbers of the last ranks are not there."""
    ranks, path = read_ranks(comm), folder / "f.npy"
    with ranks.together():
        if ranks.rank == 0:
            truncated(path)
    block = np.zeros((2, 2))
    with pytest.raises(OSError, match="24 of 32 bytes moved"):
        _transfer(True, str(path), ranks, block, 128, (6, 2), 2 * ranks.rank)


@pytest.mark.ranks(1, 3)
@pytest.mark.parametrize("name", ["no folder/u.npy", "folder.npy"])
def test_a_file_that_cannot_be_written_is_told_on_all_ranks(comm, folder, name):
    ranks = read_ranks(comm)
    with ranks.together():
        if ranks.rank == 0:
            (folder / "folder.npy").mkdir()
    with pytest.raises(OSError, match="cannot be written: "):
        write_blocks(folder / name, ranks, np.ones((2, 2)), (2 * ranks.size, 2), 2 * ranks.rank)
    assert [path.name for path in folder.iterdir()] == ["folder.npy"]


@pytest.mark.ranks(3)
def test_a_write_that_fails_on_one_rank_leaves_what_was_there(comm, folder):
    """A limit on the size of files stands for a disk that is full: the planes of the last rank do not fit."""
    ranks, path = read_ranks(comm), folder / "u.npy"
    saved(ranks, path, np.arange(3))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(OSError, match="cannot be written: "):
            write_blocks(path, ranks, np.ones((10, 1000)), (30, 1000), 10 * ranks.rank)
        comm.Barrier()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [each.name for each in folder.iterdir()] == ["u.npy"]
    assert np.load(path).tolist() == [0, 1, 2]


CAPPED = """
import resource, sys
from pathlib import Path
import numpy as np
from mpi4py import MPI
from pde.common.npy_files import read_block, write_blocks
from pde.common.ranks import read_ranks

source, target, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
ranks = read_ranks(MPI.COMM_WORLD)
ranks.every(1)
size = 8 * n * n
if ranks.size > 1:
    held = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmData:"))
    cap = 1024 * held + size * 3 // 4
    resource.setrlimit(resource.RLIMIT_DATA, (cap, cap))
    try:
        np.load(source)
        sys.exit("the cap holds nothing")
    except MemoryError:
        pass
begin, end = (n * rank // ranks.size for rank in (ranks.rank, ranks.rank + 1))
block = read_block("f", source, ranks, (n, n), begin, end)
block += 1
write_blocks(Path(target), ranks, block, (n, n), begin)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts arrays on Linux")
def test_no_rank_holds_the_whole_array(tmp_path):
    """Read and written under a cap on each rank's memory, below that of the array: NumPy's own reader ends there."""
    n = 5000
    np.save(tmp_path / "f.npy", np.arange(n * n, dtype=float).reshape(n, n))
    done = mpiexec(4, "-c", CAPPED, tmp_path / "f.npy", tmp_path / "u.npy", n)
    assert (done.returncode, done.stderr) == (0, "")
    assert np.array_equal(np.load(tmp_path / "u.npy", mmap_mode="r"), np.load(tmp_path / "f.npy") + 1)
