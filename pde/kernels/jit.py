"""How kernels are compiled: cached on disk, without the interpreter's lock, free to contract and reorder sums."""

from __future__ import annotations

import numba

compiled = numba.njit(
    cache=True, nogil=True, boundscheck=False, error_model="numpy", fastmath={"contract", "nsz", "reassoc"}
)
inline = numba.njit(
    inline="always", cache=True, boundscheck=False, error_model="numpy", fastmath={"contract", "nsz", "reassoc"}
)
