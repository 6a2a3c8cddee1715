"""Images to leave out, listed in a file."""

from __future__ import annotations

import os
from pathlib import Path

from nets.data.dataset import Dataset


def excluded(path: str | os.PathLike[str], data: Dataset) -> dict[str, list[int]]:
    """The indices in the parts "train" and "test" of the images that a file lists, for `Dataset.without`.

    A line holds the name of a file of the set, the place of the image in there, from 0, and perhaps its label, which is
    compared; # begins a comment.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: naming the line that fits no image of `data`.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"exclude: there is no file {path}")
    places = _places(data)
    indices: dict[str, list[int]] = {"train": [], "test": []}
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        where = f"exclude: {path}, line {number} ({' '.join(words)!r})"
        if len(words) not in (2, 3) or not all(word.isdecimal() for word in words[1:]):
            raise ValueError(f"{where} must be a file name, a record and perhaps a label")
        if _stem(words[0]) not in places:
            raise ValueError(f"{where}: data {data.name!r} was read from {', '.join(places) or 'no file'}")
        part, first, count = places[_stem(words[0])]
        if int(words[1]) >= count:
            raise ValueError(f"{where}: the records of {words[0]} run from 0 to {count - 1}")
        index = first + int(words[1])
        label = int(getattr(data, f"{part}_labels")[index])
        if len(words) == 3 and int(words[2]) != label:
            raise ValueError(f"{where}: the label of this record is {label}")
        indices[part].append(index)
    return indices


def _places(data: Dataset) -> dict[str, tuple[str, int, int]]:
    """Part, first index and number of the images of every file that holds images."""
    places, counts = {}, {"train": 0, "test": 0}
    for file in data.source:
        if file.images:
            places[_stem(file.name)] = (file.part, counts[file.part], file.images)
            counts[file.part] += file.images
    return places


def _stem(name: str) -> str:
    """The name of a file in any of its forms."""
    return name.removesuffix(".gz").removesuffix(".bin")
