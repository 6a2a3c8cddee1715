"""The data sets at a scale: images averaged to fewer pixels, and the degraded images of an incomplete CIFAR-10."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import torch
from torch.nn import functional

import nets
from nets.data import Dataset
from nets.data.subsets import excluded

DEGRADED = "substituted.txt"
"""A list beside CIFAR-10's files of images whose pixels are not the published ones, in the form of `nets.data.load`."""


@lru_cache(maxsize=4)
def images(name: str, size: int, data_dir: str | None) -> Dataset:
    """A data set of size x size pixels, each the mean over its part of the image, rounded to a byte (`averaged`).

    Degraded images are left out of the training part, and are in the test part.
    """
    data = nets.data.load(name, data_dir=data_dir)
    data = data.without(train=degraded(name, data_dir)["train"])
    if data.train_images.shape[-1] == size:
        return data
    small = {part: averaged(getattr(data, part), size) for part in ("train_images", "test_images")}
    return replace(data, name=f"{name} {size} x {size}", source=(), **small)


def averaged(bytes_: torch.Tensor, size: int) -> torch.Tensor:
    """Images (N, c, n, n) of bytes as means (N, c, size, size); where size does not divide n the parts overlap."""
    parts = [functional.interpolate(part.float(), (size, size), mode="area") for part in bytes_.split(4096)]
    return torch.cat(parts).round().to(torch.uint8)


@lru_cache(maxsize=4)
def degraded(name: str, data_dir: str | None) -> dict[str, list[int]]:
    """Indices of the degraded images in the parts "train" and "test"; none where no list lies beside the files."""
    found = nets.data.sets.found_in(name, data_dir)
    data = nets.data.load(name, data_dir=data_dir)
    path = Path(found or "") / DEGRADED
    return excluded(path, data) if path.is_file() else {"train": [], "test": []}
