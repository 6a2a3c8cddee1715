"""Files .npy: opened with an error that says what is wrong, and read and written block by block by many ranks.

Memory maps would share pages, which loses writes on network file systems; MPI's own files do not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pde.common.arrays import Array
from pde.common.ranks import Ranks

PIECE = 2**30
"""Bytes at most in one call of MPI, whose counts are 32-bit integers."""


def open_npy(label: str, path: str, mmap_mode: Literal["r"] | None = None) -> Array:
    """The array of a .npy file of real numbers, in memory or as a map of the file.

    Raises:
        ValueError: naming the file and what is wrong with it.
    """
    if path.lower().endswith(".npz"):
        raise ValueError(f"{label}: {path} holds more than one array; save the one that is meant as .npy")
    try:
        array = np.load(path, mmap_mode, allow_pickle=False)
    except FileNotFoundError:
        raise ValueError(f"{label}: there is no file {path}") from None
    except (ValueError, EOFError, OSError, MemoryError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{label}: {path} cannot be read as a .npy file of numbers: {reason}") from None
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{label}: {path} is no .npy file")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{label}: {path} must hold real numbers, got dtype {array.dtype}")
    return array


def read_layout(label: str, path: str, ranks: Ranks) -> tuple[tuple[int, ...], np.dtype, int]:
    """Shape and dtype of the array in a .npy file, and the byte at which its numbers begin; rank 0 reads them.

    Raises:
        ValueError: on all ranks, naming the file and what is wrong with it.
    """
    found: Any = None
    with ranks.together():
        if ranks.rank == 0:
            array = open_npy(label, path, "r")
            if not array.flags.c_contiguous:
                raise ValueError(f"{label}: {path} is in Fortran's order; save numpy.ascontiguousarray of it")
            found = array.shape, array.dtype, getattr(array, "offset", 0)
    shape, dtype, offset = ranks.comm.bcast(found)
    return shape, dtype, offset


def read_block(label: str, path: str, ranks: Ranks, shape: Sequence[int], begin: int, end: int) -> Array:
    """Read planes begin to end - 1 of a grid's axis 0 from a .npy file; all ranks call it, each for planes of its own.

    Args:
        label: names the array in errors.
        shape: of the whole grid. The file may have leading batch axes.

    Returns:
        (..., end - begin, *shape[1:]), in the byte order of this machine.

    Raises:
        ValueError: on all ranks: the file cannot be read, or holds an array of another shape.
    """
    found, dtype, offset = read_layout(label, path, ranks)
    if found[-len(shape) :] != tuple(shape):
        raise ValueError(f"{label} must have the shape {tuple(shape)} of the grid, got {found} from {path}")
    block = np.empty((*found[: -len(shape)], end - begin, *shape[1:]), dtype)
    try:
        _transfer(True, path, ranks, block, offset, shape, begin)
    except OSError as error:
        raise ValueError(f"{label}: {path} cannot be read: {error}") from None
    return block if block.dtype.isnative else block.byteswap(inplace=True).view(dtype.newbyteorder("="))


def write_blocks(path: Path, ranks: Ranks, block: Array, shape: Sequence[int], begin: int) -> None:
    """Write the blocks of all ranks as one .npy file, each the planes from `begin` on of a grid's axis 0.

    The file is written under another name first: where a rank fails, what was there before stays, and nothing else.

    Args:
        block: (..., planes, *shape[1:]), with the same batch axes on all ranks.
        shape: of the whole grid.

    Raises:
        OSError: on all ranks: the file cannot be written.
    """
    partial, offset = beside(path), 0
    try:
        with ranks.together():
            if ranks.rank == 0:
                with partial.open("wb") as stream:
                    header = {"descr": np.lib.format.dtype_to_descr(block.dtype), "fortran_order": False}
                    whole = (*block.shape[: block.ndim - len(shape)], *shape)
                    np.lib.format.write_array_header_1_0(stream, {**header, "shape": whole})
                    offset = stream.tell()
        offset = ranks.comm.bcast(offset)
        _transfer(False, str(partial), ranks, np.ascontiguousarray(block), offset, shape, begin)
        with ranks.together():
            if ranks.rank == 0:
                partial.replace(path)
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error}") from None
    finally:
        if ranks.rank == 0:
            with suppress(OSError):
                partial.unlink(missing_ok=True)


def beside(path: Path) -> Path:
    """The name under which a file is written before it is whole."""
    return path.with_name(f".{path.name}.part")


def _transfer(read: bool, path: str, ranks: Ranks, block: Array, offset: int, shape: Sequence[int], begin: int) -> None:
    """Read or write one rank's part of each member of a batch, by calls that all ranks make."""
    from mpi4py import MPI

    members, row = math.prod(block.shape[: block.ndim - len(shape)]), math.prod(shape[1:])
    own = block.reshape(members, block.shape[-len(shape)] * row).view(np.uint8)
    rounds = math.ceil(float(ranks.most(own.shape[1])) / PIECE)
    failed: str | None = None
    with ranks.together(communicates=True):
        try:
            name = f"ufs:{path}" if ":" in path else path  # what is before a colon names a file system
            file = MPI.File.Open(ranks.comm, name, MPI.MODE_RDONLY if read else MPI.MODE_WRONLY)
        except MPI.Exception as error:
            raise OSError(str(error)) from None
        for member, part in enumerate(own):
            first = offset + (member * shape[0] + begin) * row * block.itemsize
            for k in range(rounds):
                piece, status = part[k * PIECE : (k + 1) * PIECE], MPI.Status()
                try:  # to the end, whatever fails: others make the same calls
                    (file.Read_at_all if read else file.Write_at_all)(first + k * PIECE, [piece, MPI.BYTE], status)
                    if status.Get_count(MPI.BYTE) != piece.size:
                        failed = f"{status.Get_count(MPI.BYTE)} of {piece.size} bytes moved"
                except MPI.Exception as error:
                    failed = str(error)
        file.Close()
        if failed is not None:
            raise OSError(failed)
