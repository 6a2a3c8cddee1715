"""Which data a run saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any

from torch import Tensor

from nets import data as datasets
from nets.data import Dataset
from nets.train.checkpoint import CheckpointError, read


def describe(data: Dataset) -> dict[str, Any]:
    """A data set as plain values, with checksums of the images: two splits of one set are different data.

    `shape` is that of an image, `resize` what the shorter side of an image file is resized to.
    """
    names, mean, std = map(list, (data.class_names, data.mean, data.std))
    images = data.train_images
    resize = None if isinstance(images, Tensor) else images.resize
    pixels = {"shape": list(images.shape[1:]), "white": data.white, "mean": mean, "std": std, "resize": resize}
    return {"name": data.name, "split": data.split, "classes": names, **pixels, **data.checksums()}


def held_out(
    checkpoint: str | PathLike[str],
    data_dir: str | PathLike[str] | None = None,
    *,
    exclude: str | PathLike[str] | None = None,
) -> Dataset:
    """The data set of a checkpoint, split as it was for training; `data_dir` as for `nets.data.load`.

    Args:
        exclude: a file of images without which the network may have been trained; the set returned has them.

    Raises:
        CheckpointError: where the data set is not one of `nets.data.DATA`, or has other images now.
        FileNotFoundError: where it is not found.
    """
    recorded = read(checkpoint)["data"]
    if not datasets.is_known(recorded["name"]):
        raise CheckpointError(f"checkpoint: {checkpoint} was trained on data of its own, {recorded['name']!r}")
    height, width = (*recorded["shape"][1:], None, None)[:2]
    size = height if height == width and datasets.takes_size(recorded["name"]) else None
    data = datasets.load(recorded["name"], recorded["split"], data_dir, size=size)
    if _held_out_part(recorded) not in (_held_out_part(describe(part)) for part in _parts(data, exclude)):
        raise CheckpointError(
            f"checkpoint: {checkpoint} was trained on other images than {recorded['name']!r} has here; where some were "
            "left out give the same exclude (--exclude), or name the data to evaluate on (--data)"
        )
    return data


def _held_out_part(description: Mapping[str, Any]) -> dict[str, Any]:
    """Without what the images for training decide: a validation split changes them, and leaves mean and std."""
    return {name: value for name, value in description.items() if name not in ("train_images", "white", "mean", "std")}


def _parts(data: Dataset, exclude: str | PathLike[str] | None) -> Iterator[Dataset]:
    """The set, and where there is a file of them the set without those images."""
    yield data
    if exclude is not None:
        yield data.without(**datasets.excluded(exclude, data))
