"""NumPy arrays and torch tensors under the same code: what the two libraries call by different names.

Slices, arithmetic and most functions (`namespace(x).where(...)`, with `axis=`) are the same in both. torch is imported
by whoever made the first tensor, never here.
"""

from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from types import MethodType
from typing import Any

import numpy as np
import scipy.sparse as sp

from mgcore import Level

Array = np.ndarray


def is_tensor(x: Any) -> bool:
    """Whether x is a torch tensor."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


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
    """x with change(t) in the place of each tensor t, in dictionaries, lists and tuples too."""
    if isinstance(x, Mapping):
        return {key: each_tensor(value, change) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return type(x)(each_tensor(value, change) for value in x)
    return change(x) if is_tensor(x) else x


def like(thing: Any, x: Any) -> Any:
    """`thing`, an array or an object that holds arrays, with the library, device and dtype of x."""
    if is_tensor(x):
        return moved(thing, tensors(x.device, x.dtype))
    return thing


def tensors(device: Any, dtype: Any) -> Callable[[Any], Any]:
    """A function of arrays for `moved`: tensors on a device; real numbers in `dtype`, a NumPy or a torch one."""
    import torch

    def leaf(x: Any) -> Any:
        if sp.issparse(x):
            x = sp.csr_matrix(x, copy=True)
            x.sum_duplicates()  # torch wants the columns of a row in order
            parts = (torch.from_numpy(np.ascontiguousarray(v)) for v in (x.indptr, x.indices, x.data))
            indptr, indices, data = (v.to(device) for v in parts)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
                return torch.sparse_csr_tensor(
                    indptr, indices, data.to(_torch_dtype(dtype)), x.shape, check_invariants=True
                )
        if isinstance(x, np.ndarray):
            x = np.asarray(x, order="C")
            x = torch.from_numpy(x if x.flags.writeable else x.copy())
        return x.to(device=device, dtype=_torch_dtype(dtype) if x.is_floating_point() else x.dtype)

    return leaf


def arrays(dtype: np.dtype) -> Callable[[Any], Any]:
    """A function of arrays for `moved`: real numbers in `dtype`, indices as they are."""
    return lambda x: x.astype(dtype, copy=False) if x.dtype.kind == "f" else x


def moved(thing: Any, leaf: Callable[[Any], Any], _memo: dict[int, Any] | None = None) -> Any:
    """A copy of an object of this package whose arrays and sparse matrices x are leaf(x) instead.

    What only describes it (grids, coefficients, the `info` of a level) stays as it is, on the host. An object may say
    itself what it becomes, by a method `moved(leaf)`.
    """
    memo = {} if _memo is None else _memo
    if id(thing) not in memo:
        memo[id(thing)] = thing, _moved(thing, leaf, partial(moved, leaf=leaf, _memo=memo))
    return memo[id(thing)][1]


def _moved(thing: Any, leaf: Callable[[Any], Any], again: Callable[[Any], Any]) -> Any:
    if isinstance(thing, np.ndarray) or sp.issparse(thing) or is_tensor(thing):
        return leaf(thing)
    if hasattr(thing, "moved"):
        return thing.moved(leaf)
    if isinstance(thing, Level):
        kept = {"info": thing.info}
    elif isinstance(thing, partial):
        return partial(thing.func, *map(again, thing.args), **again(thing.keywords))
    elif isinstance(thing, MethodType):
        return MethodType(thing.__func__, again(thing.__self__))
    elif isinstance(thing, Mapping):
        return {key: again(value) for key, value in thing.items()}
    elif isinstance(thing, list | tuple):
        return type(thing)(map(again, thing)) if type(thing) in (list, tuple) else thing
    elif not type(thing).__module__.startswith("pde.") or type(thing).__name__ in DESCRIPTIONS:
        return thing
    else:
        kept = {}
    result = copy.copy(thing)
    for name, value in vars(thing).items():
        if isinstance(getattr(type(thing), name, None), cached_property):
            del result.__dict__[name]
        elif name not in kept:
            object.__setattr__(result, name, again(value))
    return result


DESCRIPTIONS = ("Grid", "Axis", "Terms", "Side")
"""Classes whose objects only describe what is computed."""


def _torch_dtype(dtype: Any) -> Any:
    import torch

    return dtype if isinstance(dtype, torch.dtype) else getattr(torch, np.dtype(dtype).name)
