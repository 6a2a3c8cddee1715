"""CIFAR-10 and CIFAR-100 in both published forms: records of bytes, and Python pickles."""

from __future__ import annotations

from typing import Any

import numpy as np

from nets.data.files import Array, Files, Part, check_labels
from nets.data.unpickle import read_pickle

SIZE = (3, 32, 32)
PIXELS = 3 * 32 * 32


def read_records(content: bytes, name: str, count: int, label_bytes: int, classes: int) -> tuple[Array, Array]:
    """Images and labels of a binary file: per record the labels, the last of them the class, then the pixels.

    Raises:
        ValueError: naming the file, what was found and what is expected.
    """
    size = label_bytes + PIXELS
    if len(content) != count * size:
        raise ValueError(
            f"{name} holds {len(content):,} bytes, expected {count * size:,} ({count:,} records of {size}): "
            f"truncated, or another file"
        )
    records = np.frombuffer(content, np.uint8).reshape(count, size)
    labels = records[:, label_bytes - 1]
    check_labels(labels, classes, name)
    return records[:, label_bytes:].reshape(count, *SIZE), labels


def read_batch(content: bytes, name: str, count: int, classes: int) -> tuple[Array, Array]:
    """Images and labels of a pickled dictionary with the entries "data" and "labels" or "fine_labels".

    Raises:
        ValueError: naming the file, what was found and what is expected.
    """
    batch = read_pickle(content, name)
    entries = (
        {k.decode() if isinstance(k, bytes) else k: v for k, v in batch.items()} if isinstance(batch, dict) else {}
    )
    key = "labels" if classes == 10 else "fine_labels"
    images, labels = entries.get("data"), entries.get(key)
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape != (count, PIXELS):
        raise ValueError(f"{name} must hold 'data', bytes ({count}, {PIXELS}); found {_describe(images)}")
    if not isinstance(labels, list) or len(labels) != count or not all(type(label) is int for label in labels):
        raise ValueError(f"{name} must hold {key!r}, a list of {count} integers; found {_describe(labels)}")
    wrong = next((i for i, label in enumerate(labels) if not 0 <= label < classes), None)
    if wrong is not None:
        raise ValueError(f"{name}: record {wrong} has label {labels[wrong]}, and labels run from 0 to {classes - 1}")
    return images.reshape(count, *SIZE), np.array(labels, np.uint8)


def read_cifar_part(files: Files, part: str, count: int, classes: int) -> Part:
    """The part "train" or "test", from whichever of the two forms is there."""
    stems = _stems(part, classes)
    forms = [form for form in (".bin", "") if files.find(stems[0] + form)][:1] or [".bin", ""]
    images, labels, source = [], [], []
    for stem in stems:
        share = count // len(stems)
        name, content = files.read(*(stem + form for form in forms), most=2 * share * (PIXELS + 64))  # pickles: as text
        if forms == [".bin"]:
            pair = read_records(content, files.path(name), share, 1 if classes == 10 else 2, classes)
        else:
            pair = read_batch(content, files.path(name), share, classes)
        images.append(pair[0])
        labels.append(pair[1])
        source.append(files.source(name, content, part, share))
    return Part(np.concatenate(images), np.concatenate(labels), source)


def _stems(part: str, classes: int) -> list[str]:
    if classes == 100:
        return [part]
    return [f"data_batch_{i}" for i in range(1, 6)] if part == "train" else ["test_batch"]


def _describe(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    return (
        "nothing"
        if value is None
        else f"a {type(value).__name__}" + (f" of {len(value)}" if hasattr(value, "__len__") else "")
    )
