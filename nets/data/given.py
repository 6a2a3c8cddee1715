"""Data as other libraries have them: what becomes a tensor, and how the rest is called."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


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
