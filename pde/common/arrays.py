"""NumPy arrays and torch tensors under the same code: the functions that the two libraries name differently.

Slices, arithmetic and most functions (`namespace(x).where(...)`, with `axis=`) are the same in both. torch need not be
installed: users import it before they make a tensor, and `import_torch` does for solvers that run on tensors.
"""

from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp

Array = np.ndarray


def is_tensor(x: Any) -> bool:
    """Whether x is a torch tensor."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def is_complex(x: Any) -> bool:
    """Whether x is an array or tensor of complex numbers."""
    if type(x) is np.ndarray:
        return x.dtype.kind == "c"
    return bool(x.is_complex()) if is_tensor(x) else np.iscomplexobj(x)


def two_parts(x: Any) -> Any:
    """The real and the imaginary part, with one more axis in front."""
    xp = namespace(x)
    return xp.stack((x.real, x.imag) if is_complex(x) else (x, xp.zeros_like(x)))


def joined_parts(x: Any) -> Any:
    """The complex numbers of these real and imaginary parts."""
    if is_tensor(x):
        return namespace(x).complex(x[0], x[1])
    result = np.empty(x.shape[1:], np.result_type(x.dtype, np.complex64))
    result.real, result.imag = x
    return result


def import_torch(wish: str) -> Any:
    """Import torch for `wish`, an argument as the user wrote it.

    Raises:
        ImportError: torch is not installed; says what to install.
    """
    try:
        import torch
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ImportError(f"{wish} needs torch: pip install 'mgnet-multigrid[torch]'", name="torch") from None
    return torch


def namespace(x: Any) -> Any:
    """The library of x: numpy or torch."""
    return sys.modules["torch"] if is_tensor(x) else np


def cast(x: Any, dtype: Any) -> Any:
    """x in `dtype`, a NumPy dtype or that of another array or tensor; x itself where it has it."""
    if is_tensor(x):
        return x.to(_torch_dtype(dtype))
    return np.asarray(x).astype(numpy_dtype(dtype), copy=False)


def numpy_dtype(dtype: Any) -> np.dtype:
    """The NumPy dtype that a torch dtype is called after; a NumPy dtype is itself."""
    if isinstance(dtype, np.dtype):
        return dtype
    name = str(dtype)
    return np.dtype(name.removeprefix("torch.") if name.startswith("torch.") else dtype)


def zeros(shape: tuple[int, ...], like: Any) -> Any:
    """Zeros with the library, dtype and device of `like`."""
    return like.new_zeros(shape) if is_tensor(like) else np.zeros(shape, like.dtype)


def copied(x: Any) -> Any:
    """A copy with memory of its own."""
    return x.clone() if is_tensor(x) else x.copy()


def contiguous(x: Any) -> Any:
    """x in C order without gaps, copied where it is not."""
    return x.contiguous() if is_tensor(x) else np.ascontiguousarray(x)


def take(x: Any, indices: Any, axis: int) -> Any:
    """The slices of x with these numbers along an axis."""
    return x.index_select(axis, indices) if is_tensor(x) else np.take(x, indices, axis)


def expand(x: Any, axis: int) -> Any:
    """x with a new axis of length one, which is number `axis` of the result."""
    return x.unsqueeze(axis) if is_tensor(x) else np.expand_dims(x, axis)


def multiplied(matrix: Any, u: Any, ndim: int, shape: tuple[int, ...]) -> Any:
    """A sparse matrix times the flattened grid functions u, whose last `ndim` axes become `shape`."""
    flat = u.reshape(-1, matrix.shape[1])
    return contiguous((matrix @ flat.T).T).reshape(u.shape[: u.ndim - ndim] + shape)


def as_numpy(x: Any) -> np.ndarray:
    """Numbers on the host, whatever x is; a tensor of the host shares its memory."""
    return x.detach().cpu().numpy() if is_tensor(x) else np.asarray(x)


def tensors_in(*values: Any) -> list[Any]:
    """The tensors among these values, in dictionaries, lists and tuples too."""
    found: list[Any] = []
    for value in values:
        each_tensor(value, found.append)
    return found


def each_tensor(x: Any, change: Callable[[Any], Any]) -> Any:
    """Replace each tensor t by change(t), in dictionaries, lists and tuples too."""
    if isinstance(x, Mapping):
        return {key: each_tensor(value, change) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return type(x)(each_tensor(value, change) for value in x)
    return change(x) if is_tensor(x) else x


def like(x: Any, other: Any) -> Any:
    """x with the library, device and dtype of `other`."""
    return convert(x, other.device, other.dtype) if is_tensor(other) else x


class Frozen:
    """An object whose attributes are set once, when it is made; `to` converts those listed in `arrays`."""

    arrays: ClassVar[tuple[str, ...]] = ()

    def __setattr__(self, name: str, value: Any) -> None:
        if name in vars(self):
            raise FrozenInstanceError(f"{type(self).__name__}.{name} cannot be changed; make another object")
        super().__setattr__(name, value)

    def changed(self, **attributes: Any) -> Self:
        """A copy with other values of these attributes."""
        other = copy.copy(self)
        vars(other).update(attributes)
        return other

    def to(self, device: Any, dtype: Any) -> Any:
        """The same object on tensors of a device, or on arrays where `device` is None, with real numbers in `dtype`."""
        return self.changed(**{name: convert(getattr(self, name), device, dtype) for name in self.arrays})


def convert(x: Any, device: Any, dtype: Any) -> Any:
    """Arrays as tensors on a device, or as arrays where `device` is None; real numbers in `dtype`, of NumPy or torch.

    Args:
        x: an array, sparse matrix, tensor or `Frozen`, or a list, tuple or dictionary of these; all else stays.
    """
    if isinstance(x, Frozen):
        return x.to(device, dtype)
    if isinstance(x, dict):
        return {key: convert(each, device, dtype) for key, each in x.items()}
    if isinstance(x, list | tuple):
        return type(x)(convert(each, device, dtype) for each in x)
    if not (is_tensor(x) or isinstance(x, np.ndarray) or sp.issparse(x)):
        return x
    if device is None:
        return x.astype(dtype, copy=False) if x.dtype.kind == "f" else x
    if sp.issparse(x):
        return _sparse_tensor(x, device, _torch_dtype(dtype))
    if isinstance(x, np.ndarray):
        import torch

        x = np.asarray(x, order="C")
        x = torch.from_numpy(x if x.flags.writeable else x.copy())
    return x.to(device=device, dtype=_torch_dtype(dtype) if x.is_floating_point() else x.dtype)


def _sparse_tensor(matrix: Any, device: Any, dtype: Any) -> Any:
    import torch

    matrix = sp.csr_matrix(matrix, copy=True)
    matrix.sum_duplicates()  # torch wants the columns of a row in order
    parts = (torch.from_numpy(np.ascontiguousarray(v)) for v in (matrix.indptr, matrix.indices, matrix.data))
    indptr, indices, data = (v.to(device) for v in parts)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(indptr, indices, data.to(dtype), matrix.shape, check_invariants=True)


def _torch_dtype(dtype: Any) -> Any:
    import torch

    return dtype if isinstance(dtype, torch.dtype) else getattr(torch, np.dtype(dtype).name)
