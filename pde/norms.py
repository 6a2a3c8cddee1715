"""The root mean square norm of grid functions, safe against overflow and underflow."""

from __future__ import annotations

import numpy as np

from pde.grid import Array


def rms(u: Array, ndim: int) -> Array:
    """sqrt(mean u^2) over the last ndim axes: shape = batch axes; the same for every grid size and dtype."""
    axes = tuple(range(-ndim, 0))
    flat = u.reshape(-1, int(np.prod(u.shape[-ndim:])))
    with np.errstate(over="ignore", under="ignore"):
        squares = np.array([np.dot(v, v) for v in flat], dtype=float)
    if np.all((squares > np.finfo(u.dtype).tiny * 1e8) & (squares < np.finfo(u.dtype).max)):
        return np.sqrt(squares / flat.shape[1]).reshape(u.shape[:-ndim])
    largest = np.max(np.abs(u), axis=axes, keepdims=True).astype(float)
    scaled = u / np.where(largest > 0, largest, 1)
    return np.squeeze(largest, axes) * np.sqrt(np.mean(scaled**2, axis=axes))
