"""Zero-padded convolutions on arrays in two dimensions, (3.7) and (3.13): multigrid in the networks' own words.

>>> from mgcore.stencils import POISSON
>>> correlate(POISSON, np.ones((2, 2))).tolist()
[[2.0, 2.0], [2.0, 2.0]]
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from mgcore.stencils import Kernel
from pde.problem.grid import Array


def check_kernel(K: Kernel) -> None:
    """Refuse a kernel that is not 3 x 3, the only size of (3.7)."""
    if [len(row) for row in K] != [3, 3, 3]:
        raise ValueError(f"K must be a 3 x 3 kernel; got rows of {', '.join(str(len(row)) for row in K)} numbers")


def correlate(K: Kernel, g: Array) -> Array:
    """Apply K * with stride 1 and zero padding (3.7); K is 3 x 3, g has shape (..., m, n).

    Raises:
        ValueError: where K is not 3 x 3.
    """
    check_kernel(K)
    m, n = g.shape[-2:]
    padded = np.zeros((*g.shape[:-2], m + 2, n + 2), dtype=g.dtype)
    padded[..., 1:-1, 1:-1] = g
    result = np.zeros_like(g)
    for p in range(3):
        for q in range(3):
            if K[p][q] != 0:
                result += K[p][q] * padded[..., p : p + m, q : q + n]
    return result


def correlate_2(K: Kernel, g: Array) -> Array:
    """K *_2 g with stride 2 and zero padding (3.13): centred on the points 1, 3, 5, ... (from 1)."""
    return np.ascontiguousarray(correlate(K, g)[..., ::2, ::2])


def spread_2(K: Kernel, e: Array, shape: tuple[int, int]) -> Array:
    """The transpose of `correlate_2` onto a grid of `shape`: (4.7)-(4.9) for the kernels (4.13), (4.14)."""
    check_kernel(K)
    m, n = e.shape[-2:]
    if ((shape[0] + 1) // 2, (shape[1] + 1) // 2) != (m, n):
        raise ValueError(
            f"shape: stride 2 takes a grid of {shape} to {tuple((k + 1) // 2 for k in shape)}, not {(m, n)}"
        )
    padded = np.zeros((*e.shape[:-2], shape[0] + 2, shape[1] + 2), dtype=e.dtype)
    for p in range(3):
        for q in range(3):
            padded[..., p : p + 2 * m : 2, q : q + 2 * n : 2] += K[p][q] * e
    return np.ascontiguousarray(padded[..., 1:-1, 1:-1])


def correlation_matrix(K: Kernel, shape: tuple[int, int]) -> sp.csr_matrix:
    """K * as a sparse matrix on the flattened grid (C order)."""
    check_kernel(K)
    total = sp.csr_matrix((shape[0] * shape[1],) * 2)
    for p in range(3):
        for q in range(3):
            shifts = (sp.eye(n, k=k - 1) for n, k in zip(shape, (p, q), strict=True))
            total = total + K[p][q] * sp.kron(*shifts)
    return sp.csr_matrix(total)


def restriction_matrix(K: Kernel, shape: tuple[int, int]) -> sp.csr_matrix:
    """K *_2 as a sparse matrix."""
    kept = np.arange(shape[0] * shape[1]).reshape(shape)[::2, ::2].ravel()
    return sp.csr_matrix(correlation_matrix(K, shape)[kept])
