"""Intel MKL's Poisson solver (pip install mkl), called through ctypes."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Any

import numpy as np

FINISHED = 0


class MKL:
    """solve(): `u`, the inside of MKL's padded array, from the f that `load` puts there.

    Raises:
        ImportError: where the library is not installed.
    """

    name = "Intel MKL"

    def __init__(self, shape: tuple[int, ...], threads: int) -> None:
        self._library = _library()
        self._library.MKL_Set_Num_Threads(ctypes.c_int(threads))
        self._padded = np.zeros([n + 2 for n in shape])
        self.u = self._padded[(slice(1, -1),) * len(shape)]
        ndim, intervals = len(shape), [n + 1 for n in reversed(shape)]  # its first axis is the contiguous one
        self._kind = f"{ndim}d"
        # the data of all sides are zero, and one array serves them all
        sides = [_pointer(np.zeros(self._padded.size // min(self._padded.shape)))] * (2 * ndim)
        ends = [ctypes.byref(ctypes.c_double(end)) for end in (0.0, 1.0)] * ndim
        counts = [ctypes.byref(ctypes.c_int(n)) for n in intervals]
        self._state = ctypes.c_int(1)
        self._integers = (ctypes.c_int * 128)()
        self._doubles = (ctypes.c_double * (13 * sum(intervals) // 2 + 64))()
        handles = [ctypes.byref(ctypes.c_void_p()) for _ in range(ndim - 1)]
        tail = (self._integers, self._doubles, ctypes.byref(self._state))
        zero = ctypes.byref(ctypes.c_double(0.0))
        self._call("init", *ends, *counts, b"DD" * ndim, zero, *tail)
        self._arguments = (_pointer(self._padded), *sides, *handles, *tail)
        self._call("commit", *self._arguments)
        self._scale = float(np.prod([1 / n for n in intervals]) ** (2 / ndim))  # committing scales f by h^2

    def load(self, f: np.ndarray) -> None:
        np.multiply(f, self._scale, out=self.u)

    def solve(self) -> None:
        self._call("", *self._arguments)

    def _call(self, step: str, *arguments: Any) -> None:
        name = "_".join(part for part in ("d", step, "helmholtz", self._kind) if part)
        getattr(self._library, name)(*arguments)
        if self._state.value != FINISHED:
            raise RuntimeError(f"{name} ended with status {self._state.value}")


def _library() -> Any:
    found = sorted(Path(sys.prefix, "lib").glob("libmkl_rt.so*"))
    if not found:
        raise ImportError(f"no libmkl_rt in {sys.prefix}/lib: pip install mkl")
    return ctypes.CDLL(str(found[0]))


def _pointer(array: np.ndarray) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
