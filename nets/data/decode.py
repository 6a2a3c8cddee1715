"""Image files: opened, in grey or RGB of 8 bits, resized and cut."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

MODES = {1: "L", 3: "RGB"}
"""Pillow's name for images of one and of three channels."""


class ImageFileError(ValueError):
    """A file that is missing, damaged, or no image; the message names it."""


def open_image(path: Path) -> Image:
    """The image in a file, turned as its camera says.

    Raises:
        ImageFileError: naming the file, where it is missing, damaged or no image.
        ImportError: where Pillow is missing.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise ImportError("image files are read by Pillow: pip install pillow") from error
    if path.is_dir():
        raise ImageFileError(f"{path} is a folder, not an image file")
    if not path.is_file():
        raise ImageFileError(f"{path}: there is no such file")
    try:
        with Image.open(path) as image:
            turned = ImageOps.exif_transpose(image)
            turned.load()
            return turned
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageFileError(f"{path} is damaged or no image that Pillow reads ({error})") from error


def convert_image(image: Image, mode: str, path: Path) -> tuple[Image, list[str]]:
    """In the mode "L" or "RGB", what is transparent in white, and what was changed in words.

    Raises:
        ImageFileError: where the values have no such form.
    """
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
