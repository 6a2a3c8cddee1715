"""The files of a data set: loose in a folder, compressed or not, or in the archive that they were published in."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nets.data.dataset import SourceFile

ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256"}
"""Kinds of checksums by their hexadecimal digits."""


@dataclass(frozen=True)
class Files:
    """The files of a folder by name, or those of an archive, with their content.

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

    def read(self, *names: str) -> tuple[str, bytes]:
        """Name and content of the first of these names that is there.

        Raises:
            FileNotFoundError: where none is.
            ValueError: where it cannot be uncompressed.
        """
        found = self.find(*names)
        if found is None:
            raise FileNotFoundError(f"{self.where} lacks {' or '.join(names)} (or the same with .gz)")
        content = self.contents[found]
        content = content.read_bytes() if isinstance(content, Path) else content
        return found, _uncompressed(content, self.path(found)) if found.endswith(".gz") else content

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
        ValueError: naming the archive, where it is truncated or damaged.
    """
    matches = None if checksum is None else file_digest(path, checksum) == checksum
    contents: dict[str, Path | bytes] = {}
    try:
        with tarfile.open(path, "r:*") as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isfile() else None
                if file is not None:
                    contents[PurePosixPath(member.name).name] = file.read()
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is truncated, damaged or no .tar.gz ({error})") from error
    return Files(path, contents, checksums, matches)


def _uncompressed(content: bytes, name: str) -> bytes:
    try:
        return gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{name} is truncated, damaged or no .gz file ({error})") from error
