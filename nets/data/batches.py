"""One part of a data set as normalised batches on a device."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from nets.common import randomness
from nets.common.checks import check_integer
from nets.data.augment import RESIZED_CROP, Augmentation
from nets.data.dense import Data
from nets.data.images import ImageFiles


class Batches:
    """The images of a part, raw on the device, augmented and normalised there batch by batch.

    Worker processes decode images in files meanwhile.

    The augmentation of an image is a function of (seed, epoch, its index): neither of the batch that it comes in, nor
    of the order, the device or the number of processes.

    Args:
        part: "train" or "test"; only the training part is augmented.
        dtype: of the images that come out: that of the network's weights.
        workers: processes that decode images in files; 0 decodes here, None takes as many as there are cores for this
            process of torchrun, up to 16.
    """

    def __init__(
        self,
        data: Data,
        part: str = "train",
        *,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        workers: int | None = None,
    ) -> None:
        if part not in ("train", "test"):
            raise ValueError(f"part must be 'train' or 'test'; got {part!r}")
        if augmentation is not None and part == "test":
            raise ValueError("augmentation must be None for the part 'test'")
        if augmentation is not None:
            augmentation.check(data)
        if workers is not None:
            check_integer("workers", workers, 0)
        self.data = data
        self.augmentation = None if augmentation is None or augmentation.is_none else augmentation
        self.seed = seed
        self.device, self.dtype = torch.device(device), dtype
        self.workers = _cores() if workers is None else workers
        images = getattr(data, f"{part}_images")
        self.images: Tensor | ImageFiles = images.to(self.device) if isinstance(images, Tensor) else images
        self.labels: Tensor = getattr(data, f"{part}_labels").to(self.device)

    def __len__(self) -> int:
        """The number of images."""
        return len(self.labels)

    def epoch(self, epoch: int, batches: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Augmented images and their labels for each tensor of indices; the epochs count from 0."""
        if self.augmentation is None:
            yield from self.in_order(batches)
            return
        table = self.augmentation.numbers(self.seed, epoch, len(self))
        rows = table.to(self.device)
        for raw, index in self._raw(batches, table):
            yield self.augmentation(raw, rows[index], self.data).to(self.dtype), self.labels[index]

    def in_order(self, batches: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and their labels for each tensor of indices, not augmented."""
        for raw, index in self._raw(batches, None):
            yield self.data.normalise(raw).to(self.dtype), self.labels[index]

    def sample(self, count: int) -> Tensor:
        """Images as they are, drawn by the seed: `count` of them, or all."""
        return next(self.in_order([randomness.order(self.seed, 0, len(self))[:count]]))[0]

    def _raw(self, batches: Iterable[Tensor], table: Tensor | None) -> Iterator[tuple[Tensor, Tensor]]:
        """Raw images and their indices, on the device."""
        if isinstance(self.images, Tensor):
            for index in batches:
                index = index.to(self.device, non_blocking=True)
                yield self.images[index], index
        else:
            for raw, index in _decoded(self.images, self.augmentation, batches, table, self.workers, self.device):
                yield raw.to(self.device, non_blocking=True), index.to(self.device, non_blocking=True)


def _decoded(
    images: ImageFiles,
    augmentation: Augmentation | None,
    batches: Iterable[Tensor],
    table: Tensor | None,
    workers: int,
    device: torch.device,
) -> Iterator[tuple[Tensor, Tensor]]:
    from torch.utils.data import DataLoader

    smallest = 0.0 if augmentation is None or table is None else augmentation.resized_crop
    indices = [index.tolist() for index in batches]
    if smallest and table is not None:
        numbers = [table[index][:, RESIZED_CROP].tolist() for index in indices]
    else:
        numbers = [[None] * len(index) for index in indices]
    plan = [list(zip(*pair, strict=True)) for pair in zip(indices, numbers, strict=True)]
    loader: Any = DataLoader(
        _Decoder(images, smallest),
        batch_sampler=plan,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # or the loader would draw from the caller's stream
    )
    try:
        yield from loader
    except ValueError as error:  # of a worker: its traceback, and what was wrong in the last line
        last = str(error).strip().splitlines()[-1]
        raise ValueError(last.partition("Error: ")[2] or last) from error


def _cores() -> int:
    cores = os.cpu_count() or 1
    return max(1, min(16, cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))


class _Decoder(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """Decode an image in a worker, by its index and its random numbers."""

    def __init__(self, images: ImageFiles, smallest: float) -> None:
        self.images = images
        self.smallest = smallest

    def __getitem__(self, item: tuple[int, Sequence[float] | None]) -> tuple[Tensor, int]:
        index, numbers = item
        if numbers is None:
            return self.images.read(index), index
        return self.images.read_crop(index, numbers, self.smallest), index
