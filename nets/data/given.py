"""Data as other libraries have them: what becomes a tensor, and what to do with the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

DATASET = "nets.data.Dataset(name, train_images, train_labels, test_images, test_labels, class_names)"


def as_tensor(values: Any) -> Any:
    """An array of numbers as a tensor, and anything else as it is."""
    masked = isinstance(values, np.ma.MaskedArray)  # its mask would be lost
    if not isinstance(values, np.ndarray) or masked or values.dtype.kind not in "biuf" or values.dtype.itemsize > 8:
        return values
    native = values.astype(values.dtype.newbyteorder("="), copy=False)
    return torch.from_numpy(np.require(native, requirements=("C", "W")))


def kind_of(values: Any) -> str:
    """Say what came where numbers were expected: the type, and of an array what it holds."""
    dtype = getattr(values, "dtype", None)
    return type(values).__name__ + ("" if dtype is None else f" of {dtype}")


def instead_of(data: Any) -> str:
    """ "; ..." with what takes data of this kind, for an error, or nothing."""
    if isinstance(data, torch.utils.data.DataLoader | torch.utils.data.Dataset):
        return f"; join its images and its labels by torch.stack or torch.cat, and give them to {DATASET}"
    if isinstance(data, tuple | list | np.ndarray | torch.Tensor):
        return f"; {DATASET} takes tensors and arrays"
    return "; nets.data.load reads a data set by its name" if isinstance(data, str) else ""
