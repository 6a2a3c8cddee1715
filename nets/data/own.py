"""Make a data set of all that `train` takes: a name, arrays, or data sets and loaders of torch."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from torch import Tensor

from nets.data.arrays import from_arrays
from nets.data.dataset import Dataset
from nets.data.dense import Data, DenseDataset
from nets.data.given import kind_of
from nets.data.loaders import collect, is_torch_data, names_of
from nets.data.sets import load

NEED = (
    "a nets.data.Dataset or DenseDataset, a name, a pair (x, y) of tensors or arrays, a torch.utils.data Dataset or "
    "DataLoader, or two of one kind for training and testing, ((x, y), (x_test, y_test))"
)


def check_data(data: Any) -> None:
    """Refuse what `data_set` cannot take."""
    named = isinstance(data, Dataset | DenseDataset | str | os.PathLike)
    if not (named or is_torch_data(data) or _is_pair(data) or _is_two(data)):
        many = isinstance(data, tuple | list)
        got = f"({', '.join(map(kind_of, data[:5]))})" if many else kind_of(data)
        raise TypeError(f"data must be {NEED}; got {got}")


def data_set(data: Any, seed: int = 0, progress: bool | None = None) -> Data:
    """Make a data set of anything that `train` takes; what has no test part is split by the seed."""
    check_data(data)
    if isinstance(data, Dataset | DenseDataset):
        return data
    if isinstance(data, str | os.PathLike):
        return load(data, seed)
    if is_torch_data(data):
        x, y = collect(data, progress)
        return from_arrays(x, y, class_names=names_of(data), seed=seed)
    if _is_pair(data):
        return from_arrays(data[0], data[1], seed=seed)
    (x, y), (x_test, y_test) = (collect(part, progress) if is_torch_data(part) else part for part in data)
    names = names_of(data[0]) if is_torch_data(data[0]) else None
    return from_arrays(x, y, x_test, y_test, class_names=names, seed=seed)


def _is_pair(data: Any) -> bool:
    return isinstance(data, tuple | list) and len(data) == 2 and all(isinstance(v, np.ndarray | Tensor) for v in data)


def _is_two(data: Any) -> bool:
    """Whether this is a part for training and one for testing."""
    two = isinstance(data, tuple | list) and len(data) == 2
    return two and (all(map(_is_pair, data)) or all(map(is_torch_data, data)))
