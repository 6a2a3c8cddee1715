"""The published data sets of `published.json`: their files, sizes, checksums, classes, and where they come from.

Checksums of MNIST, Fashion-MNIST and of the CIFAR archives are their publishers'. Checksums of single files were taken
from verified downloads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from nets.data.cifar import read_cifar_part
from nets.data.files import Files, Part
from nets.data.idx import read_idx_part

READERS = {"idx": read_idx_part, "cifar": read_cifar_part}


@dataclass(frozen=True)
class Download:
    """A file as it is published: its name, bytes and MD5."""

    name: str
    bytes: int
    md5: str


@dataclass(frozen=True, kw_only=True)
class Published:
    """A published set of `train` and `test` images.

    Args:
        read: (files, part, images, classes) -> Part.
        checksums: of the content of single files, uncompressed.
        downloads: what to fetch, from any of `mirrors`.
        archives: other archives that can be read.
        folders: where other software keeps the files, below a folder of data sets.
    """

    name: str
    title: str
    class_names: tuple[str, ...]
    train: int
    test: int
    read: Callable[[Files, str, int, int], Part]
    page: str
    licence: str
    mirrors: tuple[str, ...]
    downloads: tuple[Download, ...]
    checksums: Mapping[str, str] = field(repr=False)
    archives: tuple[Download, ...] = ()
    folders: tuple[str, ...] = ()


def _published(entry: dict[str, Any]) -> Published:
    files = {kind: tuple(Download(*file) for file in entry.get(kind, ())) for kind in ("downloads", "archives")}
    lists = {kind: tuple(entry.get(kind, ())) for kind in ("class_names", "mirrors", "folders")}
    return Published(**entry | files | lists | {"read": READERS[entry["read"]]})


ENTRIES = json.loads(resources.files("nets.data").joinpath("published.json").read_text("utf-8"))
PUBLISHED = {entry["name"]: _published(entry) for entry in ENTRIES}
MNIST, FASHION_MNIST, CIFAR10, CIFAR100 = PUBLISHED.values()
