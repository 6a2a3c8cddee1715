"""IDX files, as MNIST and Fashion-MNIST were published: a big-endian header, then bytes."""

from __future__ import annotations

import struct
from math import prod

import numpy as np

from nets.data.files import Array, Files, Part, check_labels

BYTES = 0x08
"""The type of the values, the third byte of a file; the fourth is the number of axes."""
SIZE = (28, 28)


def read_idx(content: bytes, name: str, shape: tuple[int, ...]) -> Array:
    """The array of an IDX file of bytes, which must have this shape.

    Raises:
        ValueError: naming the file, what was found and what is expected.
    """
    expected = struct.pack(">4B", 0, 0, BYTES, len(shape))
    if content[:4] != expected:
        raise ValueError(
            f"{name} is no IDX file of bytes with {len(shape)} axes: "
            f"it begins with {content[:4].hex(' ') or 'nothing'}, expected {expected.hex(' ')}"
        )
    header = 4 + 4 * len(shape)
    found = struct.unpack(f">{len(shape)}I", content[4:header]) if len(content) >= header else ()
    if found != shape:
        raise ValueError(f"{name} must hold {_times(shape)} bytes; its header says {_times(found) or 'nothing'}")
    if len(content) != header + prod(shape):
        raise ValueError(
            f"{name} holds {len(content):,} bytes, expected {header + prod(shape):,}: truncated or damaged"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def read_idx_part(files: Files, part: str, count: int, classes: int) -> Part:
    """The part "train" or "test" of MNIST or Fashion-MNIST."""
    stem = {"train": "train", "test": "t10k"}[part]
    arrays, source = [], []
    for kind, shape in (("images-idx3", (count, *SIZE)), ("labels-idx1", (count,))):
        names = f"{stem}-{kind}-ubyte", f"{stem}-{kind}-ubyte".replace("-idx", ".idx")
        name, content = files.read(*names, most=4 + 4 * len(shape) + prod(shape))
        arrays.append(read_idx(content, files.path(name), shape))
        source.append(files.source(name, content, part, count if len(shape) > 1 else 0))
    images, labels = arrays
    check_labels(labels, classes, files.path(source[1].name))
    return Part(images[:, None], labels, source)


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
