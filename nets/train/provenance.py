"""Which data a run saw."""

from __future__ import annotations

from os import PathLike
from typing import Any

import torch

from nets import data as datasets
from nets.data import Dataset
from nets.train.checkpoint import CheckpointError, read


def describe(data: Dataset) -> dict[str, Any]:
    """A data set as plain values, with checksums of the images: two splits of one set are different data.

    `shape` is that of an image, `white` what a white pixel is before mean and std come off: 1 for bytes, which are
    divided by 255, and the largest value of the training images where they are floats.
    """
    names, mean, std = map(list, (data.class_names, data.mean, data.std))
    images = data.train_images
    white = 1.0 if images.dtype == torch.uint8 else images.max().item()
    pixels = {"shape": list(images.shape[1:]), "white": white, "mean": mean, "std": std}
    return {"name": data.name, "split": data.split, "classes": names, **pixels, **data.checksums()}


def held_out(checkpoint: str | PathLike[str]) -> Dataset:
    """The data set of a checkpoint, split as it was for training.

    Raises:
        CheckpointError: where the data set is not one of `nets.data.DATA`, or has other images now.
    """
    recorded = read(checkpoint)["data"]
    if recorded["name"] not in datasets.DATA:
        raise CheckpointError(f"checkpoint: {checkpoint} was trained on data of its own, {recorded['name']!r}")
    data = datasets.load(recorded["name"], recorded["split"])
    if describe(data) != recorded:
        raise CheckpointError(
            f"checkpoint: {checkpoint} was trained on other images than {recorded['name']!r} has here"
        )
    return data
