"""Errors by frequency: the transform that fits the ends of each axis, and bands of wave numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy import fft

from pde.problem.grid import Array, Axis


def spectrum(axes: Sequence[Axis], e: Array) -> tuple[list[Array], Array]:
    """(frequencies theta in [0, pi] per axis, amplitudes) of e (..., *shape).

    The sine, cosine or Fourier transform that fits the ends of each axis is taken. Robin ends count as
    Neumann ends, and stretched axes by the numbers of their unknowns.
    """
    thetas = []
    for a, axis in enumerate(axes):
        theta, e = _transform(axis, e, a - len(axes))
        thetas.append(theta)
    return thetas, np.abs(e)


def _transform(axis: Axis, e: Array, a: int) -> tuple[Array, Array]:
    """One axis of `spectrum`: inner products, by control volume, with the eigenvectors of A for these ends."""
    n = e.shape[a]
    if n == 1:
        return np.zeros(1), e
    if axis.periodic:
        return np.abs(2 * np.pi * fft.fftfreq(n)), fft.fft(e, axis=a, norm="ortho")
    low, high = (side.kind == "dirichlet" for side in axis.sides)
    k, cell = np.arange(n), axis.cell
    kind: Literal[1, 2, 3, 4]
    if low != high:
        theta, kind = (k + 0.5) * np.pi / n, 4 if cell else 3
    elif low:
        theta, kind = (k + 1) * np.pi / (n if cell else n + 1), 2 if cell else 1
    else:
        theta, kind = k * np.pi / (n if cell else n - 1), 2 if cell else 1
    return theta, (fft.dst if low else fft.dct)(e, kind, axis=a, norm="ortho", orthogonalize=False)


def bands(k: Array, before: Array, after: Array) -> tuple[Array, Array]:
    """Mean wave number and ratio of the root mean squares in bands of a quarter of an octave."""
    band = np.round(4 * np.log2(np.maximum(k, 1.0))).astype(int).ravel()
    weight = np.bincount(band)
    sums = [np.bincount(band, weights=np.ravel(values)) for values in (k, before**2, after**2)]
    filled = (weight > 0) & (sums[1] > 0) & (sums[0] > 0)  # without the constant, which no logarithmic axis shows
    return sums[0][filled] / weight[filled], np.sqrt(sums[2][filled] / sums[1][filled])
