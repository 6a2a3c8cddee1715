"""Inputs and targets from a file of NumPy."""

from __future__ import annotations

import hashlib
import os
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from nets.data.dataset import SourceFile
from nets.data.dense import DenseDataset

ENDING = ".npz"
ARRAYS = ("train_inputs", "train_targets", "test_inputs", "test_targets")


def load_dense(path: str | os.PathLike[str], *, name: str | None = None) -> DenseDataset:
    """The data set in a file of `numpy.savez` or `numpy.savez_compressed`; never code.

    It holds the arrays `train_inputs`, `train_targets`, `test_inputs`, `test_targets`, as `DenseDataset` takes them,
    and of a segmentation perhaps `class_names`, strings.

    Args:
        name: of the data set; None takes the path.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: naming the file, where it is another kind of file, lacks an array, or an array is not as it must be.

    >>> import tempfile
    >>> import numpy as np
    >>> x = np.random.default_rng(0).random((10, 1, 8, 8))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = f"{folder}/fields.npz"
    ...     np.savez(path, train_inputs=x[2:], train_targets=x[2:] ** 2, test_inputs=x[:2], test_targets=x[:2] ** 2)
    ...     nets.data.load_dense(path, name="squares")
    DenseDataset('squares', 8 samples for training, 2 for testing, 1 x 8 x 8 torch.float32 to 1 x 8 x 8)
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be that of a file {ENDING}; got {type(path).__name__}")
    file = Path(path)
    arrays = _arrays(file)
    lacking = [key for key in ARRAYS if key not in arrays]
    others = sorted(arrays.keys() - {*ARRAYS, "class_names"})
    if lacking:
        has = f", and has {', '.join(others)}" if others else ""
        raise ValueError(f"{file} must hold the arrays {', '.join(ARRAYS)}; it lacks {', '.join(lacking)}{has}")
    if others:
        warnings.warn(f"{file}: {', '.join(others)} is not read", stacklevel=2)
    with open(file, "rb") as stream:
        digest = hashlib.file_digest(stream, "md5").hexdigest()
    count = len(np.atleast_1d(arrays["train_inputs"])) + len(np.atleast_1d(arrays["test_inputs"]))
    source = SourceFile(file.name, "train and test", count, file.stat().st_size, digest, None)
    known = {key: arrays[key] for key in ARRAYS}
    try:
        names = np.ravel(arrays.get("class_names", ())).astype(str).tolist()  # bytes are ASCII
        return DenseDataset(str(path) if name is None else name, **known, class_names=tuple(names), source=(source,))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{file}: {error}") from error


def _arrays(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise FileNotFoundError(f"data: there is no file {file}")
    try:
        content = np.load(file, allow_pickle=False)
        if not isinstance(content, np.lib.npyio.NpzFile):
            raise ValueError("it holds one array")
        with content:
            return dict(content)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{file} must be a file of numpy.savez without Python objects: {error}") from error
