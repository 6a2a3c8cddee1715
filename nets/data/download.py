"""Fetching the files of a published data set: only on request, and never without its checksum."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

from filelock import FileLock

from nets.data.files import file_digest
from nets.data.published import Download, Published

LOCK = "download.lock"
TIMEOUT = 30.0
CHUNK = 1 << 18


class DownloadError(OSError):
    """No mirror gave a file with the published checksum."""


def download(known: Published, folder: Path, base_url: str | None = None, progress: bool | None = None) -> None:
    """Fetch the files of a set into a folder; those that are there with the right checksum are kept.

    An interrupted transfer is continued where the server allows it. A file gets its name when it is whole and verified.

    Args:
        base_url: instead of the mirrors; may then be http.
        progress: whether to show a bar; None shows it on a terminal.

    Raises:
        DownloadError: naming the file, the addresses that were tried and what went wrong.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mirrors = known.mirrors if base_url is None else (base_url.rstrip("/") + "/",)
    with _alone(folder):
        for file in known.downloads:
            if not _is_whole(folder / file.name, file):
                _fetch(file, folder / file.name, mirrors, base_url is None, progress)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let other processes that download into this folder wait; they then find the files there."""
    with FileLock(folder / LOCK):
        try:
            yield
        finally:
            with suppress(OSError):  # Windows removes no open file
                (folder / LOCK).unlink()


def _is_whole(path: Path, file: Download) -> bool:
    return path.is_file() and path.stat().st_size == file.bytes and file_digest(path, file.md5) == file.md5


def _fetch(file: Download, path: Path, mirrors: Sequence[str], secure: bool, progress: bool | None) -> None:
    if path.exists():
        raise DownloadError(
            f"download: {path} is not the published file (its checksum is {file_digest(path, file.md5)}, "
            f"published is {file.md5}); "
            "move it away first: nothing is overwritten"
        )
    part, failures = path.with_name(path.name + ".part"), []
    for mirror in mirrors:
        try:
            _transfer(mirror + file.name, part, file, secure, progress)
        except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError, _WrongFileError) as error:
            failures.append(f"{mirror + file.name}: {error}")
            continue
        os.replace(part, path)
        return
    raise DownloadError(f"download of {file.name} failed ({'; '.join(failures)})")


class _WrongFileError(Exception):
    """The transferred file is not the published one."""


def _transfer(url: str, part: Path, file: Download, secure: bool, progress: bool | None) -> None:
    """The rest of a file behind what is in `part` already."""
    have = part.stat().st_size if part.exists() else 0
    if have < file.bytes:
        request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            if secure and not answer.url.startswith("https:"):
                raise _WrongFileError(f"led to {answer.url}, which is not https")
            continued = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            _write(answer, part, have if continued else 0, file, progress)
    found = part.stat().st_size, file_digest(part, file.md5)
    if found[0] < file.bytes:
        raise _WrongFileError(f"the connection ended after {found[0]:,} of {file.bytes:,} bytes; try again to continue")
    if found != (file.bytes, file.md5):
        part.unlink()
        raise _WrongFileError(
            f"{found[0]:,} bytes with checksum {found[1]}; published are {file.bytes:,} bytes, {file.md5}"
        )


def _write(answer: Any, part: Path, have: int, file: Download, progress: bool | None) -> None:
    from tqdm import tqdm

    disable = None if progress is None else not progress
    bar = tqdm(total=file.bytes, initial=have, unit="B", unit_scale=True, desc=file.name, disable=disable)
    with bar, open(part, "ab" if have else "wb") as target:
        while have <= file.bytes and (chunk := answer.read(CHUNK)):
            target.write(chunk)
            have += len(chunk)
            bar.update(len(chunk))
