"""The data that a run saw, and how they are found again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from os import PathLike
from typing import Any

import torch

from nets import data as datasets
from nets.data import Data, Dataset, DenseDataset, DenseTransform, Transform
from nets.data.dataset import LABELS
from nets.data.sets import PREFIX, is_file
from nets.models.base import Network
from nets.models.checkpoint import CheckpointError, path_of, read
from nets.models.saved import is_of_run

NOT_HELD_OUT = (
    *("train_images", "train_labels", "white", "mean", "std", "excluded", "skipped"),
    *("train_inputs", "train_targets", "target_mean", "target_std"),
)
"""Entries that the training images decide, and the excluded images."""


def describe(data: Data) -> dict[str, Any]:
    """A data set as plain values, with checksums of images and labels: two splits of one set are different data.

    `shape` is that of an image, `resize` what the shorter side of an image file is resized to, `excluded` which images
    were left out, by index, where any were, and `skipped` how many files could not be read. Of a `DenseDataset` it has
    the entries of `DenseTransform.described`.
    """
    entries = asdict(transform(data))
    if not entries.get("multilabel"):  # which files of earlier versions lack
        entries.pop("multilabel", None)
    entries |= {"name": entries.pop("data"), "classes": entries.pop("class_names")}
    lists = {name: list(value) if isinstance(value, tuple) else value for name, value in entries.items()}
    described = {"split": data.split, **lists, **data.checksums()}
    if isinstance(data, DenseDataset):
        return {"targets": data.kind, **described}
    left_out = {part: list(indices) for part, indices in data.excluded.items() if indices}
    excluded = {"excluded": left_out} if left_out else {}
    skipped = {"skipped": len(data.skipped)} if data.skipped else {}
    return {**described, **excluded, **skipped}


def transform(data: Data) -> Transform | DenseTransform:
    """Make the transform of a network that is trained on a data set."""
    return DenseTransform.of(data) if isinstance(data, DenseDataset) else Transform.of(data)


def initial_weights(model: Network) -> dict[str, Any]:
    """Say where the weights that a run starts with are from, and the SHA-256 of names and numbers."""
    digest = hashlib.sha256()
    for name, weight in model.state_dict().items():
        digest.update(f"{name} {tuple(weight.shape)} {weight.dtype}".encode())
        digest.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return {**(model.origin or {}), "sha256": digest.hexdigest()}


def folder(data: Data) -> str | None:
    """The absolute path of a folder of images or of a file, whose name may start from the folder of the process."""
    there = data.name.startswith(PREFIX) or is_file(data.name)
    return os.path.abspath(data.name.removeprefix(PREFIX)) if there else None


def excluded_images(checkpoint: str | PathLike[str]) -> dict[str, list[int]]:
    """The indices in the parts "train" and "test" of the images that a run left out, as its checkpoint says."""
    return dict(read(checkpoint)["data"].get("excluded", {}))


def held_out(
    checkpoint: str | PathLike[str],
    data_dir: str | PathLike[str] | None = None,
    *,
    exclude: str | PathLike[str] | None = None,
) -> Data:
    """The data set of a checkpoint, split as it was for training, images that the run left out included.

    `excluded_images` lists these; `data_dir` as for `nets.data.load`.

    Args:
        exclude: a file of images without which the network may have been trained, where the checkpoint names none.

    Raises:
        CheckpointError: where the data set is not one of `nets.data.DATA`, or has other images now.
        FileNotFoundError: where it is not found.
    """
    if not is_of_run(path_of(checkpoint)):
        why = "holds a network without the record of its data; name the data to evaluate on (--data)"
        raise CheckpointError(f"checkpoint: {checkpoint} {why}")
    record = read(checkpoint)
    recorded = record["data"]
    if not datasets.is_known(recorded["name"]):
        raise CheckpointError(
            f"checkpoint: {checkpoint} was trained on data of its own, {recorded['name']!r}, which cannot be found "
            "again; name the data to evaluate on (--data), or give them to nets.evaluate in Python"
        )
    height, width = (*recorded["shape"][1:], None, None)[:2]
    size = height if height == width and datasets.takes_size(recorded["name"]) else None
    found = _where_it_is(recorded["name"], record.get("folder"), data_dir)
    skip = bool(recorded.get("skipped"))
    loaded = datasets.load(found, recorded["split"], data_dir, size=size, skip_damaged=skip)
    data = replace(loaded, name=recorded["name"])
    parts = _parts(data, recorded.get("excluded"), exclude)
    if not any(_held_out_part(recorded) == _held_out_part(describe(part), like=recorded) for part in parts):
        raise CheckpointError(
            f"checkpoint: {checkpoint} was trained on other images than {recorded['name']!r} has here; where some were "
            "left out give the same exclude (--exclude), or name the data to evaluate on (--data)"
        )
    return data


def _where_it_is(name: str, folder: str | None, data_dir: str | os.PathLike[str] | None) -> str:
    """Name a set so that it is found: a folder of images where it was, unless `data_dir` says otherwise."""
    if folder is None or data_dir is not None:
        return name
    file = is_file(name)
    if os.path.exists(folder):
        return folder if file else f"{PREFIX}{folder}"
    if not os.path.exists(name.removeprefix(PREFIX)):
        what, where = ("file", "FILE.npz") if file else ("folder", "folder:PATH")
        raise FileNotFoundError(
            f"data: there is no {what} {folder} any more, on whose {'arrays' if file else 'images'} the network was "
            f"trained; say where they are now (--data {where})"
        )
    return name


def _held_out_part(description: Mapping[str, Any], like: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Leave out the entries that depend on the training images, which a validation split changes; mean and std stay.

    Older files have no checksums of labels: with `like` one of them, they are left out too.
    """
    older = () if like is None else set(LABELS).difference(like)
    return {name: value for name, value in description.items() if name not in (*NOT_HELD_OUT, *older)}


def _parts(
    data: Data, recorded: Mapping[str, Sequence[int]] | None, exclude: str | PathLike[str] | None
) -> Iterator[Data]:
    """The set, and the set without the images that the checkpoint, or else a file, names."""
    yield data
    if recorded is not None:
        counts = {"train": len(data.train_labels), "test": len(data.test_labels)}
        if all(max(indices) < counts[part] for part, indices in recorded.items()):  # else it is another set
            yield data.without(**recorded)
    elif exclude is not None and isinstance(data, Dataset):
        yield data.without(**datasets.excluded(exclude, data))
