"""Search for the files of a data set; say where to get them if they are missing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from nets.data.files import Files, archive_files, folder_files
from nets.data.published import Published

VARIABLE = "MGNET_DATA"


def cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mgnet"


def roots(data_dir: str | os.PathLike[str] | None) -> list[Path]:
    """The folders of data sets, in the order in which they are searched; `data_dir` alone where it is given.

    Raises:
        ValueError: where data_dir is no folder.
    """
    if data_dir is not None:
        if not isinstance(data_dir, str | os.PathLike):
            raise TypeError(f"data_dir must be the path of a folder; got {type(data_dir).__name__}")
        if not Path(data_dir).is_dir():
            raise ValueError(f"data_dir must be a folder; there is none at {data_dir}")
        return [Path(data_dir)]
    named = os.environ.get(VARIABLE)
    return [*([Path(named)] if named else []), Path("data"), cache()]


def download_folder(name: str, data_dir: str | os.PathLike[str] | None) -> Path:
    """Where a set is downloaded to: below data_dir, below $MGNET_DATA, or in the cache."""
    named = os.environ.get(VARIABLE)
    return Path(data_dir if data_dir is not None else named or cache()) / name


def find_files(known: Published, data_dir: str | os.PathLike[str] | None) -> Files | None:
    """Find the first folder with files of the set; loose files are taken before archives."""
    for folder in _folders(known, data_dir):
        files = folder_files(folder, known.checksums)
        if any(files.find(name) for name in (*known.checksums, *_dotted(known))):
            return files
        for archive in (*known.downloads, *known.archives):
            if archive.name.endswith(".tar.gz") and archive.name in files.contents:
                return archive_files(folder / archive.name, known.checksums, archive.md5)
    return None


def missing(known: Published, data_dir: str | os.PathLike[str] | None) -> str:
    """Say where to get a set that was not found, and where its files belong."""
    searched = ", ".join(str(root / known.name) for root in roots(data_dir))
    names = " and ".join(download.name for download in known.downloads)
    return (
        f"data {known.name!r} was not found (looked in {searched}). Add --download (download=True), or get "
        f"{names} from {known.page} and copy the files into {download_folder(known.name, data_dir)}; "
        f"--data-dir (data_dir) or ${VARIABLE} names another folder of data sets"
    )


def _folders(known: Published, data_dir: str | os.PathLike[str] | None) -> Iterator[Path]:
    """A folder of data sets has one folder per set; data_dir may also be that folder itself."""
    for root in roots(data_dir):
        for folder in (known.name, *known.folders):
            yield from (path for path in (root / folder, root / known.name / folder) if path.is_dir())
        if data_dir is not None:
            yield root


def _dotted(known: Published) -> list[str]:
    return [name.replace("-idx", ".idx") for name in known.checksums if "-idx" in name]
