"""Sums over a grid in the inner product of control volumes, grid functions less their means, and sums of products."""

from __future__ import annotations

import numpy as np

from pde.backends.numba.jit import compiled

SUMS = 3
"""Sums of each plane: of W v, W |v| and W v^2."""


@compiled
def sum_planes(level, v, is_split, sums, first, last):
    """Leave the SUMS of planes first, ..., last - 1 in `sums`."""
    L = level.record
    n1, n = L.n[1], L.n[2]
    width0, width1 = level.reals + L.at_width[0], level.reals + L.at_width[1]
    width = level.reals + L.at_volumes[1 if is_split else 0]
    for i in range(first, last):
        total, absolute, squares = np.float64(0), np.float64(0), np.float64(0)
        for j in range(n1):
            row = v + (i * n1 + j) * n
            s, a, q = np.float64(0), np.float64(0), np.float64(0)
            for k in range(n):
                value, w = np.float64(row[k]), np.float64(width[k])
                s += w * value
                a += w * abs(value)
                q += w * value * value
            area = np.float64(width0[i]) * np.float64(width1[j])
            total, absolute, squares = total + area * s, absolute + area * a, squares + area * q
        sums[SUMS * i], sums[SUMS * i + 1], sums[SUMS * i + 2] = total, absolute, squares


@compiled
def subtract_mean(level, v, is_split, sums, out, first, last):
    """out <- v less its mean, planes first, ..., last - 1; the SUMS of `out` go behind those of v."""
    L = level.record
    total = np.float64(0)
    for i in range(L.n[0]):  # in this order however many blocks there are
        total += sums[SUMS * i]
    mean, size = total / L.volume, L.n[1] * L.n[2]
    for i in range(first, last):
        for k in range(i * size, (i + 1) * size):
            out[k] = v[k] - mean
        sum_planes(level, out, is_split, sums + SUMS * L.n[0], i, i + 1)


@compiled
def add_products(level, v, products, out, first, last, row):
    """out <- v + a sum of products, planes first, ..., last - 1; `row` is work space.

    products: their number; of each the axis, and where its two parts begin: along that axis, and across it.
    """
    L = level.record
    n1, n = L.n[1], L.n[2]
    for i in range(first, last):
        for j in range(n1):
            for k in range(n):
                row[k] = 0
            for t in range(int(products[0])):
                axis = int(products[1 + 3 * t])
                along, across = products + int(products[2 + 3 * t]), products + int(products[3 + 3 * t])
                if axis == 0:
                    factor, values = along[i], across + j * n
                elif axis == 1:
                    factor, values = along[j], across + i * n
                else:
                    factor, values = across[i * n1 + j], along
                if factor != 0:
                    for k in range(n):
                        row[k] += factor * values[k]
            start = (i * n1 + j) * n
            for k in range(n):
                out[start + k] = v[start + k] + row[k]
