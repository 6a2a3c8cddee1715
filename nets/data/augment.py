"""Augmentation of a batch, without a loop over its images."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import radians

import torch
from torch import Tensor
from torch.nn import functional

from nets.common import randomness
from nets.common.checks import check_choices, check_integer, check_number
from nets.data.dense import Data, DenseDataset
from nets.data.mixing import Mixing, mixing

ACROSS, DOWN, ROTATION, SCALING, CROP, FLIP, CUTOUT = 0, 1, 2, 3, slice(4, 6), 6, slice(7, 9)
RESIZED_CROP = [9, 10, 4, 5]  # area, ratio, and the shifts of a crop
COLUMNS = 11
"""Random numbers per image; crop and cutout take two, down and across."""


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How training images are changed at random; as it stands, not at all. Applied in this order:

    Args:
        crop_padding: pixels added on every side before a crop of the old size is taken at random.
        crop_fill: "zero" (black) or "reflect", what is added.
        flip: "none", "random" (left and right are exchanged with probability 1/2), or "alternating" (the same in the
            first epoch; from then on an image is flipped in every other epoch).
        shift: largest shift in pixels along each axis, not a whole number of them.
        rotation: largest rotation in degrees. Shift, rotation and scaling are one bilinear interpolation; what comes
            into view takes the value of the nearest pixel.
        scaling: largest relative change of size.
        cutout: side in pixels of a square set to the mean, its centre anywhere in the image (DeVries and Taylor,
            arXiv 1708.04552).
        resized_crop: smallest share of the area of a piece cut at random and resized, 0.08 for ImageNet, before all
            else; of images in files only. 0 cuts in the middle.
        mixup: alpha of Beta(alpha, alpha), from which comes lambda for lambda x + (1 - lambda) y of an image x and its
            partner y, and so for their labels (arXiv 1710.09412), timm's mixup_alpha; 0 does not mix. Partners are
            drawn from all training images, which are read and augmented twice then.
        cutmix: alpha of the same for a box of y that is put into x (arXiv 1905.04899), timm's cutmix_alpha; with mixup
            too each image takes one of the two, with probability 1/2.
    """

    crop_padding: int = 0
    crop_fill: str = "zero"
    flip: str = "none"
    shift: float = 0.0
    rotation: float = 0.0
    scaling: float = 0.0
    cutout: int = 0
    resized_crop: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        check_choices(self, {"crop_fill": ("zero", "reflect"), "flip": ("none", "random", "alternating")})
        for name in ("crop_padding", "cutout"):
            check_integer(name, getattr(self, name), 0)
        for name in ("shift", "rotation", "mixup", "cutmix"):
            check_number(name, getattr(self, name))
        for name in ("scaling", "resized_crop"):
            check_number(name, getattr(self, name), below=1)

    @property
    def is_none(self) -> bool:
        changes = self.crop_padding or self.flip != "none" or self.cutout or self.resized_crop or self._warps
        return not (changes or self.mixes)

    @property
    def mixes(self) -> bool:
        """Whether images are mixed with others, by `nets.data.mixing`."""
        return bool(self.mixup or self.cutmix)

    @property
    def _warps(self) -> bool:
        return bool(self.shift or self.rotation or self.scaling)

    def check(self, data: Data) -> None:
        """Raises ValueError where the images of `data` cannot be changed in this way."""
        size = tuple(data.train_images.shape[2:])
        names = [f.name for f in fields(self) if f.name != "crop_fill" and getattr(self, f.name) != f.default]
        plane = [name for name in names if name != "mixup"]
        if isinstance(data, DenseDataset) and names:
            raise ValueError(
                f"{', '.join(names)} must change nothing: data {data.name!r} has a target at every point, which an "
                "augmentation of the inputs alone does not move"
            )
        if len(size) != 2 and plane:
            raise ValueError(
                f"{', '.join(plane)} must change nothing: images of {len(size)} dimensions, not 2, stay as they are"
            )
        if self.resized_crop and isinstance(data.train_images, Tensor):
            raise ValueError(f"resized_crop must be 0: the images of data {data.name!r} are in memory, of one size")
        if self.crop_fill == "reflect" and self.crop_padding >= min(size):
            raise ValueError(
                f"crop_padding must be at most {min(size) - 1} to reflect these images; got {self.crop_padding}"
            )
        if self.cutout > 2 * max(size):
            raise ValueError(f"cutout must be at most {2 * max(size)} pixels for these images; got {self.cutout}")

    def numbers(self, seed: int, epoch: int, count: int) -> Tensor:
        """The random numbers (count, COLUMNS) of an epoch, counted from 0, in [-1, 1); row i belongs to image i."""
        numbers = randomness.table(seed, epoch, count, COLUMNS)
        if self.flip == "alternating":
            first = randomness.table(seed, 0, count, COLUMNS)[:, FLIP] < 0
            numbers[:, FLIP] = torch.where(first ^ bool(epoch % 2), -1.0, 1.0)
        return numbers

    def mixing(self, seed: int, epoch: int, count: int, size: tuple[int, ...]) -> Mixing:
        """How the images of an epoch are mixed; row i belongs to image i."""
        return mixing(self.mixup, self.cutmix, seed, epoch, count, size)

    def __call__(self, raw: Tensor, numbers: Tensor, data: Data) -> Tensor:
        """Raw images (N, c, height, width) of `data`, changed by their rows of `numbers`, and normalised."""
        if self.crop_padding or self.flip != "none":
            raw = self._crop_and_flip(raw, numbers)
        images = data.normalise(raw)
        if self._warps:
            images = self._warp(images, numbers)
        return self._cut_out(images, numbers) if self.cutout else images

    def _crop_and_flip(self, raw: Tensor, numbers: Tensor) -> Tensor:
        """One gather: row i of the result is row i + dy of the image, and so for columns."""
        height, width = raw.shape[2:]
        offsets = _choice(numbers[:, CROP], 2 * self.crop_padding + 1) - self.crop_padding
        across = torch.arange(width, device=raw.device).expand(len(raw), -1)
        if self.flip != "none":
            across = torch.where(numbers[:, FLIP, None] < 0, across.flip(1), across)
        rows = offsets[:, :1] + torch.arange(height, device=raw.device)
        columns = offsets[:, 1:] + across
        outside = _outside(rows, height)[:, None, :, None] | _outside(columns, width)[:, None, None, :]
        rows, columns = _reflected(rows, height), _reflected(columns, width)
        index = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)[:, None].expand(-1, raw.shape[1], -1)
        images = raw.flatten(2).gather(2, index).reshape(raw.shape)
        return images.masked_fill(outside, 0) if self.crop_fill == "zero" and self.crop_padding else images

    def _warp(self, images: Tensor, numbers: Tensor) -> Tensor:
        height, width = images.shape[2:]
        angle, size = radians(self.rotation) * numbers[:, ROTATION], 1 + self.scaling * numbers[:, SCALING]
        c, s = torch.cos(angle) * size, torch.sin(angle) * size
        # affine_grid measures from the centre in half extents; a pixel is 2 / extent
        dx, dy = numbers[:, ACROSS] * self.shift * 2 / width, numbers[:, DOWN] * self.shift * 2 / height
        rows = torch.stack((c, -s * height / width, dx, s * width / height, c, dy), dim=1).to(images)
        grid = functional.affine_grid(rows.reshape(-1, 2, 3), list(images.shape), align_corners=False)
        return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)

    def _cut_out(self, images: Tensor, numbers: Tensor) -> Tensor:
        inside = []
        for axis, number in zip((2, 3), numbers[:, CUTOUT].unbind(1), strict=True):
            extent = images.shape[axis]
            start = _choice(number[:, None], extent) - self.cutout // 2
            position = torch.arange(extent, device=images.device)
            inside.append((position >= start) & (position < start + self.cutout))
        return images.masked_fill((inside[0][:, :, None] & inside[1][:, None, :])[:, None], 0)


def _choice(numbers: Tensor, count: int) -> Tensor:
    """Numbers in [-1, 1) as integers from 0 to count - 1, of which the last must not be passed by rounding."""
    return ((numbers + 1) / 2 * count).long().clamp(max=count - 1)


def _outside(index: Tensor, extent: int) -> Tensor:
    return (index < 0) | (index >= extent)


def _reflected(index: Tensor, extent: int) -> Tensor:
    """Indices outside 0 ... extent - 1, reflected at the first and the last one; the last result is always inside."""
    period = max(2 * (extent - 1), 1)
    index = index.remainder(period)
    return torch.minimum(index, period - index).clamp(max=extent - 1)
