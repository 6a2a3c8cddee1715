"""Folders of images: one folder per class, in a folder per part, or split by a seed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nets import randomness
from nets.checks import check_integer, suggestion
from nets.data.dataset import Dataset, statistics
from nets.data.images import ImageFiles, is_grey
from nets.data.places import VARIABLE, roots

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
TEST_PARTS = ("test", "val", "valid", "validation")
MEMORY = 2**31
"""Bytes of pixels, up to which the images of a folder are kept in memory."""
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
IMAGENET_CLASSES = 1000


def image_folder(
    folder: str | os.PathLike[str],
    seed: int = 0,
    *,
    size: int | None = None,
    test_fraction: float = 0.2,
    progress: bool | None = None,
) -> Dataset:
    """The images of a folder with one folder per class, or with the folders train/ and test/ (or val/) of such.

    Without a test part, `test_fraction` of every class, chosen by the seed, is held out. Grey images have one channel.
    Sets of more than 2 GiB stay in their files and are decoded batch by batch.

    Args:
        size: pixels per side: the shorter side is resized to it and the longer one cut. None: all have one size.

    Raises:
        FileNotFoundError: where there is no such folder.
        ValueError: naming the folder or the file that does not fit.
        ImportError: where Pillow is missing.
    """
    folder = Path(folder)
    if size is not None:
        check_integer("size", size, 1)
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction must lie strictly between 0 and 1; got {test_fraction}")
    test_folder = next((folder / name for name in TEST_PARTS if (folder / name).is_dir()), None)
    if test_folder is None and _has_folders(folder / "train"):  # images alone: a class of that name
        raise ValueError(
            f"{folder} has a folder train/ of classes, and none for testing ({', '.join(TEST_PARTS)}): add one, or "
            f"take 'folder:{folder / 'train'}', of which a fifth of every class is held out"
        )
    if (folder / "train").is_dir() and test_folder is not None:
        train, test = _classes(folder / "train"), _classes(test_folder, folder / "train")
    else:
        train, test = _split(_classes(folder), seed, test_fraction)
    channels = 1 if all(is_grey(paths[0]) for paths in train.values()) else 3
    parts = [_files(part, list(train), size, channels) for part in (train, test)]
    (images, labels), (test_images, test_labels) = parts
    mean: tuple[float, ...]
    std: tuple[float, ...]
    common: dict[str, Any] = {
        "name": f"folder:{folder}",
        "train_labels": labels,
        "test_labels": test_labels,
        "class_names": tuple(train),
        "split": seed,
    }
    if (len(images) + len(test_images)) * images.shape[1:].numel() > MEMORY:
        mean, std = (IMAGENET_MEAN, IMAGENET_STD) if channels == 3 else ((0.5,), (0.25,))
        return Dataset(train_images=images, test_images=test_images, mean=mean, std=std, **common)
    pixels = images.read_all(progress)
    mean, std = statistics(pixels)
    return Dataset(train_images=pixels, test_images=test_images.read_all(progress), mean=mean, std=std, **common)


def imagenet(data_dir: str | os.PathLike[str] | None = None, size: int = 224) -> Dataset:
    """ImageNet in its files: train/ and val/, each with 1000 folders of images. The set cannot be downloaded freely.

    For testing the shorter side has 256 pixels for a size of 224, and so in proportion.

    Raises:
        FileNotFoundError: where it is not found, saying where to put it.
        ValueError: naming a folder that is not as it should be.
    """
    check_integer("size", size, 1)
    folder = imagenet_folder(data_dir)
    if folder is None:
        places = ", ".join(map(str, _places(data_dir)))
        raise FileNotFoundError(
            f"data 'imagenet' was not found (looked for train/ and val/ in {places}). Get it from "
            f"https://www.image-net.org (an account is needed); --data-dir (data_dir) or ${VARIABLE} names "
            "another folder"
        )
    train = _classes(folder / "train")
    if len(train) != IMAGENET_CLASSES:
        raise ValueError(
            f"{folder / 'train'} must hold {IMAGENET_CLASSES} folders, one per class; found {len(train)} "
            f"(for a part of ImageNet use 'folder:{folder}')"
        )
    test = _classes(folder / "val", folder / "train")
    (images, labels), (test_images, test_labels) = (
        _files(part, list(train), size, 3, round(size * 256 / 224)) for part in (train, test)
    )
    return Dataset("imagenet", images, labels, test_images, test_labels, tuple(train), IMAGENET_MEAN, IMAGENET_STD)


def imagenet_folder(data_dir: str | os.PathLike[str] | None) -> Path | None:
    """The folder with train/ and val/, if there is one."""
    return next((p for p in _places(data_dir) if (p / "train").is_dir() and (p / "val").is_dir()), None)


def _places(data_dir: str | os.PathLike[str] | None) -> list[Path]:
    below = [root / "imagenet" for root in roots(data_dir)]
    return below if data_dir is None else [*below, Path(data_dir)]


def _classes(folder: Path, like: Path | None = None) -> dict[str, list[str]]:
    """The paths of the images of each class, in the order of their names; the classes are those of `like`."""
    if not folder.is_dir():
        if folder.is_file():
            raise ValueError(f"data: {folder} is a file, not a folder of images")
        beside = _folders(folder.parent) if folder.parent.is_dir() else []
        raise FileNotFoundError(f"data: there is no folder {folder}{suggestion(folder.name, beside)}")
    names = _folders(folder)
    if len(names) < 2:
        raise ValueError(
            f"{folder} must hold a folder of images for each of at least two classes, as in {folder / 'cat' / '1.png'} "
            f"and {folder / 'dog' / '1.png'}; found {', '.join(names) or 'no folder'}"
        )
    if like is not None:
        known = _folders(like)
        unlike = sorted(set(names) ^ set(known))
        if unlike:
            raise ValueError(
                f"{folder} must hold the classes of {like}; {', '.join(unlike[:5])} is in one of them only"
            )
    return {name: images_in(folder / name) for name in names}


def _folders(folder: Path) -> list[str]:
    """The names of the folders in a folder, sorted."""
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))


def _has_folders(folder: Path) -> bool:
    return folder.is_dir() and bool(_folders(folder))


def images_in(folder: Path) -> list[str]:
    """The image files in a folder and in its folders, by their endings, sorted."""
    found = [
        os.path.join(place, name)
        for place, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(SUFFIXES) and not name.startswith(".")
    ]
    if not found:
        raise ValueError(f"{folder} must hold images ({' '.join(SUFFIXES)}); found none")
    return sorted(found)


def _split(
    classes: dict[str, list[str]], seed: int, fraction: float
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Of each class the same share, chosen by the seed."""
    train, test = {}, {}
    for name, paths in classes.items():
        if len(paths) < 2:
            raise ValueError(f"class {name!r} must hold at least two images to be split; found {paths}")
        order = torch.randperm(len(paths), generator=randomness.generator(seed, "split", name)).tolist()
        count = min(max(round(fraction * len(paths)), 1), len(paths) - 1)
        test[name] = [paths[i] for i in sorted(order[:count])]
        train[name] = [paths[i] for i in sorted(order[count:])]
    return train, test


def _files(
    classes: dict[str, list[str]], names: list[str], size: int | None, channels: int, resize: int | None = None
) -> tuple[ImageFiles, Tensor]:
    labels = torch.tensor([names.index(name) for name, paths in classes.items() for _ in paths])
    return ImageFiles([path for paths in classes.values() for path in paths], size, resize, channels), labels
