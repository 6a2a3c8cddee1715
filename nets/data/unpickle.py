"""Reading a pickle of plain values and byte arrays, and of nothing else: no code of the file is ever run."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np

BYTES = np.dtype("uint8")


def read_pickle(content: bytes, name: str) -> Any:
    """Read a pickle of None, numbers, bytes, strings, lists, tuples, dictionaries, NumPy arrays of bytes.

    Raises:
        ValueError: naming the file, where it is damaged or asks for anything else.
    """
    try:
        return _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except _RefusedError as error:
        raise ValueError(f"{name} is refused: a data file has no use for {error}") from None
    except Exception as error:
        raise ValueError(f"{name} is truncated, damaged or no pickle ({type(error).__name__}: {error})") from error


class _RefusedError(Exception):
    """The pickle asks for something else, which the message names."""


class _Unpickler(pickle.Unpickler):
    """Give a pickle small functions of its own, new ones each time, instead of what it asks for by name."""

    def find_class(self, module: str, name: str) -> Any:
        match module.replace("numpy._core", "numpy.core"), name:
            case "numpy", "ndarray":
                return "ndarray"  # a mark for _reconstruct, which cannot be called
            case "numpy.core.multiarray", "_reconstruct":
                return lambda kind, shape, code: np.ndarray((0,), BYTES)  # the pickle's state fills it
            case "numpy.core.numeric", "_frombuffer":  # protocol 5
                return lambda content, kind, shape, order: np.frombuffer(content, kind).reshape(shape, order=order)
            case "numpy", "dtype":
                return lambda code, *rest: _bytes_type(code)
            case "_codecs", "encode":
                return lambda text, encoding: text.encode("latin-1")  # bytes, as Python 3 wrote them in protocol 2
        raise _RefusedError(f"{module}.{name}")


def _bytes_type(code: str | bytes) -> np.dtype[Any]:
    if code not in ("u1", b"u1", "uint8", b"uint8"):
        raise _RefusedError(f"an array of {code!r}")
    return np.dtype("u1")
