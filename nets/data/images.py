"""Images in files, decoded when they are asked for."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from math import exp, log, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from nets.data.decode import MODES, ImageFileError, convert_image, fit_image, image_mode, open_image

if TYPE_CHECKING:
    from PIL.Image import Image

T = TypeVar("T")
RATIO = 4 / 3
"""The largest ratio of the sides of a random crop."""
GREY = ("1", "L", "LA", "La", "I", "F")
"""Pillow's modes of one channel, apart from those of 16 bits, "I;16" and more."""
NAMED = 20
"""Files that cannot be read and that an error names, at most."""
SKIP = "leave out what is damaged by skip_damaged (--skip-damaged)"


class ImageFiles:
    """Images that stay in their files: as many, of the same shape and type as a tensor (N, channels, size, size).

    `read` gives an image as it is for testing: resized so that the shorter side has `resize` pixels (None: `size`), and
    cut in the middle to `size`. Images of `size` None must be of one size and stay as they are.

    Args:
        paths: of the files.
        channels: 3, or 1 for grey ones.
    """

    dtype = torch.uint8
    ndim = 4
    device = torch.device("cpu")

    def __init__(self, paths: Sequence[str], size: int | None, resize: int | None = None, channels: int = 3) -> None:
        self.paths = list(paths)
        self.size = size
        self.resize = resize
        self.channels = channels
        self.sides = (size, size) if size is not None else _size(self.paths)

    @property
    def shape(self) -> torch.Size:
        return torch.Size((len(self.paths), self.channels, *self.sides))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Any) -> Any:
        """Read one image; images of a slice, a mask or a tensor of indices stay in their files."""
        if isinstance(index, int):
            return self.read(range(len(self))[index])
        chosen = copy(self)
        chosen.paths = [self.paths[i] for i in torch.arange(len(self))[index].tolist()]
        return chosen

    def tensor_split(self, count: int) -> list[ImageFiles]:
        """As that of a tensor: `count` pieces, of which the first may be longer by one."""
        return [self[index] for index in torch.arange(len(self)).tensor_split(count)]

    def is_floating_point(self) -> bool:
        return False

    def read(self, index: int) -> Tensor:
        """One image (channels, height, width)."""
        image = self._open(index)
        if self.size is not None:
            image, _ = fit_image(image, self.size, self.size, self.resize)
        elif (image.height, image.width) != self.sides:
            raise ValueError(
                f"images must be of one size: {self.paths[0]} has {self.sides[1]} x {self.sides[0]} pixels, "
                f"{self.paths[index]} has {image.width} x {image.height}; give size (--size) to resize them"
            )
        return _tensor(image)

    def read_crop(self, index: int, numbers: Sequence[float], smallest: float) -> Tensor:
        """One image, cut at random and resized.

        The share of the area, from `smallest` to 1, and the logarithm of width over height, from 3/4 to 4/3, are
        uniform; where such a piece does not fit it is made as wide or as high as the image.

        Args:
            numbers: in [-1, 1), for area, ratio, and the shift down and across.
        """
        from PIL.Image import Resampling

        image = self._open(index)
        area, ratio, down, across = ((number + 1) / 2 for number in numbers)
        area = (smallest + (1 - smallest) * area) * image.width * image.height
        ratio = exp((2 * ratio - 1) * log(RATIO))
        width = min(max(round(sqrt(area * ratio)), 1), image.width)
        height = min(max(round(sqrt(area / ratio)), 1), image.height)
        left, top = int(across * (image.width - width + 1)), int(down * (image.height - height + 1))
        return _tensor(image.resize(self.sides[::-1], Resampling.BILINEAR, box=(left, top, left + width, top + height)))

    def read_all(self, progress: bool | None = None, damaged: dict[int, str] | None = None) -> Tensor:
        """Read all of them, uint8, with up to eight threads.

        Args:
            damaged: takes the indices of files that cannot be read, and why; these are left out then.

        Raises:
            ImageFileError: naming every file that cannot be read, up to 20 of them, with their number.
        """
        found = self._each(self._read_or_error, progress)
        errors = {i: image for i, image in enumerate(found) if isinstance(image, ImageFileError)}
        if errors and (damaged is None or len(errors) == len(self)):
            raise ImageFileError(_together(list(errors.values()), len(self)))
        if damaged is not None:
            damaged |= {index: str(error) for index, error in errors.items()}
        return torch.stack([image for image in found if isinstance(image, Tensor)])

    def damaged(self, progress: bool | None = None) -> dict[int, str]:
        """Read all of them and keep none: the indices of those that cannot be read, and why."""
        found = self._each(self._error, progress)
        return {index: str(error) for index, error in enumerate(found) if error is not None}

    def _each(self, function: Callable[[int], T], progress: bool | None) -> list[T]:
        from tqdm import tqdm

        disable = None if progress is None else not progress
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
            results = threads.map(function, range(len(self)))
            try:
                return list(tqdm(results, total=len(self), unit=" images", desc="reading", disable=disable))
            finally:
                threads.shutdown(cancel_futures=True)  # an image of another size stops the others

    def _read_or_error(self, index: int) -> Tensor | ImageFileError:
        try:
            return self.read(index)
        except ImageFileError as error:
            return error

    def _error(self, index: int) -> ImageFileError | None:
        image = self._read_or_error(index)
        return image if isinstance(image, ImageFileError) else None

    def checksum(self) -> int:
        """CRC-32 of their names, each in its folder."""
        return zlib.crc32(os.fsencode("\n".join("/".join(path.split(os.sep)[-2:]) for path in self.paths)))

    def _open(self, index: int) -> Image:
        path = Path(self.paths[index])
        return convert_image(open_image(path), MODES[self.channels], path)[0]


def channels_of(paths: Sequence[str]) -> int:
    """1 where all of these files are grey, else 3; those that cannot be read do not count."""
    modes = (image_mode(Path(path)) for path in paths)
    return 1 if all(mode is None or mode in GREY or mode.startswith("I;16") for mode in modes) else 3


def _size(paths: Sequence[str]) -> tuple[int, int]:
    """Of the first file that can be read."""
    errors = []
    for path in paths:
        try:
            image = open_image(Path(path))
        except ImageFileError as error:
            errors.append(error)
        else:
            return image.height, image.width
    raise ImageFileError(_together(errors, len(paths)))


def _together(errors: Sequence[ImageFileError], count: int) -> str:
    if len(errors) == 1:
        return f"{errors[0]}; mend it, move it away, or {SKIP}"
    more = f"; and {len(errors) - NAMED} more" if len(errors) > NAMED else ""
    named = "; ".join(map(str, errors[:NAMED]))
    return f"{len(errors)} of {count} image files cannot be read; mend them, move them away, or {SKIP}: {named}{more}"


def _tensor(image: Image) -> Tensor:
    pixels = np.array(image)
    return torch.from_numpy(pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1)))
