"""Inputs and targets, or images and labels, from a file of NumPy."""

from __future__ import annotations

import hashlib
import os
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from nets.data.dataset import Dataset, SourceFile, statistics
from nets.data.dense import Data, DenseDataset

ENDING = ".npz"
ARRAYS = ("train_inputs", "train_targets", "test_inputs", "test_targets")
IMAGES = ("train_images", "train_labels", "test_images", "test_labels")


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
    data = load_file(path, name=name)
    if not isinstance(data, DenseDataset):
        raise ValueError(f"{path} must hold the arrays {', '.join(ARRAYS)}; it has images, which nets.data.load reads")
    return data


def load_file(path: str | os.PathLike[str], *, name: str | None = None) -> Data:
    """The data set in a file, as `load_dense` takes it, or a `Dataset` of the arrays `IMAGES` and perhaps class_names.

    Its mean and std are those of the training images, its names without class_names "0", "1", ...
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be that of a file {ENDING}; got {type(path).__name__}")
    file = Path(path)
    arrays = _arrays(file)
    needed = IMAGES if IMAGES[0] in arrays else ARRAYS
    lacking = [key for key in needed if key not in arrays]
    others = sorted(arrays.keys() - {*needed, "class_names"})
    if lacking:
        has = f", and has {', '.join(others)}" if others else ""
        either = f", or {', '.join(IMAGES)}" if needed is ARRAYS else ""
        raise ValueError(f"{file} must hold the arrays {', '.join(needed)}{either}; it lacks {', '.join(lacking)}{has}")
    if others:
        warnings.warn(f"{file}: {', '.join(others)} is not read", stacklevel=2)
    with open(file, "rb") as stream:
        digest = hashlib.file_digest(stream, "md5").hexdigest()
    count = sum(len(np.atleast_1d(arrays[key])) for key in (needed[0], needed[2]))
    source = SourceFile(file.name, "train and test", count, file.stat().st_size, digest, None)
    known = {key: arrays[key] for key in needed}
    try:
        names = np.ravel(arrays.get("class_names", ())).astype(str).tolist()  # bytes are ASCII
        settings: dict[str, Any] = {"class_names": tuple(names), "source": (source,)}
        name = str(path) if name is None else name
        return _of_images(name, known, settings) if needed is IMAGES else DenseDataset(name, **known, **settings)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{file}: {error}") from error


def _of_images(name: str, known: dict[str, Any], settings: dict[str, Any]) -> Dataset:
    labels = known["train_labels"]
    for key in ("train_labels", "test_labels"):
        if known[key].dtype.kind not in "biuf" or known[key].size == 0:
            raise ValueError(
                f"{key} must be integers (N,) with N >= 1; got {known[key].dtype} of shape {known[key].shape}"
            )
    count = labels.shape[1] if labels.ndim == 2 else int(max(labels.max(), known["test_labels"].max())) + 1
    settings["class_names"] = settings["class_names"] or tuple(map(str, range(count)))
    data = Dataset(name, **known, **settings)
    assert isinstance(data.train_images, Tensor)
    mean, std = statistics(data.train_images)
    return replace(data, mean=mean, std=std)


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
