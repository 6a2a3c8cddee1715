"""A validation split: training images held out to choose settings with."""

from __future__ import annotations

from dataclasses import replace

import torch

from nets import randomness
from nets.data.dataset import Dataset


def validation_split(data: Dataset, fraction: float, seed: int) -> Dataset:
    """The training part alone, split by the seed and class by class: `fraction` of it is the test part of the result.

    Raises:
        ValueError: where no image of the training part would be held out, or none would be left.
    """
    held_out: list[int] = []
    for label in range(len(data.class_names)):
        images = (data.train_labels == label).nonzero().flatten()
        shuffled = images[torch.randperm(len(images), generator=randomness.generator(seed, "validation", label))]
        held_out += shuffled[: round(fraction * len(images))].tolist()
    rest = sorted(set(range(len(data.train_labels))).difference(held_out))
    if not held_out or not rest:
        count = len(data.train_labels)
        raise ValueError(
            f"val_fraction must hold out an image of {count} and leave one; {fraction} holds out {len(held_out)}"
        )
    twice = replace(data, test_images=data.train_images, test_labels=data.train_labels)
    return twice.without(train=held_out, test=rest)
