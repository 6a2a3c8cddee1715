"""What a reader gives for each part of a data set."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nets.data.dataset import SourceFile

Array = np.ndarray[Any, np.dtype[np.uint8]]


class Part(NamedTuple):
    """Images (N, c, height, width) and labels (N,) as bytes, and the files that they came from."""

    images: Array
    labels: Array
    source: list[SourceFile]


def check_labels(labels: Array, classes: int, name: str) -> None:
    """Refuse a label that is no class.

    Raises:
        ValueError: naming the file and the record.
    """
    wrong = np.flatnonzero(labels >= classes)
    if len(wrong):
        raise ValueError(
            f"{name}: record {wrong[0]} has label {labels[wrong[0]]}, and labels run from 0 to {classes - 1}; "
            f"{len(wrong)} such records"
        )
