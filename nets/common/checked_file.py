"""Atomic files with an embedded SHA-256.

torch.save writes a zip archive. Its comment, the last bytes of the file, is "sha256:" and the SHA-256 of every byte
before the 64 digits: `head -c -64 FILE | sha256sum` prints it. A bit that flips anywhere is seen, and torch.load reads
the file as any other.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any

import torch

LABEL, DIGITS = b"sha256:", 64
END, END_SIZE = b"PK\5\6", 22
"""The record that ends a zip archive; its last two bytes are the length of the comment."""


class DamagedFileError(ValueError):
    """A file that is truncated, damaged or of another kind: the message says which, after the file's name."""


def write(path: Path, content: Any, previous: Path | None = None) -> None:
    """Write tensors and plain values with their SHA-256; the file before, if it is whole, becomes `previous`."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, with_checksum(buffer.getvalue()), previous if is_whole(path) else None)


def is_whole(path: Path) -> bool:
    """Tell whether a file ends with its own SHA-256."""
    try:
        with open(path, "rb") as file:
            return _verify(file)
    except (OSError, ValueError, zipfile.BadZipFile):
        return False


def with_checksum(archive: bytes) -> bytes:
    """Append the SHA-256 of a zip archive as its comment."""
    if not (archive[-END_SIZE:].startswith(END) and archive.endswith(b"\0\0")):
        raise ValueError("archive must be a zip archive without a comment, as torch.save writes it")
    labelled = archive[:-2] + (len(LABEL) + DIGITS).to_bytes(2, "little") + LABEL
    return labelled + hashlib.sha256(labelled).hexdigest().encode()


def write_atomically(path: Path, content: bytes, previous: Path | None = None) -> None:
    """Whatever happens, `path` or `previous` holds the old content or all of the new one.

    Raises:
        OSError: as of a full disk; the old content is still there, and nothing else.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if previous is not None:
            os.replace(path, previous)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)  # a full disk has better uses for the space
        raise
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new names themselves
    finally:
        os.close(folder)


def read(path: Path) -> tuple[Any, bool]:
    """Tensors and plain values of a file, on the CPU and never code; and whether it ends with its own SHA-256.

    Raises:
        DamagedFileError: the file is missing, truncated, damaged or nothing that torch.save wrote.
    """
    if not path.is_file():
        raise DamagedFileError(f"there is no file {path}")
    try:
        with open(path, "rb") as file:
            whole = _verify(file)
            file.seek(0)
            return torch.load(file, map_location="cpu", weights_only=True), whole
    except DamagedFileError:
        raise
    except UnpicklingError as error:  # of an archive that is whole
        raise DamagedFileError(
            f"{path} holds Python objects, such as a whole module, and only tensors and plain values are read: "
            "torch.save(model.state_dict(), file) writes those of a network"
        ) from error
    except Exception as error:
        first = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise DamagedFileError(f"{path} is truncated, damaged or no checkpoint ({first})") from error


def _verify(file: IO[bytes]) -> bool:
    """Whether the file ends with its own SHA-256; torch.load itself reads damaged numbers without a word."""
    comment = len(LABEL) + DIGITS
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - comment))
    label, digits = (tail := file.read())[: len(LABEL)], tail[len(LABEL) :]
    if size < comment or label != LABEL:
        file.seek(0)
        with zipfile.ZipFile(file) as archive:
            if damaged := archive.testzip():
                raise DamagedFileError(f"{file.name} is damaged: the checksum of {damaged} is wrong")
        return False
    if _sha256(file, size - DIGITS).encode() != digits:
        raise DamagedFileError(f"{file.name} is damaged: its SHA-256 is not the one that it ends with")
    return True


def _sha256(file: IO[bytes], count: int) -> str:
    """Of the first `count` bytes."""
    file.seek(0)
    digest = hashlib.sha256()
    while count > 0 and (part := file.read(min(count, 1 << 20))):
        digest.update(part)
        count -= len(part)
    return digest.hexdigest()
