"""CIFAR-10 from those of its batch files that are there: all of them, or a few where no more fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import nets
from nets.data.cifar import PIXELS, read_records
from nets.data.published import CIFAR10
from nets.data.search import find_files, roots

TEST = "test_batch"
STEMS = (*(f"data_batch_{number}" for number in range(1, 6)), TEST)


def read(folders: Sequence[Path | None], split: int = 0, records: int = 10_000) -> nets.data.Dataset:
    """Read the binary batch files of some folders or archives; `described` says which images train and test.

    Mean and deviation are those of the training part.

    Args:
        folders: searched one by one, as data_dir of `nets.data.load`: a file may lie in any of them.
        split: the seed that holds out a fifth of every class where `test_batch.bin` is not there.
        records: images of each file.

    Raises:
        FileNotFoundError: where no training file is there.
        ValueError: naming the file that is truncated or another than its name says.
    """
    places = [files for folder in folders if (files := find_files(CIFAR10, folder)) is not None]
    parts, source = {"train": [], "test": []}, []
    for stem in STEMS:
        files = next((files for files in places if files.find(f"{stem}.bin")), None)
        if files is None:
            continue
        part = "test" if stem == TEST else "train"
        name, content = files.read(f"{stem}.bin", most=records * (1 + PIXELS))
        parts[part].append(read_records(content, files.path(name), records, 1, len(CIFAR10.class_names)))
        source.append(files.source(name, content, part, records))
    if not parts["train"]:
        where = ", ".join(str(root) for folder in folders for root in roots(folder))
        raise FileNotFoundError(f"folders must hold data_batch_1.bin or another of the five; found none in {where}")
    arrays = [np.concatenate(column) for part in parts.values() for column in zip(*part, strict=True)]
    there = [_stem(file) for file in source]
    name = "cifar-10" if there == [*STEMS] else f"cifar-10 from {', '.join(there)}"  # a part is no published set
    data = nets.data.from_arrays(*arrays, class_names=CIFAR10.class_names, name=name, seed=split)
    return replace(data, source=tuple(source))


def described(data: nets.data.Dataset) -> tuple[str, str]:
    """The images that train and those that test, in words."""
    names = {part: [_stem(file) for file in data.source if file.part == part] for part in ("train", "test")}
    train, test = f"{len(data.train_labels):,}", f"{len(data.test_labels):,}"
    files = ", ".join(names["train"])
    if names["test"]:
        return f"{train}: {files}", f"{test}: {TEST}"
    return f"{train} of {files}", f"{test} of the same files, a fifth of every class, held out by seed {data.split}"


def unpublished(data: nets.data.Dataset) -> list[str]:
    """The files whose checksums are not the published ones."""
    return [file.name for file in data.source if not file.as_published]


def write_random(folder: Path, records: int) -> None:
    """Write two files of random images, for a rehearsal."""
    random = np.random.default_rng(0)
    for stem in STEMS[:2]:
        content = random.integers(0, 256, (records, 1 + PIXELS), np.uint8)
        content[:, 0] = np.arange(records) % len(CIFAR10.class_names)
        (folder / f"{stem}.bin").write_bytes(content.tobytes())


def _stem(file: nets.data.SourceFile) -> str:
    return file.name.removesuffix(".gz").removesuffix(".bin")
