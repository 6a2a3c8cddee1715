"""A validation split: training images held out to choose settings with."""

from __future__ import annotations

from dataclasses import replace

import torch

from nets.common import randomness
from nets.data.dataset import Dataset


def validation_split(data: Dataset, fraction: float, seed: int) -> Dataset:
    """The training part alone, split by the seed and class by class: `fraction` of it is the test part of the result.

    Raises:
        ValueError: where no image of the training part would be held out, or none would be left.
    """
    held_out: list[int] = []
    for label, count in enumerate(held_out_counts(data, fraction)):
        images = (data.train_labels == label).nonzero().flatten()
        shuffled = images[torch.randperm(len(images), generator=randomness.generator(seed, "validation", label))]
        held_out += shuffled[:count].tolist()
    rest = sorted(set(range(len(data.train_labels))).difference(held_out))
    twice = replace(data, test_images=data.train_images, test_labels=data.train_labels)
    return twice.without(train=held_out, test=rest)


def held_out_counts(data: Dataset, fraction: float) -> list[int]:
    """How many training images of each class a split of this fraction holds out.

    Raises:
        ValueError: where it is none of them, or all.
    """
    images = torch.bincount(data.train_labels, minlength=len(data.class_names)).tolist()
    counts = [round(fraction * count) for count in images]
    if not 0 < sum(counts) < sum(images):
        raise ValueError(
            f"val_fraction must hold out an image of {sum(images)} and leave one; {fraction} holds out {sum(counts)}"
        )
    return counts
