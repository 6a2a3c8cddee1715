"""How kernels are compiled: cached on disk, without the interpreter's lock, free to contract and reorder sums."""

from __future__ import annotations

from functools import partial
from typing import Any

import numba

_cached = partial(numba.njit, cache=True, nogil=True, boundscheck=False, error_model="numpy")
_free = partial(_cached, fastmath={"contract", "nsz", "reassoc"})
_inner = partial(_free, no_cpython_wrapper=True, no_cfunc_wrapper=True)

called: Any = _free()
"""For functions that Python calls: the others have no way in from there, which takes a tenth of their compilation."""

compiled: Any = _inner()
inline: Any = _inner(forceinline=True)
"""LLVM inlines it; Numba, which would type the code anew in every place, takes a fifth longer."""

merged: Any = _inner(inline="always")
"""For a function with one caller, around a large one: else LLVM would go through that once more."""

exact: Any = _cached()
"""Arithmetic that a compiler must not reorder."""
