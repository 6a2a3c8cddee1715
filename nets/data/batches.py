"""One part of a data set as normalised batches on a device."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nets.common import randomness
from nets.common.checks import check_integer
from nets.data.augment import RESIZED_CROP, Augmentation
from nets.data.dense import Data
from nets.data.images import ImageFiles
from nets.data.mixing import Mixing
from nets.data.sampling import BALANCED, UNIFORM, balanced_draws, check_sampling


class _Epoch(NamedTuple):
    """The draws of an epoch, a row for each: its image, and how this is augmented and mixed."""

    number: int
    images: Tensor
    table: Tensor | None
    mixing: Mixing | None

    def to(self, device: torch.device) -> _Epoch:
        table = None if self.table is None else self.table.to(device)
        mixing = None if self.mixing is None else self.mixing.to(device)
        return _Epoch(self.number, self.images.to(device), table, mixing)


class Batches:
    """The images of a part, raw on the device, augmented and normalised there batch by batch.

    Worker processes decode images in files meanwhile.

    The augmentation of an image is a function of (seed, epoch, its index): neither of the batch that it comes in, nor
    of the order, the device or the number of processes.

    Args:
        part: "train" or "test"; only the training part is augmented.
        sampling: "uniform", every image once in an epoch; or "balanced", as many images of every class, some of them
            again and again and others not at all. An epoch then has as many draws as there are images, and indices
            are those of draws; each has an augmentation of its own.
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
        sampling: str = UNIFORM,
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
        check_sampling(data, sampling)
        if workers is not None:
            check_integer("workers", workers, 0)
        self.data = data
        self.augmentation = None if augmentation is None or augmentation.is_none else augmentation
        self.sampling, self.seed = sampling, seed
        self.device, self.dtype = torch.device(device), dtype
        self.workers = _cores() if workers is None else workers
        images = getattr(data, f"{part}_images")
        self.images: Tensor | ImageFiles = images.to(self.device) if isinstance(images, Tensor) else images
        self.labels: Tensor = getattr(data, f"{part}_labels").to(self.device)
        self._last: tuple[_Epoch, _Epoch] | None = None

    def __len__(self) -> int:
        """The number of images."""
        return len(self.labels)

    def epoch(self, epoch: int, batches: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Augmented images and their labels for each tensor of indices; the epochs count from 0.

        Where images are mixed the labels are shares of classes (N, classes).
        """
        (drawn, there), batches = self._epoch(epoch), list(batches)
        if self.augmentation is None or there.table is None or drawn.table is None:
            yield from self.in_order(drawn.images[index] for index in batches)
            return
        partners = None if drawn.mixing is None else drawn.mixing.partners
        rows = batches if partners is None else [torch.cat((index, partners[index])) for index in batches]
        crops = [drawn.table[row][:, RESIZED_CROP] for row in rows] if self.augmentation.resized_crop else None
        raw_batches = self._raw([drawn.images[row] for row in rows], crops)
        for index, row, raw in zip(batches, rows, raw_batches, strict=True):
            images = self.augmentation(raw, there.table[row.to(self.device, non_blocking=True)], self.data)
            index = index.to(self.device, non_blocking=True)
            if there.mixing is not None:
                images = there.mixing.images(index, *images.chunk(2))
            yield images.to(self.dtype), self.labels_of(epoch, index)

    def labels_of(self, epoch: int, index: Tensor) -> Tensor:
        """The labels that `epoch` gives with the images of these indices."""
        _, there = self._epoch(epoch)
        index = index.to(self.device, non_blocking=True)
        labels = self.labels[there.images[index]]
        if there.mixing is None:
            return labels
        partners = self.labels[there.images[there.mixing.partners[index]]]
        return there.mixing.labels(index, labels, partners, self.data.outputs)

    def in_order(self, batches: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and their labels for each tensor of indices of images, not augmented."""
        batches = list(batches)
        for index, raw in zip(batches, self._raw(batches), strict=True):
            yield self.data.normalise(raw).to(self.dtype), self.labels[index.to(self.device, non_blocking=True)]

    def sample(self, count: int) -> Tensor:
        """Images as they are, drawn by the seed: `count` of them, or all."""
        return next(self.in_order([randomness.order(self.seed, 0, len(self))[:count]]))[0]

    def _epoch(self, epoch: int) -> tuple[_Epoch, _Epoch]:
        """The draws of an epoch, here and on the device; the last ones are kept."""
        if self._last is None or self._last[0].number != epoch:
            images = torch.arange(len(self))
            if self.sampling == BALANCED:
                images = balanced_draws(self.labels.cpu(), self.data.outputs, self.seed, epoch)
            table = mixing = None
            if self.augmentation is not None:
                table = self.augmentation.numbers(self.seed, epoch, len(self))
                if self.augmentation.mixes:
                    mixing = self.augmentation.mixing(self.seed, epoch, len(self), tuple(self.images.shape[2:]))
            drawn = _Epoch(epoch, images, table, mixing)
            self._last = drawn, drawn.to(self.device)
        return self._last

    def _raw(self, batches: list[Tensor], crops: list[Tensor] | None = None) -> Iterator[Tensor]:
        """Raw images of these indices, on the device; `crops` has the numbers of their pieces."""
        if isinstance(self.images, Tensor):
            for index in batches:
                yield self.images[index.to(self.device, non_blocking=True)]
            return
        smallest = 0.0 if crops is None or self.augmentation is None else self.augmentation.resized_crop
        for raw in _decoded(self.images, batches, crops, smallest, self.workers, self.device):
            yield raw.to(self.device, non_blocking=True)


def _decoded(
    images: ImageFiles,
    batches: list[Tensor],
    crops: list[Tensor] | None,
    smallest: float,
    workers: int,
    device: torch.device,
) -> Iterator[Tensor]:
    from torch.utils.data import DataLoader

    indices = [index.tolist() for index in batches]
    numbers = [[None] * len(index) for index in indices] if crops is None else [crop.tolist() for crop in crops]
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


class _Decoder(torch.utils.data.Dataset[Tensor]):
    """Decode an image in a worker, by its index and its random numbers."""

    def __init__(self, images: ImageFiles, smallest: float) -> None:
        self.images = images
        self.smallest = smallest

    def __getitem__(self, item: tuple[int, list[float] | None]) -> Tensor:
        index, numbers = item
        return self.images.read(index) if numbers is None else self.images.read_crop(index, numbers, self.smallest)
