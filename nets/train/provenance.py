"""Which data a run saw."""

from __future__ import annotations

from os import PathLike
from typing import Any

from nets import data as datasets
from nets.data import Dataset
from nets.train.checkpoint import CheckpointError, read


def describe(data: Dataset) -> dict[str, Any]:
    """A data set as plain values, with checksums of the images: two splits of one set are different data."""
    names, mean, std = map(list, (data.class_names, data.mean, data.std))
    return {"name": data.name, "split": data.split, "classes": names, "mean": mean, "std": std, **data.checksums()}


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
