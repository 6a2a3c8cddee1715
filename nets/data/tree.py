"""Folders of images as they lie on a disk: the classes, and the image files of each."""

from __future__ import annotations

import os
from collections import Counter
from functools import lru_cache
from pathlib import Path

from nets.common.checks import suggestion
from nets.common.formatting import counted
from nets.data.decode import pillow

SYSTEM = ("__macosx", "__pycache__", "@eadir", "$recycle.bin", "lost+found", "thumbs.db", "desktop.ini")
"""Folders and files that operating systems make, in small letters."""
STUBS = ("BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF")
"""Formats that Pillow knows by name and cannot draw by itself."""


@lru_cache
def endings() -> frozenset[str]:
    """The endings of the files that Pillow reads, in small letters.

    Raises:
        ImportError: where Pillow is missing.
    """
    image = pillow()
    known = image.registered_extensions().items()
    return frozenset(ending for ending, kind in known if kind in image.OPEN and kind not in STUBS)


def folders(folder: Path) -> list[str]:
    """The names of the folders in a folder, links followed, sorted, without hidden ones."""
    return sorted(entry.name for entry in _entries(folder) if _is_folder(entry))


def classes(folder: Path, passed: Counter[str], notes: list[str], like: Path | None = None) -> dict[str, list[str]]:
    """The paths of the images of each class, in the order of their names; the classes are those of `like`.

    Args:
        passed: counts the files that are passed over, by their endings.
        notes: is told of folders that are no class.

    Raises:
        FileNotFoundError: where there is no such folder.
        ValueError: naming the folder that does not fit.
    """
    names = class_names(folder, notes)
    if like is not None:
        unlike = sorted(set(names) ^ set(class_names(like, [])))
        if unlike:
            raise ValueError(
                f"{folder} must hold the classes of {like}; {', '.join(unlike[:5])} is in one of them only"
            )
    beside = Counter(_ending(entry.name) for entry in _entries(folder) if not _is_folder(entry))
    if loose := sum(beside.pop(ending) for ending in endings() & beside.keys()):
        notes.append(f"{folder}: {counted(loose, 'image')} beside the folders of the classes passed over")
    passed.update(beside)
    places = {_key(folder / name): name for name in names}
    if doubled := next((name for name in names if places[_key(folder / name)] != name), None):
        raise ValueError(
            f"{folder}: the classes {doubled} and {places[_key(folder / doubled)]} are one folder, by a link"
        )
    seen = {_key(folder), *places}
    return {name: images_in(folder / name, passed, seen) for name in names}


def class_names(folder: Path, notes: list[str]) -> list[str]:
    """The names of the folders in a folder, of which there must be two."""
    if not folder.is_dir():
        if folder.is_file():
            raise ValueError(f"data: {folder} is a file, not a folder of images")
        beside = folders(folder.parent) if folder.parent.is_dir() else []
        raise FileNotFoundError(f"data: there is no folder {folder}{suggestion(folder.name, beside)}")
    names = folders(folder)
    for name in names:
        if len(names) > 2 and {*names} - {name} <= {*folders(folder / name)}:
            names = [other for other in names if other != name]
            notes.append(f"{folder / name} is passed over: it holds the classes of {folder} once more")
            break
    if len(names) < 2:
        raise ValueError(
            f"{folder} must hold a folder of images for each of at least two classes, as in {folder / 'cat' / '1.png'} "
            f"and {folder / 'dog' / '1.png'}; found {', '.join(names) or 'no folder'}"
        )
    for name in names:
        check_text("data", folder / name)
    return names


def check_text(argument: str, folder: Path) -> None:
    """Refuse a name whose bytes are not UTF-8: no record can hold it."""
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"{argument}: the name of the folder {os.fsencode(folder)!r} is not UTF-8; rename it"
        ) from None


def images_in(folder: Path, passed: Counter[str] | None = None, seen: set[tuple[int, int]] | None = None) -> list[str]:
    """The image files in a folder and in its folders, by their endings, sorted; hidden ones are passed over.

    Links are followed, each folder once.

    Args:
        passed: counts the other files by their endings.
        seen: folders that are not entered, which grows by those that are.
    """
    found: list[str] = []
    seen = set() if seen is None else seen
    seen.add(_key(folder))
    places = [folder]
    while places:
        for entry in sorted(_entries(places.pop()), key=lambda entry: entry.name):
            if _is_folder(entry):
                key = _key(entry.path)
                if key not in seen:
                    seen.add(key)
                    places.append(Path(entry.path))
            elif _ending(entry.name) in endings():
                found.append(entry.path)
            elif passed is not None:
                passed[_ending(entry.name)] += 1
    if not found:
        raise ValueError(
            f"{folder} must hold images (.png, .jpg, .tif or another ending that Pillow reads); found none"
        )
    return sorted(found)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """All but what is hidden, or made by an operating system."""
    return [e for e in os.scandir(folder) if not e.name.startswith(".") and e.name.lower() not in SYSTEM]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()


def _key(folder: str | os.PathLike[str]) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].lower()
