"""Means over a grid in the inner product of control volumes, and grid functions less their means."""

from __future__ import annotations

import numpy as np

from pde.backends.numba.jit import compiled


@compiled
def sum_planes(level, v, is_split, sums, first, last):
    """sums[i] <- the sum of W v over plane i, first <= i < last."""
    L = level.record
    n1, n = L.n[1], L.n[2]
    width0, width1 = level.reals + L.at_width[0], level.reals + L.at_width[1]
    width = level.reals + L.at_volumes[1 if is_split else 0]
    for i in range(first, last):
        total = np.float64(0)
        for j in range(n1):
            row, along = v + (i * n1 + j) * n, np.float64(0)
            for k in range(n):
                along += np.float64(width[k]) * np.float64(row[k])
            total += np.float64(width1[j]) * along
        sums[i] = np.float64(width0[i]) * total


@compiled
def subtract_mean(level, v, sums, out, first, last):
    """out <- v less its mean, planes first, ..., last - 1; `sums` as in `sum_planes`."""
    L = level.record
    total = np.float64(0)
    for i in range(L.n[0]):  # in this order however many blocks there are
        total += sums[i]
    mean, size = total / L.volume, L.n[1] * L.n[2]
    for k in range(first * size, last * size):
        out[k] = v[k] - mean
