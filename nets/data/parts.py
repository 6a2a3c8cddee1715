"""The parts of a folder of images, train/ and test/, by the names that people give them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from nets.data.tree import Notes, folders

TRAIN, TEST, VALIDATION = "train", "test", "val"
PARTS = {
    **dict.fromkeys(("train", "training", "trn"), TRAIN),
    **dict.fromkeys(("test", "testing", "tst"), TEST),
    **dict.fromkeys(("val", "valid", "validation", "validate"), VALIDATION),
}
"""Names of parts in any case, alone or with fillers and numbers: "Training", "test_set", "val2017"."""
FILLERS = ("dataset", "data", "set", "images", "image", "imgs", "img", "split", "part")


def part_of(name: str) -> str | None:
    """The part, "train", "test" or "val", that a folder of this name is, or None."""
    words = [word for word in _words(name) if word not in FILLERS]
    if len(words) != 1:
        return None
    stems = (words[0], *(words[0].removesuffix(filler) for filler in FILLERS))
    return next((PARTS[stem] for stem in stems if stem in PARTS), None)


def innermost(folder: Path, notes: Notes) -> Path:
    """The folder itself, or the one in it that alone holds its folders, as in an unpacked archive."""
    return _descend(folder, notes, lambda name: part_of(name) is None)


def _undoubled(folder: Path, notes: Notes) -> Path:
    """The folder itself, or the one of its name in it that alone holds its folders, as in seg_train/seg_train/."""
    part = part_of(folder.name)
    return _descend(folder, notes, lambda name: name == folder.name or (part is not None and part_of(name) == part))


def _descend(folder: Path, notes: Notes, opens: Callable[[str], bool]) -> Path:
    """Enter folders that are alone in theirs, where their names are such."""
    outer, seen = folder, {os.path.realpath(folder)}
    while len(names := folders(folder)) == 1 and opens(names[0]) and folders(folder / names[0]):
        folder /= names[0]
        if os.path.realpath(folder) in seen:
            return outer
        seen.add(os.path.realpath(folder))
    if folder != outer:
        notes.add(f"{outer} holds one folder alone, so that {folder} is taken")
    return folder


def parts(folder: Path, notes: Notes) -> tuple[Path, Path] | None:
    """The folders for training and for testing, or None where the folders are classes.

    Raises:
        ValueError: where a part is missing, or there twice, or folders seem to be parts under other names.
    """
    found: dict[str, list[str]] = {}
    for name in folders(folder):
        if part := part_of(name):
            found.setdefault(part, []).append(name)
    named = [name for names in found.values() for name in names]
    if not (TRAIN in found and len(found) > 1) and not any(folders(folder / name) for name in named):
        _check_classes(folder, notes)  # where images lie in a folder named train it is a class
        return None
    for part, names in found.items():
        if len(names) > 1:
            raise ValueError(f"{folder} must hold one folder for the part {part!r}; found {', '.join(names)}")
    if TRAIN not in found or len(found) == 1:
        one, need = (
            folder / named[0],
            "testing (test, val, valid, validation)" if TRAIN in found else "training (train)",
        )
        raise ValueError(
            f"{folder} has a folder {one.name}/ of classes, and none for {need}: add one, or take 'folder:{one}', of "
            "which a fifth of every class is held out"
        )
    held_out = found.get(TEST, found.get(VALIDATION, []))
    train, test = (_undoubled(folder / names[0], notes) for names in (found[TRAIN], held_out))
    if os.path.samefile(train, test):
        raise ValueError(f"{test} must hold other images than {train}; they are one folder")
    if TEST in found and VALIDATION in found:
        notes.add(
            f"{folder / found[VALIDATION][0]} is passed over, since {test} is held out; val_fraction (--val-fraction) "
            f"takes a validation part from {train}"
        )
    if others := [name for name in folders(folder) if name not in named]:
        notes.add(f"{folder}: {', '.join(others)} is passed over beside {found[TRAIN][0]} and {held_out[0]}")
    return train, test


def _check_classes(folder: Path, notes: Notes) -> None:
    """Refuse or mention folders that all hold the same folders, as parts do."""
    names = folders(folder)
    inner = [folders(_undoubled(folder / name, Notes())) for name in names]
    if len(names) < 2 or len(inner[0]) < 2 or any(other != inner[0] for other in inner):
        return
    alike = f"{folder}: each of {', '.join(names[:5])} holds the folders {', '.join(inner[0][:5])}"
    if any(word in PARTS for name in names for word in _words(name)):
        raise ValueError(f"{alike}; are they parts? then name them train and test")
    notes.add(f"{alike}; {', '.join(names[:5])} are taken as the classes (parts are named train and test)")


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", name.casefold())
