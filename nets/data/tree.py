"""Folders of images as they lie on a disk: the classes, and the image files of each."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from nets.common.checks import suggestion
from nets.common.formatting import counted
from nets.data.decode import pillow

SYSTEM = ("__macosx", "__pycache__", "@eadir", "$recycle.bin", "lost+found", "thumbs.db", "desktop.ini")
"""Folders and files that operating systems make, in small letters."""
STUBS = ("BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF")
"""Formats that Pillow knows by name and cannot draw by itself."""

Key = tuple[int, int]
Classes = dict[str, list[str]]
"""The paths of the images of each class."""


@dataclass
class Notes:
    """Warnings about a folder: sentences, and the files that are passed over, counted by their endings."""

    sentences: list[str] = field(default_factory=list)
    passed: Counter[str] = field(default_factory=Counter)

    def add(self, sentence: str) -> None:
        self.sentences.append(sentence)

    def warn(self, name: str) -> None:
        passed = self.passed
        if passed:
            kinds = ", ".join(f"{count} {ending or 'without an ending'}" for ending, count in passed.most_common(5))
            kinds += ", ..." if len(passed) > 5 else ""
            self.sentences.append(
                f"{counted(passed.total(), 'file')} passed over, no images by their endings ({kinds})"
            )
        for sentence in self.sentences:
            warnings.warn(f"data {name!r}: {sentence}", stacklevel=4)


@lru_cache
def endings() -> frozenset[str]:
    """The endings of the files that Pillow reads, in small letters.

    Raises:
        ImportError: where Pillow is missing.
    """
    image = pillow()
    known = image.registered_extensions().items()
    return frozenset(ending for ending, kind in known if kind in image.OPEN and kind not in STUBS)


def listing(folder: str | os.PathLike[str]) -> tuple[list[str], list[str]]:
    """The names of the folders and of the files in a folder, links followed, sorted.

    Hidden ones, and those that operating systems make, are left out.
    """
    names: tuple[list[str], list[str]] = ([], [])
    for entry in os.scandir(folder):
        if not entry.name.startswith(".") and entry.name.lower() not in SYSTEM:
            is_folder = os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()
            names[0 if is_folder else 1].append(entry.name)
    return sorted(names[0]), sorted(names[1])


def folders(folder: Path) -> list[str]:
    return listing(folder)[0]


def classes(folder: Path, notes: Notes, like: Path | None = None) -> Classes:
    """The images of each class, in the order of their names; the same classes as in `like`.

    Raises:
        FileNotFoundError: where there is no such folder.
        ValueError: naming the folder that does not fit.
    """
    names = _class_names(folder, notes)
    if like is not None and (unlike := sorted(set(names) ^ set(_class_names(like, Notes())))):
        raise ValueError(f"{folder} must hold the classes of {like}; {', '.join(unlike[:5])} is in one of them only")
    beside = Counter(map(_ending, listing(folder)[1]))
    if loose := sum(beside.pop(ending) for ending in endings() & beside.keys()):
        notes.add(f"{folder}: {counted(loose, 'image')} beside the folders of the classes passed over")
    notes.passed.update(beside)
    first: dict[Key, str] = {}
    for name in names:
        if (other := first.setdefault(_key(folder / name), name)) != name:
            raise ValueError(f"{folder}: the classes {other} and {name} are one folder, by a link")
    seen = {_key(folder), *first}
    return {name: images_in(folder / name, notes, seen) for name in names}


def _class_names(folder: Path, notes: Notes) -> list[str]:
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
            notes.add(f"{folder / name} is passed over: it holds the classes of {folder} once more")
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


def images_in(folder: Path, notes: Notes | None = None, seen: set[Key] | None = None) -> list[str]:
    """The image files in a folder and in its folders, by their endings, sorted; each folder once, links followed.

    Args:
        seen: folders that are not entered, which grows by those that are.
    """
    found: list[str] = []
    seen = set() if seen is None else seen
    seen.add(_key(folder))
    waiting = [os.fspath(folder)]
    while waiting:
        here = waiting.pop()
        inner, files = (([os.path.join(here, name) for name in names]) for names in listing(here))
        for path in inner:
            if (key := _key(path)) not in seen:
                seen.add(key)
                waiting.append(path)
        found += [path for path in files if _ending(path) in endings()]
        if notes is not None:
            notes.passed.update(ending for ending in map(_ending, files) if ending not in endings())
    if not found:
        raise ValueError(
            f"{folder} must hold images (.png, .jpg, .tif or another ending that Pillow reads); found none"
        )
    return sorted(found)


def _key(folder: str | os.PathLike[str]) -> Key:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].lower()
