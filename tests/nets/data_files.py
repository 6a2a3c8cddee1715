"""Small files in the formats of the published data sets, and sets that expect them."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from nets.data.published import CIFAR10, CIFAR100, MNIST, Download, Published

TRAIN, TEST = 50, 10  # images


def small(known: Published, **changes) -> Published:
    """The set with few images, whose checksums are not published."""
    return replace(
        known, **{"train": TRAIN, "test": TEST, "checksums": dict.fromkeys(known.checksums, "0" * 32), **changes}
    )


def arrays(shape, classes, seed=0):
    random = np.random.default_rng(seed)
    parts = {}
    for part, count in (("train", TRAIN), ("test", TEST)):
        labels = np.arange(count, dtype=np.uint8) % classes
        parts[part] = random.integers(0, 256, (count, *shape), np.uint8), labels
    return parts


def idx(array) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_mnist(folder: Path, compressed=True, dotted=False):
    """MNIST in small; returns its arrays."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = arrays((28, 28), 10)
    for part, stem in (("train", "train"), ("test", "t10k")):
        for array, kind in zip(parts[part], ("images-idx3", "labels-idx1"), strict=True):
            name = f"{stem}-{kind}-ubyte"
            name = name.replace("-idx", ".idx") if dotted else name
            content = gzip.compress(idx(array)) if compressed else idx(array)
            (folder / (name + ".gz" * compressed)).write_bytes(content)
    return parts


def cifar_files(classes=10, form="binary", protocol=2) -> tuple[dict[str, bytes], dict]:
    """Names and contents of the files of a small CIFAR, and its arrays."""
    parts, files = arrays((3, 32, 32), classes), {}
    for part, (images, labels) in parts.items():
        stems = (
            [part]
            if classes == 100
            else [f"data_batch_{i}" for i in range(1, 6)]
            if part == "train"
            else ["test_batch"]
        )
        for stem, pixels, chunk in zip(stems, np.split(images, len(stems)), np.split(labels, len(stems)), strict=True):
            pixels = pixels.reshape(len(chunk), -1)
            if form == "binary":
                columns = [chunk[:, None], pixels] if classes == 10 else [chunk[:, None] // 5, chunk[:, None], pixels]
                files[f"{stem}.bin"] = np.concatenate(columns, axis=1).tobytes()
            else:
                key = b"labels" if classes == 10 else b"fine_labels"
                batch = {b"data": pixels, key: [int(label) for label in chunk], b"batch_label": b"a batch"}
                files[stem] = pickle.dumps(batch, protocol=protocol)
    return files, parts


def write(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def archive(files: dict[str, bytes], folder="cifar-10-batches-bin") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def published(name: str, content: bytes) -> Download:
    return Download(name, len(content), hashlib.md5(content).hexdigest())


SMALL = {known.name: small(known) for known in (MNIST, CIFAR10, CIFAR100)}
