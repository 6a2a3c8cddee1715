"""Image files: opened, in grey or RGB of 8 bits, resized and cut."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

MODES = {1: "L", 3: "RGB"}
"""Pillow's name for images of one and of three channels."""
WHITE, DIM = 2**16 - 1, 2**12
"""White of 16 bits; and the least highest value of an image that has them: 12 bits end below it."""


class ImageFileError(ValueError):
    """A file that is missing, damaged, or no image; the message names it."""


def open_image(path: Path) -> Image:
    """The image in a file, turned as its camera says.

    Raises:
        ImageFileError: naming the file, where it is missing, damaged or no image.
        ImportError: where Pillow is missing.
    """
    images = pillow()
    from PIL import ImageOps

    if path.is_dir():
        raise ImageFileError(f"{path} is a folder, not an image file")
    if not path.is_file():
        raise ImageFileError(f"{path}: there is no such file")
    try:
        with images.open(path) as image:
            turned = ImageOps.exif_transpose(image)
            turned.load()
            return turned
    except Exception as error:  # of a damaged file Pillow's readers raise errors of every kind
        raise _damaged(path, error) from error


def image_mode(path: Path) -> str | None:
    """Pillow's mode of an image, from the head of its file; None where it cannot be read."""
    images = pillow()
    try:
        with images.open(path) as image:
            return str(image.mode)
    except Exception:
        return None


def convert_image(image: Image, mode: str, path: Path) -> tuple[Image, list[str]]:
    """In the mode "L" or "RGB", what is transparent in white, and what was changed in words.

    Raises:
        ImageFileError: where the values have no such form.
    """
    changes = []
    if image.mode.startswith("I"):  # 16 bits, or 16 bits in 32
        image = _eight_bits(image, path)
        changes.append("16 bits to 8")
    elif image.mode == "F":
        raise ImageFileError(f"{path} holds floating-point numbers, which do not say what is white; save it as 8 bits")
    try:
        return _in_mode(image, mode, changes)
    except Exception as error:
        raise _damaged(path, error) from error


def _eight_bits(image: Image, path: Path) -> Image:
    """Grey values of 16 bits, white 65535, in 8.

    Fewer bits in 16 or 32, such as the 12 of many cameras, are refused: their white is elsewhere.
    """
    values = np.asarray(image).astype(np.int64)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > WHITE or 0 < high < DIM:
        raise ImageFileError(
            f"{path} has grey values from {low} to {high} in 16 bits or more, where white is {WHITE}; "
            "scale them, or save them as 8 bits"
        )
    return pillow().fromarray((values // 257).astype(np.uint8))


def _in_mode(image: Image, mode: str, changes: list[str]) -> tuple[Image, list[str]]:
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        colours = image.convert("RGBA")
        if min(colours.getchannel("A").tobytes()) < 255:
            paper = pillow().new("RGBA", image.size, "white")
            image = pillow().alpha_composite(paper, colours).convert("RGB")
            changes.append("transparent to white")
    if image.mode != mode:
        was_grey = image.mode in ("1", "L", "LA")
        image = image.convert(mode)
        if was_grey != (mode == "L"):
            changes.append("colour to grey" if mode == "L" else "grey to colour")
    return image, changes


def _damaged(path: Path, error: Exception) -> ImageFileError:
    reason = str(error).replace(f" {str(path)!r}", "") or type(error).__name__
    return ImageFileError(f"{path} is damaged or no image that Pillow reads ({reason})")


def pillow() -> Any:
    """Pillow's module of images.

    Raises:
        ImportError: where it is missing.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("image files are read by Pillow: pip install pillow") from error
    return Image


def fit_image(image: Image, height: int, width: int, resize: int | None) -> tuple[Image, list[str]]:
    """Resized so that the shorter side has `resize` pixels, None the least that fits, and cut in the middle.

    With None an image of the right size stays as it is. The second result says what was done.
    """
    from PIL.Image import Resampling

    if resize is None and (image.height, image.width) == (height, width):
        return image, []
    was = f"{image.width} x {image.height}"
    scale = max(height / image.height, width / image.width) if resize is None else resize / min(image.size)
    sides = max(round(image.width * scale), width), max(round(image.height * scale), height)
    image = image.resize(sides, Resampling.BILINEAR)  # over as many pixels as become one: no aliasing
    left, top = (image.width - width) // 2, (image.height - height) // 2
    cut = " and cut" if (image.width, image.height) != (width, height) else ""
    return image.crop((left, top, left + width, top + height)), [f"resized{cut} from {was} to {width} x {height}"]
