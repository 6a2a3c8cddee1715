"""Subsets of a data set: without the images that a file lists, and with a validation split."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import torch

from nets.common import randomness
from nets.data.dataset import Dataset
from nets.data.dense import Data, DenseDataset


def excluded(path: str | os.PathLike[str], data: Dataset) -> dict[str, list[int]]:
    """Read the indices in the parts "train" and "test" of the images that a file lists, for `Dataset.without`.

    A line holds the name of a file of the set, the number of the image in it, from 0, and perhaps its label, which is
    compared; # begins a comment.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: naming the line that fits no image of `data`.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"exclude: there is no file {path}")
    files = _files(data)
    indices: dict[str, list[int]] = {"train": [], "test": []}
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        where = f"exclude: {path}, line {number} ({' '.join(words)!r})"
        if len(words) not in (2, 3) or not all(word.isdecimal() for word in words[1:]):
            raise ValueError(f"{where} must be a file name, a record and perhaps a label")
        if _stem(words[0]) not in files:
            raise ValueError(f"{where}: data {data.name!r} was read from {', '.join(files) or 'no file'}")
        part, first, count = files[_stem(words[0])]
        if int(words[1]) >= count:
            raise ValueError(f"{where}: the records of {words[0]} run from 0 to {count - 1}")
        index = first + int(words[1])
        label = int(getattr(data, f"{part}_labels")[index])
        if len(words) == 3 and int(words[2]) != label:
            raise ValueError(f"{where}: the label of this record is {label}")
        indices[part].append(index)
    return indices


def _files(data: Dataset) -> dict[str, tuple[str, int, int]]:
    """Part, first index and number of the images of every file that holds images."""
    files, counts = {}, {"train": 0, "test": 0}
    for file in data.source:
        if file.images:
            files[_stem(file.name)] = (file.part, counts[file.part], file.images)
            counts[file.part] += file.images
    return files


def _stem(name: str) -> str:
    """The name of a file in any of its forms."""
    return name.removesuffix(".gz").removesuffix(".bin")


def validation_split(data: Data, fraction: float, seed: int) -> Data:
    """The training part alone, split by the seed, images class by class: `fraction` of it is the result's test part.

    Raises:
        ValueError: where no image of the training part would be held out, or none would be left.
    """
    held_out: list[int] = []
    labels = _strata(data)
    for label, count in enumerate(held_out_counts(data, fraction)):
        images = (labels == label).nonzero().flatten()
        shuffled = images[torch.randperm(len(images), generator=randomness.generator(seed, "validation", label))]
        held_out += shuffled[:count].tolist()
    rest = sorted(set(range(len(labels))).difference(held_out))
    if isinstance(data, DenseDataset):
        twice: Data = replace(data, test_inputs=data.train_inputs, test_targets=data.train_targets)
    else:
        twice = replace(data, test_images=data.train_images, test_labels=data.train_labels)
    return twice.without(train=held_out, test=rest)


def held_out_counts(data: Data, fraction: float) -> list[int]:
    """How many training images of each class, or samples in all, a split of this fraction holds out.

    Raises:
        ValueError: where it is none of them, or all.
    """
    labels = _strata(data)
    classes = len(data.class_names) if labels is data.train_labels else 1
    images = torch.bincount(labels, minlength=classes).tolist()
    counts = [round(fraction * count) for count in images]
    if not 0 < sum(counts) < sum(images):
        raise ValueError(
            f"val_fraction must hold out an image of {sum(images)} and leave one; {fraction} holds out {sum(counts)}"
        )
    return counts


def _strata(data: Data) -> torch.Tensor:
    """The groups (N,) of the training part that a split divides one by one: classes, or one of all samples."""
    if isinstance(data, DenseDataset) or data.is_multilabel:
        return torch.zeros(len(data.train_labels), dtype=torch.long)
    return data.train_labels
