"""One part of a data set as normalised batches on a device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from nets.data.augment import Augmentation
from nets.data.dataset import Dataset


class Batches:
    """The images of a part, raw on the device, augmented and normalised there batch by batch.

    What happens to an image is a function of (seed, epoch, its index): neither of the batch that it comes in, nor of
    the order, the device or the number of processes.

    Args:
        part: "train" or "test"; only the training part is augmented.
    """

    def __init__(
        self,
        data: Dataset,
        part: str = "train",
        *,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        if part not in ("train", "test"):
            raise ValueError(f"part must be 'train' or 'test'; got {part!r}")
        if augmentation is not None and part == "test":
            raise ValueError("augmentation must be None for the part 'test'")
        if augmentation is not None:
            augmentation.check(data)
        self.data = data
        self.augmentation = augmentation
        self.seed = seed
        self.device = torch.device(device)
        self.images: Tensor = getattr(data, f"{part}_images").to(self.device)
        self.labels: Tensor = getattr(data, f"{part}_labels").to(self.device)

    def __len__(self) -> int:
        """The number of images."""
        return len(self.labels)

    def epoch(self, epoch: int, batches: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and labels for each tensor of indices; the epochs count from 0."""
        augmentation = self.augmentation
        if augmentation is None or augmentation.is_none:
            yield from self.in_order(batches)
            return
        numbers = augmentation.numbers(self.seed, epoch, len(self)).to(self.device)
        for index in batches:
            index = index.to(self.device, non_blocking=True)
            yield augmentation(self.images[index], numbers[index], self.data), self.labels[index]

    def in_order(self, batches: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and labels for each tensor of indices, as they are."""
        for index in batches:
            index = index.to(self.device, non_blocking=True)
            yield self.data.normalise(self.images[index]), self.labels[index]
