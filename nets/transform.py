"""From an image file to what a trained network takes, as in training but without augmentation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image

    from nets.data import Dataset

MODES = {1: "L", 3: "RGB"}


class ImageFileError(ValueError):
    """A file that is missing, damaged, or no image; the message names it."""


class Picture(NamedTuple):
    """An image (channels, height, width) with values in [0, 1], and in words what was done to the file's."""

    pixels: Tensor
    changes: tuple[str, ...]


@dataclass(frozen=True)
class Transform:
    """How the images of a data set become what its network takes; `nets.load` gives a network its own, as `transform`.

    Args:
        data: the name of the data set.
        shape: (channels, height, width) of an image.
        mean, std: per channel, of pixels in which white is `white`.
        class_names: in the order of the network's outputs.
        resize: pixels of the shorter side before the middle is cut out; None is the least that fits `shape`.
    """

    data: str
    shape: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    class_names: tuple[str, ...]
    white: float = 1.0
    resize: int | None = None

    @classmethod
    def of(cls, description: Mapping[str, Any]) -> Transform:
        """That of a data set as a checkpoint describes it (`nets.train.provenance.describe`)."""
        return cls(
            data=description["name"],
            shape=tuple(description["shape"]),
            mean=tuple(description["mean"]),
            std=tuple(description["std"]),
            class_names=tuple(description["classes"]),
            white=description["white"],
            resize=description.get("resize"),
        )

    def normalise(self, pixels: Tensor) -> Tensor:
        """What the network takes, of images (N, channels, ...) with values in [0, 1]."""
        size = (-1, *(1,) * (pixels.ndim - 2))
        mean, std = (
            torch.tensor(v, dtype=pixels.dtype, device=pixels.device).reshape(size) for v in (self.mean, self.std)
        )
        return (self.white * pixels - mean) / std

    def apply_to(self, data: Dataset) -> Dataset:
        """A data set whose images are normalised as those that the network was trained on, whatever set it is.

        Raises:
            ValueError: where its images have other channels.
        """
        if data.in_channels != self.shape[0]:
            raise ValueError(
                f"data {data.name!r} has {data.in_channels} channels, and the network was trained on {self.shape[0]}, "
                f"those of {self.data!r}"
            )
        images = data.train_images
        white = images.max().item() if isinstance(images, Tensor) and images.is_floating_point() else 1.0
        scale = white / self.white
        return replace(data, mean=tuple(scale * m for m in self.mean), std=tuple(scale * s for s in self.std))

    def read(self, path: str | os.PathLike[str], *, invert: bool = False) -> Picture:
        """The image in a file, of the channels and the size that the network takes.

        Grey and colour are converted, what is transparent becomes white, a photograph is turned as its camera says.
        The shorter side is resized and the middle cut out.

        Args:
            invert: black for white, as for ink on paper where the network was trained on white digits.

        Raises:
            ImageFileError: naming the file, where it is missing, damaged or no image.
            ImportError: where Pillow is missing.
        """
        if len(self.shape) != 3 or self.shape[0] not in MODES:
            raise ValueError(
                f"transform: image files have 1 or 3 channels in two dimensions; {self.data!r} has {self.shape}"
            )
        image, changes = _converted(_open(Path(path)), MODES[self.shape[0]], Path(path))
        image, resized = _fitted(image, self.shape[1], self.shape[2], self.resize)
        pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
        pixels = pixels.reshape(image.height, image.width, self.shape[0]).permute(2, 0, 1).float() / 255
        changes += resized + (["inverted"] if invert else [])
        return Picture(1 - pixels if invert else pixels, tuple(changes))


def _open(path: Path) -> Image:
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise ImportError("image files are read by Pillow: pip install pillow") from error
    if not path.is_file():
        raise ImageFileError(f"{path}: there is no such file")
    try:
        with Image.open(path) as image:
            turned = ImageOps.exif_transpose(image)
            turned.load()
            return turned
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageFileError(f"{path} is damaged or no image that Pillow reads ({error})") from error


def _converted(image: Image, mode: str, path: Path) -> tuple[Image, list[str]]:
    """In grey or RGB of 8 bits."""
    from PIL import Image

    changes = []
    if image.mode.startswith("I"):  # 16 bits, or 16 bits in 32
        low, high = image.getextrema()
        if low < 0 or high > 65535:  # type: ignore[operator]
            raise ImageFileError(f"{path} has values from {low} to {high}; grey images have 8 or 16 bits")
        image = image.convert("F").point(lambda value: value / 257).convert("L")
        changes.append("16 bits to 8")
    elif image.mode == "F":
        raise ImageFileError(f"{path} holds floating-point numbers, of which nobody says what is white")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        colours = image.convert("RGBA")
        if min(colours.getchannel("A").tobytes()) < 255:
            paper = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(paper, colours).convert("RGB")
            changes.append("transparent to white")
    if image.mode != mode:
        was_grey = image.mode in ("1", "L", "LA")
        image = image.convert(mode)
        if was_grey != (mode == "L"):
            changes.append("colour to grey" if mode == "L" else "grey to colour")
    return image, changes


def _fitted(image: Image, height: int, width: int, resize: int | None) -> tuple[Image, list[str]]:
    """Resized so that the shorter side has `resize` pixels, and cut in the middle."""
    from PIL.Image import Resampling

    if (image.height, image.width) == (height, width):
        return image, []
    was = f"{image.width} x {image.height}"
    scale = max(height / image.height, width / image.width) if resize is None else resize / min(image.size)
    sides = max(round(image.width * scale), width), max(round(image.height * scale), height)
    image = image.resize(sides, Resampling.BILINEAR)  # over as many pixels as become one: no aliasing
    left, top = (image.width - width) // 2, (image.height - height) // 2
    cut = " and cut" if (image.width, image.height) != (width, height) else ""
    return image.crop((left, top, left + width, top + height)), [f"resized{cut} from {was} to {width} x {height}"]
