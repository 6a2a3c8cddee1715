"""The files of a data set: loose in a folder, compressed or not, or in the archive that they were published in."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from nets.data.dataset import SourceFile

ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256"}
"""Kinds of checksums by their hexadecimal digits."""
SLACK = 2**16
"""Bytes by which a file may be too long and is still read, to say how it differs."""
LARGEST = 2**28
"""Bytes of all files in an archive, at most; CIFAR has 186 million."""


Array = np.ndarray[Any, np.dtype[np.uint8]]


class Part(NamedTuple):
    """Images (N, c, height, width) and labels (N,) as bytes, and the files that they came from."""

    images: Array
    labels: Array
    source: list[SourceFile]


def check_labels(labels: Array, classes: int, name: str) -> None:
    """Refuse a label that is no class, naming the file and the record."""
    wrong = np.flatnonzero(labels >= classes)
    if len(wrong):
        raise ValueError(
            f"{name}: record {wrong[0]} has label {labels[wrong[0]]}, and labels run from 0 to {classes - 1}; "
            f"{len(wrong)} such records"
        )


@dataclass(frozen=True)
class Files:
    """The files of a folder or of an archive by name, with their content.

    Args:
        checksums: the published ones of a file's content (uncompressed), in hexadecimal: MD5, SHA-1 or SHA-256.
        archive_as_published: whether the archive has its published checksum; None for a folder.
    """

    where: Path
    contents: Mapping[str, Path | bytes]
    checksums: Mapping[str, str]
    archive_as_published: bool | None = None

    def find(self, *names: str) -> str | None:
        """The first of these names that is there, compressed or not."""
        return next((n for name in names for n in (name, f"{name}.gz") if n in self.contents), None)

    def read(self, *names: str, most: int) -> tuple[str, bytes]:
        """Name and content of the first of these names that is there, which holds at most so many bytes.

        Raises:
            FileNotFoundError: where none is.
            ValueError: where it cannot be uncompressed, or holds more, of which no more is read.
        """
        found = self.find(*names)
        if found is None:
            raise FileNotFoundError(f"{self.where} lacks {' or '.join(names)} (or the same with .gz)")
        content = self.contents[found]
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        if size > most + SLACK:  # what is compressed has not grown by more
            raise ValueError(f"{self.path(found)} holds {size:,} bytes, expected at most {most:,}")
        content = content.read_bytes() if isinstance(content, Path) else content
        return found, _uncompressed(content, self.path(found), most) if found.endswith(".gz") else content

    def path(self, name: str) -> str:
        """The file in words, for an error."""
        return f"{self.where}: {name}" if self.where.is_file() else str(self.where / name)

    def source(self, name: str, content: bytes, part: str, images: int) -> SourceFile:
        """The record of a file that was read."""
        known = self.checksums.get(name.removesuffix(".gz").replace(".idx", "-idx"))
        matches = self.archive_as_published if known is None else digest(content, known) == known
        return SourceFile(name, part, images, len(content), hashlib.md5(content).hexdigest(), matches)


def digest(content: bytes, like: str) -> str:
    """The checksum of the kind of `like`, told by its length."""
    return hashlib.new(ALGORITHMS[len(like)], content).hexdigest()


def file_digest(path: Path, like: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, ALGORITHMS[len(like)]).hexdigest()


def folder_files(folder: Path, checksums: Mapping[str, str]) -> Files:
    return Files(folder, {p.name: p for p in sorted(folder.iterdir()) if p.is_file()}, checksums)


def archive_files(path: Path, checksums: Mapping[str, str], checksum: str | None) -> Files:
    """The files of a .tar.gz by their last name, read without unpacking it.

    Raises:
        ValueError: naming the archive, where it is truncated or damaged, or larger than any published one.
    """
    matches = None if checksum is None else file_digest(path, checksum) == checksum
    contents: dict[str, Path | bytes] = {}
    size = 0
    try:
        with tarfile.open(path, "r:*") as archive:
            for member in archive:
                size += member.size
                if size > LARGEST:
                    raise ValueError(f"{path} unpacks to more than {LARGEST:,} bytes, the last in {member.name!r}")
                name = PurePosixPath(member.name).name
                file = archive.extractfile(member) if member.isfile() else None
                if file is not None:
                    contents[name] = file.read()
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is truncated, damaged or no .tar.gz ({error})") from error
    return Files(path, contents, checksums, matches)


def _uncompressed(content: bytes, name: str, most: int) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            unpacked = file.read(most + SLACK + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{name} is truncated, damaged or no .gz file ({error})") from error
    if len(unpacked) > most + SLACK:
        raise ValueError(f"{name} unpacks to more than {most + SLACK:,} bytes, expected at most {most:,}")
    return unpacked
