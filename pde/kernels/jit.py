"""How kernels are compiled: cached on disk, without the interpreter's lock, free to contract and reorder sums."""

from __future__ import annotations

from typing import Any

import numba

compiled: Any = numba.njit(
    cache=True, nogil=True, boundscheck=False, error_model="numpy", fastmath={"contract", "nsz", "reassoc"}
)
inline: Any = numba.njit(
    inline="always", cache=True, boundscheck=False, error_model="numpy", fastmath={"contract", "nsz", "reassoc"}
)
exact: Any = numba.njit(cache=True, nogil=True, boundscheck=False, error_model="numpy")
"""Arithmetic that a compiler must not reorder."""
