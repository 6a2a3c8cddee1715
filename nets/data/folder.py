"""Folders of images: one folder per class, in a folder per part, or split by a seed."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import Tensor

from nets.common import randomness
from nets.common.checks import check_integer
from nets.data.arrays import TEST_FRACTION, held_out_count
from nets.data.dataset import Dataset, Images, statistics
from nets.data.images import ImageFiles, channels_of
from nets.data.parts import innermost, parts
from nets.data.search import VARIABLE, roots
from nets.data.tree import Classes, Notes, check_text, classes

MEMORY = 2**31
"""Bytes of pixels, up to which the images of a folder are kept in memory."""
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
IMAGENET_CLASSES = 1000


def image_folder(
    folder: str | os.PathLike[str],
    seed: int = 0,
    *,
    size: int | None = None,
    test_fraction: float = TEST_FRACTION,
    skip_damaged: bool = False,
    progress: bool | None = None,
) -> Dataset:
    """Read a folder with one folder of images per class, or with folders train/ and test/ (or val/) of such.

    Parts are known by their names in any case ("Training", "test_set"). Without them `test_fraction` of every class,
    chosen by the seed, is held out. Links are followed; hidden files and folders do not count, and files that are no
    images by their endings are passed over with a warning. Images have one channel where all of them are grey.
    Sets of more than 2 GiB stay in their files and are decoded batch by batch; only then is damage found.

    Args:
        size: pixels per side: the shorter side is resized to it and the longer one cut. None: all have one size.
        skip_damaged: leave out files that cannot be read, with a warning; the attribute `skipped` of the set lists all.
            The others keep the part that they were in. Every file is read once, of sets that stay in their files too.

    Raises:
        FileNotFoundError: where there is no such folder.
        ValueError: naming the folder that does not fit, all files that cannot be read, or a class without any other.
        ImportError: where Pillow is missing.
    """
    folder = Path(folder)
    check_text("data", folder)
    check_integer("seed", seed, 0)
    if size is not None:
        check_integer("size", size, 1)
    if not isinstance(skip_damaged, bool):
        raise TypeError(f"skip_damaged must be True or False; got {skip_damaged!r}")
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction must lie strictly between 0 and 1; got {test_fraction}")
    notes = Notes()
    train, test = _parts(folder, seed, test_fraction, notes)
    paths = _joined(train) + _joined(test)
    images, damaged = _read(ImageFiles(paths, size, channels=channels_of(paths)), skip_damaged, progress)
    labels, count = torch.cat([_labels(part, list(train)) for part in (train, test)]), len(_joined(train))
    if damaged:
        kept = torch.tensor([index not in damaged for index in range(len(paths))])
        labels, count = labels[kept], int(kept[:count].sum())
        _check_left(list(train), labels[:count], len(labels) - count, list(damaged.values()))
        some = "; ".join([*damaged.values()][:3]) + ("; ..." if len(damaged) > 3 else "")
        notes.add(f"{len(damaged)} of {len(paths)} image files cannot be read and are left out: {some}")
    mean: tuple[float, ...]
    std: tuple[float, ...]
    mean, std = (IMAGENET_MEAN, IMAGENET_STD) if images.shape[1] == 3 else ((0.5,), (0.25,))
    if isinstance(images, Tensor):
        mean, std = statistics(images[:count])
    notes.warn(f"folder:{folder}")
    return Dataset(
        name=f"folder:{folder}",
        train_images=images[:count],
        train_labels=labels[:count],
        test_images=images[count:],
        test_labels=labels[count:],
        class_names=tuple(train),
        mean=mean,
        std=std,
        split=seed,
        skipped=tuple(damaged.values()),
    )


def imagenet(data_dir: str | os.PathLike[str] | None = None, size: int = 224) -> Dataset:
    """ImageNet in its files: train/ and val/, each with 1000 folders of images. The set cannot be downloaded freely.

    For testing the shorter side has 256 pixels for a size of 224, and so in proportion.

    Raises:
        FileNotFoundError: where it is not found, saying where it belongs.
        ValueError: naming a folder that is not as it should be.
    """
    check_integer("size", size, 1)
    folder = imagenet_folder(data_dir)
    if folder is None:
        searched = ", ".join(map(str, _candidates(data_dir)))
        raise FileNotFoundError(
            f"data 'imagenet' was not found (looked for train/ and val/ in {searched}). Get it from "
            f"https://www.image-net.org (an account is needed); --data-dir (data_dir) or ${VARIABLE} names "
            "another folder"
        )
    notes = Notes()
    train = classes(folder / "train", notes)
    if len(train) != IMAGENET_CLASSES:
        raise ValueError(
            f"{folder / 'train'} must hold {IMAGENET_CLASSES} folders, one per class; found {len(train)} "
            f"(for a part of ImageNet use 'folder:{folder}')"
        )
    test = classes(folder / "val", notes, folder / "train")
    notes.warn("imagenet")
    images, test_images = (ImageFiles(_joined(part), size, round(size * 256 / 224)) for part in (train, test))
    labels, test_labels = (_labels(part, list(train)) for part in (train, test))
    return Dataset("imagenet", images, labels, test_images, test_labels, tuple(train), IMAGENET_MEAN, IMAGENET_STD)


def imagenet_folder(data_dir: str | os.PathLike[str] | None) -> Path | None:
    """The folder with train/ and val/, if there is one."""
    return next((p for p in _candidates(data_dir) if (p / "train").is_dir() and (p / "val").is_dir()), None)


def _candidates(data_dir: str | os.PathLike[str] | None) -> list[Path]:
    below = [root / "imagenet" for root in roots(data_dir)]
    return below if data_dir is None else [*below, Path(data_dir)]


def _split(of_class: Classes, seed: int, fraction: float) -> tuple[Classes, Classes]:
    """Of each class the same share, chosen by the seed."""
    train, test = {}, {}
    for name, paths in of_class.items():
        if len(paths) < 2:
            raise ValueError(f"class {name!r} must hold at least two images to be split; found {paths}")
        order = torch.randperm(len(paths), generator=randomness.generator(seed, "split", name)).tolist()
        count = held_out_count(len(paths), fraction)
        test[name] = [paths[i] for i in sorted(order[:count])]
        train[name] = [paths[i] for i in sorted(order[count:])]
    return train, test


def _parts(folder: Path, seed: int, fraction: float, notes: Notes) -> tuple[Classes, Classes]:
    """The files for training and for testing."""
    if folder.is_dir():
        folder = innermost(folder, notes)
        given = parts(folder, notes)
        if given is not None:
            return classes(given[0], notes), classes(given[1], notes, given[0])
    return _split(classes(folder, notes), seed, fraction)


def _joined(paths: Classes) -> list[str]:
    return [path for files in paths.values() for path in files]


def _read(files: ImageFiles, skip_damaged: bool, progress: bool | None) -> tuple[Images, dict[int, str]]:
    """The images, in memory where they fit, and of those that are left out the indices and why."""
    damaged: dict[int, str] = {}
    if files.shape.numel() <= MEMORY:
        return files.read_all(progress, damaged if skip_damaged else None), damaged
    if skip_damaged:
        damaged = files.damaged(progress)
    return files[[index for index in range(len(files)) if index not in damaged]], damaged


def _check_left(names: list[str], train_labels: Tensor, test: int, errors: list[str]) -> None:
    """Refuse to leave out all images of a class, or of the part for testing."""
    lost = [f"of class {name!r} for training" for k, name in enumerate(names) if k not in train_labels]
    if lost or not test:
        part = lost[0] if lost else "for testing"
        raise ValueError(f"data must hold an image {part} that can be read; {len(errors)} cannot: {errors[0]}")


def _labels(paths: Classes, names: list[str]) -> Tensor:
    return torch.tensor([names.index(name) for name, files in paths.items() for _ in files])
