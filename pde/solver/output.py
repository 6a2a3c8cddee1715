"""The array of the user that takes a result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pde.backends.device import Device
from pde.common.arrays import is_tensor, numpy_dtype
from pde.problem.grid import Array


def check_out(device: Device, out: Any, shape: Sequence[int], dtype: np.dtype, as_tensor: bool) -> None:
    """Refuse an array or tensor that cannot take a result of this shape and dtype: a tensor where f is one.

    Raises:
        TypeError, ValueError: naming what came and what is allowed.
    """
    if out is None:
        return
    fits = is_tensor(out) if as_tensor else isinstance(out, np.ndarray) and not isinstance(out, np.ma.MaskedArray)
    if as_tensor and fits:
        device.read("out", out)
    if not fits or tuple(out.shape) != tuple(shape) or numpy_dtype(out.dtype) != dtype:
        kind, shape = "a tensor" if as_tensor else "an array", tuple(shape)
        came = f"{type(out).__name__} of shape {getattr(out, 'shape', None)}, dtype {getattr(out, 'dtype', None)}"
        raise ValueError(f"out must be {kind} of shape {shape} and dtype {dtype.name}, got {came}")
    if isinstance(out, np.ndarray) and not out.flags.writeable:
        raise ValueError("out must be writeable, got a read-only array")
    if isinstance(out, np.ndarray) and out.flags.c_contiguous:
        return
    strides = out.stride() if is_tensor(out) else [step // out.itemsize for step in out.strides]
    if _meets_itself(out.shape, strides):
        raise ValueError(f"out must have memory of its own for every value, got strides {tuple(strides)}")


def _meets_itself(shape: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether entries of an array may share memory; strides in entries."""
    reach = 0
    for step, n in sorted((abs(step), n) for step, n in zip(strides, shape, strict=True) if n > 1):
        if step <= reach:
            return True
        reach += step * (n - 1)
    return False


def deliver(u: Array, out: Array | None) -> Array:
    """u in `out`, where there is one."""
    if out is None:
        return u
    if not same_numbers(u, out):
        out[...] = u
    return out


def same_numbers(u: Any, out: Any) -> bool:
    """Whether these are the same numbers in memory, in the same order."""
    same = isinstance(u, np.ndarray) and isinstance(out, np.ndarray)
    if same and u.base is out and u.size == out.size and u.flags.c_contiguous and out.flags.c_contiguous:
        return True
    return same and u.__array_interface__["data"] == out.__array_interface__["data"] and u.strides == out.strides


def work_space(out: Any, *inputs: Any) -> Array | None:
    """`out` where cycles may work in it: a contiguous array that shares no memory with the inputs."""
    if not isinstance(out, np.ndarray) or not out.flags.c_contiguous:
        return None
    return None if any(isinstance(x, np.ndarray) and np.may_share_memory(out, x) for x in inputs) else out
